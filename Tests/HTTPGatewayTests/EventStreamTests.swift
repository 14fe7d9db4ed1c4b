import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct EventStreamTests {
    @Test func `records arrive in order and the stream ends after the last`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream { closed.send($0) }
        stream.send(Array("first,".utf8))
        try await Loopback.run { _ in
            .events(stream, headers: [.contentType: "x/y"])
        } _: { loopback in
            let response = try await loopback.caller.stream(.post, loopback.server.endpoint, "/")
            #expect(response.headers[.transferEncoding] == "chunked")
            for number in 0..<100 { #expect(stream.send(Array("\(number),".utf8)) == .queued) }
            stream.finish(after: ByteBuffer(string: "last"))
            #expect(stream.send([1]) == .closed)
            let text = try await response.body.collect().text
            #expect(text == "first," + (0..<100).map { "\($0)," }.joined() + "last")
            #expect(await closed.wait() == .finished)
        }
    }

    @Test func `each record is seen before the next is sent`() async throws {
        let stream = EventStream()
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            let response = try await loopback.caller.stream(.get, loopback.server.endpoint, "/")
            var pieces = response.body.makeAsyncIterator()
            for number in 0..<20 {
                stream.send(Array("record \(number)".utf8))
                let piece = try await pieces.next()
                #expect(piece?.text == "record \(number)")
            }
            stream.finish()
            #expect(try await pieces.next() == nil)
        }
    }

    @Test func `a client that goes away is noticed though nothing is written`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream { closed.send($0) }
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await client.read(until: "\r\n\r\n")
            client.close()
            #expect(await closed.wait() == .clientGone)
            #expect(stream.send([1]) == .closed)
        }
    }

    @Test func `a caller that lets go of a stream closes it`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream { closed.send($0) }
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            do {
                let response = try await loopback.caller.stream(.get, loopback.server.endpoint, "/")
                #expect(response.status == .ok)
            }
            #expect(await closed.wait() == .clientGone)
        }
    }

    @Test func `a client that is gone before the answer closes the stream`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let left = Signal<Bool>()
        let started = Signal<Bool>()
        try await Loopback.run { request in
            request.onDisconnect { left.send() }
            started.send()
            _ = await left.wait()
            return .events(EventStream { closed.send($0) })
        } _: { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await started.wait()
            client.close()
            #expect(await closed.wait() == .clientGone)
        }
    }

    @Test func `a slow reader costs no more than its limit and reads the error last`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let limit = 1 << 20
        let stream = EventStream(limits: .init(bytes: limit), overflowRecord: ByteBuffer(string: "ERROR")) {
            closed.send($0)
        }
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            let client = try RawClient(port: loopback.port, receiveBuffer: 4096)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await client.read(until: "\r\n\r\n")
            let record = ByteBuffer(repeating: UInt8(ascii: "."), count: 10_000)
            var sent = 0
            while stream.send(record) == .queued {
                #expect(stream.backlog <= limit)
                sent += 1
                await Task.yield()
                try #require(sent < 100_000, "the outbox never overflowed")
            }
            #expect(stream.backlog <= limit)
            #expect(stream.send(record) == .closed)
            let rest = try #require(await client.readToEnd())
            // On a busy machine the limit may be reached before any record has left.
            #expect(("\r\n" + rest).hasSuffix("\r\n5\r\nERROR\r\n0\r\n\r\n"))
            #expect(await closed.wait() == .overflow)
        }
    }

    @Test func `a stuck reader is cut off after a while`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream(limits: .init(bytes: 1 << 20)) { closed.send($0) }
        var settings = HTTPServerSettings()
        settings.overflowTimeout = .milliseconds(50)
        try await Loopback.run(settings: settings) { _ in
            .events(stream)
        } _: { loopback in
            let client = try RawClient(port: loopback.port, receiveBuffer: 4096)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await client.read(until: "\r\n\r\n")
            while stream.send(ByteBuffer(repeating: 0, count: 100_000)) == .queued { await Task.yield() }
            #expect(await closed.wait() == .overflow)
        }
    }

    @Test func `records are limited in number too`() {
        let stream = EventStream(limits: .init(records: 3))
        for _ in 0..<3 { #expect(stream.send([1]) == .queued) }
        #expect(stream.send([1]) == .overflow)
        #expect(stream.send([1]) == .closed)
    }

    @Test func `a record larger than the limit is taken when it is alone`() {
        let stream = EventStream(limits: .init(bytes: 10))
        #expect(stream.send(ByteBuffer(repeating: 0, count: 100)) == .queued)
        #expect(stream.send([1]) == .overflow)
    }

    @Test func `five hundred streams are served at once`() async throws {
        let streams = Mutex<[EventStream]>([])
        let all = Signal<Bool>()
        let closedCount = Mutex(0)
        let allClosed = Signal<Bool>()
        try await Loopback.run { _ in
            let stream = EventStream { _ in
                if closedCount.withLock({
                    $0 += 1; return $0 == 500
                }) {
                    allClosed.send()
                }
            }
            if streams.withLock({
                $0.append(stream); return $0.count == 500
            }) {
                all.send()
            }
            return .events(stream)
        } _: { loopback in
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<500 {
                    group.addTask {
                        let response = try await loopback.caller.stream(.get, loopback.server.endpoint, "/")
                        return try await response.body.collect().text
                    }
                }
                _ = await all.wait()
                for stream in streams.withLock({ $0 }) {
                    stream.send(Array("hello ".utf8))
                    stream.finish(after: ByteBuffer(string: "bye"))
                }
                var count = 0
                for try await text in group {
                    #expect(text == "hello bye")
                    count += 1
                }
                #expect(count == 500)
            }
            _ = await allClosed.wait()
        }
    }
}
