import FoundationEssentials
import Membership

@testable import Gossip
@testable import Identity

/// What reads bytes from outside. A broken promise traps, which libFuzzer reports with the input that broke it.
enum Parser: UInt8, CaseIterable {
    /// Before decryption: anybody may send these.
    case envelope, stream
    /// After decryption: whoever has the gossip key may.
    case packet, record, state, beacon, conversation
    /// Over TLS, from whoever connects.
    case joinToken, joinBody, certificateRequest, certificate, signedToken
    /// Whoever publishes packages, or sends options for one.
    case packageTemplate, packageSchema, packageRepository, packagePattern
    /// A virtual machine's guest and its host, of each other.
    case channelWords, channelHost, channelGuest

    func feed(_ bytes: [UInt8]) {
        switch self {
        case .envelope: Sealed.envelope(bytes)
        case .stream: Sealed.stream(bytes)
        case .packet:
            guard let packet = try? MemberCoding.packet(from: bytes) else { return }
            precondition(MemberCoding.encode(packet: packet) == bytes, "a packet has two encodings")
        case .record:
            guard let signed = try? MemberCoding.record(from: bytes) else { return }
            precondition(MemberCoding.encode(signed) == bytes, "a record has two encodings")
            precondition(signed.encodedSize == bytes.count && bytes.count <= MemberCoding.recordLimit)
        case .state:
            guard let state = try? MemberCoding.state(from: bytes) else { return }
            precondition(MemberCoding.encode(state: state) == bytes, "a state has two encodings")
        case .beacon:
            guard let beacon = try? Beacon(reading: bytes) else { return }
            precondition(beacon.bytes == bytes, "a call has two encodings")
        case .conversation: Conversing.run(bytes)
        case .joinToken: Self.joinToken(bytes)
        case .joinBody: Self.joinBody(bytes)
        case .certificateRequest: Self.request(bytes)
        case .certificate: _ = try? ShownCertificate(bytes).readUnverified()
        case .packageTemplate: Packaged.template(bytes)
        case .packageSchema: Packaged.schema(bytes)
        case .packageRepository: Packaged.repository(bytes)
        case .packagePattern: Packaged.pattern(bytes)
        case .channelWords: Channelled.words(bytes)
        case .channelHost: Channelled.host(bytes)
        case .channelGuest: Channelled.guest(bytes)
        case .signedToken: _ = try? SignedToken(String(decoding: bytes, as: UTF8.self)).claims()
        }
    }

    private static func joinToken(_ bytes: [UInt8]) {
        guard let token = try? JoinToken(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        let start = bytes.drop(while: isSpace)
        let word = start.prefix { !isSpace($0) }
        precondition(Array(token.text.utf8) == Array(word), "a join token has two texts")
        precondition(start.dropFirst(word.count).allSatisfy(isSpace))
    }

    /// What `POST /rondo/v1/join` takes, in the same steps.
    private struct JoinRequest: Decodable {
        var token: String
        var request: String
        var name: String
        var role: String
    }

    private static func joinBody(_ bytes: [UInt8]) {
        guard let wanted = try? JSONDecoder().decode(JoinRequest.self, from: Data(bytes)) else { return }
        _ = try? JoinToken(parsing: wanted.token)
        _ = JoinToken.Role(rawValue: wanted.role)
        _ = try? CertificateRequest(pem: Array(wanted.request.utf8))
    }

    /// In PEM and in DER; both must agree.
    private static func request(_ bytes: [UInt8]) {
        if let request = try? CertificateRequest(der: bytes) { precondition(request.der == bytes) }
        if let request = try? CertificateRequest(pem: bytes) {
            precondition((try? CertificateRequest(der: request.der)) == request)
        }
    }
}
