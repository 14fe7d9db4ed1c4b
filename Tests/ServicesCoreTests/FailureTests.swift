import ClusterModel
import Deployments
import ServicesCore
import Testing

@Suite("When instances fail or vanish")
struct FailureTests {
    private let id = ServiceID("/web")

    @Test func `a failing service waits longer each time, up to its longest delay, and never storms`() {
        var bench = Bench()
        bench.send(
            .put(.sample("/web") { $0.backoff = BackoffStrategy(seconds: 1, factor: 2, maxLaunchDelaySeconds: 8) }))
        var launches = 0
        for _ in 0..<600 {
            for task in bench.offer().flatMap(\.tasks) {
                launches += 1
                bench.update(task.taskID, .failed)
            }
            bench.pass(.milliseconds(100))
        }
        // At 0, 1, 3, 7, 15 s, then every 8 s.
        #expect((9...11).contains(launches), "\(launches) launches in a minute")
        #expect(bench.core.lastFailure(of: id)?.state == .failed)
        #expect(bench.core.queueView(id)?.delay ?? .zero > .zero)
        bench.send(.resetDelay(id))
        #expect(bench.core.queueView(id)?.delay == .zero)
    }

    @Test func `instances that fail together count as one failure`() {
        var bench = Bench()
        bench.send(.put(.sample("/web", 10) { $0.backoff = BackoffStrategy(seconds: 1, factor: 10) }))
        for task in bench.offer().flatMap(\.tasks) { bench.update(task.taskID, .failed) }
        #expect(bench.core.queueView(id)?.delay == .seconds(1))
    }

    @Test func `an instance out of reach is replaced and given up when its strategy says`() {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/web") { $0.unreachableStrategy = .enabled(inactiveAfterSeconds: 10, expungeAfterSeconds: 60) }
            ))
        let task = bench.offer()[0].tasks[0].taskID
        bench.update(task, .running)
        bench.update(task, .unreachable)
        #expect(bench.core.queue.isEmpty)
        bench.pass(.seconds(11))
        #expect(bench.core.queue.map(\.count) == [1])
        #expect(bench.core.instances(of: id)[0].condition == .unreachableInactive)
        let second = bench.offer()[0].tasks[0].taskID
        bench.update(second, .running)
        // It comes back: there is one too many, and the youngest ends.
        bench.update(task, .running)
        #expect(bench.kills == [second])
        bench.update(second, .killed)
        bench.update(task, .unreachable)
        bench.pass(.seconds(61))
        #expect(!bench.core.instances(of: id).contains { $0.tasks[0].record.id == task })
    }

    @Test func `what was given up is ended when it comes back`() {
        var bench = Bench()
        bench.send(.put(.sample("/web")))
        let task = bench.offer()[0].tasks[0].taskID
        bench.update(task, .running)
        bench.update(task, .unreachable)
        #expect(bench.core.instances(of: id).isEmpty)
        bench.pass(.seconds(120))
        bench.effects = []
        bench.update(task, .running)
        #expect(bench.kills == [task])
        // A master that cannot reach the agent says so again and again.
        for _ in 0..<10 { bench.update(task, .running) }
        #expect(bench.kills == [task])
        bench.pass(.seconds(11))
        #expect(bench.kills == [task, task])
        bench.update(task, .killed)
        bench.pass(.seconds(30))
        #expect(bench.kills == [task, task])
    }

    @Test func `health checks end an instance after so many failures, not within its grace`() {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/web") {
                    $0.healthChecks = [Deployments.HealthCheck(kind: .http)]
                    $0.healthChecks[0].port = 80
                    $0.healthChecks[0].gracePeriodSeconds = 30
                    $0.healthChecks[0].maxConsecutiveFailures = 2
                }))
        let task = bench.offer()[0].tasks[0].taskID
        bench.update(task, .running)
        func report(_ isHealthy: Bool, at seconds: Int64) -> ServicesInput {
            .health(
                HealthReport(task: task, isHealthy: isHealthy, cause: "503", at: bench.now.wall + .seconds(seconds)))
        }
        for second in 1...5 { bench.feed(report(false, at: Int64(second))) }
        #expect(bench.kills.isEmpty)
        #expect(bench.core.counts(of: id).unhealthy == 0)
        bench.feed(report(true, at: 6))
        #expect(bench.core.counts(of: id).healthy == 1)
        bench.feed(report(false, at: 40))
        #expect(bench.core.counts(of: id).unhealthy == 1)
        #expect(bench.kills.isEmpty)
        bench.feed(report(false, at: 50))
        #expect(bench.kills == [task])
        #expect(bench.core.queueView(id)?.delay == .seconds(1))
    }

    @Test func `an instance that does not start in time is ended`() {
        var settings = ServicesSettings()
        settings.stagingTimeout = .seconds(30)
        var bench = Bench(settings: settings)
        bench.send(.put(.sample("/web")))
        let task = bench.offer()[0].tasks[0].taskID
        bench.update(task, .staging)
        bench.pass(.seconds(29))
        #expect(bench.kills.isEmpty)
        bench.pass(.seconds(2))
        #expect(bench.kills == [task])
        bench.pass(.seconds(11))
        #expect(bench.kills.count == 2, "an unanswered kill is repeated")
    }

    @Test func `the youngest or the oldest end first, and those that are not well before them`() {
        for (selection, expected) in [(KillSelection.youngestFirst, 2), (.oldestFirst, 0)] {
            var bench = Bench()
            bench.agents = [("A1", "r1", 8)]
            var tasks: [TaskID] = []
            for count in 1...3 {
                bench.send(.put(.sample("/web", count) { $0.killSelection = selection }))
                let task = bench.offer()[0].tasks[0].taskID
                tasks.append(task)
                bench.update(task, .running)
                bench.pass(.seconds(5))
            }
            bench.send(.scale(id, instances: 2, force: false))
            #expect(bench.kills == [tasks[expected]])
        }
    }

    @Test func `killed instances are replaced, or the service gets smaller by them`() {
        var bench = Bench()
        bench.send(.put(.sample("/web", 3)))
        bench.settle()
        let first = bench.core.instances(of: id)[0].record.id
        bench.send(.kill([first], scale: false, force: false))
        bench.settle()
        #expect(bench.core.counts(of: id).running == 3)
        let second = bench.core.instances(of: id)[0].record.id
        bench.send(.kill([second], scale: true, force: false))
        bench.settle()
        #expect(bench.core.counts(of: id).running == 2)
        #expect(bench.core.definition(id)?.instances == 2)
        #expect(bench.core.deploymentViews.isEmpty)
    }

    @Test func `a restarted framework ends nothing before it knows how all are`() {
        var bench = Bench()
        bench.send(.put(.sample("/web", 3)))
        bench.settle()
        let tasks = bench.core.instances(of: id).map { $0.tasks[0].record.id }
        bench.send(.put(.sample("/web", 3) { $0.cmd = "other" }))
        var second = Bench(registry: bench.registry)
        #expect(second.core.deploymentViews.count == 1)
        #expect(second.kills.isEmpty)
        #expect(second.calls.contains { if case .reconcile(let some) = $0 { some.count == 3 } else { false } })
        for task in tasks { second.update(task, .running) }
        #expect(second.kills.isEmpty)
        second.settle()
        #expect(second.core.deploymentViews.isEmpty)
        #expect(second.core.counts(of: id).running == 3)
    }
}
