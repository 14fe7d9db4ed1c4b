import Crypto
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import NIOCore
import SwiftASN1
import Synchronization
import Transport
import X509

/// A certificate authority for tests, with its own idea of whom to trust.
struct TestAuthority: Sendable {
    private let key = P256.Signing.PrivateKey()
    let certificate: Certificate

    init(_ name: String = "test authority") throws {
        certificate = try Self.make(name, for: Certificate.PrivateKey(key).publicKey, by: name, key, authority: true)
    }

    /// A node's identity: the certificate names it and nothing else.
    func issue(_ name: String) throws -> TestIdentity {
        let own = P256.Signing.PrivateKey()
        let issuer = certificate.subject.description.replacing("CN=", with: "")
        let leaf = try Self.make(
            name, for: Certificate.PrivateKey(own).publicKey, by: issuer, key, authority: false)
        return TestIdentity(chain: [leaf, certificate], key: own)
    }

    private static func make(
        _ name: String, for publicKey: Certificate.PublicKey, by issuer: String, _ key: P256.Signing.PrivateKey,
        authority: Bool
    ) throws -> Certificate {
        try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -60), notValidAfter: Date(timeIntervalSinceNow: 3600),
            issuer: DistinguishedName { CommonName(issuer) }, subject: DistinguishedName { CommonName(name) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                if authority { Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil)) }
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
    }

    /// Trusts certificates of this authority with one of these names.
    func judge(_ names: String...) -> PeerJudge {
        { [certificate] chain in
            guard let first = chain.first, let leaf = try? Certificate(derEncoded: first) else {
                return "no certificate"
            }
            guard certificate.publicKey.isValidSignature(leaf.signature, for: leaf) else {
                return "it was not issued by this cluster"
            }
            return names.contains(TestIdentity.name(of: leaf))
                ? nil : "it is not that of \(names.joined(separator: ", "))"
        }
    }
}

/// A certificate with its key.
struct TestIdentity: Sendable {
    let chain: [Certificate]
    let key: P256.Signing.PrivateKey

    var identity: TLSIdentity {
        get throws { TLSIdentity(chain: try chain.map { try Self.der($0) }, key: Array(key.derRepresentation)) }
    }

    var certificatePEM: String {
        get throws { try chain.map { try $0.serializeAsPEM().pemString }.joined(separator: "\n") + "\n" }
    }

    static func der(_ certificate: Certificate) throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return serializer.serializedBytes
    }

    static func name(of certificate: Certificate) -> String {
        certificate.subject.description.replacing("CN=", with: "")
    }

    /// Whose certificate heads a chain.
    static func name(of chain: [[UInt8]]) -> String? {
        chain.first.flatMap { try? Certificate(derEncoded: $0) }.map { name(of: $0) }
    }
}

/// A protected server, its authority, and callers of different kinds.
struct SecureLoopback: Sendable {
    let authority: TestAuthority
    let transport: Transport
    let security: TransportSecurity
    let server: HTTPServer
    /// Shows the certificate of "client".
    let caller: HTTPCaller
    /// Shows none.
    let anonymous: HTTPCaller
    var endpoint: Endpoint { server.endpoint }
    var port: UInt16 { server.endpoint.port ?? 0 }

    static func run(
        clients: ClientCertificates = .optional, settings: HTTPServerSettings = HTTPServerSettings(),
        handshakeTimeout: Duration = .seconds(10), trusting: PeerJudge? = nil,
        handler: @escaping HTTPServer.Handler = demo, _ test: @Sendable (SecureLoopback) async throws -> Void
    ) async throws {
        let authority = try TestAuthority()
        let transport = Transport(threads: 2, handshakeTimeout: handshakeTimeout)
        let security = try TransportSecurity(
            identity: authority.issue("server").identity, judge: trusting ?? authority.judge("client"))
        let server = try await HTTPServer.start(
            on: .tcp(.loopback, port: 0), transport: transport, security: security, clients: clients,
            settings: settings, handler: handler)
        let client = try TransportSecurity(
            identity: authority.issue("client").identity, judge: authority.judge("server", "server 2"))
        let nobody = try TransportSecurity(identity: nil, judge: authority.judge("server"))
        let loopback = SecureLoopback(
            authority: authority, transport: transport, security: security, server: server,
            caller: HTTPCaller(transport: transport, security: client),
            anonymous: HTTPCaller(transport: transport, security: nobody))
        let result: Result<Void, any Error>
        do {
            try await test(loopback)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await loopback.caller.shutDown()
        await loopback.anonymous.shutDown()
        await server.stop(grace: .milliseconds(10))
        await transport.shutDown()
        try result.get()
    }

    func expectAlive() async throws {
        let answer = try await caller.call(.get, endpoint, "/ping")
        guard answer.status == .ok else { throw CancellationError() }
    }
}

/// Says who the client is.
@Sendable func whoami(_ request: GatewayRequest) async throws -> GatewayResponse {
    .text(.ok, TestIdentity.name(of: request.peerCertificates) ?? "nobody")
}
