import ClusterModel
import Deployments
import ServicesCore
import Testing

@Suite("Upgrades")
struct UpgradeTests {
    /// The bounds are those of the upgrade strategy; where these leave no room, one more instance may run.
    @Test(arguments: 0..<UInt64(200))
    func `a rolling upgrade never leaves the bounds of its strategy, and ends`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        let count = Int.random(in: 1...12, using: &generator)
        let strategy = UpgradeStrategy(
            minimumHealthCapacity: Double(Int.random(in: 0...10, using: &generator)) / 10,
            maximumOverCapacity: Double(Int.random(in: 0...10, using: &generator)) / 10)
        var bench = Bench()
        bench.send(.put(.sample("/web", count) { $0.upgradeStrategy = strategy }))
        bench.settle()
        #expect(bench.core.counts(of: ServiceID("/web")).running == count)
        bench.send(
            .put(
                .sample("/web", count) {
                    $0.upgradeStrategy = strategy
                    $0.cmd = "sleep 2000"
                }))
        let least = strategy.minimum(of: count)
        let most = strategy.maximum(of: count)
        bench.settle { core in
            let instances = core.instances(of: ServiceID("/web"))
            let well = instances.filter { $0.condition == .running && !$0.record.isStopping }
            #expect(well.count >= least, "seed \(seed): \(well.count) of \(count) are well, \(least) must be")
            #expect(instances.count <= most, "seed \(seed): \(instances.count) of \(count) run, \(most) may")
        }
        #expect(bench.core.deploymentViews.isEmpty, "seed \(seed)")
        let versions = Set(bench.core.instances(of: ServiceID("/web")).map(\.record.version))
        #expect(versions == [bench.core.definition(ServiceID("/web"))?.version])
        #expect(bench.core.counts(of: ServiceID("/web")).running == count)
    }

    @Test func `a restart replaces all instances with others of the same configuration`() {
        let id = ServiceID("/web")
        var bench = Bench()
        bench.send(.put(.sample("/web", 3)))
        bench.settle()
        let before = Set(bench.core.instances(of: id).map(\.record.id))
        bench.send(.restart(id, force: false))
        bench.settle()
        let after = Set(bench.core.instances(of: id).map(\.record.id))
        #expect(after.count == 3 && after.isDisjoint(with: before))
        #expect(bench.core.deploymentViews.isEmpty)
        #expect(bench.core.versions(of: id).count == 2)
    }

    @Test func `old instances stay until new ones are healthy, and unhealthy new ones stop the upgrade`() {
        let id = ServiceID("/web")
        var bench = Bench()
        func version(_ command: String) -> ServiceDefinition {
            .sample("/web", 2) {
                $0.cmd = command
                $0.healthChecks = [Deployments.HealthCheck(kind: .command)]
                $0.healthChecks[0].command = .shell("true")
            }
        }
        bench.send(.put(version("one")))
        for launch in bench.offer() {
            bench.update(launch.tasks[0].taskID, .running)
            #expect(bench.core.deploymentViews.count == 1)
            bench.update(launch.tasks[0].taskID, .running, isHealthy: true)
        }
        #expect(bench.core.deploymentViews.isEmpty)
        bench.send(.put(version("two")))
        let new = bench.offer().map { $0.tasks[0].taskID }
        #expect(new.count == 2)
        for task in new { bench.update(task, .running) }
        #expect(bench.kills.isEmpty)
        bench.update(new[0], .running, isHealthy: true)
        #expect(bench.kills.count == 1)
        #expect(bench.drains == [bench.core.settings.drain])
        bench.update(new[1], .running, isHealthy: false)
        #expect(bench.kills.count == 1)
        #expect(bench.core.counts(of: id).unhealthy == 1)
    }

    @Test func `only who serves is drained, and only when nobody asked for its end`() {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/web", 3) {
                    $0.healthChecks = [Deployments.HealthCheck(kind: .command)]
                    $0.healthChecks[0].command = .shell("true")
                }, .sample("/plain", 2)))
        let tasks = bench.offer().map { ($0.instance.service, $0.tasks[0].taskID) }
        for (service, task) in tasks {
            bench.update(task, .running, isHealthy: service == ServiceID("/web") ? true : nil)
        }
        let web = tasks.filter { $0.0 == ServiceID("/web") }.map(\.1)
        bench.send(.scale(ServiceID("/plain"), instances: 1, force: true))
        #expect(bench.drains == [nil])
        bench.send(.scale(ServiceID("/web"), instances: 2, force: true))
        #expect(bench.drains == [nil, bench.core.settings.drain])
        let left = web.first { !bench.kills.contains($0) }.flatMap { bench.core.instance(ofTask: $0)?.record.id }
        bench.send(.kill(left.map { [$0] } ?? [], scale: false, force: true))
        #expect(bench.drains == [nil, bench.core.settings.drain, nil])
    }

    @Test func `a label says how long an instance is drained, or that it is not`() {
        let cases: [(String, Duration?)] = [("0", nil), ("20.5", .milliseconds(20_500)), ("", .seconds(4))]
        for (seconds, drain) in cases {
            var bench = Bench()
            bench.send(
                .put(
                    .sample("/web", 2) {
                        $0.healthChecks = [Deployments.HealthCheck(kind: .command)]
                        $0.healthChecks[0].command = .shell("true")
                        if !seconds.isEmpty { $0.labels["RONDO_DRAIN_SECONDS"] = seconds }
                    }))
            for launch in bench.offer() { bench.update(launch.tasks[0].taskID, .running, isHealthy: true) }
            bench.send(.scale(ServiceID("/web"), instances: 1, force: true))
            #expect(bench.drains == [drain], "\(seconds)")
            // Repeated only when it can have been of no use.
            bench.pass((drain ?? .zero) + .seconds(9))
            #expect(bench.drains == [drain], "\(seconds)")
            bench.pass(.seconds(2))
            #expect(bench.drains == [drain, nil], "\(seconds)")
        }
    }

    @Test func `a replacement that waits for a port that its predecessor holds says so, and what helps`() {
        var bench = Bench()
        bench.agents = [("A1", "r1", 8)]
        func version(_ cmd: String, _ least: Double) -> ServiceDefinition {
            .sample("/web") {
                $0.cmd = cmd
                $0.portDefinitions = [PortDefinition(port: 31_005)]
                $0.requirePorts = true
                $0.upgradeStrategy = UpgradeStrategy(minimumHealthCapacity: least, maximumOverCapacity: 1)
            }
        }
        bench.send(.put(version("one", 1)))
        let old = bench.offer()[0].tasks[0].taskID
        bench.update(old, .running)
        bench.send(.put(version("two", 1)))
        func waits() -> String { bench.core.deploymentViews.first?.waitsFor[ServiceID("/web")] ?? "" }
        #expect(!waits().contains("Port"))
        let left: [Resource] = [
            .scalar("cpus", 8), .scalar("mem", 4_096), .scalar("disk", 4_096), .ports(31_006, 31_099),
        ]
        #expect(bench.offer(resources: left).isEmpty)
        #expect(waits().contains("Port 31005 of a node is held by an old instance"), "\(waits())")
        #expect(waits().contains("minimumHealthCapacity"))
        bench.send(.put(version("three", 0), force: true))
        #expect(bench.kills == [old])
        bench.update(old, .killed)
        let new = bench.offer()
        #expect(new.map { $0.instance.tasks[0].hostPorts } == [[31_005]])
        bench.update(new[0].tasks[0].taskID, .running)
        #expect(bench.core.deploymentViews.isEmpty)
    }

    @Test func `a service with a readiness check waits for it during a deployment`() {
        var bench = Bench()
        bench.send(.put(.sample("/web") { Self.readinessChecked(&$0) }))
        let task = bench.offer()[0].tasks[0].taskID
        bench.update(task, .running)
        #expect(bench.core.deploymentViews.count == 1)
        bench.update(
            task, .running,
            readiness: TaskReadiness(
                isReady: false, status: 503, answer: TaskReadiness.Answer(contentType: "text/plain", body: "soon")))
        let report = bench.core.deploymentViews.first?.readiness[ServiceID("/web")]?.first
        #expect(report?.name == "ready?" && report?.task == task && report?.isReady == false)
        #expect(report?.response?.status == 503 && report?.response?.body == "soon")
        bench.update(task, .running, readiness: TaskReadiness(isReady: true, status: 200))
        #expect(bench.core.deploymentViews.isEmpty)
        // The next deployment finds it ready.
        bench.send(.put(.sample("/web", 2) { Self.readinessChecked(&$0) }))
        #expect(bench.core.instances(of: ServiceID("/web")).map(\.isReady) == [true])
        let second = bench.offer()[0].tasks[0].taskID
        bench.update(second, .running)
        #expect(bench.core.deploymentViews.count == 1)
        bench.update(second, .running, readiness: TaskReadiness(isReady: true, status: 200))
        #expect(bench.core.deploymentViews.isEmpty)
    }

    private static func readinessChecked(_ service: inout ServiceDefinition) {
        service.portDefinitions = [PortDefinition(name: "http-api")]
        var check = ReadinessCheck()
        check.name = "ready?"
        service.readinessChecks = [check]
    }

    @Test func `the first new instance is ready before an old one ends`() {
        var bench = Bench()
        bench.send(.put(.sample("/web") { Self.readinessChecked(&$0) }))
        let old = bench.offer()[0].tasks[0].taskID
        bench.update(old, .running, readiness: TaskReadiness(isReady: true, status: 200))
        bench.send(
            .put(
                .sample("/web") {
                    Self.readinessChecked(&$0)
                    $0.cmd = "another"
                }))
        let new = bench.offer()[0].tasks[0].taskID
        bench.update(new, .running)
        bench.update(new, .running, readiness: TaskReadiness(isReady: false))
        #expect(bench.kills.isEmpty)
        bench.update(new, .running, readiness: TaskReadiness(isReady: true, status: 200))
        #expect(bench.kills == [old])
    }

    @Test func `what depends on something begins when that is well`() {
        var bench = Bench()
        bench.send(
            .put(.sample("/web") { $0.dependencies = [ServiceID("/db")] }, .sample("/db")))
        let first = bench.offer()
        #expect(first.map(\.instance.service) == [ServiceID("/db")])
        #expect(bench.offer().isEmpty)
        bench.update(first[0].tasks[0].taskID, .running)
        #expect(bench.offer().map(\.instance.service) == [ServiceID("/web")])
    }

    @Test func `a locked service refuses a change, and force replaces the deployment`() {
        var bench = Bench()
        bench.send(.put(.sample("/web")))
        guard case .refused(.locked(let ids)) = bench.send(.put(.sample("/web", 3))) else {
            Issue.record("not locked")
            return
        }
        #expect(ids == bench.core.deploymentViews.map(\.plan.id))
        guard case .deployment = bench.send(.put(.sample("/web", 3), force: true)) else {
            Issue.record("force does not help")
            return
        }
        #expect(bench.core.deploymentViews.count == 1)
        bench.settle()
        #expect(bench.core.counts(of: ServiceID("/web")).running == 3)
    }

    @Test func `an undone deployment leaves the instances that were there as they are`() {
        let id = ServiceID("/web")
        var bench = Bench()
        bench.send(.put(.sample("/web", 2)))
        bench.settle()
        let before = Set(bench.core.instances(of: id).map(\.record.id))
        bench.send(.put(.sample("/web", 2) { $0.cmd = "other" }))
        let deployment = bench.core.deploymentViews[0].plan.id
        guard case .deployment = bench.send(.cancelDeployment(deployment, force: false)) else {
            Issue.record("not undone")
            return
        }
        bench.settle()
        #expect(Set(bench.core.instances(of: id).map(\.record.id)) == before)
        #expect(bench.core.definition(id)?.service?.cmd == "sleep 1000")
        #expect(bench.core.deploymentViews.isEmpty)
    }

    @Test func `an earlier version can be brought back, and a removed service is forgotten`() {
        let id = ServiceID("/web")
        var bench = Bench()
        bench.send(.put(.sample("/web")))
        bench.settle()
        let first = bench.core.versions(of: id)[0]
        bench.send(.put(.sample("/web") { $0.cmd = "other" }))
        bench.settle()
        bench.send(.rollBack(id, to: first, force: false))
        bench.settle()
        #expect(bench.core.definition(id)?.service?.cmd == "sleep 1000")
        #expect(bench.core.versions(of: id).count == 3)
        bench.send(.remove(id, force: false))
        bench.settle()
        #expect(bench.core.serviceIDs.isEmpty)
        #expect(bench.registry.instances.isEmpty && bench.registry.services.isEmpty)
        #expect(bench.registry.definitions.isEmpty && bench.registry.deployments.isEmpty)
    }

    @Test func `versions are bounded`() {
        var settings = ServicesSettings()
        settings.versionsKept = 3
        var bench = Bench(settings: settings)
        for number in 0..<10 {
            bench.send(.put(.sample("/web") { $0.cmd = "run \(number)" }))
            bench.settle()
        }
        #expect(bench.core.versions(of: ServiceID("/web")).count == 3)
        #expect(bench.registry.definitions[ServiceID("/web")]?.count == 3)
    }
}
