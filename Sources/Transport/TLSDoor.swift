internal import NIOCore

/// Stands before the TLS handler of an accepted connection until the handshake is complete.
///
/// Who does not speak TLS gets an answer that a person can read, and who is refused gets the time to read why: closing a
/// socket with unread input would reset the connection and take the answer away.
final class TLSDoor: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case fresh
        case shaking
        case leaving
    }

    private var state = State.fresh
    private var timer: Scheduled<Void>?

    /// The first byte of a TLS connection: a record of the handshake.
    private static let handshakeRecord: UInt8 = 22

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .fresh:
            let buffer = Self.unwrapInboundIn(data)
            guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return }
            if first == Self.handshakeRecord {
                state = .shaking
                context.fireChannelRead(data)
            } else {
                refuse(context)
            }
        case .shaking: context.fireChannelRead(data)
        case .leaving: return
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .leaving = state { context.read() } else { context.fireChannelReadComplete() }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all, context.channel.isActive else {
            context.close(mode: mode, promise: promise)
            return
        }
        context.channel.closeFuture.cascade(to: promise)
        if timer == nil { leave(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let text = "this port speaks TLS: use https://\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)"
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        leave(context)
    }

    private func leave(_ context: ChannelHandlerContext) {
        state = .leaving
        context.close(mode: .output, promise: nil)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
        context.read()
    }
}
