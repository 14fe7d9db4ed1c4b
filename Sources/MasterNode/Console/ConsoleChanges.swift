internal import ClusterModel
internal import Console
internal import Deployments
internal import MasterCore
internal import Scheduling
internal import ServicesCore
internal import ServicesFramework

/// Numbers that differ when what pages show differs.
struct ConsoleChanges: Sendable {
    let node: MasterNode

    /// A number for each topic; none for what cannot be looked at now.
    ///
    /// - Parameter topics: what is wanted; nothing else is looked at.
    /// - Returns: the numbers.
    func marks(of topics: Set<Topic>) async -> [Topic: Int] {
        var marks: [Topic: Int] = [:]
        if !topics.isDisjoint(with: [.nodes, .frameworks, .tasks]), let core = try? await node.snapshot() {
            for topic in topics { marks[topic] = Self.mark(topic, core) }
        }
        for topic in topics {
            switch topic {
            case .nodes, .frameworks, .tasks: break
            case .services: marks[topic] = await services()
            case .jobs: marks[topic] = await jobs()
            case .catalog: marks[topic] = await catalog()
            case .membership: marks[topic] = await membership()
            case .audit: marks[topic] = await audit()
            }
        }
        return marks
    }

    private static func mark(_ topic: Topic, _ core: MasterCore) -> Int? {
        var hasher = Hasher()
        switch topic {
        case .nodes:
            for (id, agent) in core.agents.sorted(by: { $0.key < $1.key }) {
                hasher.combine(id)
                hasher.combine(agent.session.word)
                hasher.combine(agent.tasks.count)
                hasher.combine(agent.reregisteredAt)
            }
            hasher.combine(core.offers.all.count)
        case .frameworks:
            for (id, framework) in core.frameworks.sorted(by: { $0.key < $1.key }) {
                hasher.combine(id)
                hasher.combine(framework.isConnected)
                hasher.combine(framework.tasks.count)
                hasher.combine(framework.suppressedRoles)
                hasher.combine(framework.refusals.last?.at)
            }
            for offer in core.offers.all.map(\.id).sorted() { hasher.combine(offer) }
            hasher.combine(core.completedFrameworks.count)
        case .tasks:
            // In any order: sums of hashes do not depend on it, and sorting ten thousand ids would cost more.
            var sum = 0
            for framework in core.frameworks.values {
                for task in framework.tasks.values {
                    var one = Hasher()
                    one.combine(task.key)
                    one.combine(task.state)
                    one.combine(task.isHealthy)
                    one.combine(task.statuses.count)
                    sum &+= one.finalize()
                }
                hasher.combine(framework.completedTasks.last?.key)
            }
            hasher.combine(sum)
        default: return nil
        }
        return hasher.finalize()
    }

    private func services() async -> Int? {
        guard let core = try? await node.builtIns?.services?.view() else { return nil }
        var hasher = Hasher()
        for id in core.serviceIDs {
            hasher.combine(id)
            hasher.combine(core.counts(of: id))
            hasher.combine(core.definition(id)?.version)
            hasher.combine(core.lastFailure(of: id)?.timestamp)
        }
        for deployment in core.deploymentViews {
            hasher.combine(deployment.plan.id)
            hasher.combine(deployment.currentStep)
        }
        for wait in core.queue {
            hasher.combine(wait.workload.id)
            hasher.combine(wait.count)
        }
        return hasher.finalize()
    }
}
