import ClusterModel
import Deployments
import ServicesCore

/// A random story: people deploy, change and remove, machines and processes die; then all heals, and everything must
/// come out as it was wanted last.
struct Story {
    var simulation: ServicesSimulation
    private var generator: SplitMix
    private static let names = ["/web", "/db", "/shop/api", "/shop/cart", "/shop/deep/queue", "/pods/one"]

    init(seed: UInt64) {
        generator = SplitMix(state: seed ^ 0x5eed)
        var settings = ServicesSettings()
        settings.recoveryWindow = .seconds(20)
        settings.stagingTimeout = .seconds(60)
        settings.auditInterval = .seconds(60)
        simulation = ServicesSimulation(seed: seed, agents: 4 + Int(seed % 4), settings: settings)
        simulation.crashes = seed % 3 == 0 ? 0.02 : 0.002
        simulation.failures = 0.05
    }

    /// Lets the story happen and says what went wrong.
    mutating func problems() -> [String] {
        for _ in 0..<60 {
            act()
            simulation.run(for: .milliseconds(Int.random(in: 20...4_000, using: &generator)))
        }
        simulation.crashes = 0
        simulation.failures = 0
        // A process that is down starts again, agents come back, delays end, and kills are repeated.
        simulation.run(for: .seconds(150))
        simulation.run(for: .seconds(600)) { $0.core.deploymentViews.isEmpty && $0.differences().isEmpty }
        simulation.run(for: .seconds(90))
        return simulation.problems + simulation.cluster.problems + simulation.differences()
    }

    private mutating func act() {
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<11: simulation.send(command())
        case 11..<13:
            let agents = simulation.cluster.agents.keys.sorted()
            simulation.loseAgent(
                agents[Int.random(in: 0..<agents.count, using: &generator)],
                for: .seconds(Int.random(in: 3...60, using: &generator)), dies: Bool.random(using: &generator))
        case 13: simulation.failOverMaster()
        case 14: simulation.dropConnection()
        case 15..<17: simulation.killFramework()
        case 17: failSomething()
        default: break
        }
    }

    private mutating func failSomething() {
        for (id, agent) in simulation.cluster.agents.sorted(by: { $0.key < $1.key }) where agent.isUp {
            guard let task = agent.tasks.keys.sorted().first(where: { agent.tasks[$0]?.state == .running }) else {
                continue
            }
            let end: TaskState = Bool.random(using: &generator) ? .failed : .finished
            simulation.cluster.report(task, on: id, end, simulation.now)
            return
        }
    }

    private mutating func command() -> ServicesCommand {
        let id = ServiceID(Self.names[Int.random(in: 0..<Self.names.count, using: &generator)])
        let force = Bool.random(using: &generator)
        switch Int.random(in: 0..<14, using: &generator) {
        case 0..<5: return .put([WorkloadUpdate(workload: workload(id))], force: force)
        case 5: return .scale(id, instances: Int.random(in: 0...6, using: &generator), force: force)
        case 6: return .restart(id, force: force)
        case 7: return .remove(id, force: force)
        case 8: return .putGroup(group(), mustBeNew: false, force: force)
        case 9: return .scaleGroup(ServiceID("/shop"), by: 0.5, force: force)
        case 10: return .removeGroup(ServiceID("/shop"), force: force)
        case 11:
            let ids = simulation.core.instances(of: id).map(\.record.id)
            return .kill(Array(ids.prefix(1)), scale: Bool.random(using: &generator), force: force)
        case 12:
            let version = simulation.core.versions(of: id).last
            return .rollBack(id, to: version ?? UnixTime(nanoseconds: 1), force: force)
        default:
            let deployment = simulation.core.deploymentViews.first?.plan.id ?? DeploymentID("none")
            return .cancelDeployment(deployment, force: Bool.random(using: &generator))
        }
    }

    private mutating func workload(_ id: ServiceID) -> Workload {
        if id.path.hasPrefix("/pods") { return .pod(pod(id)) }
        return .service(service(id))
    }

    private mutating func service(_ id: ServiceID) -> ServiceDefinition {
        var service = ServiceDefinition(id: id)
        service.cmd = "run \(Int.random(in: 0..<4, using: &generator))"
        service.cpus = 0.5
        service.mem = 64
        service.instances = Int.random(in: 0...5, using: &generator)
        service.upgradeStrategy = UpgradeStrategy(
            minimumHealthCapacity: Double(Int.random(in: 0...2, using: &generator)) / 2,
            maximumOverCapacity: Double(Int.random(in: 0...2, using: &generator)) / 2)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: service.constraints = [Constraint("hostname", .maxPer, "2")]
        case 1: service.constraints = [Constraint("rack", .unlike, "rack2")]
        case 2: service.unreachableStrategy = .enabled(inactiveAfterSeconds: 2, expungeAfterSeconds: 20)
        case 3: service.unreachableStrategy = .disabled
        case 4: service.constraints = [Constraint("@zone", .groupBy)]
        default: break
        }
        if id.path == "/web" { service.dependencies = [ServiceID("/db")] }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            service.portDefinitions = [PortDefinition(name: "http-api")]
            service.readinessChecks = [ReadinessCheck()]
        }
        return service
    }

    private mutating func pod(_ id: ServiceID) -> PodDefinition {
        var pod = PodDefinition(id: id)
        for name in ["a", "b"] {
            var container = PodContainer(name: name)
            container.command = .shell("run \(Int.random(in: 0..<4, using: &generator))")
            container.cpus = 0.2
            container.mem = 32
            pod.containers.append(container)
        }
        pod.instances = Int.random(in: 0...3, using: &generator)
        return pod
    }

    private mutating func group() -> GroupUpdate {
        var update = GroupUpdate(id: ServiceID("/shop"))
        var api = service(ServiceID("/shop/api"))
        let cart = service(ServiceID("/shop/cart"))
        api.dependencies = [cart.id]
        update.services = [api, cart]
        if Bool.random(using: &generator) {
            var deep = GroupUpdate(id: ServiceID("/shop/deep"))
            deep.services = [service(ServiceID("/shop/deep/queue"))]
            deep.dependencies = [cart.id]
            update.groups = [deep]
        }
        return update
    }
}

