internal import NIOCore

/// Cuts one connection into parts and hands them to the node, on the node's event loop and in order.
final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let node: GossipNode
    private let stream: UInt64
    private var cutter = FrameCutter()
    private var isStarted = false

    init(node: GossipNode, stream: UInt64) {
        self.node = node
        self.stream = stream
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) { start(context) }

    private func start(_ context: ChannelHandlerContext) {
        guard !isStarted else { return }
        isStarted = true
        let (stream, channel) = (stream, context.channel)
        tell { $0.streamOpened(stream, channel) }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = Self.unwrapInboundIn(data)
        let stream = stream
        do {
            let frames = try cutter.take(buffer.readableBytesView)
            guard !frames.isEmpty else { return }
            tell { node in for frame in frames { node.streamReceived(frame, stream) } }
        } catch {
            tell { $0.streamRefused(error, stream) }
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.read() }

    func channelInactive(context: ChannelHandlerContext) {
        let stream = stream
        tell { $0.streamClosed(stream) }
        context.fireChannelInactive()
    }

    /// Who stops sending before all is said is gone.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func tell(_ word: @escaping @Sendable (isolated GossipNode) -> Void) {
        let node = node
        if node.loop.inEventLoop {
            node.assumeIsolated { word($0) }
        } else {
            node.loop.execute { node.assumeIsolated { word($0) } }
        }
    }
}
