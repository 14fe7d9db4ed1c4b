import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("Looks")
struct LookTests {
    private let home = AgentOrigin(process: "p1", place: "boot1/1/7")
    private let elsewhere = AgentOrigin(process: "p9", place: "boot9/1/7")

    private func registered() throws -> (MasterScenario, AgentPeer) {
        var scenario = MasterScenario()
        let agent = try scenario.register(.test(), origin: home)
        return (scenario, agent)
    }

    private func isDuplicate(_ events: [AgentEvent]) -> Bool {
        if case .duplicate(let why, .seconds(60))? = events.first { why.contains("10.0.0.2") } else { false }
    }

    // MARK: doubt

    @Test func `an agent that gossip lost and that answers goes on undisturbed`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.feed(.doubted(agent.id))
        #expect(scenario.take(agent) == [.ping])
        scenario.advance(.milliseconds(1_500))
        scenario.tell(agent, .heartbeat)
        scenario.advance(.seconds(60))
        #expect(scenario.core.agents[agent.id]?.connection == agent.connection)
        #expect(scenario.take(agent).isEmpty)
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.warnings.isEmpty)
    }

    @Test func `an agent that gossip lost and that is silent gets no offers after two seconds, and keeps its tasks`()
        throws
    {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.silent = [agent.id]
        scenario.advance(.seconds(1))
        let offered = scenario.offers(framework)
        scenario.feed(.doubted(agent.id))
        scenario.advance(.milliseconds(1_999))
        #expect(scenario.core.agents[agent.id]?.isActive == true)
        scenario.advance(.milliseconds(1))
        #expect(scenario.core.agents[agent.id]?.session == .disconnected)
        #expect(scenario.isClosed.contains(agent.connection))
        #expect(scenario.core.offers.offers(on: agent.id).isEmpty)
        #expect(scenario.warnings.count == 1)
        let events = scenario.take(framework.connection)
        #expect(events == offered.map { .rescind($0.id) }, "no word of the task")
        // It comes back before the silence is too long for its tasks.
        let report = scenario.reported("t", .running, of: framework, on: agent)
        scenario.silent = []
        agent = try scenario.reregister(agent, tasks: [report])
        scenario.advance(.seconds(60))
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.task("t", of: framework)?.state == .running)
    }

    @Test func `the tasks of an agent whose session was ended are lost when the silence has lasted`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.silent = [agent.id]
        scenario.feed(.doubted(agent.id))
        scenario.advance(.seconds(14))
        #expect(scenario.updates(framework).isEmpty)
        scenario.advance(.seconds(3))
        #expect(scenario.updates(framework).map(\.state) == [.lost])
        #expect(scenario.core.agents[agent.id]?.session == .unreachable)
    }

    @Test func `doubts are one question at a time, and nobody is asked who is not there`() throws {
        var (scenario, agent) = try registered()
        for _ in 0..<5 { scenario.feed(.doubted(agent.id)) }
        #expect(scenario.take(agent) == [.ping])
        scenario.feed(.doubted("nobody"))
        scenario.hangUp(agent.connection)
        scenario.feed(.doubted(agent.id))
        #expect(scenario.core.agents[agent.id]?.session == .disconnected)
        scenario.advance(.seconds(5))
        #expect(scenario.warnings.isEmpty)
    }

    @Test func `a master that stood still while it waited asks for as long again`() throws {
        var (scenario, agent) = try registered()
        scenario.feed(.doubted(agent.id))
        scenario.stall(.seconds(10))
        scenario.feed(.tick)
        #expect(scenario.core.agents[agent.id]?.isActive == true)
        scenario.tell(agent, .heartbeat)
        scenario.advance(.seconds(5))
        #expect(scenario.core.agents[agent.id]?.isActive == true)
    }

    // MARK: copies

    @Test func `a copy is refused while the first answers, and both operators and the first are told once`() throws {
        var (scenario, agent) = try registered()
        var info = try #require(scenario.core.agents[agent.id]?.info)
        info.hostname = "thief"
        info.address = "10.0.0.66"
        for attempt in 1...3 {
            let copy = scenario.openAgent(info, origin: elsewhere)
            #expect(scenario.takeAgent(copy).isEmpty)
            #expect(scenario.take(agent).contains(.ping))
            scenario.tell(agent, .heartbeat)
            #expect(isDuplicate(scenario.takeAgent(copy)))
            #expect(scenario.isClosed.contains(copy))
            #expect(scenario.core.agents[agent.id]?.connection == agent.connection)
            #expect(scenario.warnings.count == 1 && scenario.warnings[0].contains("thief at 10.0.0.66"))
            let told = scenario.take(agent)
            #expect(told.count == (attempt == 1 ? 1 : 0), "\(told)")
            scenario.advance(.seconds(60))
        }
        #expect(scenario.core.agents[agent.id]?.info.hostname == "host")
        #expect(scenario.registry.agents[agent.id]?.info.hostname == "host")
    }

    @Test func `a restart on the same data is let in at once, though the old connection looks open`() throws {
        var (scenario, agent) = try registered()
        let again = try scenario.reregister(agent, origin: AgentOrigin(process: "p2", place: home.place))
        #expect(scenario.isClosed.contains(agent.connection))
        #expect(scenario.core.agents[again.id]?.connection == again.connection)
    }

    @Test func `another session of the same process, from another address, is let in at once`() throws {
        var (scenario, agent) = try registered()
        let again = try scenario.reregister(agent, origin: AgentOrigin(process: home.process, place: "unknown"))
        #expect(scenario.core.agents[again.id]?.connection == again.connection)
    }

    @Test func `a machine that was started anew is let in when its old session does not answer`() throws {
        var (scenario, framework, agent) = try MasterScenario.running(origin: home)
        scenario.silent = [agent.id]
        let info = try #require(scenario.core.agents[agent.id]?.info)
        let report = scenario.reported("t", .running, of: framework, on: agent)
        let new = scenario.openAgent(info, tasks: [report], origin: elsewhere)
        scenario.advance(.milliseconds(1_999))
        #expect(scenario.takeAgent(new).isEmpty)
        scenario.advance(.milliseconds(1))
        guard case .subscribed(agent.id, _, _)? = scenario.takeAgent(new).first else {
            Issue.record("not let in")
            return
        }
        #expect(scenario.core.agents[agent.id]?.connection == new)
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.updates(framework).isEmpty)
    }

    @Test func `whoever waits is let in the moment the old session ends`() throws {
        var (scenario, agent) = try registered()
        let info = try #require(scenario.core.agents[agent.id]?.info)
        let new = scenario.openAgent(info, origin: elsewhere)
        scenario.hangUp(agent.connection)
        #expect(scenario.core.agents[agent.id]?.connection == new)
    }

    @Test func `whoever waits and hangs up, or calls again, leaves nothing`() throws {
        var (scenario, agent) = try registered()
        let info = try #require(scenario.core.agents[agent.id]?.info)
        scenario.hangUp(scenario.openAgent(info, origin: elsewhere))
        let first = scenario.openAgent(info, origin: elsewhere)
        let second = scenario.openAgent(info, origin: AgentOrigin(process: "p10", place: "boot10/1/7"))
        #expect(scenario.isClosed.contains(first))
        #expect(scenario.take(agent) == [.ping])
        scenario.tell(agent, .heartbeat)
        #expect(isDuplicate(scenario.takeAgent(second)))
        #expect(scenario.core.agents[agent.id]?.connection == agent.connection)
    }

    @Test func `an operator's word or a leave ends the wait`() throws {
        for isGone in [true, false] {
            var (scenario, agent) = try registered()
            let info = try #require(scenario.core.agents[agent.id]?.info)
            let new = scenario.openAgent(info, origin: elsewhere)
            if isGone { _ = scenario.command(.markAgentGone(agent.id)) } else { scenario.tell(agent, .leave) }
            #expect(scenario.isClosed.contains(new))
            scenario.advance(.seconds(5))
            #expect(scenario.core.agents[agent.id]?.isActive != true)
        }
    }

    @Test func `an origin that is too long is refused`() {
        var scenario = MasterScenario()
        let long = AgentOrigin(process: String(repeating: "p", count: 300), place: "q")
        let connection = scenario.openAgent(.test(), origin: long)
        guard case .refused(_, isFinal: false)? = scenario.takeAgent(connection).first else {
            Issue.record("let in")
            return
        }
        #expect(scenario.isClosed.contains(connection))
    }

    /// An agent with a key, copies of it, doubts, silence and restarts in any order. The scenario checks every effect;
    /// here: who answers stays, and whoever waits is answered in time.
    @Test(arguments: UInt64(1)...300)
    func `whoever answers stays, and nobody waits for longer than a look`(seed: UInt64) throws {
        var random = Chance(seed)
        var (scenario, agent) = try registered()
        let info = try #require(scenario.core.agents[agent.id]?.info)
        var (place, lives) = (home.place, 1)
        var waiting: (connection: ConnectionID, since: Duration)?
        var silentSince: Duration?
        var hasHungUp = false
        for _ in 0..<120 {
            switch random.below(9) {
            case 0: scenario.feed(.doubted(agent.id))
            case 1:
                let origin = AgentOrigin(process: "copy\(lives)", place: "copy\(lives)")
                lives += 1
                if scenario.core.agents[agent.id]?.isActive == true {
                    waiting = (scenario.openAgent(info, origin: origin), scenario.elapsed)
                }
            case 2, 3, 4: if silentSince == nil { scenario.tell(agent, .heartbeat) }
            case 5:
                silentSince = silentSince == nil ? scenario.elapsed : nil
                scenario.silent = silentSince == nil ? [] : [agent.id]
            case 6:
                // The first is killed and started again, on the machine as it is or after a boot.
                if random.below(3) == 0 { place = "boot\(lives)" }
                lives += 1
                if !scenario.isClosed.contains(agent.connection) { scenario.hangUp(agent.connection) }
                hasHungUp = true
                if scenario.core.agents[agent.id]?.isActive != true {
                    agent = try scenario.reregister(agent, origin: AgentOrigin(process: "p\(lives)", place: place))
                    (silentSince, waiting) = (nil, nil)
                    scenario.silent = []
                    hasHungUp = false
                }
            case 7:
                if let held = waiting, !scenario.isClosed.contains(held.connection) { scenario.hangUp(held.connection) }
            default: scenario.advance(.milliseconds(Int64(random.below(1_500))))
            }
            if silentSince == nil, scenario.core.agents[agent.id]?.connection != nil {
                // Answers at once when it is asked, as agents do.
                if scenario.take(agent).contains(.ping) { scenario.tell(agent, .heartbeat) }
            }
            guard let connection = scenario.core.agents[agent.id]?.connection else { continue }
            if connection != agent.connection {
                #expect(silentSince != nil || hasHungUp, "one that answers was put out")
                // From here on the copy is the one that is there.
                agent = AgentPeer(id: agent.id, connection: connection)
                (silentSince, waiting, hasHungUp) = (nil, nil, false)
                scenario.silent = []
            } else if let held = waiting {
                let isOver = scenario.isClosed.contains(held.connection)
                #expect(isOver || scenario.elapsed - held.since <= .seconds(2), "waits for too long")
                if isOver { waiting = nil }
            }
        }
    }
}

/// A small seeded source of chance.
private struct Chance {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    mutating func below(_ limit: UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) % limit
    }
}
