import ClusterModel
import Scheduling

// Task groups: all of a group's tasks are launched or none, and what the group itself takes is held until its last task
// gives back what it had.
extension MasterCore {
    mutating func launch(
        _ group: TaskGroup, _ tasks: [TaskInfo], of id: FrameworkID, in offer: Offer, _ check: inout LaunchCheck
    ) {
        if let problem = defect(of: group, tasks, of: id, in: offer) {
            for task in tasks { reject(task, of: id, .taskGroupInvalid, problem) }
            return
        }
        guard let framework = frameworks[id], agents[offer.agentID]?.isActive == true else {
            for task in tasks { reject(task, of: id, .agentDisconnected, "the agent is not connected") }
            return
        }
        do throws(LaunchError) {
            guard let total = group.total(tasks) else { throw .noResources }
            try check.take(total)
        } catch {
            for task in tasks { reject(task, of: id, .taskGroupInvalid, "the task group: \(error)") }
            return
        }
        var group = group
        group.tasks = tasks.map(\.taskID)
        let launches = tasks.map { task in
            var launch = Self.launch(of: task, by: framework, in: offer)
            launch.group = group
            return launch
        }
        for launch in launches { add(launch, of: id, in: offer) }
        tell(offer.agentID, .runGroup(launches))
    }

    private func defect(of group: TaskGroup, _ tasks: [TaskInfo], of id: FrameworkID, in offer: Offer) -> String? {
        if let defect = group.defect(with: tasks) { return defect }
        if let named = group.frameworkID, named != id {
            return "ExecutorInfo has an invalid FrameworkID (Actual: \(named) vs Expected: \(id))"
        }
        for task in tasks {
            if let defect = defect(of: task, of: id, in: offer) { return "task '\(task.taskID)': \(defect)" }
            if task.resources.isEmpty { return "task '\(task.taskID)': \(LaunchError.noResources)" }
        }
        // Mesos' minimum, below which its own executor could not run.
        for (name, least) in [("cpus", 10), ("mem", 32_000)] where group.resources.total(name).thousandths < least {
            return "Executor '\(group.executorID)' uses less \(name) (\(group.resources.total(name))) than the minimum "
                + "required (\(least == 10 ? "0.01" : "32"))"
        }
        let mine = agents[offer.agentID]?.tasks ?? []
        if mine.contains(where: { $0.framework == id && uses(group.executorID, $0, on: offer.agentID) }) {
            return "executor '\(group.executorID)' of this framework has a task group on the agent already; a group "
                + "cannot be joined later, so give each one an executor id of its own"
        }
        return nil
    }

    private func uses(_ executor: ExecutorID, _ key: TaskKey, on agent: AgentID) -> Bool {
        guard let task = task(key, on: agent), let group = task.launch.group, task.holdsResources else { return false }
        return group.executorID == executor
    }

    /// Ends all tasks of an executor, each within its own grace period: those of a group, or the one task that an executor
    /// was made for.
    mutating func shutDown(_ executor: ExecutorID, on agent: AgentID, of id: FrameworkID) {
        let keys = (agents[agent]?.tasks ?? []).filter { $0.framework == id }.sorted()
        for key in keys where frameworks[id]?.tasks[key.task]?.launch.executorID == executor {
            kill(key, agent: agent, gracePeriod: nil)
        }
    }

    /// What goes back with a task that has just given up its own: with the last of a group all that the group took.
    func returned(with task: TaskRecord) -> Resources {
        guard let group = task.launch.group else { return task.resources }
        let isLast = !group.tasks.contains { id in
            let key = TaskKey(framework: task.launch.frameworkID, task: id)
            return key != task.key && holds(key, in: group, on: task.agentID)
        }
        return isLast ? (try? task.resources.adding(group.resources)) ?? task.resources : task.resources
    }

    /// Whether a task is of this group and still holds its resources. A name alone is not enough: it may be used again
    /// once its first bearer has ended.
    func holds(_ key: TaskKey, in group: TaskGroup, on agent: AgentID) -> Bool {
        let bearers = [endingTasks[key], frameworks[key.framework]?.tasks[key.task]].compactMap { $0 }
        return bearers.contains { $0.agentID == agent && $0.holdsResources && $0.launch.group == group }
    }
}
