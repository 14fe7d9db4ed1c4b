internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Brings one connection through its TLS handshake, then lets the handlers above it be added.
///
/// Until the handshake is complete nobody above exists: they are added when the peer is known, so they never see a
/// connection that is not protected. Afterwards it passes everything on.
final class TLSGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case shaking
        case settingUp
        case open
        case failed
    }

    private var state = State.shaking
    private let peer: TLSPeer
    private let door: TLSDoor?
    private let timeout: TimeAmount
    private let setUp: @Sendable (any Channel) -> EventLoopFuture<Void>
    private let opened: EventLoopPromise<Void>
    private var timer: Scheduled<Void>?
    private var held: [ByteBuffer] = []

    init(
        peer: TLSPeer, door: TLSDoor?, timeout: TimeAmount, opened: EventLoopPromise<Void>,
        setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) {
        self.peer = peer
        self.door = door
        self.timeout = timeout
        self.opened = opened
        self.setUp = setUp
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        fail(.refused(reason: "closed"))
        TLSPeer.forget(context.channel)
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            self?.fail(.refused(reason: "the TLS handshake took too long"))
            context.close(promise: nil)
        }
        // One is enough: the TLS handler goes on by itself until it has something to deliver.
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.refused(reason: "closed during the TLS handshake"))
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .open = state {
            context.fireChannelRead(data)
        } else {
            held.append(Self.unwrapInboundIn(data))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .open = state { context.fireChannelReadComplete() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .open = state {
            context.fireErrorCaught(TransportError.refusal(in: error) ?? error)
            return
        }
        fail(peer.refusal.map { .untrusted(reason: $0) } ?? .refused(reason: TransportError.reason(for: error)))
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
            completed(context, negotiated)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// TLS says goodbye to each other; the other side's word has to be read.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        context.close(mode: mode, promise: promise)
        if mode == .all { context.read() }
    }

    private func completed(_ context: ChannelHandlerContext, _ negotiated: String?) {
        guard case .shaking = state else { return }
        timer?.cancel()
        if let reason = peer.completed(with: try? context.pipeline.syncOperations.nioSSL_peerCertificate()) {
            fail(.untrusted(reason: reason))
            context.close(promise: nil)
            return
        }
        peer.remember(context.channel, negotiated)
        if let door { context.pipeline.syncOperations.removeHandler(door, promise: nil) }
        state = .settingUp
        let gate = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        setUp(context.channel).whenComplete { result in
            let (gate, context) = gate.value
            gate.ready(context, result)
        }
    }

    private func ready(_ context: ChannelHandlerContext, _ result: Result<Void, any Error>) {
        guard case .settingUp = state else { return }
        if case .failure(let error) = result {
            fail(.refused(reason: TransportError.reason(for: error)))
            context.close(promise: nil)
            return
        }
        state = .open
        opened.succeed()
        let early = held
        held = []
        context.fireChannelActive()
        for buffer in early { context.fireChannelRead(Self.wrapInboundOut(buffer)) }
        if !early.isEmpty { context.fireChannelReadComplete() }
    }

    private func fail(_ error: TransportError) {
        timer?.cancel()
        switch state {
        case .open, .failed: return
        case .shaking, .settingUp:
            state = .failed
            held = []
            opened.fail(error)
        }
    }
}
