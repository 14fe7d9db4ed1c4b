internal import ClusterModel
internal import Deployments

/// A service or pod at work: what its instances are worked towards, and how that goes.
struct ServiceState: Sendable {
    /// What its instances are worked towards.
    struct Goal: Sendable {
        var workload: Workload
        var count: Int
        var isReplacing: Bool

        var configuration: ServiceVersion { workload.versionInfo.lastConfigChangeAt }
        var record: ServiceRecord.Goal {
            ServiceRecord.Goal(version: workload.version, count: count, isReplacing: isReplacing)
        }
    }

    let id: ServiceID
    var goal: Goal?
    /// Kept versions, oldest first.
    var versions: [ServiceVersion] = []
    var definitions: [ServiceVersion: Workload] = [:]
    var instances: Set<InstanceID> = []
    var tally = Tally()
    /// How many instances are to be started.
    var toLaunch = 0
    var queue = LaunchAttempt()
    var backoff = Backoff()
    var lastFailure: TaskFailure?
    /// The instances of a pod that ended last, oldest first.
    var terminations: [Termination] = []
    var placements = PlacementIndex()

    init(id: ServiceID) { self.id = id }

    /// How many more may be started just now.
    func ready(now: Duration) -> Int { backoff.until > now ? 0 : toLaunch }

    /// Remembers for a while how an instance of a pod has ended.
    mutating func note(endOf instance: Instance, now: UnixTime) {
        guard instance.tasks.contains(where: { $0.record.container != nil }) else { return }
        let first = instance.tasks.first { $0.state == .failed || $0.state == .error } ?? instance.tasks.last
        let isLost = instance.unreachableSince != nil
        terminations.append(
            Termination(
                instance: instance.id,
                startedAt: instance.tasks.compactMap(\.startedAt).min() ?? instance.record.stagedAt,
                endedAt: instance.hasEnded ? instance.tasks.map(\.changedAt).max() ?? now : now,
                message: isLost ? "its agent was out of reach for too long" : first?.message,
                containers: instance.tasks.map {
                    Termination.Container(task: $0.record.id, state: $0.state, message: $0.message)
                }))
        if terminations.count > Termination.kept { terminations.removeFirst() }
    }
}

/// The wait of a service whose instances fail.
struct Backoff: Sendable {
    /// The last wait; nil when nothing failed lately.
    var delay: Duration?
    /// When the wait ends.
    var until = Duration.zero
    /// Instances decided before that belong to a failure that is counted already.
    var countedSince = Duration.zero

    mutating func reset() { self = Backoff() }

    /// Instances that start together often fail together, which is one failure and not many.
    mutating func fail(_ strategy: BackoffStrategy, launchedAt: Duration, wasStable: Bool, now: Duration) {
        if wasStable { delay = nil }
        if delay != nil, launchedAt <= countedSince { return }
        let next = strategy.delay(after: delay)
        delay = next
        countedSince = now
        until = now + next
    }
}

/// How many instances of a service's configuration there are for each value of the fields that its constraints name.
struct PlacementIndex: Sendable {
    private(set) var counts: [String: [String: Int]] = [:]
    private(set) var total = 0

    init() {}

    init(fields: some Sequence<String>) {
        for field in fields { counts[field] = [:] }
    }

    mutating func change(_ record: InstanceRecord, by step: Int) {
        total += step
        for field in counts.keys {
            guard let value = record.value(of: field) else { continue }
            counts[field, default: [:]][value, default: 0] += step
            if counts[field]?[value] == 0 { counts[field]?[value] = nil }
        }
    }
}

extension InstanceRecord {
    /// The property of its agent that a constraint names.
    func value(of field: String) -> String? {
        AgentProperties.value(of: field, hostname: hostname, domain: domain, attributes: attributes)
    }
}

extension Offer {
    /// The property of its agent that a constraint names.
    func value(of field: String) -> String? {
        AgentProperties.value(
            of: field, hostname: agent.hostname, domain: agent.domain, attributes: agent.attributes)
    }
}

/// What constraints can name.
enum AgentProperties {
    static func value(of field: String, hostname: String, domain: Domain?, attributes: [Attribute]) -> String? {
        switch field {
        case "hostname", "@hostname": hostname
        case "@region": domain?.region
        case "@zone": domain?.zone
        default: attributes.first { $0.name == field }.map { text(of: $0.value) }
        }
    }

    /// Numbers with at most three decimals, as Marathon writes them.
    static func text(of value: Attribute.Value) -> String {
        switch value {
        case .text(let text): text
        case .scalar(let number): Quantity(number)?.description ?? String(number)
        case .ranges(let ranges):
            "[" + ranges.ranges.map { "\($0.begin)-\($0.end)" }.joined(separator: ",") + "]"
        }
    }
}
