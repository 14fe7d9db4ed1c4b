import Glibc
import Testing

@testable import TaskMonitor

struct TTRPCTests {
    private func append(_ bytes: [UInt8], to frames: inout TTRPCFrames) {
        bytes.withUnsafeBytes { frames.append($0[...]) }
    }

    @Test func `a frame is ten bytes and its payload`() {
        #expect(
            TTRPCFrames.frame(stream: 258, kind: 2, [9, 8]) == [0, 0, 0, 2, 0, 0, 1, 2, 2, 0, 9, 8])
    }

    @Test func `frames come out whole however they arrive`() {
        var generator = SeededGenerator(state: 2)
        for _ in 0..<200 {
            let sent: [TTRPCFrames.Frame] = (0..<Int.random(in: 1...6, using: &generator)).map {
                .message(stream: UInt32($0), kind: 1, payload: generator.bytes(upTo: 300))
            }
            var stream: [UInt8] = []
            for case .message(let number, let kind, let payload) in sent {
                stream += TTRPCFrames.frame(stream: number, kind: kind, payload)
            }
            var frames = TTRPCFrames()
            var received: [TTRPCFrames.Frame] = []
            while !stream.isEmpty {
                let part = Array(stream.prefix(Int.random(in: 1...100, using: &generator)))
                stream.removeFirst(part.count)
                append(part, to: &frames)
                while let frame = frames.next() { received.append(frame) }
            }
            #expect(received == sent)
        }
    }

    @Test func `a frame that is too long is told and skipped, and the next one is read`() {
        var frames = TTRPCFrames()
        let length = TTRPCFrames.limit + 1
        append(TTRPCFrames.frame(stream: 3, kind: 1, [UInt8](repeating: 0, count: length)), to: &frames)
        append(TTRPCFrames.frame(stream: 5, kind: 1, [1]), to: &frames)
        #expect(frames.next() == .tooLong(stream: 3))
        #expect(frames.next() == .message(stream: 5, kind: 1, payload: [1]))
        #expect(frames.next() == nil)
    }

    @Test func `the greatest length of all takes no memory`() {
        var frames = TTRPCFrames()
        append([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 1, 0], to: &frames)
        #expect(frames.next() == .tooLong(stream: 1))
        for _ in 0..<100 {
            append([UInt8](repeating: 0xFF, count: 4096), to: &frames)
            #expect(frames.next() == nil)
        }
    }

    @Test func `no bytes whatsoever do harm`() {
        var generator = SeededGenerator(state: 3)
        for _ in 0..<2000 {
            var frames = TTRPCFrames()
            for _ in 0..<4 {
                append(generator.bytes(upTo: 64), to: &frames)
                while frames.next() != nil {}
            }
        }
    }
}

/// A server and a client of it in one process.
final class TTRPCConversation {
    let listener: Int32
    let server: TTRPCServer
    let client: Int32
    let path: String
    private var answers = TTRPCFrames()

    init(_ serve: (Int32) -> TTRPCServer = { TTRPCServer(listener: $0) }) throws {
        let path = "/tmp/rondo-ttrpc-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 4) == 0 && connect(client, $0, size) == 0
            }
        }
        try #require(isConnected)
        // An answer that does not come is a failure, not a wait.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
        self.path = path
        self.client = client
        self.listener = listener
        server = serve(listener)
        server.accept()
    }

    deinit {
        close(client)
        server.end()
        unlink(path)
    }

    func say(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { write(client, $0.baseAddress, $0.count) } }

    func receive() -> [TTRPCRequest] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        var serials: [UInt64] = []
        server.interests { _, _, serial in if let serial { serials.append(serial) } }
        return serials.flatMap { server.receive($0, into: buffer) }
    }

    /// Stream, status code and payload of the next answer.
    func answer() throws -> (stream: UInt32, code: UInt64, payload: [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            if case .message(let stream, TTRPCFrames.response, let payload)? = answers.next() {
                let message = try ProtobufMessage(payload[...])
                return (stream, try message.message(1).number(1), Array(try message.bytes(2)))
            }
            let count = recv(client, &chunk, chunk.count, 0)
            try #require(count > 0)
            chunk.withUnsafeBytes { answers.append($0.prefix(count)) }
        }
    }

    static func request(_ method: String, stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        var request = ProtobufWriter()
        request.put(1, "containerd.task.v2.Task")
        request.put(2, method)
        request.put(3, raw: payload[...])
        request.put(4, UInt64(1_000_000_000))
        return TTRPCFrames.frame(stream: stream, kind: TTRPCFrames.request, request.bytes)
    }
}

struct TTRPCServerTests {
    @Test func `answers go out in any order, each on its own stream`() throws {
        let conversation = try TTRPCConversation()
        conversation.say(TTRPCConversation.request("Wait", stream: 1) + TTRPCConversation.request("State", stream: 3))
        let requests = conversation.receive()
        #expect(requests.map(\.method) == ["Wait", "State"])
        var message = ProtobufWriter()
        message.put(1, "second")
        conversation.server.send(requests[1].reply, message)
        #expect(try conversation.answer() == (3, 0, message.bytes))
        conversation.server.send(requests[0].reply)
        #expect(try conversation.answer() == (1, 0, []))
    }

    @Test func `a refusal has its code`() throws {
        let conversation = try TTRPCConversation()
        conversation.say(TTRPCConversation.request("Nothing", stream: 1))
        conversation.server.send(conversation.receive()[0].reply, .unimplemented("no"))
        #expect(try conversation.answer().code == 12)
    }

    @Test func `a frame that is no request is refused, and the conversation goes on`() throws {
        let conversation = try TTRPCConversation()
        conversation.say(TTRPCFrames.frame(stream: 1, kind: TTRPCFrames.request, [0xFF]))
        #expect(conversation.receive().isEmpty)
        #expect(try conversation.answer().code == 3)
        conversation.say(TTRPCConversation.request("State", stream: 2))
        #expect(conversation.receive().isEmpty)
        #expect(try conversation.answer() == (2, 3, []))
        conversation.say(TTRPCFrames.frame(stream: 5, kind: 3, [1]) + TTRPCConversation.request("State", stream: 7))
        #expect(conversation.receive().map(\.reply.stream) == [7])
    }

    @Test func `a connection that is gone is told once, and answers to it are dropped`() throws {
        let conversation = try TTRPCConversation()
        conversation.say(TTRPCConversation.request("Wait", stream: 1))
        let reply = try #require(conversation.receive().first).reply
        shutdown(conversation.client, Int32(SHUT_RDWR))
        #expect(conversation.receive().isEmpty)
        #expect(conversation.server.takeLost() == [reply.connection])
        #expect(conversation.server.takeLost().isEmpty)
        conversation.server.send(reply)
    }
}
