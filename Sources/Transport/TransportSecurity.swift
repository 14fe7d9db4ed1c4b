internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// A certificate chain with its private key, as they are kept: bytes that this module alone turns into TLS objects.
public struct TLSIdentity: Sendable, Equatable {
    /// The certificates as DER, leaf first.
    public var chain: [[UInt8]]
    /// The private key of the leaf as DER (PKCS#8).
    public var key: [UInt8]

    /// An identity from its parts; they are looked at when ``TransportSecurity`` takes them.
    ///
    /// - Parameters:
    ///   - chain: the certificates as DER, leaf first.
    ///   - key: the private key of the leaf as DER (PKCS#8).
    public init(chain: [[UInt8]], key: [UInt8]) {
        self.chain = chain
        self.key = key
    }
}

/// Decides whether a peer's chain (DER, leaf first) is good: `nil`, or otherwise what is wrong with it in a few words.
///
/// It does all of the verification: signatures, validity, names and roles. TLS itself checks only that the peer holds
/// the key of the leaf. It runs on the threads that carry the connections, so it must not block.
public typealias PeerJudge = @Sendable (_ chain: [[UInt8]]) -> String?

/// Whether a listener asks the other side for a certificate.
public enum ClientCertificates: Sendable {
    /// Not asked for.
    case ignored
    /// Asked for; a connection without one is taken, one with a bad one is refused.
    case optional
    /// Asked for; a connection without one is refused.
    case required
}

/// What protects connections: this side's identity and what it thinks of the other side's.
///
/// The objects that TLS needs are made once for an identity, not for each connection. A new identity takes effect for
/// the connections opened after ``replace(identity:)``; those that are open go on.
public final class TransportSecurity: Sendable {
    /// Which side of a connection is to be protected, and how.
    enum Purpose: Hashable {
        case connecting(protocols: [String])
        case accepting(ClientCertificates, protocols: [String])
    }

    private struct State {
        var material: (chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKeySource)?
        var contexts: [Purpose: NIOSSLContext] = [:]
        var generation = 0
    }

    let judge: PeerJudge
    /// For servers outside of the cluster: TLS itself verifies the chain and the name.
    let web: WebTrust?
    private let state = Mutex(State())

    /// Protection with or without an identity of one's own.
    ///
    /// - Parameters:
    ///   - identity: what is shown to peers; `nil` only connects, and shows nothing.
    ///   - judge: decides about the peers' chains.
    /// - Throws: ``TransportError/badIdentity(reason:)``.
    public init(identity: TLSIdentity?, judge: @escaping PeerJudge) throws(TransportError) {
        self.judge = judge
        web = nil
        if let identity { try replace(identity: identity) }
    }

    /// Protection of connections to servers outside of the cluster, such as registries: their certificates are made by
    /// the authorities that this machine knows, and for the name that was meant.
    ///
    /// - Parameter web: the name, and which authorities are known.
    public init(web: WebTrust) {
        self.web = web
        judge = { _ in nil }
    }

    /// Uses another identity for the connections opened from now on.
    ///
    /// - Parameter identity: the new identity; when it is refused the old one stays.
    /// - Throws: ``TransportError/badIdentity(reason:)``.
    public func replace(identity: TLSIdentity) throws(TransportError) {
        guard !identity.chain.isEmpty else { throw .badIdentity(reason: "the certificate chain is empty") }
        var new = State()
        do {
            let chain = try identity.chain.map {
                NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: $0, format: .der))
            }
            new.material = (chain, .privateKey(try NIOSSLPrivateKey(bytes: identity.key, format: .der)))
        } catch {
            throw .badIdentity(reason: TransportError.reason(for: error))
        }
        let purpose = Purpose.connecting(protocols: [])
        guard let context = try? NIOSSLContext(configuration: Self.configuration(purpose, new)) else {
            throw .badIdentity(reason: "the key is not that of the certificate")
        }
        new.contexts[purpose] = context
        state.withLock { state in
            new.generation = state.generation + 1
            state = new
        }
    }

    /// Counts the identities: who keeps connections sees that they were opened with an older one.
    public var generation: Int { state.withLock { $0.generation } }

    /// The TLS object for new connections.
    func context(for purpose: Purpose) throws(TransportError) -> NIOSSLContext {
        let result = state.withLock { state -> Result<NIOSSLContext, TransportError> in
            if let context = state.contexts[purpose] { return .success(context) }
            if case .accepting = purpose, state.material == nil {
                return .failure(.badIdentity(reason: "a listener needs a certificate"))
            }
            do {
                let context = try NIOSSLContext(configuration: Self.configuration(purpose, state, web))
                state.contexts[purpose] = context
                return .success(context)
            } catch {
                return .failure(.badIdentity(reason: TransportError.reason(for: error)))
            }
        }
        return try result.get()
    }

    private static func configuration(
        _ purpose: Purpose, _ state: State, _ web: WebTrust? = nil
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        // For 1.2; all suites of 1.3 are good. Forward secrecy and authenticated encryption only.
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        // The judge decides. Without this the certificates of the system would be read for nothing.
        configuration.trustRoots = .certificates([])
        configuration.shutdownTimeout = .seconds(2)
        if let material = state.material {
            configuration.certificateChain = material.chain
            configuration.privateKey = material.key
        }
        switch purpose {
        case .connecting(let protocols):
            configuration.applicationProtocols = protocols
            configuration.certificateVerification = .noHostnameVerification
            if let web {
                configuration.trustRoots = web.authorities.map { .file($0) } ?? .default
                configuration.certificateVerification = .fullVerification
            }
        case .accepting(let clients, let protocols):
            configuration.applicationProtocols = protocols
            switch clients {
            case .ignored: configuration.certificateVerification = .none
            case .optional: configuration.certificateVerification = .optionalVerification
            case .required: configuration.certificateVerification = .noHostnameVerification
            }
        }
        return configuration
    }
}
