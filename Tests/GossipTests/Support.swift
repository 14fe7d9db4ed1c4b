import Crypto
import Foundation
import Logging
import Membership
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import Gossip

/// SplitMix64: the same everywhere for the same seed.
struct Chance: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 0x1234_5678_9abc_def1 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

func key(_ number: UInt8) -> GossipKey { GossipKey(bytes: Array(repeating: number, count: 32))! }

/// Signatures that only show that nobody changed a record; forging records is tested with `Membership`.
private func sum(_ record: MemberRecord) -> [UInt8] { Array(SHA256.hash(data: MemberCoding.body(of: record))) }
let proofs = Membership.Proofs(
    sign: { sum($0) }, verify: { $0.signature == sum($0.record) ? .good : .bad("the signature does not fit") })

func id(_ index: Int) -> NodeID { NodeID(high: 7, low: UInt64(index)) }

let loopback4 = IPAddress.v4("127.0.0.1")

/// Nodes of one test, on 127.0.0.1 unless said otherwise.
final class TestCluster {
    let transport = Transport(threads: 2)
    var nodes: [GossipNode] = []
    var security: TransportSecurity?
    var settings = GossipSettings(membership: .loopback, cluster: "test", listen: [loopback4], port: 0, beacon: nil)

    /// Silent unless `RONDO_TEST_LOG` is set.
    private static var logger: Logger {
        guard ProcessInfo.processInfo.environment["RONDO_TEST_LOG"] != nil else {
            return Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        }
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .trace
        return logger
    }

    /// Starts nodes and ends them after the test.
    static func run(_ body: (TestCluster) async throws -> Void) async throws {
        let cluster = TestCluster()
        do {
            try await body(cluster)
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    private func end() async {
        for node in nodes { await node.stop() }
        await transport.shutDown()
    }

    @discardableResult
    func start(
        _ index: Int? = nil, incarnation: UInt64 = 1, roles: NodeRoles = .agent, isClient: Bool = false,
        keys: KeyRing = KeyRing(key(1)), hints: [MemberEndpoint] = [], settings: GossipSettings? = nil
    ) async throws -> GossipNode {
        let identity = GossipIdentity(
            id: id(index ?? nodes.count), roles: roles, attestation: [1], version: "1.0.0", incarnation: incarnation,
            isGossipClient: isClient)
        let node = try await GossipNode.start(
            settings ?? self.settings, identity: identity, proofs: proofs, keys: keys, hints: hints,
            transport: transport, security: security, logger: Self.logger)
        nodes.append(node)
        return node
    }

    /// Starts nodes that all join the first.
    func start(members: Int) async throws {
        let first = try await start()
        let hint = await first.endpoint
        for _ in 1..<members { try await start(hints: [hint]) }
    }
}

extension GossipNode {
    var endpoint: MemberEndpoint { own.record.addresses[0] }

    /// Those that are believed alive, this node left out.
    var alive: Set<NodeID> { Set(members.filter { $0.status == .alive }.map(\.record.id)) }

    func status(of index: Int) -> MemberStatus? { member(id(index))?.status }
}

/// Looks at a node again with each of its reports until it is as wanted; false when that takes too long.
func reached(
    _ node: GossipNode, within time: Duration = .seconds(20),
    _ isReached: @escaping @Sendable (GossipNode) async -> Bool
) async -> Bool {
    if await isReached(node) { return true }
    return await withTaskGroup(of: Bool.self) { group in
        group.addTask {
            for await _ in node.reports where await isReached(node) { return true }
            return await isReached(node)
        }
        group.addTask {
            try? await Task.sleep(for: time)
            return false
        }
        let first = await group.next() ?? false
        group.cancelAll()
        return first
    }
}

/// Looks again and again, for what nobody reports.
func eventually(
    within time: Duration = .seconds(20), _ isSo: @escaping @Sendable () async -> Bool
) async -> Bool {
    let end = ContinuousClock.now + time
    while ContinuousClock.now < end {
        if await isSo() { return true }
        try? await Task.sleep(for: .milliseconds(20))
    }
    return await isSo()
}

/// A socket that says and records what a test wants.
final class RawPeer: Sendable {
    let channel: any Channel
    let received: AsyncStream<[UInt8]>

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        let sink: AsyncStream<[UInt8]>.Continuation
        init(_ sink: AsyncStream<[UInt8]>.Continuation) { self.sink = sink }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            sink.yield(Array(Self.unwrapInboundIn(data).data.readableBytesView))
        }
    }

    init(_ transport: Transport) async throws {
        let (stream, sink) = AsyncStream<[UInt8]>.makeStream()
        received = stream
        channel = try await DatagramBootstrap(group: transport.eventLoops)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(sink))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func send(_ bytes: [UInt8], to endpoint: MemberEndpoint) async throws {
        let address = try #require(endpoint.socketAddress(mapped: false))
        try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes)))
    }

    var port: UInt16 { channel.localAddress?.memberEndpoint?.port ?? 0 }

    func close() async throws { try await channel.close() }

    func next() async -> [UInt8]? {
        var iterator = received.makeAsyncIterator()
        return await iterator.next()
    }
}
