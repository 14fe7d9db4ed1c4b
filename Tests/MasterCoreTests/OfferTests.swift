import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("Offers")
struct OfferTests {
    @Test func `an offer has all that an agent has free, for one role`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe(.test(roles: ["a", "b"]))
        let offer = try scenario.offer(framework)
        #expect(offer.agentID == agent.id)
        #expect(offer.frameworkID == framework.id)
        #expect(offer.role == "a")
        #expect(offer.resources == bag("cpus:4;mem:4096;ports:[31000-31009]"))
        #expect(offer.agent.hostname == "host")
    }

    @Test func `a framework of two roles is offered agents in both`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register(.test("one"))
        _ = try scenario.register(.test("two"))
        let framework = try scenario.subscribe(.test(roles: ["a", "b"]))
        #expect(Set(scenario.offers(framework).map(\.role)) == ["a", "b"])
    }

    @Test func `what is reserved for a role is offered in this role only`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register(.test("host", "cpus:2;mem:512;cpus(a):1;mem(a):256"))
        let plain = try scenario.subscribe(.test(roles: ["b"]))
        #expect(try scenario.offer(plain).resources == bag("cpus:2;mem:512"))
        let owner = try scenario.subscribe(.test(roles: ["a"]))
        #expect(try scenario.offer(owner).resources == bag("cpus(a):1;mem(a):256"))
    }

    @Test func `what was declined is not offered again before its time and is offered then`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.call(framework, .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(20))))
        scenario.advance(.milliseconds(19_900))
        #expect(scenario.take(framework.connection).isEmpty)
        scenario.advance(.milliseconds(200))
        #expect(scenario.offers(framework).map(\.resources) == [offer.resources])
    }

    @Test func `the usual filter lasts five seconds`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.call(framework, .decline(offers: [offer.id], filters: .standard))
        scenario.advance(.milliseconds(4_900))
        #expect(scenario.take(framework.connection).isEmpty)
        scenario.advance(.milliseconds(200))
        #expect(scenario.take(framework.connection).count == 1)
    }

    @Test func `what was declined with zero seconds comes again in the next cycle`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.call(framework, .decline(offers: [offer.id], filters: OfferFilters(refuse: .zero)))
        scenario.advance(.milliseconds(1_100))
        #expect(scenario.take(framework.connection).count == 1)
    }

    @Test func `what one framework declined is offered to another`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let first = try scenario.subscribe(.test("first"))
        let offer = try scenario.offer(first)
        let second = try scenario.subscribe(.test("second"))
        scenario.call(first, .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(3_600))))
        scenario.advance(.milliseconds(1_100))
        #expect(scenario.take(first.connection).isEmpty)
        #expect(scenario.offers(second).count == 1)
    }

    @Test func `REVIVE clears filters at once`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.call(framework, .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(3_600))))
        scenario.advance(.seconds(10))
        #expect(scenario.take(framework.connection).isEmpty)
        scenario.call(framework, .revive(roles: []))
        #expect(try scenario.offer(framework).resources == offer.resources)
    }

    @Test func `REVIVE of one role leaves the filters of others`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register(.test("one"))
        _ = try scenario.register(.test("two"))
        let framework = try scenario.subscribe(.test(roles: ["a", "b"]))
        let offers = scenario.offers(framework)
        for _ in 0..<2 {
            let open = scenario.core.offers.offers(to: framework.id).map(\.id)
            scenario.call(framework, .decline(offers: open, filters: OfferFilters(refuse: .seconds(3_600))))
            scenario.advance(.seconds(2))
        }
        _ = scenario.take(framework.connection)
        scenario.call(framework, .revive(roles: ["a"]))
        let again = scenario.offers(framework)
        #expect(offers.count == 2 && again.count == 2)
        #expect(again.allSatisfy { $0.role == "a" })
    }

    @Test func `SUPPRESS stops offers and REVIVE starts them again`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        scenario.call(framework, .suppress(roles: []))
        _ = try scenario.register()
        scenario.advance(.seconds(30))
        #expect(scenario.take(framework.connection).isEmpty)
        #expect(scenario.core.frameworks[framework.id]?.suppressedRoles == ["*"])
        scenario.call(framework, .revive(roles: []))
        #expect(scenario.offers(framework).count == 1)
        #expect(scenario.core.frameworks[framework.id]?.suppressedRoles == [])
    }

    @Test func `roles that a framework does not have cannot be suppressed or revived`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe(.test(roles: ["a"]))
        #expect(scenario.offers(framework).count == 1)
        scenario.call(framework, .suppress(roles: ["b"]))
        scenario.call(framework, .revive(roles: ["b"]))
        #expect(scenario.core.frameworks[framework.id]?.suppressedRoles == [])
    }

    @Test func `offers of another framework cannot be declined`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let owner = try scenario.subscribe()
        let offer = try scenario.offer(owner)
        let thief = try scenario.subscribe()
        #expect(scenario.call(thief, .decline(offers: [offer.id, "unknown"], filters: .standard)) == .accepted)
        #expect(scenario.core.offers[offer.id] != nil)
    }

    @Test func `what an ACCEPT leaves is filtered like a DECLINE`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("t", on: offer)], refuse: .seconds(20))
        scenario.advance(.milliseconds(19_900))
        #expect(scenario.take(framework.connection).isEmpty)
        scenario.advance(.milliseconds(200))
        #expect(scenario.offers(framework).map(\.resources) == [bag("cpus:3;mem:4032;ports:[31000-31009]")])
    }

    @Test func `an ACCEPT without operations is a DECLINE`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.call(framework, .accept(offers: [offer.id], operations: [], filters: .standard))
        #expect(scenario.free(agent) == offer.resources)
        #expect(scenario.take(framework.connection).isEmpty)
    }

    @Test func `offers of an agent that disconnects are rescinded`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.hangUp(agent.connection)
        #expect(scenario.take(framework.connection) == [.rescind(offer.id)])
        scenario.advance(.seconds(5))
        #expect(scenario.take(framework.connection).isEmpty)
        let back = try scenario.reregister(agent)
        #expect(try scenario.offer(framework).agentID == back.id)
    }

    @Test func `the neediest framework is offered what comes free`() throws {
        var (scenario, busy, _) = try MasterScenario.running()
        let idle = try scenario.subscribe(.test("idle"))
        let rest = try scenario.offer(idle)
        scenario.call(idle, .decline(offers: [rest.id], filters: OfferFilters(refuse: .seconds(3_600))))
        scenario.call(busy, .revive(roles: []))
        let second = try scenario.register(.test("second"))
        #expect(try scenario.offer(idle).agentID == second.id)
        #expect(scenario.offers(busy).allSatisfy { $0.agentID != second.id })
    }

    @Test func `a weight lets a role have more`() throws {
        var scenario = MasterScenario()
        #expect(scenario.command(.setWeight("b", 3)) == .done)
        let light = try scenario.subscribe(.test("light", roles: ["a"]))
        let heavy = try scenario.subscribe(.test("heavy", roles: ["b"]))
        var won: [RoleName: Int] = [:]
        for number in 0..<8 {
            _ = try scenario.register(.test("host\(number)"))
            for offer in scenario.offers(light) + scenario.offers(heavy) { won[offer.role, default: 0] += 1 }
        }
        #expect(won == ["a": 2, "b": 6])
    }
}
