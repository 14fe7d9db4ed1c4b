internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2

/// One connection that speaks HTTP/2: the streams inside it are served as connections with one request each.
///
/// The socket is read all the time, since its frames of control must be seen; what holds a sender back are the windows
/// of its streams, which grow only while somebody reads their bodies.
final class HTTP2Connection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private let settings: HTTPServerSettings
    private var context: ChannelHandlerContext?
    private var streams = 0
    private var last = HTTP2StreamID.rootStream
    private var stopping = false
    private var timer: Scheduled<Void>?

    private init(settings: HTTPServerSettings) { self.settings = settings }

    /// Makes a connection ready that has agreed to speak it.
    static func add(
        to channel: any Channel, settings: HTTPServerSettings, handler: @escaping HTTPServer.Handler
    ) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: settings.streamLimit),
            HTTP2Setting(parameter: .maxHeaderListSize, value: settings.headBytesLimit),
            HTTP2Setting(parameter: .initialWindowSize, value: 128 << 10),
        ]
        connection.targetWindowSize = 1 << 20
        connection.maximumBufferedControlFrames = 1000
        connection.maximumSequentialContinuationFrames = 1 + settings.headBytesLimit >> 14
        connection.controlFrameRateLimit.maximumCount = settings.controlFrameLimit
        connection.controlFrameRateLimit.windowLength = .seconds(10)
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = 128 << 10
        stream.streamResetFrameRateLimit.maximumCount = settings.resetLimit
        stream.streamResetFrameRateLimit.windowLength = .seconds(10)
        stream.streamErrorRateLimit = .init()
        let this = HTTP2Connection(settings: settings)
        let frames = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
            streamConfiguration: stream, streamDelegate: Streams(connection: this, loop: channel.eventLoop)
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                let edge = HTTP2StreamEdge()
                try stream.pipeline.syncOperations.addHandlers(
                    edge, HTTP2FramePayloadToHTTP1ServerCodec(),
                    ConnectionHandler(settings: settings, loop: stream.eventLoop, stream: edge, handler: handler))
            }
        }
        try channel.pipeline.syncOperations.addHandlers(HTTP2FrameMeter(), frames, this)
        try channel.syncOptions?.setOption(.autoRead, value: true)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        startTimer(settings.headTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
    }

    /// The frames of the connection itself have been dealt with below.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, !stopping {
            stopping = true
            sayGoodbye()
            if streams == 0 { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.NoSuchStream, is NIOHTTP2Errors.StreamClosed: return
        // The client has been told by a GOAWAY frame.
        default: context.close(promise: nil)
        }
    }

    fileprivate func opened(_ id: HTTP2StreamID) {
        last = max(last, id)
        count(1)
    }

    fileprivate func closed() { count(-1) }

    /// A stream that is answered while its first frame is looked at is closed before it is said to be open, so the
    /// number may be negative for a moment.
    private func count(_ change: Int) {
        streams += change
        if streams > 0 { timer?.cancel() }
        guard streams == 0, let context else { return }
        guard stopping else { return startTimer(settings.idleTimeout) }
        // The last frame of the stream has been written, but not flushed.
        context.eventLoop.assumeIsolated().execute { context.close(promise: nil) }
    }

    /// A client whose later streams are not in what this says knows that nobody looked at them.
    private func sayGoodbye() {
        let frame = HTTP2Frame(
            streamID: .rootStream, payload: .goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil))
        context?.writeAndFlush(Self.wrapOutboundOut(frame), promise: nil)
    }

    private func startTimer(_ duration: Duration) {
        timer?.cancel()
        timer = context?.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) { [weak self] in
            self?.sayGoodbye()
            self?.context?.close(promise: nil)
        }
    }
}

/// Tells a connection of its streams.
private struct Streams: NIOHTTP2StreamDelegate {
    private let connection: NIOLoopBound<HTTP2Connection>

    init(connection: HTTP2Connection, loop: any EventLoop) {
        self.connection = NIOLoopBound(connection, eventLoop: loop)
    }

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) { connection.value.opened(id) }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) { connection.value.closed() }
}

/// The network's end of one stream: knows whether the request has ended, and ends the response as HTTP/2 does.
final class HTTP2StreamEdge: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Whether no more of the request will come; true for a request without a body when its head arrives.
    private(set) var requestEnded = false
    private var responseEnded = false
    private var leaving = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if Self.ends(Self.unwrapInboundIn(data)) { requestEnded = true }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard Self.ends(Self.unwrapOutboundIn(data)) else { return context.write(data, promise: promise) }
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenSuccess { [self] in
            responseEnded = true
            leave(context)
        }
        context.write(data, promise: written)
    }

    /// Half of a stream is closed by its last frame. What is left to do is to stop a client whose response is complete
    /// from sending the rest of its request (RFC 9113 §8.1).
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        leaving = true
        leave(context)
        promise?.succeed()
    }

    private func leave(_ context: ChannelHandlerContext) {
        guard leaving, responseEnded, !requestEnded, context.channel.isActive else { return }
        requestEnded = true
        context.writeAndFlush(Self.wrapOutboundOut(.rstStream(.noError)), promise: nil)
    }

    private static func ends(_ payload: HTTP2Frame.FramePayload) -> Bool {
        switch payload {
        case .headers(let headers): headers.endStream
        case .data(let data): data.endStream
        default: false
        }
    }
}
