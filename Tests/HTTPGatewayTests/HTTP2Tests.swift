import HTTPGateway
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct HTTP2Tests {
    @Test(arguments: ["/ping", "/stream", "/none", "/big", "/fail", "/nowhere"])
    func `a response is the same as over HTTP 1`(path: String) async throws {
        try await SecureLoopback.run { loopback in
            let first = try await loopback.caller.call(.get, loopback.endpoint, path)
            let second = try await HTTP2Client(loopback).get(path)
            #expect(second.status == first.status.code)
            #expect(second.body == first.bytes.text)
        }
    }

    @Test func `a thousand streams go over one connection`() async throws {
        try await SecureLoopback.run { loopback in
            let client = try await HTTP2Client(loopback)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    if number >= 100 { try await group.next() }
                    group.addTask {
                        let answer = try await client.get("/ping")
                        #expect(answer.body == "pong\n")
                    }
                }
                try await group.waitForAll()
            }
            #expect(loopback.server.connectionCount == 1)
        }
    }

    @Test func `a thousand streams are open at once`() async throws {
        var settings = HTTPServerSettings()
        settings.streamLimit = 1000
        let waiting = Mutex(0)
        let all = Signal<Bool>()
        let go = Signal<Bool>()
        try await SecureLoopback.run(
            settings: settings,
            handler: { _ in
                if waiting.withLock({
                    $0 += 1; return $0
                }) == 1000 {
                    all.send()
                }
                _ = await go.wait()
                return .text(.ok, "done")
            }
        ) { loopback in
            let client = try await HTTP2Client(loopback)
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<1000 { group.addTask { try await client.get("/").body } }
                _ = await all.wait()
                go.send()
                for try await body in group { #expect(body == "done") }
            }
        }
    }

    @Test func `a body goes both ways, longer than any window`() async throws {
        try await SecureLoopback.run { loopback in
            let call = try await HTTP2Client(loopback).open(.POST, "/echo", end: false)
            let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 100_000)
            for number in 1...30 { try await call.send(piece, end: number == 30) }
            let answer = try await call.finish()
            #expect(answer.status == 200)
            #expect(answer.body.utf8.count == 3_000_000)
        }
    }

    @Test func `nobody reads a body and its sender is held back`() async throws {
        let go = Signal<Bool>()
        try await SecureLoopback.run(handler: { request in
            guard request.path == "/slow" else { return .text(.ok, "pong\n") }
            _ = await go.wait()
            var count = 0
            for try await piece in request.body { count += piece.readableBytes }
            return .text(.ok, "\(count)")
        }) { loopback in
            let client = try await HTTP2Client(loopback)
            let call = try await client.open(.POST, "/slow", end: false)
            let piece = ByteBuffer(repeating: 0, count: 64 << 10)
            let sent = Mutex(0)
            let sender = Task {
                for number in 1...64 {
                    try await call.send(piece, end: number == 64)
                    sent.withLock { $0 += 1 }
                }
            }
            // Meanwhile others are served; when they have been, no more than the windows has been taken.
            for _ in 0..<50 {
                let answer = try await client.get("/")
                #expect(answer.body == "pong\n")
            }
            #expect(sent.withLock { $0 } < 16)
            go.send()
            let answer = try await call.finish()
            #expect(answer.body == "\(4 << 20)")
            try await sender.value
        }
    }

    @Test func `an upload that is refused early stops, and the connection goes on`() async throws {
        try await SecureLoopback.run { loopback in
            let client = try await HTTP2Client(loopback)
            let call = try await client.open(.POST, "/small", headers: ["content-length": "100000000"], end: false)
            let sender = Task {
                let piece = ByteBuffer(repeating: 0, count: 1 << 20)
                for _ in 0..<95 { try await call.send(piece) }
            }
            let answer = try await call.finish()
            #expect(answer.status == 413)
            await #expect(throws: (any Error).self) { try await sender.value }
            let ping = try await client.get("/ping")
            #expect(ping.body == "pong\n")
        }
    }

    @Test func `a slow reader of an event stream costs no more than its limit, and others go on`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let limit = 1 << 20
        let stream = EventStream(limits: .init(bytes: limit)) { closed.send($0) }
        var settings = HTTPServerSettings()
        settings.overflowTimeout = .milliseconds(50)
        try await SecureLoopback.run(
            settings: settings,
            handler: { request in
                request.path == "/events" ? .events(stream) : .text(.ok, "pong\n")
            }
        ) { loopback in
            let client = try await HTTP2Client(loopback)
            let call = try await client.open(.GET, "/events")
            let record = ByteBuffer(repeating: UInt8(ascii: "."), count: 10_000)
            var sent = 0
            while stream.send(record) == .queued {
                #expect(stream.backlog <= limit)
                sent += 1
                if sent.isMultiple(of: 20) {
                    let answer = try await client.get("/")
                    #expect(answer.body == "pong\n")
                }
                try #require(sent < 1000, "the outbox never overflowed")
            }
            #expect(await closed.wait() == .overflow)
            let answer = try await client.get("/")
            #expect(answer.body == "pong\n")
            _ = call
        }
    }

    @Test func `records of an event stream arrive one by one`() async throws {
        let stream = EventStream()
        try await SecureLoopback.run(handler: { _ in
            .events(stream)
        }) { loopback in
            let call = try await HTTP2Client(loopback).open(.GET, "/")
            call.stream.read()
            var number = 0
            for try await part in call.arrivals.all() {
                if case .body(let bytes) = part {
                    #expect(String(buffer: bytes) == "record \(number)")
                    number += 1
                }
                if number == 20 { break }
                stream.send(Array("record \(number)".utf8))
                call.stream.read()
            }
            #expect(number == 20)
            stream.finish()
        }
    }

    @Test func `a client that takes its request back ends the stream`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream { closed.send($0) }
        try await SecureLoopback.run(handler: { _ in
            .events(stream)
        }) { loopback in
            let call = try await HTTP2Client(loopback).open(.GET, "/")
            call.stream.read()
            for try await part in call.arrivals.all() {
                if case .head = part { break }
            }
            try? await call.stream.close()
            #expect(await closed.wait() == .clientGone)
        }
    }

    @Test func `a stopping server lets a request in progress end and says goodbye`() async throws {
        let started = Signal<Bool>()
        let go = Signal<Bool>()
        try await SecureLoopback.run(handler: { _ in
            started.send()
            _ = await go.wait()
            return .text(.ok, "done\n")
        }) { loopback in
            let raw = try await RawHTTP2(loopback)
            let client = try await HTTP2Client(loopback)
            async let answer = client.get("/")
            _ = await started.wait()
            async let stopped: Void = loopback.server.stop(grace: .seconds(20))
            #expect(await raw.goodbye() == 0)
            go.send()
            let text = try await answer.body
            #expect(text == "done\n")
            await stopped
        }
    }

    @Test(arguments: [false, true]) func `an idle connection is closed`(afterUse: Bool) async throws {
        var settings = HTTPServerSettings()
        settings.idleTimeout = .milliseconds(50)
        settings.headTimeout = afterUse ? .seconds(60) : .milliseconds(50)
        try await SecureLoopback.run(settings: settings) { loopback in
            let raw = try await RawHTTP2(loopback)
            if afterUse { await raw.send(RawHTTP2.frame(1, 5, 1, RawHTTP2.get)) }
            #expect(await raw.goodbye() == 0)
        }
    }
}
