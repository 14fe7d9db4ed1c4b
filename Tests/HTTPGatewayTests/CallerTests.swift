import HTTPGateway
import HTTPTypes
import NIOCore
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct CallerTests {
    @Test func `a refused connection says where and why`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let endpoint = loopback.server.endpoint
            await loopback.server.stop(grace: .zero)
            let error = await #expect(throws: HTTPCallError.self) {
                try await loopback.caller.call(.get, endpoint, "/")
            }
            #expect(error?.description == "cannot reach \(endpoint): connection refused; is rondo running there?")
        }
    }

    @Test func `a missing unix socket says so`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let nowhere = try Endpoint(unixPath: "/tmp/rondo-nothing-here.sock")
            let error = await #expect(throws: HTTPCallError.self) {
                try await loopback.caller.call(.get, nowhere, "/")
            }
            #expect(error == .unreachable(nowhere, reason: "no such file or directory"))
        }
    }

    @Test func `a call that takes too long is given up`() async throws {
        let never = Signal<Bool>()
        try await Loopback.run { request in
            request.onDisconnect { never.send() }
            _ = await never.wait()
            return .complete(.ok)
        } _: { loopback in
            let endpoint = loopback.server.endpoint
            await #expect(throws: HTTPCallError.timedOut(endpoint)) {
                try await loopback.caller.call(.get, endpoint, "/", timeout: .milliseconds(100))
            }
            #expect(await never.wait())
        }
    }

    @Test func `a body that stalls is given up too`() async throws {
        let gone = Signal<EventStream.CloseReason>()
        let stream = EventStream { gone.send($0) }
        stream.send([1, 2, 3])
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            let endpoint = loopback.server.endpoint
            await #expect(throws: HTTPCallError.timedOut(endpoint)) {
                try await loopback.caller.call(.get, endpoint, "/", timeout: .milliseconds(200))
            }
            #expect(await gone.wait() == .clientGone)
        }
    }

    @Test func `a stream without heartbeats is given up`() async throws {
        let gone = Signal<EventStream.CloseReason>()
        let stream = EventStream { gone.send($0) }
        try await Loopback.run { _ in
            .events(stream)
        } _: { loopback in
            let endpoint = loopback.server.endpoint
            let response = try await loopback.caller.stream(.get, endpoint, "/", idleTimeout: .milliseconds(100))
            await #expect(throws: HTTPCallError.idle(endpoint)) { try await response.body.collect() }
            #expect(await gone.wait() == .clientGone)
        }
    }

    @Test func `a response over the limit is refused`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            let endpoint = loopback.server.endpoint
            await #expect(throws: HTTPCallError.responseTooLarge(endpoint, limit: 1000)) {
                try await loopback.caller.call(.get, endpoint, "/big", responseLimit: 1000)
            }
            await #expect(throws: HTTPCallError.responseTooLarge(endpoint, limit: 5)) {
                try await loopback.caller.call(.get, endpoint, "/stream", responseLimit: 5)
            }
            let whole = try await loopback.caller.call(.get, endpoint, "/stream", responseLimit: 11)
            #expect(whole.bytes.text == "onetwothree")
        }
    }

    @Test(arguments: ["", "ping", "/a b", "/ä", "/a\r\nX: y"])
    func `a path that is no path is refused before anything is sent`(path: String) async throws {
        try await Loopback.run(handler: demo) { loopback in
            await #expect(throws: HTTPCallError.badPath(path)) {
                try await loopback.caller.call(.get, loopback.server.endpoint, path)
            }
        }
    }

    @Test func `a cancelled call ends and closes its connection`() async throws {
        let gone = Signal<Bool>()
        let started = Signal<Bool>()
        try await Loopback.run { request in
            request.onDisconnect { gone.send() }
            started.send()
            _ = await gone.wait()
            return .complete(.ok)
        } _: { loopback in
            let call = Task { try await loopback.get("/") }
            _ = await started.wait()
            call.cancel()
            await #expect(throws: (any Error).self) { try await call.value }
            #expect(await gone.wait())
        }
    }
}
