import Membership
import Testing

@testable import Gossip

@Suite("The shorter envelope of probes")
struct ShortEnvelopeTests {
    private struct Pair {
        var alice = Seal(cluster: "one", ring: KeyRing(key(1)), life: 11)
        var bob = Seal(cluster: "one", ring: KeyRing(key(1)), life: 22)

        mutating func sealed(_ body: [UInt8], for life: UInt64 = 22) throws -> [UInt8] {
            let sealed = alice.seal(.packet, for: life, body, isShort: true)
            return try #require(sealed).envelope
        }

        func refusal(of bytes: [UInt8]) -> PacketRefusal? {
            var judge = bob
            do throws(PacketRefusal) {
                _ = try judge.open(bytes)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test func `it saves fourteen bytes, is opened once, and counts with the longer`() throws {
        var pair = Pair()
        let bytes = try pair.sealed([1, 2, 3])
        #expect(bytes.count == 3 + Envelope.overhead - 14)
        let long = try pair.alice.bytes(.packet, for: 22, [4])
        #expect(try pair.bob.open(long).body == [4])
        let opened = try pair.bob.open(bytes)
        #expect(opened.body == [1, 2, 3])
        #expect(opened.header.sender == 11)
        #expect(opened.header.kind == .packet)
        #expect(pair.refusal(of: bytes) == .replayed)
    }

    @Test func `it is only for packets to a known life`() throws {
        var pair = Pair()
        #expect(try pair.sealed([1], for: 0).count == 1 + Envelope.overhead)
        let hello = pair.alice.seal(.hello, for: 22, [1], isShort: true)
        #expect(try #require(hello).envelope.count == 1 + Envelope.overhead)
    }

    @Test func `nothing shorter, changed, or of another cluster is taken`() throws {
        var pair = Pair()
        let bytes = try pair.sealed(Array(repeating: 7, count: 24))
        for length in 0..<bytes.count { #expect(pair.refusal(of: Array(bytes.prefix(length))) != nil) }
        for bit in 0..<(bytes.count * 8) {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let refusal = pair.refusal(of: changed)
            switch bit / 8 {
            case 0..<2: #expect(refusal == .notGossip)
            case 2..<6: if case .unknownKey = refusal {} else { Issue.record("\(refusal as Any)") }
            default: #expect(refusal == .notAuthentic)
            }
        }
        pair.bob = Seal(cluster: "two", ring: KeyRing(key(1)), life: 22)
        #expect(pair.refusal(of: bytes) == .notAuthentic)
    }

    @Test func `what is for an earlier life is glimpsed, and nothing counts`() throws {
        var pair = Pair()
        let bytes = try pair.sealed([1, 2, 3])
        pair.bob = Seal(cluster: "one", ring: KeyRing(key(1)), life: 23)
        #expect(pair.refusal(of: bytes) == .notFresh(sender: 11, counter: 1))
        #expect(pair.bob.glimpse(of: bytes)?.body == [1, 2, 3])
        #expect(pair.bob.senderCount == 0)
        var changed = bytes
        changed[30] ^= 1
        #expect(pair.bob.glimpse(of: changed) == nil)
        #expect(pair.bob.glimpse(of: Array(bytes.prefix(41))) == nil)
        #expect(pair.alice.glimpse(of: bytes) == nil, "its own")
    }
}

@Suite("Nodes that compare their tables")
struct ComparingNodesTests {
    /// Goal: at rest there are probes and nothing else, however often an exchange would be due.
    @Test func `nodes that agree open no streams`() async throws {
        try await TestCluster.run { cluster in
            cluster.settings.membership.exchangeInterval = .milliseconds(300)
            cluster.settings.membership.probeInterval = .milliseconds(100)
            cluster.settings.membership.probeTimeout = .milliseconds(80)
            try await cluster.start(members: 3)
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            let node = cluster.nodes[1]
            // Newcomers ask their host a few times more; then all is quiet.
            let isQuiet = await eventually {
                let before = await node.counters
                _ = await eventually { await node.counters.packetsReceived >= before.packetsReceived + 40 }
                let after = await node.counters
                let opened = after.streamsOpened + after.streamsAccepted
                return opened == before.streamsOpened + before.streamsAccepted
            }
            #expect(isQuiet)
        }
    }

    @Test func `what no packet carries is found by comparing`() async throws {
        try await TestCluster.run { cluster in
            // No record fits into a packet, and exchanges are rare.
            cluster.settings.membership.packetBudget = 64
            cluster.settings.membership.exchangeInterval = .seconds(24)
            cluster.settings.membership.probeInterval = .milliseconds(200)
            cluster.settings.membership.probeTimeout = .milliseconds(150)
            try await cluster.start(members: 3)
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            let (one, other) = (cluster.nodes[0], cluster.nodes[2])
            await one.attested(roles: [.agent, .master], attestation: [2])
            #expect(await reached(other) { await $0.member(id(0))?.record.roles == [.agent, .master] })
            await other.attested(roles: [.agent, .master], attestation: [3])
            #expect(await reached(one) { await $0.member(id(2))?.record.roles == [.agent, .master] })
            for node in cluster.nodes {
                let refused = await node.counters.refused
                #expect(refused["malformed"] == nil && refused["unknown-kind"] == nil)
            }
        }
    }
}
