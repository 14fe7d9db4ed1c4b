import HTTPGateway
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing
import Transport

@Suite(.timeLimit(.minutes(2))) struct HTTP2AbuseTests {
    private static let calm: UInt32 = 11

    @Test func `requests that are taken back again and again end the connection`() async throws {
        let served = Mutex(0)
        try await SecureLoopback.run(handler: { _ in
            served.withLock { $0 += 1 }
            return .text(.ok, "pong\n")
        }) { loopback in
            let raw = try await RawHTTP2(loopback)
            for number in 0..<2000 {
                let stream = UInt32(2 * number + 1)
                await raw.send(
                    RawHTTP2.frame(1, 5, stream, RawHTTP2.get) + RawHTTP2.frame(3, 0, stream, [0, 0, 0, 8]))
            }
            #expect(await raw.goodbye() == Self.calm)
            #expect(served.withLock { $0 } <= 200)
            try await loopback.expectAlive()
        }
    }

    @Test func `a head that never ends is cut`() async throws {
        try await SecureLoopback.run { loopback in
            let raw = try await RawHTTP2(loopback)
            await raw.send(RawHTTP2.frame(1, 1, 1, RawHTTP2.get))
            let filler = [UInt8](repeating: 0x82, count: 1000)
            for _ in 0..<1000 { await raw.send(RawHTTP2.frame(9, 0, 1, filler)) }
            #expect(await raw.goodbye() == Self.calm)
            try await loopback.expectAlive()
        }
    }

    @Test func `a small head that unpacks to a large one is cut`() async throws {
        try await SecureLoopback.run { loopback in
            let raw = try await RawHTTP2(loopback)
            // A field of 3,800 bytes enters the table, and is named ten thousand times with one byte each.
            let value: [UInt8] = [0x7F, 0xD9, 0x1C] + [UInt8](repeating: 0x61, count: 3800)
            await raw.send(
                RawHTTP2.frame(
                    1, 5, 1, RawHTTP2.get + [0x40, 0x01, 0x61] + value + [UInt8](repeating: 0xBE, count: 10_000)))
            #expect(await raw.goodbye() != nil)
            try await loopback.expectAlive()
        }
    }

    @Test func `too many header fields are answered with 431`() async throws {
        try await SecureLoopback.run { loopback in
            let client = try await HTTP2Client(loopback)
            let fields = (0..<200).map { ("x-field-\($0)", "v") }
            let call = try await client.open(.GET, "/ping", headers: HTTPHeaders(fields))
            let answer = try await call.finish()
            #expect(answer.status == 431)
            let ping = try await client.get("/ping")
            #expect(ping.body == "pong\n")
        }
    }

    @Test(arguments: [
        RawHTTP2.frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]), RawHTTP2.frame(4, 0, 0, []),
        RawHTTP2.frame(2, 0, 3, [0, 0, 0, 0, 16]),
    ])
    func `a flood of frames of control ends the connection`(frame: [UInt8]) async throws {
        try await SecureLoopback.run { loopback in
            let raw = try await RawHTTP2(loopback)
            for _ in 0..<100 { await raw.send(Array(repeatElement(frame, count: 50).joined())) }
            #expect(await raw.goodbye() == Self.calm)
            try await loopback.expectAlive()
        }
    }

    @Test func `windows that grow without need end the connection`() async throws {
        let go = Signal<Bool>()
        try await SecureLoopback.run(handler: { request in
            if request.path != "/ping" { _ = await go.wait() }
            return .text(.ok, "pong\n")
        }) { loopback in
            let raw = try await RawHTTP2(loopback)
            await raw.send(RawHTTP2.frame(1, 4, 1, [0x83, 0x84, 0x87, 0x01, 0x01, 0x68]))
            let windows = Array(repeatElement(RawHTTP2.frame(8, 0, 1, [0, 0, 0, 1]), count: 100).joined())
            for _ in 0..<100 { await raw.send(windows) }
            _ = await raw.goodbye()
            go.send()
            try await loopback.expectAlive()
        }
    }

    @Test func `empty pieces of a body end the connection`() async throws {
        try await SecureLoopback.run { loopback in
            let raw = try await RawHTTP2(loopback)
            // POST /
            await raw.send(RawHTTP2.frame(1, 4, 1, [0x83, 0x84, 0x87, 0x01, 0x01, 0x68]))
            for _ in 0..<100 { await raw.send(RawHTTP2.frame(0, 0, 1, [])) }
            #expect(await raw.goodbye() == Self.calm)
            try await loopback.expectAlive()
        }
    }

    @Test func `what is no HTTP 2 at all ends the connection`() async throws {
        var settings = HTTPServerSettings()
        settings.headTimeout = .milliseconds(500)
        settings.idleTimeout = .milliseconds(500)
        try await SecureLoopback.run(settings: settings) { loopback in
            for bytes in [[UInt8](repeating: 0xFF, count: 100), RawHTTP2.frame(1, 5, 2, RawHTTP2.get)] {
                let raw = try await RawHTTP2(loopback)
                await raw.send(bytes)
                #expect(await raw.goodbye() != nil)
            }
            try await loopback.expectAlive()
        }
    }

    @Test(
        arguments: [
            [0x82, 0x87, 0x01, 0x01, 0x68], [0x82, 0x84, 0x87],
            [0x82, 0x84, 0x87, 0x01, 0x01, 0x68, 0x00, 0x01, 0x41, 0x01, 0x61],
        ] as [[UInt8]])
    func `a head without a path, an authority or with a wrong name is refused`(head: [UInt8]) async throws {
        let served = Mutex(0)
        var settings = HTTPServerSettings()
        settings.idleTimeout = .milliseconds(100)
        try await SecureLoopback.run(
            settings: settings,
            handler: { request in
                if request.path != "/ping" { served.withLock { $0 += 1 } }
                return .text(.ok, "pong\n")
            }
        ) { loopback in
            let raw = try await RawHTTP2(loopback)
            await raw.send(RawHTTP2.frame(1, 5, 1, head))
            _ = await raw.goodbye()
            #expect(served.withLock { $0 } == 0)
            try await loopback.expectAlive()
        }
    }
}
