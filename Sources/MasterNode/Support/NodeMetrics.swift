internal import ClusterModel
internal import MasterCore
internal import Synchronization

/// Counts what a master does. Cheap enough for every event: one lock, no allocation.
final class NodeMetrics: Sendable {
    /// The counters at one moment.
    struct Values: Sendable {
        var turns: UInt64 = 0
        var inputs: UInt64 = 0
        var commits: UInt64 = 0
        var transactions: UInt64 = 0
        var storeFailures: UInt64 = 0
        var overflows: UInt64 = 0
        var tasksLaunched: UInt64 = 0
        var offersSent: UInt64 = 0
        var updatesSent: UInt64 = 0
        var events: UInt64 = 0
        var calls: [String: UInt64] = [:]
        var refused: [Int: UInt64] = [:]
        var ended: [TaskState: UInt64] = [:]
        var agentRegistrations: UInt64 = 0
        var agentRemovals: UInt64 = 0
        var turnTime = Histogram()
        var commitTime = Histogram()
    }

    /// How many things took how long; bounds double from 100 µs on.
    struct Histogram: Sendable {
        static let bounds: [Double] = [
            0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
        ]
        var buckets = [UInt64](repeating: 0, count: bounds.count)
        var count: UInt64 = 0
        var sum = 0.0

        mutating func record(_ duration: Duration) {
            let seconds = duration.inSeconds
            count += 1
            sum += seconds
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound {
                buckets[index] += 1
                break
            }
        }
    }

    private let state = Mutex(Values())

    var values: Values { state.withLock { $0 } }

    func turnEnded(entries: Int, took: Duration) {
        state.withLock { values in
            values.turns += 1
            values.inputs += UInt64(entries)
            values.turnTime.record(took)
        }
    }

    func committed(_ transactions: Int, took: Duration) {
        state.withLock { values in
            values.commits += 1
            values.transactions += UInt64(transactions)
            values.commitTime.record(took)
        }
    }

    func storeFailed() { state.withLock { $0.storeFailures += 1 } }
    func streamOverflowed() { state.withLock { $0.overflows += 1 } }

    /// Counts a call by its type, which is one of a closed set.
    func called(_ type: String) { state.withLock { $0.calls[type, default: 0] += 1 } }

    /// Counts a refused request by its status.
    func refused(_ status: Int) { state.withLock { $0.refused[status, default: 0] += 1 } }

    func eventSent(_ event: SchedulerEvent) {
        state.withLock { values in
            values.events += 1
            switch event {
            case .offers(let offers): values.offersSent += UInt64(offers.count)
            case .update: values.updatesSent += 1
            default: break
            }
        }
    }

    func published(_ event: ClusterEvent) {
        state.withLock { values in
            switch event {
            case .taskAdded: values.tasksLaunched += 1
            case .taskUpdated(let task):
                if task.state.isTerminal { values.ended[task.state, default: 0] += 1 }
            case .agentAdded: values.agentRegistrations += 1
            case .agentRemoved: values.agentRemovals += 1
            case .frameworkAdded, .frameworkUpdated, .frameworkRemoved: break
            }
        }
    }
}
