import Membership
import Testing
import Transport

@testable import Gossip

@Suite("Nodes on real sockets", .serialized, .timeLimit(.minutes(3)))
struct NodeTests {
    @Test func `two nodes join and see each other`() async throws {
        try await TestCluster.run { cluster in
            let first = try await cluster.start()
            let second = try await cluster.start(hints: [await first.endpoint])
            #expect(await reached(first) { await $0.alive == [id(1)] })
            #expect(await reached(second) { await $0.alive == [id(0)] })
            #expect(await second.hints == [await first.endpoint])
            #expect(await second.counters.refused.keys.allSatisfy { $0 == "not-fresh" })
        }
    }

    @Test func `sixteen nodes find each other, see one fall silent and one leave`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 16)
            for (index, node) in cluster.nodes.enumerated() {
                let others = Set((0..<16).filter { $0 != index }.map { id($0) })
                #expect(await reached(node) { await $0.alive == others }, "node \(index)")
            }
            // Silent without a goodbye, as a machine that lost its power.
            await cluster.nodes[15].stop()
            for node in cluster.nodes[0..<15] {
                #expect(await reached(node, within: .seconds(25)) { await $0.status(of: 15) == .dead })
            }
            await cluster.nodes[14].leave()
            for node in cluster.nodes[0..<14] {
                #expect(await reached(node, within: .seconds(5)) { await $0.status(of: 14) == .left })
            }
            await cluster.nodes[14].stop()
            let others = Set((1..<14).map { id($0) })
            #expect(await cluster.nodes[0].alive == others, "nobody else was lost")
        }
    }

    @Test func `keys are rotated under traffic and nobody is lost`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 5)
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 5 }) }
            var ring = KeyRing(key(1))
            let steps: [(inout KeyRing) throws -> Void] = [
                { try $0.add(key(2)) }, { try $0.use(key(2).id) }, { try $0.remove(key(1).id) },
            ]
            for step in steps {
                try step(&ring)
                for node in cluster.nodes {
                    await node.update(ring)
                    // Traffic between the nodes of both halves.
                    let before = await node.counters.packetsReceived
                    #expect(await eventually { await node.counters.packetsReceived > before + 3 })
                }
            }
            for node in cluster.nodes {
                #expect(await node.presentMembers == 5)
                #expect(await node.members.allSatisfy { $0.status == .alive && $0.record.incarnation == 1 })
                let refused = await node.counters.refused
                #expect(refused["unknown-key"] == nil && refused["not-authentic"] == nil, "\(refused)")
            }
            // Who has the old key alone is not heard any more.
            let late = try await cluster.start(hints: [await cluster.nodes[0].endpoint])
            #expect(await eventually { await late.counters.streamsFailed > 0 })
            #expect(await late.presentMembers == 1)
            #expect(await late.counters.refused["unknown-key", default: 0] > 0)
        }
    }

    @Test func `two clusters on one network ignore each other`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 2)
            var other = cluster.settings
            other.cluster = "other"
            let stranger = try await cluster.start(
                hints: [await cluster.nodes[0].endpoint], settings: other)
            let friend = try await cluster.start(hints: [await stranger.endpoint], settings: other)
            #expect(await reached(stranger) { await $0.alive == [id(3)] })
            #expect(await reached(friend) { await $0.alive == [id(2)] })
            #expect(await reached(cluster.nodes[0]) { await $0.alive == [id(1)] })
            #expect(await eventually { await stranger.counters.refused["other-cluster", default: 0] > 0 })
            #expect(await cluster.nodes[0].presentMembers == 2)
            #expect(await stranger.presentMembers == 2)
        }
    }

    @Test(arguments: [true, false])
    func `a restarted node is known again, at another address, with its incarnation stored or not`(
        isStored: Bool
    ) async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 3)
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            let old = cluster.nodes[2]
            await old.attested(roles: [.agent, .master], attestation: [2])
            let (incarnation, hints, before) = (await old.incarnation, await old.hints, await old.endpoint)
            #expect(incarnation == 2)
            for node in cluster.nodes[0..<2] {
                #expect(await reached(node) { await $0.member(id(2))?.record.incarnation == 2 })
            }
            await old.stop()
            let new = try await cluster.start(2, incarnation: isStored ? incarnation + 1 : 1, hints: hints)
            let after = await new.endpoint
            #expect(after != before)
            for node in cluster.nodes[0..<2] {
                #expect(
                    await reached(node) {
                        let member = await $0.member(id(2))
                        return member?.status == .alive && member?.record.addresses == [after]
                    })
            }
            #expect(await new.incarnation >= 3)
            #expect(await reached(new) { await $0.alive == [id(0), id(1)] })
        }
    }

    @Test func `nodes without hints find each other by calling`() async throws {
        try await TestCluster.run { cluster in
            let probe = try await RawPeer(cluster.transport)
            let free = probe.port
            try await probe.close()
            cluster.settings.beacon = BeaconSettings(port: free, interval: .seconds(1), includesLoopback: true)
            for _ in 0..<3 { try await cluster.start() }
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            let heard = await cluster.nodes[0].counters.beaconsHeard
            #expect(heard > 0)
            // Another cluster's calls are not heard.
            var other = cluster.settings
            other.cluster = "other"
            let stranger = try await cluster.start(settings: other)
            #expect(await eventually { await stranger.counters.beaconsSent >= 2 })
            let first = cluster.nodes[0]
            #expect(await eventually { await first.counters.refused["other-cluster", default: 0] > 0 })
            #expect(await stranger.presentMembers == 1)
        }
    }

    @Test func `both families reach each other through nodes that listen on all addresses`() async throws {
        try await TestCluster.run { cluster in
            var everywhere = cluster.settings
            everywhere.listen = [.v6("::")]
            everywhere.advertised = [
                MemberEndpoint(ipv4: 0x7f00_0001, port: 0), MemberEndpoint(ipv6High: 0, low: 1, port: 0),
            ]
            var six = cluster.settings
            six.listen = [.v6("::1")]
            let first = try await cluster.start(settings: everywhere)
            let port = await first.port
            let four = try await cluster.start(hints: [MemberEndpoint(ipv4: 0x7f00_0001, port: port)])
            let other = try await cluster.start(
                hints: [MemberEndpoint(ipv6High: 0, low: 1, port: port)], settings: six)
            #expect(await reached(first) { await $0.alive == [id(1), id(2)] })
            #expect(await reached(four) { await $0.member(id(0))?.status == .alive })
            #expect(await reached(other) { await $0.member(id(0))?.status == .alive })
        }
    }

    @Test func `a gossip client is seen through others, and is not probed`() async throws {
        try await TestCluster.run { cluster in
            var quick = cluster.settings
            quick.membership.clientInterval = .milliseconds(300)
            cluster.settings = quick
            try await cluster.start(members: 2)
            let client = try await cluster.start(isClient: true, hints: [await cluster.nodes[0].endpoint])
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            let other = cluster.nodes[1]
            #expect(
                await eventually { (await other.member(id(2))?.record.incarnation ?? 0) > 3 }, "its news keep coming")
            #expect(await client.counters.packetsReceived == 0, "packets do not reach it")
        }
    }

    @Test func `a node that is paused says and hears nothing, and comes back without blaming anybody`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 3)
            let (first, paused) = (cluster.nodes[0], cluster.nodes[2])
            for node in cluster.nodes { #expect(await reached(node) { await $0.alive.count == 2 }) }
            await paused.pause()
            let sent = await paused.counters.packetsSent
            #expect(await reached(first) { await $0.status(of: 2) == .dead })
            let counters = await paused.counters
            #expect(counters.packetsSent == sent && counters.packetsReceived > 0)
            #expect(await paused.alive.count == 2, "what it believed")
            await paused.leave()
            await paused.resume()
            #expect(await reached(first) { await $0.status(of: 2) == .alive })
            #expect(await paused.alive.count == 2)
        }
    }

    @Test func `a copied key whose node is paused does not overtake the first any more`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.start(members: 3)
            let first = cluster.nodes[1]
            for node in cluster.nodes { #expect(await reached(node) { await $0.alive.count == 2 }) }
            let copy = try await cluster.start(1, incarnation: 2, hints: [await cluster.nodes[0].endpoint])
            #expect(await eventually { await copy.presentMembers == 3 })
            await copy.pause()
            let other = cluster.nodes[2]
            let endpoint = await first.endpoint
            #expect(await eventually { await other.member(id(1))?.record.addresses == [endpoint] })
            // What the copy claimed last may still be on its way: the first answers that, and is left alone then.
            let last = max(await first.incarnation, await copy.incarnation + 1)
            try await Task.sleep(for: .seconds(3))
            #expect(await other.member(id(1))?.status == .alive)
            #expect(await other.member(id(1))?.record.addresses == [endpoint])
            #expect(await first.incarnation <= last + 1, "one more for a suspicion on a busy machine")
        }
    }

    @Test func `a port that is taken is refused with a reason`() async throws {
        try await TestCluster.run { cluster in
            let first = try await cluster.start()
            var same = cluster.settings
            same.port = await first.port
            let taken = same
            await #expect(throws: GossipError.self) { try await cluster.start(settings: taken) }
            #expect(await first.presentMembers == 1)
        }
    }
}
