internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials

extension TaskCommand {
    /// `rondo task top`.
    struct Top: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what tasks use: processors, memory, processes.",
            discussion: """
                rondo task top                        refreshed every 2 s until Ctrl-C
                rondo task top --once --sort mem
                rondo task top --output json          once, for programs

                CPU is of one processor: 150% are one and a half.
                """)

        @Flag(help: "Show it once; so it is where the output is no terminal.") var once = false
        @Option(help: ArgumentHelp("What comes first: cpu, mem or task. (default: cpu)", valueName: "column"))
        var sort: String = "cpu"
        @OptionGroup var client: ClientOptions

        func validate() throws {
            guard ["cpu", "mem", "task"].contains(sort) else {
                throw ValidationError("--sort takes cpu, mem or task, not '\(sort)'")
            }
        }

        func run() async throws {
            try await client.withClient { client in
                var before = try await TaskUsage.all(client)
                try await Pause.wait(.seconds(1))
                while true {
                    let now = try await TaskUsage.all(client)
                    let rows = sorted(now.map { TaskUsage.Row($0, since: before[$0.key]) })
                    if client.isJSON { return Console.out(try TaskUsage.json(rows)) }
                    let isLive = !once && Console.isTerminal(1)
                    Console.out((isLive ? "\u{1b}[H\u{1b}[2J" : "") + TaskUsage.table(rows))
                    if !isLive { return }
                    before = now
                    try await Pause.wait(.seconds(2))
                }
            }
        }

        private func sorted(_ rows: [TaskUsage.Row]) -> [TaskUsage.Row] {
            rows.sorted { one, other in
                switch sort {
                case "mem" where one.memory != other.memory: one.memory ?? 0 > other.memory ?? 0
                case "cpu" where one.cpu != other.cpu: one.cpu ?? 0 > other.cpu ?? 0
                default: one.task < other.task
                }
            }
        }
    }
}

/// What tasks use, as their agents tell.
struct TaskUsage: Sendable {
    /// One look at one container.
    struct Sample: Decodable, Sendable {
        var container_id: String
        var executor_id: String
        /// The task; its executor may have others.
        var source: String?
        var framework_id: String
        var statistics: Statistics
        struct Statistics: Decodable, Sendable {
            var timestamp: Double
            var cpus_limit: Double?
            var cpus_user_time_secs: Double?
            var mem_limit_bytes: Double?
            var mem_total_bytes: Double?
            var processes: Int?
        }
    }

    /// What is shown of one task.
    struct Row: Equatable {
        var task: String
        var framework: String
        var node: String
        /// Processors used at present; nil when there was no earlier look.
        var cpu: Double?
        var cpuLimit: Double?
        var memory: Double?
        var memoryLimit: Double?
        var processes: Int?
    }

    /// By container, with the name of its node.
    typealias Samples = [String: (node: String, sample: Sample)]

    /// Asks every node that has running tasks. One that does not answer is left out, with a word about it.
    static func all(_ client: ClusterClient) async throws -> Samples {
        let tasks = try await client.document(TasksDocument.self, "/rondo/v1/tasks?state=active").0.tasks
        let nodes = Dictionary(tasks.map { ($0.node, $0.hostname ?? $0.node) }) { first, _ in first }
        return await withTaskGroup(of: Samples.self) { group in
            for (node, hostname) in nodes {
                group.addTask {
                    do {
                        let path = "/agent/\(PathText.escaped(node))/containers"
                        let found = try await client.document([Sample].self, path).0
                        return Dictionary(found.map { ($0.container_id, (hostname, $0)) }) { first, _ in first }
                    } catch {
                        Console.note("rondo: \(hostname) does not answer: \(error)")
                        return [:]
                    }
                }
            }
            return await group.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        }
    }

    static func table(_ rows: [Row]) -> String {
        var table = TextTable("TASK", "NODE", "CPU#", "CPUS#", "MEM MiB#", "LIMIT#", "PROCESSES#")
        for row in rows {
            table.add(
                row.task, row.node, row.cpu.map { Words.percent($0) } ?? "-", Words.number(row.cpuLimit),
                mebibytes(row.memory), mebibytes(row.memoryLimit), row.processes.map(String.init) ?? "-")
        }
        return table.text
    }

    private static func mebibytes(_ bytes: Double?) -> String {
        Words.number(bytes.map { ($0 / 104_857.6).rounded() / 10 })
    }

    static func json(_ rows: [Row]) throws -> String {
        let tasks: [JSONValue] = rows.map { row in
            var fields: [String: JSONValue] = [
                "id": .text(row.task), "framework": .text(row.framework), "hostname": .text(row.node),
            ]
            fields["cpus_used"] = row.cpu.map { .number($0) }
            fields["cpus_limit"] = row.cpuLimit.map { .number($0) }
            fields["mem_bytes"] = row.memory.map { .integer(Int64($0)) }
            fields["mem_limit_bytes"] = row.memoryLimit.map { .integer(Int64($0)) }
            fields["processes"] = row.processes.map { .integer(Int64($0)) }
            return .object(fields)
        }
        return String(decoding: try JSONValue.object(["tasks": .list(tasks)]).encoded(), as: UTF8.self)
    }
}

extension TaskUsage.Row {
    init(_ now: TaskUsage.Samples.Element, since before: TaskUsage.Samples.Value?) {
        let (sample, statistics) = (now.value.sample, now.value.sample.statistics)
        self.init(
            task: sample.source ?? sample.executor_id, framework: sample.framework_id, node: now.value.node, cpu: nil,
            cpuLimit: statistics.cpus_limit, memory: statistics.mem_total_bytes,
            memoryLimit: statistics.mem_limit_bytes, processes: statistics.processes)
        guard let used = statistics.cpus_user_time_secs, let earlier = before?.sample.statistics,
            let usedThen = earlier.cpus_user_time_secs, statistics.timestamp > earlier.timestamp
        else { return }
        cpu = max((used - usedThen) / (statistics.timestamp - earlier.timestamp), 0)
    }
}
