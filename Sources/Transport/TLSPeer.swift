internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// What is known of the other side of one connection.
final class TLSPeer: Sendable {
    private struct State {
        var judged = false
        var refusal: String?
        var chain: [[UInt8]] = []
    }

    private struct Known {
        var chain: [[UInt8]]
        var negotiated: String?
    }

    /// Of all open connections, so that anyone may ask, on any thread.
    private static let known = Mutex<[ObjectIdentifier: Known]>([:])

    private let state = Mutex(State())
    private let judge: PeerJudge

    init(judge: @escaping PeerJudge) { self.judge = judge }

    /// Why the peer is not trusted.
    var refusal: String? { state.withLock { $0.refusal } }

    /// What TLS asks.
    var callback: NIOSSLCustomVerificationCallback {
        { [self] certificates, promise in promise.succeed(verify(certificates) ? .certificateVerified : .failed) }
    }

    private func verify(_ certificates: [NIOSSLCertificate]) -> Bool {
        let chain = certificates.compactMap { try? $0.toDERBytes() }
        let refusal = chain.count == certificates.count ? judge(chain) : "a certificate cannot be read"
        state.withLock { state in
            state.judged = true
            state.refusal = refusal
            if refusal == nil { state.chain = chain }
        }
        return refusal == nil
    }

    /// A client may resume a session, whose certificate TLS does not ask about again. The judge is asked again: it may
    /// have expired meanwhile.
    ///
    /// - Returns: why the peer is not trusted.
    func completed(with leaf: NIOSSLCertificate?) -> String? {
        if let leaf, !state.withLock({ $0.judged }) { _ = verify([leaf]) }
        return refusal
    }

    func remember(_ channel: any Channel, _ negotiated: String?) {
        let known = Known(chain: state.withLock { $0.chain }, negotiated: negotiated)
        Self.known.withLock { $0[ObjectIdentifier(channel)] = known }
    }

    static func forget(_ channel: any Channel) {
        known.withLock { $0[ObjectIdentifier(channel)] = nil }
    }

    /// The chain of the connection that carries a channel.
    static func chain(of channel: any Channel) -> [[UInt8]] { find(channel)?.chain ?? [] }

    /// What is remembered is protected.
    static func isProtected(_ channel: any Channel) -> Bool { find(channel) != nil }

    static func negotiated(of channel: any Channel) -> String? { find(channel)?.negotiated }

    /// A stream of HTTP/2 is a channel inside a channel.
    private static func find(_ channel: any Channel) -> Known? {
        known.withLock { known in
            known[ObjectIdentifier(channel)] ?? channel.parent.flatMap { known[ObjectIdentifier($0)] }
        }
    }
}
