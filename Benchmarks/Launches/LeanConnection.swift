import Glibc
import NIOCore
import Transport

/// A connection of a simulated party, read no more than it must be: what the clients cost is not what is measured.
///
/// Lives on one event loop. Calls go out one behind the other without waiting, and are flushed together; their answers
/// are told apart by their order. A call that is answered with a stream turns the connection into one.
final class LeanConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Who waits for an answer.
    enum Waiting {
        /// For the status of a call.
        case status((Int) -> Void)
        /// For the head of a stream, and then for the records of each read.
        case stream(head: (String) -> Void, records: ([ByteBuffer]) -> Void)
    }

    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var waiting = CircularBuffer<Waiting>()
    private var isFlushDue = false
    private var isOver = false
    private var stream: (([ByteBuffer]) -> Void)?
    /// The bytes of a stream without the sizes of their chunks.
    private var content = ByteBuffer()

    /// Connects on the only loop of a transport.
    static func open(
        _ transport: Transport, to endpoint: Endpoint, _ security: TransportSecurity? = nil
    ) async throws -> NIOLoopBound<LeanConnection> {
        let channel = try await transport.connect(to: endpoint, security: security, timeout: .seconds(5)) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(LeanConnection())
            }
        }
        try await channel.setOption(.tcpOption(.tcp_nodelay), value: 1).get()
        try await channel.setOption(.autoRead, value: true).get()
        return try await channel.pipeline.handler(type: LeanConnection.self)
            .map { NIOLoopBound($0, eventLoop: channel.eventLoop) }.get()
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Sends a whole request.
    func send(_ request: ByteBuffer, _ answer: Waiting) {
        if isOver { return }
        guard let context else { fail("a connection was closed") }
        waiting.append(answer)
        context.write(Self.wrapOutboundOut(request), promise: nil)
        if isFlushDue { return }
        isFlushDue = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushDue = false
            self.context?.flush()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        do {
            while stream == nil, try readAnswer() {}
            if let stream {
                let records = try readRecords()
                if !records.isEmpty { stream(records) }
            }
        } catch {
            fail("\(error)")
        }
        received.discardReadBytes()
        content.discardReadBytes()
    }

    /// Ends it; what was not answered stays so.
    func close() {
        isOver = true
        context?.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isOver { return }
        if stream != nil || !waiting.isEmpty { fail("the master closed a connection") }
    }

    private func readAnswer() throws -> Bool {
        let view = received.readableBytesView
        guard let end = view.firstRange(of: [13, 10, 13, 10])?.lowerBound else { return false }
        let head = String(decoding: view[view.startIndex..<end], as: UTF8.self)
        guard head.hasPrefix("HTTP/1.1 "), let status = Int(head.dropFirst(9).prefix(3)), let next = waiting.first
        else { throw Failure("an answer was not HTTP: \(head)") }
        if case .stream(let tell, let records) = next {
            guard status == 200 else { throw Failure("a stream was refused with \(head)") }
            received.moveReaderIndex(to: received.readerIndex + view.distance(from: view.startIndex, to: end) + 4)
            waiting.removeFirst()
            stream = records
            tell(head)
            return true
        }
        let length = Self.field("content-length", of: head).flatMap { Int($0) } ?? 0
        let total = view.distance(from: view.startIndex, to: end) + 4 + length
        guard received.readableBytes >= total else { return false }
        let answer = received.readString(length: total) ?? ""
        waiting.removeFirst()
        guard status == 202, case .status(let tell) = next else { throw Failure("a call was refused: \(answer)") }
        tell(status)
        return true
    }

    /// The value of a header field.
    static func field(_ name: String, of head: String) -> String? {
        for line in head.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
            return String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        return nil
    }

    private func readRecords() throws -> [ByteBuffer] {
        while let size = try Self.number(&received, base: 16, end: 13) {
            guard received.readableBytes >= size.digits + 2 + size.value + 2 else { break }
            received.moveReaderIndex(forwardBy: size.digits + 2)
            guard size.value > 0, var chunk = received.readSlice(length: size.value) else {
                throw Failure("a stream has ended")
            }
            received.moveReaderIndex(forwardBy: 2)
            content.writeBuffer(&chunk)
        }
        var records: [ByteBuffer] = []
        while let size = try Self.number(&content, base: 10, end: 10) {
            guard content.readableBytes >= size.digits + 1 + size.value else { break }
            content.moveReaderIndex(forwardBy: size.digits + 1)
            if let record = content.readSlice(length: size.value) { records.append(record) }
        }
        return records
    }

    /// The number before a byte, without taking it.
    private static func number(
        _ buffer: inout ByteBuffer, base: Int, end: UInt8
    ) throws -> (value: Int, digits: Int)? {
        var value = 0
        for (index, byte) in buffer.readableBytesView.enumerated() {
            if byte == end { return (value, index) }
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, digit < base, index < 9 else {
                throw Failure("a frame has no length")
            }
            value = value * base + digit
        }
        return nil
    }
}

/// Ends the program: what goes wrong in a simulated party leaves nothing to measure.
func fail(_ reason: String) -> Never {
    say("failed: \(reason)", on: 2)
    exit(1)
}

/// Finds pieces of text in JSON whose form is known.
extension ByteBuffer {
    /// What stands between a marker and the next quotation mark.
    func text(after marker: StaticString) -> String? {
        withUnsafeReadableBytes { bytes in
            let needle = UnsafeRawBufferPointer(start: marker.utf8Start, count: marker.utf8CodeUnitCount)
            guard let start = Self.find(needle, in: bytes) else { return nil }
            let rest = bytes[(start + needle.count)...]
            guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
    }

    /// Whether the text begins so.
    func begins(with text: StaticString) -> Bool {
        withUnsafeReadableBytes { bytes in
            let needle = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            return bytes.starts(with: needle)
        }
    }

    private static func find(_ needle: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress, let wanted = needle.baseAddress else { return nil }
        var from = 0
        while from + needle.count <= bytes.count {
            guard let found = memchr(start + from, Int32(needle[0]), bytes.count - from - needle.count + 1) else {
                return nil
            }
            from = UnsafeRawPointer(found) - start
            if memcmp(start + from, wanted, needle.count) == 0 { return from }
            from += 1
        }
        return nil
    }
}
