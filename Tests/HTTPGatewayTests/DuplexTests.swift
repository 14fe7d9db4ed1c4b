import HTTPGateway
import HTTPTypes
import NIOCore
import Testing
import Transport

/// A body of `pieces` pieces of 64 KiB that counts what is taken from it.
func largeBody(pieces: Int, gap: Gap) -> GatewayBody {
    let left = Countdown(pieces)
    let piece = ByteBuffer(repeating: 0x55, count: 64 << 10)
    return GatewayBody {
        guard left.next() else { return nil }
        gap.produced(piece.readableBytes)
        return piece
    }
}

@Suite(.timeLimit(.minutes(3))) struct DuplexTests {
    private static let size = 64 << 20

    @Test func `64 MiB are echoed while they are still being sent, with bounded memory`() async throws {
        let gap = Gap()
        try await Loopback.run { request in
            .duplex { writer in
                for try await piece in request.body { try await writer.write(piece) }
            }
        } _: { loopback in
            let response = try await loopback.caller.duplex(
                .post, loopback.server.endpoint, "/", body: largeBody(pieces: 1024, gap: gap))
            for try await piece in response.body { gap.consumed(piece.readableBytes) }
            #expect(gap.total == Self.size)
            // Mostly the kernel's socket buffers, four of them, up to a few MiB each.
            #expect(gap.worst < 32 << 20)
        }
    }

    @Test func `the response may end long before the request`() async throws {
        let received = Gap()
        let sent = Gap()
        let done = Signal<Int>()
        let proceed = Signal<Bool>()
        try await Loopback.run { request in
            .duplex { writer in
                try await writer.write(ByteBuffer(string: "short"))
                try await writer.finish()
                for try await piece in request.body { received.consumed(piece.readableBytes) }
                done.send(received.total)
            }
        } _: { loopback in
            let source = largeBody(pieces: 256, gap: sent)
            let body = GatewayBody {
                _ = await proceed.wait()
                var pieces = source.makeAsyncIterator()
                return try await pieces.next()
            }
            let response = try await loopback.caller.duplex(.post, loopback.server.endpoint, "/", body: body)
            let text = try await response.body.collect().text
            #expect(text == "short")
            proceed.send()
            #expect(await done.wait() == 16 << 20)
        }
    }

    @Test func `the request may end long before the response`() async throws {
        let gap = Gap()
        try await Loopback.run { request in
            .duplex { writer in
                let all = try await request.body.collect()
                try await writer.write(all)
                for try await piece in largeBody(pieces: 1024, gap: gap) { try await writer.write(piece) }
            }
        } _: { loopback in
            let response = try await loopback.caller.duplex(
                .post, loopback.server.endpoint, "/", body: GatewayBody(ByteBuffer(string: "abc")))
            var total = 0
            for try await piece in response.body { total += piece.readableBytes }
            #expect(total == Self.size + 3)
        }
    }

    @Test func `a server that breaks off ends both directions for the caller`() async throws {
        let waiting = Signal<Bool>()
        try await Loopback.run { request in
            .duplex { writer in
                try await writer.write(ByteBuffer(string: "x"))
                _ = await waiting.wait()
                throw CancellationError()
            }
        } _: { loopback in
            let endless = GatewayBody { ByteBuffer(repeating: 0, count: 1000) }
            let response = try await loopback.caller.duplex(.post, loopback.server.endpoint, "/", body: endless)
            var pieces = response.body.makeAsyncIterator()
            _ = try await pieces.next()
            waiting.send()
            await #expect(throws: HTTPCallError.self) { while try await pieces.next() != nil {} }
        }
    }

    @Test func `a caller whose request fails ends both directions for the server`() async throws {
        let begun = Signal<Bool>()
        let ended = Signal<Bool>()
        try await Loopback.run { request in
            .duplex { writer in
                begun.send()
                defer { ended.send() }
                for try await piece in request.body { try await writer.write(piece) }
            }
        } _: { loopback in
            let left = Countdown(3)
            let failing = GatewayBody {
                guard left.next() else {
                    // A server that has not begun to answer by then does not begin at all.
                    _ = await begun.wait()
                    throw CancellationError()
                }
                return ByteBuffer(string: "x")
            }
            let response = try? await loopback.caller.duplex(.post, loopback.server.endpoint, "/", body: failing)
            await #expect(throws: (any Error).self) {
                guard let response else { throw CancellationError() }
                _ = try await response.body.collect()
            }
            #expect(await ended.wait())
        }
    }

    @Test func `a caller that lets go ends the server's producer`() async throws {
        let ended = Signal<Bool>()
        try await Loopback.run { _ in
            .stream { writer in
                defer { ended.send() }
                while true { try await writer.write(ByteBuffer(repeating: 0, count: 1000)) }
            }
        } _: { loopback in
            do {
                let response = try await loopback.caller.stream(.get, loopback.server.endpoint, "/")
                var pieces = response.body.makeAsyncIterator()
                _ = try await pieces.next()
            }
            #expect(await ended.wait())
        }
    }
}
