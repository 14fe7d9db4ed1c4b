import ClusterModel
import MasterCore

/// A framework that keeps its books before it acknowledges, as the interface wants it.
final class SimulatedFramework {
    struct TaskView {
        var state: TaskState?
        var agent: AgentID
        /// Set once an end was told; nothing else may follow.
        var end: TaskState?
        var endUUID: StatusUUID?
        /// Whether it is left alone, because the first task of its group is to end it.
        var isDoomed = false
    }

    let index: Int
    var info: FrameworkInfo
    var connection: ConnectionID?
    var life = 0
    var isRunning = true
    /// The master said that it was removed; it does not come back.
    var isRemoved = false
    var tasks: [TaskID: TaskView] = [:]
    var launchesLeft: Int
    var nextTask = 0
    /// Task groups that it wanted, by their executor, and where.
    var groups: [ExecutorID: AgentID] = [:]
    /// Calls wait here for the answer to the one before: a scheduler has one connection for them.
    var outbox: [SchedulerCall] = []
    var isCalling = false

    init(index: Int, info: FrameworkInfo, launches: Int) {
        self.index = index
        self.info = info
        launchesLeft = launches
    }

    var isPartitionAware: Bool { info.capabilities.contains(.partitionAware) }
}
