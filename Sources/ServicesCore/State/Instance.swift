internal import ClusterModel
internal import Deployments

/// An instance: what is stored of it, and what was heard of it since the process started.
struct Instance: Sendable {
    /// How it counts for its service.
    enum Standing: Int, Sendable, CaseIterable {
        /// Stored, but nothing was heard of it since the process started.
        case unheard
        /// On its way to running.
        case launching
        /// Running, but not healthy or not ready.
        case running
        /// Running, healthy and ready.
        case good
        /// Out of reach, and not replaced yet.
        case unreachable
        /// Out of reach, and replaced: it does not count.
        case inactive
        /// On its way to its end.
        case stopping
    }

    /// Whether it serves, during a deployment with a readiness check.
    enum Readiness: Sendable {
        case notNeeded
        case waiting
        case ready
    }

    var record: InstanceRecord
    var tasks: [TaskView]
    var readiness = Readiness.notNeeded
    var unreachableSince: Duration?
    var unreachableAt: UnixTime?
    var isInactive = false
    /// When it is too late for it to start running, on the monotonic clock.
    var launchedAt: Duration
    /// When it was told to end last, and how long to wait before it is told again.
    var killedAt: Duration?
    var killPause: Duration
    /// When it was seen running first.
    var runningSince: Duration?
    /// Whether anything was heard of it in this life of the process, or it began in it.
    var isHeard = true
    /// How many health checks it must pass; of its own definition, which may not be its service's any more.
    var checksNeeded: Int

    /// As it was counted last.
    var facet = Facet()

    init(_ record: InstanceRecord, checksNeeded: Int, now: Moment, killPause: Duration) {
        self.record = record
        self.checksNeeded = checksNeeded
        tasks = record.tasks.map { TaskView(record: $0, changedAt: record.stagedAt) }
        launchedAt = now.elapsed
        self.killPause = killPause
    }

    var id: InstanceID { record.id }

    /// Whether it is healthy: false when one check fails, nil when some are not known.
    var isHealthy: Bool? {
        guard checksNeeded > 0 else { return nil }
        if tasks.contains(where: { $0.isHealthy == false }) { return false }
        let known = tasks.reduce(0) { $0 + ($1.isHealthy == true ? max(1, $1.health.count) : 0) }
        return known >= min(checksNeeded, tasks.count) ? true : nil
    }

    var isRunning: Bool {
        // A container of a pod that ended well while others run is part of a running pod.
        tasks.contains { $0.state == .running }
            && tasks.allSatisfy { $0.state == .running || $0.state == .finished }
    }

    var hasEnded: Bool { tasks.allSatisfy { $0.state?.isTerminal == true } }

    var condition: InstanceCondition {
        if unreachableSince != nil { return isInactive ? .unreachableInactive : .unreachable }
        if hasEnded { return Self.condition(of: tasks.compactMap(\.state).max { Self.gravity($0) < Self.gravity($1) }) }
        if isRunning { return record.isStopping ? .killing : .running }
        let slowest = tasks.filter { $0.state?.isTerminal != true }.map(\.state).min { rank($0) < rank($1) }
        return Self.condition(of: slowest ?? nil)
    }

    private func rank(_ state: TaskState?) -> Int { state?.rank ?? -1 }

    /// Of several ends, the worst counts.
    private static func gravity(_ state: TaskState) -> Int {
        switch state {
        case .failed, .error: 3
        case .lost, .gone, .goneByOperator, .dropped: 2
        case .killed: 1
        default: 0
        }
    }

    static func condition(of state: TaskState?) -> InstanceCondition {
        switch state {
        case nil: .provisioned
        case .staging: .staging
        case .starting: .starting
        case .running: .running
        case .killing: .killing
        case .unreachable: .unreachable
        case .unknown, .lost: .unknown
        case .finished: .finished
        case .failed: .failed
        case .killed: .killed
        case .error: .error
        case .dropped: .dropped
        case .gone, .goneByOperator: .gone
        }
    }

    var standing: Standing {
        if record.isStopping { return .stopping }
        if unreachableSince != nil { return isInactive ? .inactive : .unreachable }
        if !isHeard { return .unheard }
        // Somebody else ends it; until then it is there.
        if tasks.contains(where: { $0.state == .killing }) { return .running }
        guard isRunning else { return .launching }
        let isWell = (checksNeeded == 0 || isHealthy == true) && readiness != .waiting
        return isWell ? .good : .running
    }

    var view: InstanceView {
        InstanceView(
            record: record, condition: condition, tasks: tasks, isHealthy: isHealthy,
            isReady: readiness != .waiting, unreachableSince: unreachableAt)
    }
}

/// How an instance is counted.
struct Facet: Hashable, Sendable {
    /// nil before it is counted at all.
    var standing: Instance.Standing?
    /// Whether its configuration is that of its service's goal.
    var isCurrent = true
    var counts = TaskCounts()
}

/// How many instances a service has of each sort, kept up to date with each change of one of them.
struct Tally: Hashable, Sendable {
    private var numbers = [Int](repeating: 0, count: Instance.Standing.allCases.count * 2)
    private(set) var counts = TaskCounts()

    mutating func change(_ facet: Facet, by step: Int) {
        guard let standing = facet.standing else { return }
        numbers[standing.rawValue * 2 + (facet.isCurrent ? 1 : 0)] += step
        counts.staged += step * facet.counts.staged
        counts.running += step * facet.counts.running
        counts.healthy += step * facet.counts.healthy
        counts.unhealthy += step * facet.counts.unhealthy
    }

    func current(_ standings: Instance.Standing...) -> Int { standings.reduce(0) { $0 + numbers[$1.rawValue * 2 + 1] } }
    func outdated(_ standings: Instance.Standing...) -> Int { standings.reduce(0) { $0 + numbers[$1.rawValue * 2] } }

    /// Those that count for the number of instances.
    var liveCurrent: Int { current(.unheard, .launching, .running, .good, .unreachable) }
    var liveOutdated: Int { outdated(.unheard, .launching, .running, .good, .unreachable) }
    var live: Int { liveCurrent + liveOutdated }
    var good: Int { current(.good) + outdated(.good) }
    var unheard: Int { current(.unheard) + outdated(.unheard) }
    var stopping: Int { current(.stopping) + outdated(.stopping) }
    /// Those that take resources.
    var present: Int { live + stopping }
}
