internal import AgentCore
internal import ClusterModel
internal import LinuxSystem

/// Figures of the node and of its containers in the form of DC/OS' metrics service, for its command line.
struct AgentMetricsText {
    /// One figure.
    struct Datapoint {
        var name: String
        var value: Double
        var unit: String
        var tags: [(String, String)] = []
    }

    let snapshot: AgentSnapshot
    let time: UnixTime

    /// Figures of the node.
    ///
    /// - Parameters:
    ///   - earlier: what processors had done a little before.
    ///   - work: where tasks' directories are.
    /// - Returns: the document.
    /// - Throws: what of the machine could not be read.
    func node(since earlier: HostLoad.ProcessorTime, work: String) throws -> JSONText {
        var points = [Datapoint(name: "cpu.cores", value: Double(HostFacts.onlineProcessors), unit: "count")]
        if let share = try HostLoad.processorTime().share(since: earlier) {
            for (name, value) in [
                ("total", share.busy), ("user", share.user), ("system", share.system), ("idle", share.idle),
                ("wait", share.wait),
            ] { points.append(Datapoint(name: "cpu." + name, value: value, unit: "percent")) }
        }
        for (minutes, value) in zip([1, 5, 15], try HostLoad.averages()) {
            points.append(Datapoint(name: "load.\(minutes)min", value: value, unit: "count"))
        }
        let memory = try HostLoad.memory()
        for (name, value) in [
            ("total", memory.total), ("free", memory.free), ("available", memory.available),
            ("buffers", memory.buffers),
            ("cached", memory.cached),
        ] { points.append(Datapoint(name: "memory." + name, value: Double(value), unit: "bytes")) }
        for path in ["/", work] {
            let system = try HostLoad.fileSystem(at: path)
            for (name, value) in [("total", system.total), ("free", system.free), ("used", system.used)] {
                points.append(
                    Datapoint(
                        name: "filesystem.capacity." + name, value: Double(value), unit: "bytes", tags: [("path", path)]
                    ))
            }
        }
        points.append(Datapoint(name: "agent.uptime", value: snapshot.uptime.inSeconds, unit: "seconds"))
        points.append(Datapoint(name: "agent.containers", value: Double(live.count), unit: "count"))
        return document(points, dimensions: [])
    }

    /// The ids of the containers with a live task.
    var containers: JSONText { .list(live.map { .text($0.stored.containerID.value) }) }

    /// What a container uses and may use; nil when there is none with this id that lives.
    func container(_ id: String, _ layout: CgroupLayout?) -> JSONText? {
        guard let task = live.first(where: { $0.stored.containerID.value == id }) else { return nil }
        let launch = task.stored.launch
        let usage = layout.flatMap { Cgroup(layout: $0, name: id) }?.usage()
        let resources = launch.task.resources
        // The kernel's account of a group does not tell user from system time everywhere; all of it is here, as in
        // the agent's `/containers`.
        let found: [(String, Double?, String)] = [
            ("cpus.user.time", usage?.cpuNanoseconds.map { Double($0) / 1e9 }, "seconds"),
            ("cpus.limit", resources.total("cpus").value, "count"),
            ("mem.total", usage?.memoryBytes.map(Double.init), "bytes"),
            ("mem.max", usage?.peakMemoryBytes.map(Double.init), "bytes"),
            ("mem.limit", resources.total("mem").value * 1_048_576, "bytes"),
            ("disk.limit", resources.total("disk").value * 1_048_576, "bytes"),
            ("processes", usage?.pids.map(Double.init), "count"),
        ]
        let points = found.compactMap { name, value, unit in
            value.map { Datapoint(name: name, value: $0, unit: unit) }
        }
        return document(
            points,
            dimensions: [
                ("container_id", .text(id)), ("task_id", .text(launch.task.taskID.value)),
                ("task_name", .text(launch.task.name)), ("framework_id", .text(launch.frameworkID.value)),
                ("executor_id", .text(launch.executorID.value)),
            ])
    }

    private var live: [AgentTaskView] { snapshot.current.filter(\.isLive) }

    private func document(_ points: [Datapoint], dimensions: [(String, JSONText?)]) -> JSONText {
        .object([
            (
                "datapoints",
                .list(
                    points.map { point in
                        .object([
                            ("name", .text(point.name)), ("value", .number(point.value)), ("unit", .text(point.unit)),
                            ("timestamp", .number(time.seconds)),
                            (
                                "tags",
                                point.tags.isEmpty ? nil : .object(point.tags.map { ($0.0, JSONText.text($0.1)) })
                            ),
                        ])
                    })
            ),
            (
                "dimensions",
                .object(
                    [
                        ("mesos_id", snapshot.info.id.map { JSONText.text($0.value) }),
                        ("hostname", .text(snapshot.info.hostname)),
                    ] + dimensions)
            ),
        ])
    }
}
