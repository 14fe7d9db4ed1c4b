import ClusterModel
import MasterCore
import Testing

@Suite("Calls of frameworks")
struct CallTests {
    private func refusal(_ reply: Reply?) -> (Reply.Refusal, String)? {
        if case .refused(let refusal, let why)? = reply { (refusal, why) } else { nil }
    }

    @Test func `a call of an unknown framework is a bad request`() throws {
        var scenario = MasterScenario()
        let refused = refusal(scenario.rawCall("nobody", nil, .revive(roles: [])))
        #expect(refused?.0 == .invalid)
        #expect(refused?.1.hasPrefix("Framework cannot be found") == true)
    }

    @Test func `a call of a framework that is not connected is forbidden`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        scenario.hangUp(framework.connection)
        #expect(refusal(scenario.rawCall(framework.id, nil, .revive(roles: [])))?.0 == .forbidden)
        #expect(refusal(scenario.rawCall(framework.id, framework.connection, .revive(roles: [])))?.0 == .forbidden)
    }

    @Test func `a call on another stream is a bad request`() throws {
        var scenario = MasterScenario()
        let first = try scenario.subscribe()
        let other = try scenario.subscribe()
        #expect(refusal(scenario.rawCall(first.id, other.connection, .teardown))?.0 == .invalid)
        #expect(refusal(scenario.rawCall(first.id, nil, .teardown))?.0 == .invalid)
        #expect(scenario.core.frameworks[first.id] != nil)
    }

    @Test func `a call on the stream before a failover is a bad request`() throws {
        var scenario = MasterScenario()
        let old = try scenario.subscribe()
        let new = try scenario.resubscribe(old)
        #expect(refusal(scenario.call(old, .teardown))?.0 == .invalid)
        #expect(scenario.call(new, .revive(roles: [])) == .accepted)
    }

    @Test func `calls for what does not exist yet are received without effect`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        let calls: [SchedulerCall] = [
            .request, .message(agent: "a", executor: "e", data: [1]), .shutdown(executor: "e", agent: "a"),
            .acceptInverseOffers(["o"]), .declineInverseOffers(["o"]),
            .acknowledgeOperation(operation: "op", uuid: uuid(1)),
        ]
        _ = scenario.take(framework.connection)
        for call in calls { #expect(scenario.call(framework, call) == .accepted) }
        #expect(scenario.take(framework.connection).isEmpty)
    }
}