extension ServicesSimulation {
    /// How what runs differs from what shall run.
    func differences() -> [String] {
        var found: [String] = []
        if !core.deploymentViews.isEmpty {
            let waits = core.deploymentViews.flatMap { view in
                view.waitsFor.map { "\(view.plan.id) \(view.currentActions.map(\.name)): \($0.key) \($0.value)" }
            }
            found.append("deployments go on: \(waits)")
        }
        let running = cluster.running
        let mine = Set(core.allInstances.flatMap { $0.record.tasks.map(\.id) })
        for task in running where !mine.contains(task) { found.append("\(task) runs and nobody knows it") }
        for workload in core.root.allWorkloads {
            let instances = core.instances(of: workload.id)
            let live = instances.filter { $0.condition == .running && !$0.record.isStopping }
            if live.count != workload.instances || instances.count != workload.instances {
                found.append(
                    "\(workload.id) has \(instances.map { "\($0.condition)" }), wants \(workload.instances), "
                        + "queue \(core.queueView(workload.id).map { "\($0.count) \($0.delay)" } ?? "none")")
            }
            let tasks = Set(instances.flatMap { $0.record.tasks.map(\.id) })
            let there = running.filter(tasks.contains)
            let perInstance = workload.pod?.containers.count ?? 1
            if there.count != workload.instances * perInstance {
                found.append("\(workload.id): \(there.count) tasks run, \(workload.instances) wanted")
            }
        }
        for id in core.serviceIDs where core.definition(id) == nil { found.append("\(id) is still there") }
        if Set(registry.instances.keys) != Set(core.allInstances.map(\.record.id)) {
            found.append("the store knows other instances")
        }
        return found
    }
}
