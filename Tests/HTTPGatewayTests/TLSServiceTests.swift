import Crypto
import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Testing
import Transport

/// What works over plain connections works over protected ones.
@Suite(.timeLimit(.minutes(2))) struct TLSServiceTests {
    @Test func `calls one after the other share a connection`() async throws {
        try await SecureLoopback.run { loopback in
            for _ in 0..<20 { try await loopback.expectAlive() }
            #expect(loopback.server.connectionCount == 1)
        }
    }

    @Test func `bodies go both ways whole`() async throws {
        try await SecureLoopback.run { loopback in
            let body = ByteBuffer(bytes: (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let answer = try await loopback.caller.call(.post, loopback.endpoint, "/echo", body: body)
            #expect(answer.bytes == body)
            let short = ByteBuffer(repeating: 1, count: 1 << 20)
            let second = try await loopback.caller.call(.put, loopback.endpoint, "/echo", body: short)
            #expect(second.bytes == short)
        }
    }

    @Test func `32 MiB are echoed while they are still being sent, with bounded memory`() async throws {
        let gap = Gap()
        try await SecureLoopback.run(handler: { request in
            .duplex { writer in
                for try await piece in request.body { try await writer.write(piece) }
            }
        }) { loopback in
            let response = try await loopback.caller.duplex(
                .post, loopback.endpoint, "/", body: largeBody(pieces: 512, gap: gap))
            for try await piece in response.body { gap.consumed(piece.readableBytes) }
            #expect(gap.total == 32 << 20)
            #expect(gap.worst < 24 << 20)
        }
    }

    @Test func `a sender of a long refused body sees the answer`() async throws {
        try await SecureLoopback.run { loopback in
            let body = ByteBuffer(repeating: 0, count: 32 << 20)
            let answer = try await loopback.caller.call(.post, loopback.endpoint, "/small", body: body)
            #expect(answer.status == .contentTooLarge)
            try await loopback.expectAlive()
        }
    }

    @Test func `a stream that breaks off is seen to be incomplete`() async throws {
        try await SecureLoopback.run { loopback in
            await #expect(throws: HTTPCallError.self) {
                try await loopback.caller.call(.get, loopback.endpoint, "/break")
            }
            try await loopback.expectAlive()
        }
    }

    @Test func `a caller that lets go of a stream closes it`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let stream = EventStream { closed.send($0) }
        try await SecureLoopback.run(handler: { _ in .events(stream) }) { loopback in
            do {
                let response = try await loopback.caller.stream(.get, loopback.endpoint, "/")
                #expect(response.status == .ok)
            }
            #expect(await closed.wait() == .clientGone)
        }
    }

    @Test func `a slow reader of an event stream costs no more than its limit`() async throws {
        let closed = Signal<EventStream.CloseReason>()
        let limit = 1 << 20
        let stream = EventStream(limits: .init(bytes: limit)) { closed.send($0) }
        var settings = HTTPServerSettings()
        settings.overflowTimeout = .milliseconds(50)
        try await SecureLoopback.run(settings: settings, handler: { _ in .events(stream) }) { loopback in
            let response = try await loopback.caller.stream(.get, loopback.endpoint, "/")
            let record = ByteBuffer(repeating: UInt8(ascii: "."), count: 10_000)
            var sent = 0
            while stream.send(record) == .queued {
                #expect(stream.backlog <= limit)
                sent += 1
                await Task.yield()
                try #require(sent < 100_000, "the outbox never overflowed")
            }
            #expect(await closed.wait() == .overflow)
            #expect(response.status == .ok)
        }
    }

    @Test func `a stopping server lets a request in progress end`() async throws {
        let started = Signal<Bool>()
        let go = Signal<Bool>()
        try await SecureLoopback.run(handler: { _ in
            started.send()
            _ = await go.wait()
            return .text(.ok, "done\n")
        }) { loopback in
            async let answer = loopback.caller.call(.get, loopback.endpoint, "/")
            _ = await started.wait()
            async let stopped: Void = loopback.server.stop(grace: .seconds(20))
            go.send()
            let text = try await answer.bytes.text
            #expect(text == "done\n")
            await stopped
        }
    }

    @Test func `too many connections are turned away`() async throws {
        var settings = HTTPServerSettings()
        settings.connectionLimit = 1
        try await SecureLoopback.run(settings: settings) { loopback in
            try await loopback.expectAlive()
            // The answer may come before the request is sent, which not every client takes for an answer.
            let answer = try? await loopback.anonymous.call(.get, loopback.endpoint, "/ping")
            #expect(answer == nil || answer?.status == .serviceUnavailable)
            let raw = try await RawHTTP2(loopback)
            #expect(await raw.goodbye() == nil)
            try await loopback.expectAlive()
        }
    }

    @Test(.enabled(if: ChildProcess.exists("curl")), arguments: ["--http1.1", "--http2"])
    func `curl speaks it`(version: String) async throws {
        try await SecureLoopback.run { loopback in
            let base = ["curl", "-sSk", version, "-w", " %{http_version} %{http_code}"]
            let url = "https://\(loopback.endpoint)"
            let spoken = version == "--http2" ? "2" : "1.1"
            let ping = try await ChildProcess.run(base + [url + "/ping"])
            #expect(ping.output == "pong\n \(spoken) 200")
            let head = try await ChildProcess.run(base + ["-I", "-o", "/dev/null", url + "/stream"])
            #expect(head.output == " \(spoken) 200")
            let stream = try await ChildProcess.run(base + ["-N", url + "/stream"])
            #expect(stream.output == "onetwothree \(spoken) 200")
            let echo = try await ChildProcess.run(base + ["--data-binary", "@-", url + "/echo"], input: "hello")
            #expect(echo.output == "hello \(spoken) 200")
            let none = try await ChildProcess.run(base + ["-X", "DELETE", url + "/none"])
            #expect(none.output == " \(spoken) 204")
            let path = "/tmp/rondo-test-\(UInt64.random(in: 0 ..< .max))"
            defer { removeFile(path) }
            writeFile(path, String(repeating: "x", count: 8 << 20))
            let refused = try await ChildProcess.run(base + ["--data-binary", "@" + path, url + "/small"])
            #expect(refused.output == "request body is larger than 10 bytes\n \(spoken) 413")
            #expect(refused.status == 0)
            let two = try await ChildProcess.run(base + [url + "/ping", url + "/big", "-o", "/dev/null"])
            #expect(two.status == 0)
        }
    }

    @Test(.enabled(if: ChildProcess.exists("curl")), arguments: ["--http1.1", "--http2"])
    func `curl shows a certificate`(version: String) async throws {
        try await SecureLoopback.run(handler: whoami) { loopback in
            let files = "/tmp/rondo-test-\(UInt64.random(in: 0 ..< .max))"
            defer { for end in [".crt", ".key"] { removeFile(files + end) } }
            for name in ["client", "stranger"] {
                let identity = try loopback.authority.issue(name)
                writeFile(files + ".crt", try identity.certificatePEM)
                writeFile(files + ".key", identity.key.pemRepresentation)
                let answer = try await ChildProcess.run([
                    "curl", "-sSk", version, "--cert", files + ".crt", "--key", files + ".key",
                    "https://\(loopback.endpoint)/",
                ])
                #expect((answer.output == "client") == (name == "client"))
                #expect((answer.status == 0) == (name == "client"))
            }
        }
    }
}
