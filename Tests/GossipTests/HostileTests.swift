import Membership
import NIOCore
import Testing
import Transport

@testable import Gossip

/// A program that has the key and speaks for itself, with a seal of its own.
private struct Insider {
    var seal = Seal(cluster: "test", ring: KeyRing(key(1)), life: 77)
    let peer: RawPeer

    /// A ping as a datagram.
    mutating func ping(_ number: UInt32, for life: UInt64, kind: Envelope.Kind = .packet) throws -> [UInt8] {
        let message = GossipMessage.ping(sequence: number, target: id(0), source: id(9), incarnation: 1)
        return try seal.bytes(kind, for: life, MemberCoding.encode(packet: [message]))
    }

    /// The next datagram of that kind that is for this life.
    mutating func next(_ kind: Envelope.Kind) async throws -> Seal.Opened {
        while true {
            let bytes = try #require(await peer.next())
            guard let opened = try? seal.open(bytes) else { continue }
            if opened.header.kind == kind { return opened }
        }
    }
}

@Suite("What comes from outside", .serialized, .timeLimit(.minutes(2)))
struct HostileTests {
    @Test func `who names no life is told the present one, and what is sent then is taken once`() async throws {
        try await TestCluster.run { cluster in
            let node = try await cluster.start()
            let endpoint = await node.endpoint
            var insider = Insider(peer: try await RawPeer(cluster.transport))
            let first = try insider.ping(1, for: 0)
            try await insider.peer.send(first, to: endpoint)
            let hello = try await insider.next(.hello)
            #expect(hello.body == [0, 0, 0, 0, 0, 0, 0, 1])
            let good = try insider.ping(2, for: hello.header.sender)
            try await insider.peer.send(good, to: endpoint)
            let answer = try MemberCoding.packet(from: try await insider.next(.packet).body)
            #expect(answer.first == .ack(sequence: 2, source: id(0)))
            for _ in 0..<3 { try await insider.peer.send(good, to: endpoint) }
            #expect(await eventually { await node.counters.refused["replayed"] == 3 })
            try await insider.peer.close()
        }
    }

    /// Goal: what was recorded from one life of a node is worth nothing to the next.
    @Test func `a restarted node takes nothing that was recorded before`() async throws {
        try await TestCluster.run { cluster in
            let node = try await cluster.start()
            let port = await node.port
            let endpoint = await node.endpoint
            var insider = Insider(peer: try await RawPeer(cluster.transport))
            try await insider.peer.send(try insider.ping(1, for: 0), to: endpoint)
            let life = try await insider.next(.hello).header.sender
            let recorded = try insider.ping(2, for: life)
            try await insider.peer.send(recorded, to: endpoint)
            _ = try await insider.next(.packet)
            await node.stop()
            var same = cluster.settings
            same.port = port
            let again = try await cluster.start(0, incarnation: 2, settings: same)
            try await insider.peer.send(recorded, to: endpoint)
            #expect(try await insider.next(.hello).header.sender != life)
            #expect(await again.counters.refused == ["not-fresh": 1])
            try await insider.peer.close()
        }
    }

