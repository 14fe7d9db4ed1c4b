import ClusterModel
import MasterCore
import Testing

@Suite("Subscribing")
struct SubscriptionTests {
    private func error(_ events: [SchedulerEvent]) -> String? {
        if case .error(let why)? = events.first, events.count == 1 { why } else { nil }
    }

    @Test func `a new framework gets an id of its own, SUBSCRIBED and a HEARTBEAT straight after`() throws {
        var scenario = MasterScenario()
        let first = scenario.open(.test())
        let events = scenario.takeAll(first)
        guard case .subscribed(let id, let interval, let master)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(id == "m1-0000")
        #expect(interval == .seconds(15))
        #expect(master.version == "1.11.0")
        #expect(events.count == 2 && events[1] == .heartbeat)
        #expect(try scenario.subscribe().id == "m1-0001")
        #expect(scenario.registry.frameworks.count == 2)
    }

    @Test func `a framework gets HEARTBEAT every 15 seconds`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        _ = scenario.takeAll(framework.connection)
        scenario.advance(.seconds(60))
        #expect(scenario.takeAll(framework.connection) == [.heartbeat, .heartbeat, .heartbeat, .heartbeat])
    }

    @Test func `an id that this master does not know is kept`() throws {
        var scenario = MasterScenario()
        var info = FrameworkInfo.test()
        info.id = "from-elsewhere"
        #expect(try scenario.subscribe(info).id == "from-elsewhere")
        #expect(scenario.registry.frameworks["from-elsewhere"]?.info.name == "framework")
    }

    @Test func `an id that a framework chose is not given to the next one`() throws {
        var scenario = MasterScenario()
        var info = FrameworkInfo.test("squatter")
        info.id = "m1-0000"
        let squatter = try scenario.subscribe(info)
        let other = try scenario.subscribe(.test("other"))
        #expect(other.id == "m1-0001")
        #expect(scenario.core.frameworks[squatter.id]?.info.name == "squatter")
    }

    @Test func `an id that is connected moves to the new stream, and the old one ends with ERROR`() throws {
        var scenario = MasterScenario()
        let old = try scenario.subscribe()
        _ = scenario.take(old.connection)
        let new = try scenario.resubscribe(old)
        #expect(scenario.take(old.connection) == [.error("Framework failed over")])
        #expect(scenario.isClosed.contains(old.connection))
        #expect(new.id == old.id)
        #expect(scenario.core.frameworks[new.id]?.connection == new.connection)
        // The end of the old stream, noticed late, does not disconnect the new one.
        scenario.feed(.closed(old.connection))
        #expect(scenario.core.frameworks[new.id]?.isConnected == true)
    }

    @Test func `a failover takes back the offers of the old stream and makes new ones on the new stream`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let old = try scenario.subscribe()
        let offer = try scenario.offer(old)
        let new = try scenario.resubscribe(old)
        let next = try scenario.offer(new)
        #expect(next.id != offer.id)
        #expect(next.resources == offer.resources)
    }

    @Test func `a failover drops the filters of the scheduler before it`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let old = try scenario.subscribe()
        let offer = try scenario.offer(old)
        scenario.call(old, .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(3_600))))
        #expect(scenario.offers(old).isEmpty)
        let new = try scenario.resubscribe(old)
        #expect(scenario.offers(new).count == 1)
    }

    @Test func `the id of a removed framework is turned away with ERROR`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        #expect(scenario.call(framework, .teardown) == .accepted)
        var info = FrameworkInfo.test()
        info.id = framework.id
        let again = scenario.open(info)
        #expect(error(scenario.take(again))?.hasPrefix("Framework has been removed") == true)
        #expect(scenario.isClosed.contains(again))
    }

    @Test(
        arguments: [
            ([], "at least one role"),
            (["a", "a"], "twice"),
            (["a b"], "white space"),
            ([""], "must not be empty"),
            (["a/../b"], "'..'"),
            (["-a"], "dash"),
            (["/a"], "slash"),
        ] as [([RoleName], String)])
    func `roles that are not allowed are named in an ERROR`(roles: [RoleName], reason: String) {
        var scenario = MasterScenario()
        let connection = scenario.open(.test(roles: roles))
        #expect(error(scenario.take(connection))?.contains(reason) == true)
        #expect(scenario.core.frameworks.isEmpty && scenario.registry.frameworks.isEmpty)
    }

    @Test func `a suppressed role that is not one of the roles is an ERROR`() {
        var scenario = MasterScenario()
        let connection = scenario.open(.test(roles: ["a"]), suppressed: ["a", "b"])
        #expect(error(scenario.take(connection))?.contains("suppressed role 'b'") == true)
    }

    @Test func `a framework id that could be a path is an ERROR`() {
        var scenario = MasterScenario()
        var info = FrameworkInfo.test()
        info.id = "../etc"
        let connection = scenario.open(info)
        #expect(error(scenario.take(connection))?.contains("framework id must not contain slashes") == true)
    }

    @Test func `suppressed roles get no offers until they are revived`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe(.test(roles: ["a", "b"]), suppressed: ["a", "b"])
        #expect(scenario.offers(framework).isEmpty)
        scenario.call(framework, .revive(roles: ["b"]))
        #expect(try scenario.offer(framework).role == "b")
    }

    @Test func `a framework that updates its roles loses the offers of those it left`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe(.test(roles: ["a"]))
        let offer = try scenario.offer(framework)
        let reply = scenario.call(framework, .updateFramework(.test("renamed", roles: ["b"]), suppressedRoles: []))
        #expect(reply == .accepted)
        #expect(scenario.take(framework.connection) == [.rescind(offer.id)])
        #expect(try scenario.offer(framework).role == "b")
        #expect(scenario.registry.frameworks[framework.id]?.info.name == "renamed")
        #expect(scenario.registry.frameworks[framework.id]?.info.id == framework.id)
    }

    @Test func `an update that is not allowed is refused and changes nothing`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe(.test(roles: ["a"]))
        let reply = scenario.call(framework, .updateFramework(.test(roles: ["a"]), suppressedRoles: ["b"]))
        guard case .refused(.invalid, let why)? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(why.contains("suppressed role 'b'"))
        #expect(scenario.core.frameworks[framework.id]?.suppressedRoles == [])
    }
}
