import ClusterModel
import Deployments
import ServicesCore
import Testing

@Suite("Pods at work")
struct PodTests {
    private func pod(_ change: (inout PodDefinition) -> Void = { _ in }) -> PodDefinition {
        var pod = PodDefinition(id: ServiceID("/pod"))
        for name in ["a", "b"] {
            var container = PodContainer(name: name)
            container.command = .shell("sleep 100")
            pod.containers.append(container)
        }
        change(&pod)
        return pod
    }

    /// Starts what waits, and has it run.
    private func start(_ bench: inout Bench) -> [Launch] {
        let launches = bench.offer()
        for task in launches.flatMap(\.operation.tasks) { bench.update(task.taskID, .running) }
        return launches
    }

    @Test func `what a pod's container asks for beside its resources goes with its task`() throws {
        var container = PodContainer(name: "a")
        container.command = .shell("sleep 100")
        container.image = PodImage(reference: "registry.example.org/a", pullSecret: "pull")
        container.resourceLimits = ResourceLimits(cpus: .unlimited, mem: .amount(256))
        container.healthCheck = PodHealthCheck(probe: PodProbe(command: .shell("true")))
        container.killGracePeriodSeconds = 7
        let pod = pod {
            $0.containers[0] = container
            $0.secrets = ["pull": "shop/registry"]
        }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        let tasks = bench.offer()[0].operation.tasks
        #expect(tasks.map(\.limits) == [TaskLimits(cpus: .max, mem: 256_000), nil])
        #expect(tasks.map(\.container?.pullSecret) == [TaskSecret(name: "shop/registry"), nil])
        #expect(tasks.map(\.killGracePeriod) == [.seconds(7), nil])
        guard case .command(let command)? = tasks[0].healthCheck?.probe.kind else {
            Issue.record("no health check by a command")
            return
        }
        #expect(command.value == "true" && tasks[1].healthCheck == nil)
        for task in tasks { bench.update(task.taskID, .running) }
        bench.send(.remove(pod.id, force: true))
        #expect(bench.graces == [.seconds(7), nil])
    }

    @Test func `how instances of a pod ended is kept for the last ten`() throws {
        let pod = pod { $0.containers.removeLast() }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        var ended: [InstanceID] = []
        for _ in 0..<12 {
            bench.pass(.seconds(3_600))
            let launch = try #require(bench.offer().first)
            let task = launch.operation.tasks[0].taskID
            bench.update(task, .running)
            bench.update(task, .failed, message: "Command exited with status 3")
            ended.append(launch.instance.id)
        }
        let kept = bench.core.terminations(of: pod.id)
        #expect(kept.map(\.instance) == Array(ended.reversed().prefix(10)))
        let last = try #require(kept.first)
        #expect(last.message == "Command exited with status 3" && last.startedAt <= last.endedAt)
        #expect(last.containers.map(\.state) == [.failed])
    }

    @Test(arguments: [(KillSelection.oldestFirst, 0), (.youngestFirst, 1)])
    func `of too many instances those end that the pod names`(selection: KillSelection, victim: Int) throws {
        let pod = pod {
            $0.killSelection = selection
            $0.instances = 1
        }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        var launches = start(&bench)
        bench.pass(.seconds(10))
        bench.send(.scale(pod.id, instances: 2, force: false))
        launches += start(&bench)
        try #require(launches.count == 2)
        bench.send(.scale(pod.id, instances: 1, force: false))
        #expect(Set(bench.kills) == Set(launches[victim].operation.tasks.map(\.taskID)))
    }

    @Test func `an upgrade of a pod replaces as many instances at once as its strategy lets it`() throws {
        let old = pod {
            $0.instances = 2
            $0.upgradeStrategy = UpgradeStrategy(minimumHealthCapacity: 0.5, maximumOverCapacity: 0)
        }
        var bench = Bench()
        bench.send(.create(.pod(old), force: false))
        #expect(start(&bench).count == 2)
        bench.pass(.seconds(1))
        var new = old
        new.containers[0].command = .shell("sleep 200")
        bench.send(.put([WorkloadUpdate(workload: .pod(new))], force: false))
        bench.settle { core in
            #expect(core.instances(of: old.id).count { $0.condition == .running && !$0.record.isStopping } >= 1)
            #expect(core.instances(of: old.id).count <= 2)
        }
        #expect(Set(bench.core.instances(of: old.id).map(\.record.version)).count == 1)
        #expect(bench.core.deploymentViews.isEmpty)
    }

    @Test func `a pod whose agent is out of reach is replaced when its strategy says`() throws {
        let pod = pod { $0.unreachableStrategy = .enabled(inactiveAfterSeconds: 30, expungeAfterSeconds: 60) }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        let first = try #require(start(&bench).first)
        for task in first.operation.tasks { bench.update(task.taskID, .unreachable) }
        bench.pass(.seconds(20))
        #expect(start(&bench).isEmpty)
        bench.pass(.seconds(11))
        #expect(start(&bench).count == 1)
        bench.pass(.seconds(30))
        #expect(!bench.core.instances(of: pod.id).contains { $0.record.id == first.instance.id })
        let end = try #require(bench.core.terminations(of: pod.id).first)
        #expect(end.instance == first.instance.id && end.message?.contains("out of reach") == true)
    }

    @Test func `a pod that fails waits ever longer`() throws {
        let pod = pod { $0.backoff = BackoffStrategy(seconds: 10, factor: 2, maxLaunchDelaySeconds: 30) }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        for wait in [10, 20, 30, 30] {
            let launch = try #require(start(&bench).first)
            bench.update(launch.operation.tasks[0].taskID, .failed)
            bench.update(launch.operation.tasks[1].taskID, .killed)
            #expect(bench.core.queueView(pod.id)?.delay == .seconds(wait))
            #expect(start(&bench).isEmpty)
            bench.pass(.seconds(wait))
        }
    }
}
