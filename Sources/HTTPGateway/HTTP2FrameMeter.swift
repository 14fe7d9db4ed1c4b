internal import NIOCore

/// Looks at the frames that a client sends before anything else does, and closes the connection of one who sends
/// windows without need.
///
/// The other frames that could be sent without end are limited elsewhere. WINDOW_UPDATE frames wait with the body of a
/// stream until somebody reads it, so many small ones would cost memory. A client has a reason for one when it has
/// received something or has opened a stream.
final class HTTP2FrameMeter: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Frames that may still come.
    private var credit = 2000
    /// Bytes that were sent and have not become credit.
    private var sent = 0
    /// Bytes until the next frame's header, the preface at first.
    private var skip = 24
    private var header: [UInt8] = []

    private static let bytesPerCredit = 256
    private static let headers: UInt8 = 1
    private static let windowUpdate: UInt8 = 8

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        sent += Self.unwrapOutboundIn(data).readableBytes
        credit += sent / Self.bytesPerCredit
        sent %= Self.bytesPerCredit
        context.write(data, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        while bytes.readableBytes > 0 {
            if skip > 0 {
                let count = min(skip, bytes.readableBytes)
                bytes.moveReaderIndex(forwardBy: count)
                skip -= count
                continue
            }
            guard let piece = bytes.readBytes(length: min(9 - header.count, bytes.readableBytes)) else { break }
            header += piece
            if header.count == 9 { arrived() }
        }
        guard credit >= 0 else {
            context.close(promise: nil)
            return
        }
        context.fireChannelRead(data)
    }

    private func arrived() {
        skip = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
        switch header[3] {
        case Self.headers: credit += 2
        case Self.windowUpdate: credit -= 1
        default: break
        }
        header.removeAll(keepingCapacity: true)
    }
}
