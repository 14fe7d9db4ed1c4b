import ClusterModel
import Deployments

@testable import ServicesCore

/// Whether a launch may be, in the order of its deployment and by its constraints.
enum LaunchOrder {
    static func problems(_ launch: Launch, _ core: ServicesCore) -> [String] {
        var found: [String] = []
        let id = launch.instance.service
        if let lock = core.deployment(of: id), let view = core.deployment(lock) {
            let isNow = view.currentActions.contains { $0.id == id }
            let laterSteps = view.plan.steps.dropFirst(view.currentStep)
            let isLater = laterSteps.contains { $0.actions.contains { $0.id == id && $0.kind != .start } }
            // What is undone has the version that its instances have already.
            if !isNow, isLater, launch.instance.version == view.plan.version {
                found.append("\(launch.instance.id) of a later step was launched")
            }
        }
        for constraint in launch.workload.constraints {
            found += problems(constraint, launch, core)
        }
        return found
    }

    private static func problems(_ constraint: Constraint, _ launch: Launch, _ core: ServicesCore) -> [String] {
        let mine = launch.instance.value(of: constraint.field)
        let alike = core.instances(of: launch.instance.service).filter {
            $0.record.configuration == launch.instance.configuration && $0.record.id != launch.instance.id
        }
        let same = alike.count { $0.record.value(of: constraint.field) == mine }
        switch constraint.condition {
        case .unique: return same == 0 ? [] : ["UNIQUE broken for \(launch.instance.id)"]
        case .maxPer:
            return same < Int(constraint.value ?? "") ?? 0 ? [] : ["MAX_PER broken for \(launch.instance.id)"]
        case .cluster:
            return same == alike.count ? [] : ["CLUSTER broken for \(launch.instance.id)"]
        case .equals: return mine == constraint.value ? [] : ["IS broken for \(launch.instance.id)"]
        case .like: return Pattern(constraint.value ?? "")?.matches(mine ?? "") == true ? [] : ["LIKE broken"]
        case .unlike: return Pattern(constraint.value ?? "")?.matches(mine ?? "") == false ? [] : ["UNLIKE broken"]
        case .groupBy: return []
        }
    }
}

extension ServicesCore {
    /// Counts everything anew and compares it with what was kept up to date.
    func contradictions() -> [String] {
        var found: [String] = []
        for (id, state) in services {
            var tally = Tally()
            for instance in state.instances.compactMap({ instances[$0] }) {
                tally.change(instance.facet, by: 1)
                if instance.facet.standing != instance.standing {
                    found.append(
                        "\(instance.id) counts as \(String(describing: instance.facet.standing)), is \(instance.standing)"
                    )
                }
            }
            if tally != state.tally { found.append("\(id) is counted wrongly") }
            if (state.toLaunch > 0) != waiting.contains(id) { found.append("\(id) waits and does not") }
            for instance in state.instances where instances[instance]?.record.service != id {
                found.append("\(id) has \(instance), which is not its own")
            }
        }
        for (id, instance) in instances where services[instance.record.service]?.instances.contains(id) != true {
            found.append("\(id) belongs to nobody")
        }
        for (id, lock) in locks where deployments[lock] == nil { found.append("\(id) is locked by nobody") }
        if taskOwners.count != instances.values.reduce(0, { $0 + $1.tasks.count }) {
            found.append("tasks without owner")
        }
        if !dirty.isEmpty || !dirtyDeployments.isEmpty { found.append("the turn ended too early") }
        return found
    }
}
