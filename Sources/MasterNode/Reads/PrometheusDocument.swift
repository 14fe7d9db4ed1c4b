internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import Scheduling

/// `/metrics`: what a master counts, in Prometheus' text format.
struct PrometheusDocument: Sendable {
    let node: MasterNode

    func response() async throws -> GatewayResponse {
        let core = try await node.snapshot()
        return .text(.ok, text(core), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func text(_ core: MasterCore) -> String {
        let values = node.metrics.values
        var page = Page()
        page.metric(
            "rondo_build_info", "gauge", "The release, as a label.", [("version=\"\(node.settings.version)\"", 1)])
        page.metric("rondo_agents", "gauge", "Agents by what is known of them.", agents(core))
        page.metric(
            "rondo_frameworks", "gauge", "Frameworks by whether their stream is open.",
            [
                ("state=\"connected\"", Double(core.frameworks.values.count { $0.isConnected })),
                ("state=\"disconnected\"", Double(core.frameworks.values.count { !$0.isConnected })),
                ("state=\"removed\"", Double(core.completedFrameworks.count)),
            ])
        page.metric("rondo_tasks", "gauge", "Tasks that have not ended, by state.", tasks(core))
        page.metric(
            "rondo_tasks_ended_total", "counter", "Tasks that have ended, by state.",
            TaskState.allCases.filter(\.isTerminal).map {
                ("state=\"\($0.wireName)\"", Double(values.ended[$0] ?? 0))
            })
        page.counter("rondo_tasks_launched_total", "Tasks that were accepted.", values.tasksLaunched)
        page.metric("rondo_offers", "gauge", "Offers that nobody has answered.", [("", Double(core.offers.count))])
        page.counter("rondo_offers_sent_total", "Offers sent to frameworks.", values.offersSent)
        page.counter("rondo_updates_sent_total", "Status updates sent to frameworks.", values.updatesSent)
        page.counter("rondo_events_sent_total", "Events sent to frameworks.", values.events)
        page.metric(
            "rondo_calls_total", "counter", "Calls of frameworks and agents, by type.",
            values.calls.sorted { $0.key < $1.key }.map { ("type=\"\($0.key)\"", Double($0.value)) })
        page.metric(
            "rondo_requests_refused_total", "counter", "Requests that were refused, by status.",
            values.refused.sorted { $0.key < $1.key }.map { ("status=\"\($0.key)\"", Double($0.value)) })
        page.counter(
            "rondo_streams_overflowed_total", "Streams dropped because they were read too slowly.", values.overflows)
        page.counter("rondo_turns_total", "Turns of the inbox.", values.turns)
        page.counter("rondo_inputs_total", "Inputs handled in those turns.", values.inputs)
        page.histogram("rondo_turn_seconds", "Time of a turn, commit included.", values.turnTime)
        page.counter("rondo_store_commits_total", "Commits to the store.", values.commits)
        page.counter("rondo_store_transactions_total", "Transactions in those commits.", values.transactions)
        page.counter("rondo_store_failures_total", "Commits that failed.", values.storeFailures)
        page.histogram("rondo_store_commit_seconds", "Time of a commit.", values.commitTime)
        let process = MesosMetrics.process()
        page.metric(
            "process_resident_memory_bytes", "gauge", "Memory of the process.", [("", process.residentBytes)])
        page.metric("process_cpu_seconds_total", "counter", "Processor time used.", [("", process.processorSeconds)])
        return page.text
    }

    private func agents(_ core: MasterCore) -> [(String, Double)] {
        var counts = ["connected": 0, "disconnected": 0, "recovered": 0, "unreachable": 0, "gone": 0]
        for agent in core.agents.values {
            switch agent.session {
            case .connected: counts["connected", default: 0] += 1
            case .disconnected: counts["disconnected", default: 0] += 1
            case .recovered: counts["recovered", default: 0] += 1
            case .unreachable: counts["unreachable", default: 0] += 1
            case .gone: counts["gone", default: 0] += 1
            }
        }
        return counts.sorted { $0.key < $1.key }.map { ("state=\"\($0.key)\"", Double($0.value)) }
    }

    private func tasks(_ core: MasterCore) -> [(String, Double)] {
        var counts: [TaskState: Int] = [:]
        for framework in core.frameworks.values {
            for task in framework.tasks.values where !task.state.isTerminal { counts[task.state, default: 0] += 1 }
        }
        return TaskState.allCases.filter { !$0.isTerminal && $0 != .unknown }
            .map { ("state=\"\($0.wireName)\"", Double(counts[$0] ?? 0)) }
    }

    private struct Page {
        var text = ""

        mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
            metric(name, "counter", help, [("", Double(value))])
        }

        mutating func metric(_ name: String, _ type: String, _ help: String, _ samples: [(String, Double)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for (labels, value) in samples { text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n" }
        }

        mutating func histogram(_ name: String, _ help: String, _ histogram: NodeMetrics.Histogram) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
            var below: UInt64 = 0
            for (bound, count) in zip(NodeMetrics.Histogram.bounds, histogram.buckets) {
                below += count
                text += "\(name)_bucket{le=\"\(bound)\"} \(below)\n"
            }
            text += "\(name)_bucket{le=\"+Inf\"} \(histogram.count)\n"
            text += "\(name)_sum \(histogram.sum)\n\(name)_count \(histogram.count)\n"
        }
    }
}