    @Test func `noise and forgeries disturb nobody`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 2)
            let node = cluster.nodes[0]
            let endpoint = await node.endpoint
            #expect(await reached(node) { await $0.presentMembers == 2 })
            var insider = Insider(peer: try await RawPeer(cluster.transport))
            var chance = Chance(3)
            let before = await node.counters.packetsReceived
            for _ in 0..<500 {
                var bytes = try insider.ping(1, for: chance.next())
                let place = chance.pick(0...bytes.count - 1)
                bytes[place] ^= 1 << UInt8(chance.pick(0...7))
                try await insider.peer.send(bytes, to: endpoint)
                try await insider.peer.send(chance.bytes(chance.pick(1...1_500)), to: endpoint)
            }
            // A sealed packet whose content is no message.
            try await insider.peer.send(try insider.seal.bytes(.packet, for: 0, []), to: endpoint)
            let life = try await insider.next(.hello).header.sender
            try await insider.peer.send(try insider.seal.bytes(.packet, for: life, [1, 0xff]), to: endpoint)
            #expect(await eventually { await node.counters.refused["malformed"] == 1 })
            #expect(await node.counters.packetsReceived > before + 500)
            #expect(await node.counters.refused["not-authentic", default: 0] > 0)
            #expect(await node.alive == [id(1)])
            #expect(await node.member(id(1))?.record.incarnation == 1)
            try await insider.peer.close()
        }
    }

    @Test func `strangers on streams are sent away, and those who wait get their turn`() async throws {
        try await TestCluster.run { cluster in
            cluster.settings.inboundStreams = 4
            cluster.settings.strangerTimeout = .seconds(1)
            let node = try await cluster.start()
            let port = await node.port
            var strangers: [any Channel] = []
            for number in 0..<12 {
                let channel = try await cluster.transport.connect(
                    to: .tcp(loopback4, port: port), timeout: .seconds(5)
                ) { $0.eventLoop.makeSucceededVoidFuture() }
                // Some say nothing, some say nonsense, some announce more than there may be.
                let words: [UInt8] =
                    switch number % 3 {
                    case 0: []
                    case 1: [0, 0, 0, 80] + Array(repeating: 7, count: 80)
                    default: [0xff, 0xff, 0xff, 0xff]
                    }
                if !words.isEmpty { try? await channel.writeAndFlush(ByteBuffer(bytes: words)) }
                strangers.append(channel)
            }
            let friend = try await cluster.start(hints: [await node.endpoint])
            #expect(await reached(friend) { await $0.alive == [id(0)] })
            #expect(await node.counters.refused["oversized", default: 0] > 0)
            #expect(await node.counters.refused["not-gossip", default: 0] > 0)
            for stranger in strangers { try? await stranger.close() }
        }
    }

    /// Goal: the seal of the stream is enough where there is no TLS; a recorded exchange is worth nothing.
    @Test func `a recorded exchange cannot be repeated`() async throws {
        try await TestCluster.run { cluster in
            let node = try await cluster.start()
            let port = await node.port
            var seal = Seal(cluster: "test", ring: KeyRing(key(1)), life: 78)
            let state = MemberCoding.encode(state: StateExchange(source: id(9), entries: []))
            var recorded: [UInt8] = []
            for attempt in 0..<2 {
                let frames = FrameCollector()
                let channel = try await cluster.transport.connect(
                    to: .tcp(loopback4, port: port), timeout: .seconds(5)
                ) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(frames.handler())
                    }
                }
                var iterator = frames.frames.makeAsyncIterator()
                let greeting = try seal.open(try #require(await iterator.next()), limit: StreamMessage.frameLimit)
                #expect(greeting.header.kind == .greeting)
                if attempt == 0 {
                    let sealed = StreamMessage.seal(.state, for: greeting.header.sender, state, with: &seal)
                    recorded = try #require(sealed).bytes
                }
                try await channel.writeAndFlush(ByteBuffer(bytes: recorded))
                let answer = await iterator.next()
                #expect((answer != nil) == (attempt == 0))
                try? await channel.close()
            }
            #expect(await node.counters.refused["replayed"] == 1)
            #expect(await node.counters.streamsAccepted == 1)
        }
    }
}

/// Collects the parts that come over a stream.
private final class FrameCollector: Sendable {
    let frames: AsyncStream<[UInt8]>
    private let sink: AsyncStream<[UInt8]>.Continuation

    init() { (frames, sink) = AsyncStream.makeStream() }

    func handler() -> some ChannelHandler { Handler(sink) }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let sink: AsyncStream<[UInt8]>.Continuation
        private var cutter = FrameCutter()

        init(_ sink: AsyncStream<[UInt8]>.Continuation) { self.sink = sink }

        func channelActive(context: ChannelHandlerContext) { context.read() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frames = try? cutter.take(Self.unwrapInboundIn(data).readableBytesView)
            for frame in frames ?? [] { sink.yield(frame) }
        }

        func channelReadComplete(context: ChannelHandlerContext) { context.read() }
        func channelInactive(context: ChannelHandlerContext) { sink.finish() }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { sink.finish() }
        }
    }
}
