internal import AgentCore
internal import ClusterModel
internal import LinuxSystem

/// The agent's state as Mesos' `/state` has it. Commands and their environments are no part of it: they may hold
/// secrets, and this endpoint may be read without a credential.
struct AgentStateText {
    let snapshot: AgentSnapshot

    var json: JSONText {
        let info = snapshot.info
        var used = Resources()
        // Overlapping amounts cannot be: the core has checked them. What cannot be added is left out.
        for task in live { used = (try? used.adding(task.stored.launch.task.resources)) ?? used }
        for group in groups { used = (try? used.adding(group.resources)) ?? used }
        return .object([
            ("id", info.id.map { .text($0.value) } ?? .text("")),
            ("pid", .text("slave(1)@\(info.address):\(info.port)")),
            ("hostname", .text(info.hostname)),
            ("version", .text(MesosRelease.version)),
            ("start_time", .number(snapshot.startedAt.seconds)),
            ("resources", .resources(info.resources)),
            ("unreserved_resources", .resources(info.resources.filter { $0.kind.reservations.isEmpty })),
            ("used_resources", .resources(used)),
            ("attributes", .attributes(info.attributes)),
            ("domain", info.domain.map(Self.domain)),
            ("registered", .flag(snapshot.isRegistered)),
            ("flags", .object([])),
            ("frameworks", .list(frameworks(isCompleted: false))),
            ("completed_frameworks", .list(frameworks(isCompleted: true))),
        ])
    }

    /// The containers with a live task, and what they use.
    func containers(_ layout: CgroupLayout?) -> JSONText {
        .list(
            live.map { task in
                let launch = task.stored.launch
                let usage = layout.flatMap { Cgroup(layout: $0, name: task.stored.containerID.value) }?.usage()
                return .object([
                    ("container_id", .text(task.stored.containerID.value)),
                    ("executor_id", .text(launch.executorID.value)),
                    ("executor_name", .text(launch.task.name)),
                    ("framework_id", .text(launch.frameworkID.value)),
                    ("source", .text(launch.task.taskID.value)),
                    (
                        "statistics",
                        .object([
                            ("cpus_limit", .number(launch.task.resources.total("cpus").value)),
                            (
                                "mem_limit_bytes",
                                .number(launch.task.resources.total("mem").value * 1_048_576)
                            ),
                            // The kernel's account of the group does not tell user from system time everywhere.
                            ("cpus_user_time_secs", usage?.cpuNanoseconds.map { .number(Double($0) / 1e9) }),
                            ("cpus_system_time_secs", usage?.cpuNanoseconds.map { _ in .integer(0) }),
                            ("mem_total_bytes", usage?.memoryBytes.map { .integer(Int64(clamping: $0)) }),
                            ("processes", usage?.pids.map { .integer(Int64(clamping: $0)) }),
                            ("timestamp", .number(AgentClock.now().wall.seconds)),
                        ])
                    ),
                    ("status", .object([("container_id", Self.container(task.stored.containerID))])),
                ])
            })
    }

    /// Counters by Mesos' names.
    var metrics: JSONText {
        let resources = snapshot.info.resources
        var fields: [(String, JSONText?)] = [
            ("slave/registered", .integer(snapshot.isRegistered ? 1 : 0)),
            ("slave/uptime_secs", .number(snapshot.uptime.inSeconds)),
            ("slave/frameworks_active", .integer(Int64(Set(live.map(\.stored.launch.frameworkID)).count))),
        ]
        for (name, state) in [("running", TaskState.running), ("starting", .starting), ("staging", .staging)] {
            let count = live.filter { $0.status.state == state }.count
            fields.append(("slave/tasks_\(name)", .integer(Int64(count))))
        }
        for (name, state) in [("finished", TaskState.finished), ("failed", .failed), ("killed", .killed)] {
            fields.append(("slave/tasks_\(name)", .integer(Int64(snapshot.ended[state] ?? 0))))
        }
        for name in ["cpus", "mem", "disk", "gpus"] {
            let used =
                live.reduce(0) { $0 + $1.stored.launch.task.resources.total(name).value }
                + groups.reduce(0) { $0 + $1.resources.total(name).value }
            let total = resources.total(name).value
            fields.append(("slave/\(name)_total", .number(total)))
            fields.append(("slave/\(name)_used", .number(used)))
            fields.append(("slave/\(name)_percent", .number(total > 0 ? used / total : 0)))
        }
        return .object(fields)
    }

    private var live: [AgentTaskView] { snapshot.current.filter(\.isLive) }

    /// Groups that have a live task.
    private var groups: [TaskGroup] {
        var seen: Set<ContainerID> = []
        return live.compactMap { task in
            guard let container = task.stored.groupContainer, seen.insert(container).inserted else { return nil }
            return task.stored.launch.group
        }
    }

