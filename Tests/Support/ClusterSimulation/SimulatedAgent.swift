import AgentCore
import ClusterModel
import MasterCore

/// An agent: the real core, a disk that survives it, and containers that survive it too.
final class SimulatedAgent {
    /// What is on disk of a task.
    struct DiskTask {
        var stored: StoredTask
        var updates: [TaskStatus] = []
        var acknowledged: Set<StatusUUID> = []
        var wasLaunched = false
    }

    /// A container: it lives and ends whether the agent is there or not.
    struct Container {
        var key: TaskKey
        var resources: Resources
        /// The container of its group, and what that takes beside its tasks.
        var group: (id: ContainerID, resources: Resources)?
        var end: ContainerEnd?
    }

    let index: Int
    let settings: AgentSettings
    var core: AgentCore?
    /// Grows with every crash; what was planned for an earlier life is dropped.
    var life = 0
    var identity: AgentID?
    var disk: [ContainerID: DiskTask] = [:]
    var containers: [ContainerID: Container] = [:]
    /// The stream of each session that is open.
    var connections: [Int: ConnectionID] = [:]
    var timerAt: Duration?
    var hasStopped = false

    init(index: Int, resources: Resources) {
        self.index = index
        // As the agent's driver does: the id is drawn and stored before the first registration.
        identity = AgentID("agent\(index)")
        settings = AgentSettings(
            info: AgentInfo(
                hostname: "host\(index)", address: "10.0.0.\(index + 1)", port: 5051, resources: resources,
                version: "1.0.0"),
            workRoot: "/work")
    }

    var total: Resources { settings.info.resources }

    func recoveredTasks() -> [RecoveredTask] {
        disk.keys.sorted().compactMap { id in
            guard let task = disk[id] else { return nil }
            let container: RecoveredTask.Container
            if let live = containers[id] {
                container = live.end.map { .ended($0) } ?? .running
            } else {
                container = task.wasLaunched ? .lost(reason: "no trace of the container") : .notLaunched
            }
            return RecoveredTask(
                stored: task.stored, updates: task.updates, acknowledged: task.acknowledged, container: container)
        }
    }
}
