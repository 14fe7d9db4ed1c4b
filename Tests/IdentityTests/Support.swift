import ClusterModel
import Crypto
import Foundation
import Identity
import Membership
import SwiftASN1
import Testing
import X509

/// Chance that a seed decides (SplitMix64).
struct SeededChance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

extension UnixTime {
    /// A day in 2027; no test reads a clock.
    static let start = UnixTime(nanoseconds: 1_800_000_000_123_456_789)

    static func + (time: UnixTime, seconds: Int64) -> UnixTime { time + .seconds(seconds) }
    static func - (time: UnixTime, seconds: Int64) -> UnixTime { time + .seconds(-seconds) }
}

let day: Int64 = 86_400
let clusterID = "0e5a4d1c-7d8c-4a58-9d0b-3a7f2c6b9e10"

func newAuthority(_ id: String = clusterID, name: String = "test") throws -> ClusterAuthority {
    try ClusterAuthority(clusterID: id, name: name, now: .start)
}

func newNode(
    of authority: ClusterAuthority, _ roles: NodeRoles = .agent, key: NodeKey = NodeKey(), now: UnixTime = .start
) throws -> IssuedCertificate {
    try authority.issueNode(CertificateRequest(key: key), roles: roles, now: now)
}

/// The reason for which something is refused; nil when it is not.
func refusal<Value>(_ body: () throws(IdentityError) -> Value) -> IdentityError.Reason? {
    do throws(IdentityError) {
        _ = try body()
        return nil
    } catch {
        #expect(error.description.count > 20, "an error says what to do")
        return error.reason
    }
}

/// Certificates that the authority would never make, with its true key or another.
struct Forged {
    var key = NodeKey()
    var signer: [UInt8]
    var issuer: [UInt8]
    var commonName: String?
    var subject: DistinguishedName?
    var uri: [String]?
    var uses: [ExtendedKeyUsage.Usage] = [.serverAuth, .clientAuth]
    var constraints: BasicConstraints? = .notCertificateAuthority
    var usage = KeyUsage(digitalSignature: true)
    var version = Certificate.Version.v3
    var times = (UnixTime.start - 300, UnixTime.start + day)
    var more: [Certificate.Extension] = []
    var publicKey: Certificate.PublicKey?

    init(_ authority: ClusterAuthority) {
        signer = authority.privateKey
        issuer = authority.certificate.der
    }

    func der() throws -> [UInt8] {
        let own = try P256.Signing.PublicKey(compressedRepresentation: key.publicKey.compressed)
        let signing = try P256.Signing.PrivateKey(pemRepresentation: String(decoding: signer, as: UTF8.self))
        let names = uri ?? ["rondo://\(clusterID)/node/\(key.id)?roles=agent"]
        var extensions: [Certificate.Extension] = [
            try Certificate.Extension(usage, critical: true),
            try Certificate.Extension(
                SubjectAlternativeNames(names.map { .uniformResourceIdentifier($0) }), critical: false),
        ]
        if let constraints { extensions.append(try Certificate.Extension(constraints, critical: true)) }
        if !uses.isEmpty { extensions.append(try Certificate.Extension(ExtendedKeyUsage(uses), critical: false)) }
        let certificate = try Certificate(
            version: version, serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey ?? Certificate.PublicKey(own),
            notValidBefore: Date(timeIntervalSince1970: times.0.seconds.rounded(.down)),
            notValidAfter: Date(timeIntervalSince1970: times.1.seconds.rounded(.down)),
            issuer: try Certificate(derEncoded: issuer).subject,
            subject: subject ?? DistinguishedName { CommonName(commonName ?? key.id.description) },
            signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(extensions + more),
            issuerPrivateKey: Certificate.PrivateKey(signing))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return serializer.serializedBytes
    }
}

/// The openssl command, an opinion that is not ours.
struct OpenSSL {
    let folder: URL

    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "rondo-openssl-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func write(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: folder.appending(path: name)) }

    func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: name))) }

    /// Runs a command in the folder and gives all it said.
    func run(_ arguments: String...) throws -> (code: Int32, text: String) { try run(arguments) }

    func run(_ arguments: [String]) throws -> (code: Int32, text: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
