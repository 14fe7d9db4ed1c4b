import HTTPGateway
import HTTPTypes
import NIOCore
import Testing
import Transport

/// Answers by path what the tests ask for.
@Sendable func demo(_ request: GatewayRequest) async throws -> GatewayResponse {
    switch request.path {
    case "/ping": return .text(.ok, "pong\n")
    case "/echo": return .complete(.ok, bytes: try await request.body.collect())
    case "/small": return .complete(.ok, bytes: try await request.body.collect(upTo: 10))
    case "/none": return .complete(.noContent)
    case "/fail": throw GatewayError(.conflict, "already there", headers: [.retryAfter: "1"])
    case "/throw": throw CancellationError()
    case "/big": return .complete(.ok, bytes: ByteBuffer(repeating: 7, count: 3 << 20))
    case "/stream":
        return .stream { writer in
            for word in ["one", "two", "three"] { try await writer.write(ByteBuffer(string: word)) }
        }
    case "/break":
        return .stream { writer in
            try await writer.write(ByteBuffer(string: "half"))
            throw CancellationError()
        }
    default: return .failure(GatewayError(.notFound, "no \(request.path)"))
    }
}

@Suite(.timeLimit(.minutes(2))) struct ServerTests {
    @Test func `a complete response has a length and keeps the connection`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            for _ in 0..<3 {
                await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                let answer = try #require(await client.read(until: "pong\n"))
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(answer.lowercased().contains("content-length: 5\r\n"))
                #expect(!answer.lowercased().contains("transfer-encoding"))
            }
            #expect(loopback.server.connectionCount == 1)
        }
    }

    @Test func `calls one after the other share a connection`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            for _ in 0..<20 { try await loopback.expectAlive() }
            #expect(loopback.server.connectionCount == 1)
        }
    }

    @Test func `pipelined requests are answered in order`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"
            await client.send(
                post + "a\n" + post + "b\n" + post + "c\n"
                    + "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let answer = try #require(await client.readToEnd())
            let bodies = answer.components(separatedBy: "\r\n\r\n").dropFirst().map { $0.prefix(2) }
            #expect(bodies == ["a\n", "b\n", "c\n", ""])
            #expect(answer.contains("HTTP/1.1 204 No Content\r\n"))
        }
    }

    @Test func `a stream is chunked and its head leaves at once`() async throws {
        let go = Signal<Bool>()
        try await Loopback.run { _ in
            .stream { writer in
                _ = await go.wait()
                try await writer.write(ByteBuffer(string: "one"))
                try await writer.write(ByteBuffer(string: "three"))
            }
        } _: { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let head = try #require(await client.read(until: "\r\n\r\n"))
            #expect(head.lowercased().contains("transfer-encoding: chunked"))
            go.send()
            #expect(await client.readToEnd() == "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")
        }
    }

    @Test func `a stream that fails is cut off without its last chunk`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET /break HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try #require(await client.readToEnd())
            #expect(answer.hasSuffix("4\r\nhalf\r\n"))
            await #expect(throws: HTTPCallError.self) { try await loopback.get("/break") }
            try await loopback.expectAlive()
        }
    }

    @Test(arguments: ["/ping", "/stream", "/none", "/big"])
    func `a HEAD request gets the head alone`(path: String) async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("HEAD \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let answer = try #require(await client.readToEnd())
            #expect(answer.hasPrefix("HTTP/1.1 20"))
            #expect(answer.hasSuffix("\r\n\r\n"))
            #expect(answer.components(separatedBy: "\r\n\r\n").count == 2)
            if path == "/big" { #expect(answer.contains("content-length: \(3 << 20)")) }
        }
    }

    @Test func `a client of HTTP 1.0 gets no chunks and a closed connection`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET /stream HTTP/1.0\r\n\r\n")
            let answer = try #require(await client.readToEnd())
            #expect(answer.hasSuffix("\r\n\r\nonetwothree"))
        }
    }

    @Test func `errors are plain text with a final newline`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let failure = try await loopback.get("/fail")
            #expect(failure.status == .conflict)
            #expect(failure.bytes.text == "already there\n")
            #expect(failure.headers[.retryAfter] == "1")
            #expect(failure.headers[.contentType] == "text/plain; charset=utf-8")
            let thrown = try await loopback.get("/throw")
            #expect(thrown.status == .internalServerError)
            let missing = try await loopback.get("/nowhere")
            #expect(missing.bytes.text == "no /nowhere\n")
        }
    }

    @Test(arguments: [
        "Content-Length: 1000000\r\n\r\n", "Content-Length: 11\r\n\r\n01234567890",
        "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n",
    ])
    func `a body over the limit is refused with 413`(rest: String) async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("POST /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + rest)
            let answer = try #require(await client.read(until: "larger than 10 bytes\n"))
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            try await loopback.expectAlive()
        }
    }

    @Test func `a sender of an endless refused body still sees the answer`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let body = ByteBuffer(repeating: 0, count: 32 << 20)
            let answer = try? await loopback.caller.call(.post, loopback.server.endpoint, "/small", body: body)
            #expect(answer?.status == .contentTooLarge)
            try await loopback.expectAlive()
        }
    }

    @Test func `a body within the limit arrives whole`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let body = ByteBuffer(bytes: (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let answer = try await loopback.caller.call(.post, loopback.server.endpoint, "/echo", body: body)
            #expect(answer.bytes == body)
            let big = try await loopback.get("/big")
            #expect(big.bytes.readableBytes == 3 << 20)
        }
    }

    @Test func `an expectation is answered before the body is sent`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(await client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            await client.send("abc")
            #expect(try #require(await client.read(until: "abc")).hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test func `a client that has closed its sending side still gets its response`() async throws {
        let go = Signal<Bool>()
        let started = Signal<Bool>()
        try await Loopback.run { _ in
            started.send()
            _ = await go.wait()
            return .text(.ok, "late\n")
        } _: { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await started.wait()
            client.endOutput()
            go.send()
            #expect(try #require(await client.readToEnd()).hasSuffix("late\n"))
        }
    }

    @Test func `a head that drips too slowly is answered with 408`() async throws {
        var settings = HTTPServerSettings()
        settings.headTimeout = .milliseconds(50)
        try await Loopback.run(settings: settings, handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET / HTTP/1.1\r\nHos")
            #expect(try #require(await client.readToEnd()).hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func `a body that stops coming is answered with 408`() async throws {
        var settings = HTTPServerSettings()
        settings.bodyTimeout = .milliseconds(50)
        try await Loopback.run(settings: settings, handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
            #expect(try #require(await client.readToEnd()).hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func `an idle kept connection is closed`() async throws {
        var settings = HTTPServerSettings()
        settings.idleTimeout = .milliseconds(50)
        try await Loopback.run(settings: settings, handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try #require(await client.readToEnd()).hasSuffix("pong\n"))
        }
    }

    @Test func `too many connections are turned away with 503`() async throws {
        var settings = HTTPServerSettings()
        settings.connectionLimit = 2
        try await Loopback.run(settings: settings, handler: demo) { loopback in
            let first = try RawClient(port: loopback.port)
            let second = try RawClient(port: loopback.port)
            for client in [first, second] {
                await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                _ = await client.read(until: "pong")
            }
            let third = try RawClient(port: loopback.port)
            #expect(try #require(await third.readToEnd()).hasPrefix("HTTP/1.1 503 "))
            await first.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try #require(await first.read(until: "pong")).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `a unix socket serves as TCP does and is for its owner only`() async throws {
        let path = "/tmp/rondo-test-\(UInt64.random(in: 0 ..< .max)).sock"
        defer { removeFile(path) }
        try await Loopback.run(on: Endpoint(unixPath: path), handler: demo) { loopback in
            try await loopback.expectAlive()
            #expect(fileMode(path) == 0o600)
        }
    }

    @Test func `a stopping server lets a request in progress end`() async throws {
        let started = Signal<Bool>()
        let go = Signal<Bool>()
        try await Loopback.run { _ in
            started.send()
            _ = await go.wait()
            return .text(.ok, "done\n")
        } _: { loopback in
            async let answer = loopback.get("/")
            _ = await started.wait()
            async let stopped: Void = loopback.server.stop(grace: .seconds(20))
            go.send()
            let text = try await answer.bytes.text
            #expect(text == "done\n")
            await stopped
            await #expect(throws: HTTPCallError.self) { try await loopback.get("/") }
        }
    }
}
