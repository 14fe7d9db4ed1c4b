internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import MasterCore
internal import Scheduling

/// `/metrics/snapshot` and GET_METRICS: Mesos' names for what a master counts.
enum MesosMetrics {
    static func values(of core: MasterCore, _ node: MasterNode) -> [(String, Double)] {
        let counters = node.metrics.values
        let now = node.clock.now()
        var result: [(String, Double)] = [
            ("master/elected", 1),
            ("master/uptime_secs", Double(now.wall.nanoseconds - node.startedAt.nanoseconds) / 1_000_000_000),
            ("master/slaves_active", Double(core.agents.values.count { $0.isActive })),
            ("master/slaves_connected", Double(core.agents.values.count { $0.isActive })),
            ("master/slaves_disconnected", Double(core.agents.values.count { $0.session == .disconnected })),
            ("master/slaves_inactive", Double(core.agents.values.count { $0.session == .disconnected })),
            ("master/slaves_unreachable", Double(core.agents.values.count { $0.session == .unreachable })),
            ("master/slave_registrations", Double(counters.agentRegistrations)),
            ("master/slave_removals", Double(counters.agentRemovals)),
            ("master/frameworks_active", Double(core.frameworks.values.count { $0.isConnected })),
            ("master/frameworks_connected", Double(core.frameworks.values.count { $0.isConnected })),
            ("master/frameworks_disconnected", Double(core.frameworks.values.count { !$0.isConnected })),
            ("master/frameworks_inactive", Double(core.frameworks.values.count { !$0.isConnected })),
            ("master/outstanding_offers", Double(core.offers.count)),
            ("master/event_queue_messages", Double(node.inbox.count)),
            ("registrar/queued_operations", 0),
            ("allocator/mesos/offer_filters/roles/*/active", 0),
        ]
        result += tasks(of: core, counters) + resources(of: core) + machine()
        for (name, call) in callNames { result.append(("master/messages_" + name, Double(counters.calls[call] ?? 0))) }
        return result.sorted { $0.0 < $1.0 }
    }

    private static let callNames = [
        ("register_framework", "SUBSCRIBE"), ("launch_tasks", "ACCEPT"), ("decline_offers", "DECLINE"),
        ("revive_offers", "REVIVE"), ("suppress_offers", "SUPPRESS"), ("kill_task", "KILL"),
        ("status_update_acknowledgement", "ACKNOWLEDGE"), ("reconcile_tasks", "RECONCILE"),
        ("framework_to_executor", "MESSAGE"), ("resource_request", "REQUEST"), ("unregister_framework", "TEARDOWN"),
        ("register_slave", "AGENT_SUBSCRIBE"),
    ]

    private static func tasks(of core: MasterCore, _ counters: NodeMetrics.Values) -> [(String, Double)] {
        var live: [TaskState: Int] = [:]
        for framework in core.frameworks.values {
            for task in framework.tasks.values { live[task.state, default: 0] += 1 }
        }
        return TaskState.allCases.filter { $0 != .unknown }.map { state in
            let name = "master/tasks_" + state.wireName.dropFirst("TASK_".count).lowercased()
            // Ends are counted since the start, as Mesos does; other states are what is there now.
            return (name, state.isTerminal ? Double(counters.ended[state] ?? 0) : Double(live[state] ?? 0))
        }
    }

    private static func resources(of core: MasterCore) -> [(String, Double)] {
        let view = ClusterView(core)
        var total: [String: Double] = [:]
        var used: [String: Double] = [:]
        for agent in view.agents where agent.isActive {
            let taken = view.used(on: agent)
            for name in ["cpus", "gpus", "mem", "disk"] {
                total[name, default: 0] += agent.info.resources.total(name).value
                used[name, default: 0] += taken.total(name).value
            }
        }
        return ["cpus", "gpus", "mem", "disk"].flatMap { name in
            let (all, taken) = (total[name] ?? 0, used[name] ?? 0)
            return [
                ("master/\(name)_total", all), ("master/\(name)_used", taken),
                ("master/\(name)_percent", all > 0 ? taken / all : 0),
            ]
        }
    }

    private static func machine() -> [(String, Double)] {
        var loads = [Double](repeating: 0, count: 3)
        _ = getloadavg(&loads, 3)
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return [
            ("system/cpus_total", Double(sysconf(Int32(_SC_NPROCESSORS_ONLN)))),
            ("system/load_1min", loads[0]), ("system/load_5min", loads[1]), ("system/load_15min", loads[2]),
            ("system/mem_total_bytes", Double(sysconf(Int32(_SC_PHYS_PAGES))) * page),
            ("system/mem_free_bytes", Double(sysconf(Int32(_SC_AVPHYS_PAGES))) * page),
        ]
    }

    /// Bytes of this process in memory, and processor seconds it used.
    static func process() -> (residentBytes: Double, processorSeconds: Double) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        var resident = 0.0
        if let file = fopen("/proc/self/statm", "re") {
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 128)
            if fgets(&line, Int32(line.count), file) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let fields = text.split(separator: " ")
                if fields.count > 1, let pages = Double(fields[1]) {
                    resident = pages * Double(sysconf(Int32(_SC_PAGESIZE)))
                }
            }
        }
        return (resident, seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }
}
