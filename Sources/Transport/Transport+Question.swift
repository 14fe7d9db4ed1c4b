internal import NIOCore
internal import NIOPosix
internal import NIOSSL

extension Transport {
    /// Asks something over a connection that is there already, and closes it: for probes, which want to know whether
    /// anybody answers, and what in the first line.
    ///
    /// - Parameters:
    ///   - socket: a connected socket that does not block; it is owned from here on.
    ///   - isProtected: whether TLS is spoken; whoever answers is believed.
    ///   - question: what is sent.
    ///   - limit: at most so many bytes are waited for.
    ///   - isWhole: whether all of the answer is waited for rather than its first line.
    ///   - timeout: how long all of it may take.
    /// - Returns: the answer up to its first line's end or the limit; less when the connection was closed.
    /// - Throws: what NIO throws, or ``TransportError``.
    public func ask(
        over socket: CInt, isProtected: Bool, question: [UInt8], limit: Int, isWhole: Bool = false,
        timeout: Duration
    ) async throws -> [UInt8] {
        let loop = eventLoops.any()
        let answer = loop.makePromise(of: [UInt8].self)
        let timer = loop.scheduleTask(in: TimeAmount(timeout)) {
            answer.fail(ChannelError.connectTimeout(TimeAmount(timeout)))
        }
        let connecting = ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isProtected {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: Self.believing.get(), serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        Asking(question: question, limit: limit, isWhole: isWhole, answer: answer))
                }
            }
            .withConnectedSocket(socket)
        connecting.whenFailure { answer.fail($0) }
        answer.futureResult.whenComplete { _ in
            timer.cancel()
            connecting.whenSuccess { $0.close(promise: nil) }
        }
        return try await answer.futureResult.get()
    }

    private static let believing: Result<NIOSSLContext, any Error> = Result {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return try NIOSSLContext(configuration: configuration)
    }
}

/// Sends a question and collects what comes, up to the end of a line, or up to the end.
private final class Asking: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: [UInt8]
    private let limit: Int
    private let isWhole: Bool
    private let answer: EventLoopPromise<[UInt8]>
    private var collected: [UInt8] = []

    init(question: [UInt8], limit: Int, isWhole: Bool, answer: EventLoopPromise<[UInt8]>) {
        self.question = question
        self.limit = limit
        self.isWhole = isWhole
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        // What stands behind TLS waits for the handshake there.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: question)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        collected += unwrapInboundIn(data).readableBytesView.prefix(max(limit - collected.count, 0))
        let isEnough = !isWhole && collected.contains(UInt8(ascii: "\n"))
        if collected.count >= limit || isEnough { answer.succeed(collected) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(collected)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.fail(error) }
}
