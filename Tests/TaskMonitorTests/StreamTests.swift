import Glibc
import Testing

@testable import TaskMonitor

struct StreamTests {
    private func makePipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        return (ends[0], ends[1])
    }

    private func read(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = Glibc.read(descriptor, &bytes, count)
        return result > 0 ? Array(bytes.prefix(result)) : result == 0 ? nil : []
    }

    @Test func `all bytes arrive in order however slowly they are taken, and then the end`() throws {
        var generator = SeededGenerator(state: 6)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
        defer { buffer.deallocate() }
        let (source, writing) = try makePipe()
        let (reading, sink) = try makePipe()
        var hasEnded = false
        let copier = StreamCopier(source: source, sink: sink, kept: [], discards: true) { hasEnded = true }
        let sent = (0..<500_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var given = 0
        var taken: [UInt8] = []
        while taken.count < sent.count {
            if given < sent.count {
                let part = Array(sent[given..<min(given + Int.random(in: 1...40_000, using: &generator), sent.count)])
                given += max(0, write(writing, part, part.count))
            }
            copier.step(buffer)
            if Bool.random(using: &generator) {
                taken += read(reading, Int.random(in: 1...30_000, using: &generator)) ?? []
            }
        }
        #expect(taken == sent)
        #expect(!hasEnded)
        close(writing)
        copier.step(buffer)
        #expect(hasEnded)
        #expect(read(reading, 1) == nil)
        close(reading)
    }

    @Test func `a sink that is gone ends an input, and takes an output without harm`() throws {
        signal(SIGPIPE, SIG_IGN)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
        defer { buffer.deallocate() }
        for discards in [true, false] {
            let (source, writing) = try makePipe()
            let (reading, sink) = try makePipe()
            let copier = StreamCopier(source: source, sink: sink, kept: [], discards: discards) {}
            close(reading)
            for _ in 0..<3 {
                _ = write(writing, "text", 4)
                copier.step(buffer)
            }
            #expect(copier.isOpen == discards)
            close(writing)
        }
    }

    @Test func `a fifo that nobody reads is waited for`() throws {
        let path = "/tmp/rondo-shim-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).fifo"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let streams = ProcessStreams(input: "", output: path, errors: "", isTerminal: false)
        #expect(try !streams.openTargets(id: "c", namespace: "n"))
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        #expect(try streams.openTargets(id: "c", namespace: "n"))
        close(reader)
    }

    @Test func `a target that is not there is told`() {
        let streams = ProcessStreams(input: "", output: "/nonexistent/fifo", errors: "", isTerminal: false)
        #expect(throws: ShimFailure.self) { try streams.openTargets(id: "c", namespace: "n") }
    }

    @Test func `words of a program's address are unescaped`() {
        #expect(StreamTarget.unescaped("/a%20b%2Fc%zz%4") == "/a b/c%zz%4")
    }
}

struct EventPublisherTests {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)

    private func event(_ number: Int) -> ProtobufWriter {
        var event = ProtobufWriter()
        event.put(1, "c\(number)")
        return event
    }

    /// Container and topic of the event in a request.
    private func content(_ request: TTRPCRequest) throws -> String {
        let envelope = try ProtobufMessage(request.payload).message(1)
        return try envelope.text(3) + envelope.message(4).message(2).text(1)
    }

    @Test func `events go out one at a time, in order, and again when they were refused`() throws {
        let conversation = try TTRPCConversation()
        let publisher = EventPublisher(namespace: "n", address: conversation.path, command: nil)
        for number in 0..<3 { publisher.publish("/t", type: "T", event(number)) }
        conversation.server.accept()
        var seen: [String] = []
        for isRefused in [false, true, false, false] {
            let requests = conversation.receive()
            try #require(requests.count == 1)
            seen.append(try content(requests[0]))
            if isRefused {
                conversation.server.send(requests[0].reply, .unknown("no"))
            } else {
                conversation.server.send(requests[0].reply)
            }
            publisher.step(buffer)
            if isRefused { publisher.passDeadline() }
        }
        #expect(seen == ["/tc0", "/tc1", "/tc1", "/tc2"])
        #expect(publisher.isEmpty)
        #expect(publisher.deadline == nil)
    }

    @Test func `events wait for a containerd that is away, the newest of them`() throws {
        let publisher = EventPublisher(namespace: "n", address: "/nonexistent/socket", command: nil)
        for number in 0..<2000 { publisher.publish("/t", type: "T", event(number)) }
        #expect(!publisher.isEmpty)
        #expect(publisher.deadline != nil)
        publisher.passDeadline()
        #expect(publisher.deadline != nil)
    }

    @Test func `a program that takes events gets them in order, and again when it fails`() {
        var calls: [(topic: String, done: (Bool) -> Void)] = []
        let publisher = EventPublisher(namespace: "n", address: nil) { topic, _, done in calls.append((topic, done)) }
        publisher.publish("/a", type: "T", event(0))
        publisher.publish("/b", type: "T", event(1))
        #expect(calls.map(\.topic) == ["/a"])
        calls[0].done(false)
        publisher.passDeadline()
        calls[1].done(true)
        calls[2].done(true)
        #expect(calls.map(\.topic) == ["/a", "/a", "/b"])
        #expect(publisher.isEmpty)
    }
}
