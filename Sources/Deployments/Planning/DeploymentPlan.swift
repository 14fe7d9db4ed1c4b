public import ClusterModel

/// Names a deployment; a UUID in Marathon's API.
public typealias DeploymentID = Identifier<DeploymentScope>
/// The scope of deployments' ids.
public enum DeploymentScope {}

/// One thing a deployment does with one service or pod.
public struct DeploymentAction: Hashable, Sendable, Codable {
    /// What is done. The names on the wire are Marathon's, with Application or Pod behind.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// It becomes known, with no instances yet.
        case start = "Start"
        /// All its instances are ended, then it is forgotten.
        case stop = "Stop"
        /// It gets more or fewer instances.
        case scale = "Scale"
        /// Its instances are replaced by new ones.
        case restart = "Restart"
    }

    /// What is done.
    public var kind: Kind
    /// With what.
    public var id: ServiceID
    /// Whether that is a pod.
    public var isPod: Bool
    /// How many instances there are afterwards.
    public var instances: Int

    /// Makes an action.
    public init(_ kind: Kind, _ workload: Workload, instances: Int) {
        self.kind = kind
        id = workload.id
        isPod = workload.isPod
        self.instances = instances
    }

    /// The name in Marathon's API, such as `ScaleApplication`.
    public var name: String { kind.rawValue + (isPod ? "Pod" : "Application") }
}

/// Actions that may be carried out at the same time. A step begins when the one before it is done.
public struct DeploymentStep: Hashable, Sendable, Codable {
    /// In order of the services' names; never empty in a plan.
    public var actions: [DeploymentAction]

    /// Makes a step.
    public init(actions: [DeploymentAction]) { self.actions = actions }
}

/// A service or pod before and after a deployment; nil where it is not there.
public struct DeploymentChange: Hashable, Sendable {
    /// Before.
    public var original: Workload?
    /// After.
    public var target: Workload?

    /// Makes a change.
    public init(original: Workload?, target: Workload?) {
        self.original = original
        self.target = target
    }
}

/// The way from what is deployed to what shall be: steps, one after the other.
///
/// 1. What is not in the target is stopped, all at once.
/// 2. What is new becomes known, with no instances.
/// 3. Then, layer by layer: first what depends on nothing, then what depends on the layers before. A service that is
///    new or differs only in its number of instances is scaled; one that differs otherwise has its instances replaced.
///
/// A plan depends on the two trees alone: the same trees give the same plan. It holds only what it changes, so that it
/// stays small in a large tree.
public struct DeploymentPlan: Hashable, Sendable {
    /// Its name.
    public var id: DeploymentID
    /// When it was made.
    public var version: ServiceVersion
    /// What it does; empty when nothing differs.
    public var steps: [DeploymentStep]
    /// What it changes, by name.
    public var changes: [ServiceID: DeploymentChange]

    /// The services and pods it changes, in order of their names.
    public var affected: [ServiceID] { changes.keys.sorted() }
    /// The services it changes.
    public var affectedServices: [ServiceID] { affected.filter { !isPod($0) } }
    /// The pods it changes.
    public var affectedPods: [ServiceID] { affected.filter(isPod) }

    private func isPod(_ id: ServiceID) -> Bool { (changes[id]?.target ?? changes[id]?.original)?.isPod == true }

    /// Plans the way from one tree to another.
    /// - Throws: `.cycle` when the target's dependencies have no order.
    public init(
        id: DeploymentID, version: ServiceVersion, from original: GroupDefinition, to target: GroupDefinition
    ) throws(PlanError) {
        let before = Dictionary(uniqueKeysWithValues: original.allWorkloads.map { ($0.id, $0) })
        let after = Dictionary(uniqueKeysWithValues: target.allWorkloads.map { ($0.id, $0) })
        var changes: [ServiceID: DeploymentChange] = [:]
        for (id, old) in before where after[id] != old {
            changes[id] = DeploymentChange(original: old, target: after[id])
        }
        for (id, new) in after where before[id] == nil { changes[id] = DeploymentChange(original: nil, target: new) }
        try self.init(id: id, version: version, changes: changes, in: target)
    }

    /// Plans the way to a tree of which it is known where it differs.
    /// - Throws: `.cycle` when the target's dependencies have no order. That is not looked for when there is only one
    ///   change, because one needs no order.
    public init(
        id: DeploymentID, version: ServiceVersion, changes: [ServiceID: DeploymentChange], in target: GroupDefinition
    ) throws(PlanError) {
        let layers = changes.count > 1 ? try DependencyGraph(target).layers() : [:]
        self.init(id: id, version: version, steps: Self.steps(changes, layers), changes: changes)
    }

    /// A plan of which the steps are known: one that was stored.
    public init(
        id: DeploymentID, version: ServiceVersion, steps: [DeploymentStep], changes: [ServiceID: DeploymentChange]
    ) {
        self.id = id
        self.version = version
        self.steps = steps
        self.changes = changes
    }

    private static func steps(
        _ changes: [ServiceID: DeploymentChange], _ layers: [ServiceID: Int]
    ) -> [DeploymentStep] {
        var stops: [DeploymentAction] = []
        var starts: [DeploymentAction] = []
        var rest: [Int: [DeploymentAction]] = [:]
        for (id, change) in changes.sorted(by: { $0.key < $1.key }) {
            guard let target = change.target else {
                if let original = change.original {
                    stops.append(DeploymentAction(.stop, original, instances: 0))
                }
                continue
            }
            if change.original == nil { starts.append(DeploymentAction(.start, target, instances: 0)) }
            if let action = action(from: change.original, to: target) {
                rest[layers[id] ?? 0, default: []].append(action)
            }
        }
        return ([stops, starts] + rest.sorted { $0.key < $1.key }.map(\.value))
            .filter { !$0.isEmpty }.map(DeploymentStep.init)
    }

    /// What is to be done with something that is in the target; nil when its instances can stay as they are.
    private static func action(from original: Workload?, to target: Workload) -> DeploymentAction? {
        guard let original else { return DeploymentAction(.scale, target, instances: target.instances) }
        // The version in which the configuration changed tells a restart, which changes nothing else.
        let isRestart = original.versionInfo.lastConfigChangeAt != target.versionInfo.lastConfigChangeAt
        if isRestart, target.instances > 0 || original.isPod != target.isPod {
            return DeploymentAction(.restart, target, instances: target.instances)
        }
        if !isRestart, original.instances == target.instances { return nil }
        return DeploymentAction(.scale, target, instances: target.instances)
    }
}

/// Why there is no plan.
public enum PlanError: Error, Hashable, Sendable {
    /// These services depend on each other in a circle.
    case cycle([ServiceID])
}