    /// A container with the one that it is in.
    private static func container(_ id: ContainerID) -> JSONText {
        .object([
            ("value", .text(id.value)), ("parent", id.parent.map { .object([("value", .text($0.value))]) }),
        ])
    }

    private static func domain(_ domain: Domain) -> JSONText {
        let fault: JSONText = .object([
            ("region", .object([("name", .text(domain.region))])), ("zone", .object([("name", .text(domain.zone))])),
        ])
        return .object([("fault_domain", fault)])
    }

    private func frameworks(isCompleted: Bool) -> [JSONText] {
        let all = snapshot.current + snapshot.completed
        let active = Set(live.map(\.stored.launch.frameworkID))
        let byFramework = Dictionary(grouping: all, by: \.stored.launch.frameworkID)
        return byFramework.keys.sorted().filter { active.contains($0) != isCompleted }.map { id in
            let tasks = byFramework[id] ?? []
            let first = tasks.first?.stored.launch
            return .object([
                ("id", .text(id.value)), ("name", .text(first?.frameworkName ?? "")),
                ("user", .text(first?.user ?? "")), ("role", .text(first?.role.value ?? "*")),
                ("executors", .list(executors(tasks, isCompleted: false))),
                ("completed_executors", .list(executors(tasks, isCompleted: true))),
            ])
        }
    }

    private func executors(_ tasks: [AgentTaskView], isCompleted: Bool) -> [JSONText] {
        let single = tasks.filter { $0.stored.groupContainer == nil && $0.isLive != isCompleted }
        let groups = Dictionary(grouping: tasks.filter { $0.stored.groupContainer != nil }) { $0.stored.networkHolder }
        let shown = groups.keys.sorted().compactMap { id in
            groups[id].flatMap { $0.contains(where: \.isLive) != isCompleted ? group(id, $0) : nil }
        }
        return single.map(executor) + shown
    }

    /// The default executor of a group.
    private func group(_ container: ContainerID, _ tasks: [AgentTaskView]) -> JSONText? {
        guard let first = tasks.first?.stored, let group = first.launch.group else { return nil }
        return .object([
            ("id", .text(group.executorID.value)), ("name", .text("Default Executor")), ("type", .text("DEFAULT")),
            ("source", .text(group.executorID.value)), ("container", .text(container.value)),
            ("directory", .text(first.groupDirectory ?? "")), ("resources", .resources(group.resources)),
            ("role", .text(first.launch.role.value)),
            ("tasks", .list(tasks.filter { $0.isLive && !$0.isQueued }.map(task))),
            ("queued_tasks", .list(tasks.filter(\.isQueued).map(task))),
            ("completed_tasks", .list(tasks.filter { !$0.isLive }.map(task))),
        ])
    }

    /// The command executor of a task, as Mesos shows one.
    private func executor(_ task: AgentTaskView) -> JSONText {
        let launch = task.stored.launch
        let shown: JSONText = .list([self.task(task)])
        let none: JSONText = .list([])
        return .object([
            ("id", .text(launch.task.taskID.value)), ("name", .text("Command Executor (Task: \(launch.task.taskID))")),
            ("source", .text(launch.task.taskID.value)), ("container", .text(task.stored.containerID.value)),
            ("directory", .text(task.stored.directory)), ("resources", .resources(launch.task.resources)),
            ("role", .text(launch.role.value)), ("tasks", task.isLive && !task.isQueued ? shown : none),
            ("queued_tasks", task.isQueued ? shown : none), ("completed_tasks", task.isLive ? none : shown),
        ])
    }

    private func task(_ task: AgentTaskView) -> JSONText {
        let launch = task.stored.launch
        return .object([
            ("id", .text(launch.task.taskID.value)), ("name", .text(launch.task.name)),
            ("framework_id", .text(launch.frameworkID.value)),
            ("executor_id", .text(launch.group?.executorID.value ?? "")),
            ("slave_id", .text(launch.task.agentID.value)), ("state", .text(task.status.state.wireName)),
            ("resources", .resources(launch.task.resources)), ("role", .text(launch.role.value)),
            ("statuses", .list(task.history.map(status))), ("labels", .labels(launch.task.labels)),
        ])
    }

    private func status(_ status: TaskStatus) -> JSONText {
        let container = status.containerID.map(Self.container)
        return .object([
            ("state", .text(status.state.wireName)), ("timestamp", .number(status.timestamp.seconds)),
            ("source", .text(status.source.rawValue)), ("reason", status.reason.map { .text($0.rawValue) }),
            ("message", status.message.map { .text($0) }),
            ("container_status", container.map { .object([("container_id", $0)]) }),
        ])
    }
}

/// The Mesos release whose interface is spoken: digits and dots only, because clients parse it.
enum MesosRelease {
    static let version = "1.11.0"
}
