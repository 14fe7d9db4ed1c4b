internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo task`.
struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task",
        abstract: "List, inspect, follow and end tasks, and run commands beside them.",
        discussion: """
            rondo task list
            rondo task log -f web.1
            rondo task exec -it web.1 -- sh
            rondo task kill web.1

            Where several frameworks have a task of the same name, write FRAMEWORK/TASK.
            """,
        subcommands: [List.self, Inspect.self, Log.self, Exec.self, Attach.self, Top.self, Kill.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tasks and where they run.",
            discussion: """
                rondo task list
                rondo task list --all
                rondo task list --framework 3f2a…-0001 --state running --output json
                """)

        @Option(help: ArgumentHelp("Of this framework only.", valueName: "id")) var framework: String?
        @Option(help: ArgumentHelp("In this state only: running, failed …", valueName: "state")) var state: String?
        @Flag(name: .shortAndLong, help: "Those that have ended too.") var all = false
        @OptionGroup var client: ClientOptions

        /// The path with the query that the options mean.
        var path: String {
            var query: [String] = []
            if let framework { query.append("framework=\(PathText.escaped(framework))") }
            if let state { query.append("state=\(PathText.escaped(state))") }
            if state == nil, !all { query.append("state=active") }
            return "/rondo/v1/tasks" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        }

        func run() async throws {
            try await client.withClient { client in
                try await client.show(TasksDocument.self, path, TaskCommand.table)
            }
        }
    }

    static func table(_ document: TasksDocument) -> String {
        var table = TextTable("TASK", "STATE", "NODE", "ROLE", "CPUS#", "MEM#", "FRAMEWORK", "SINCE")
        for task in document.tasks {
            table.add(
                task.id, Words.state(task.state), task.hostname ?? task.node, task.role,
                Words.amount("cpus", task.resources), Words.amount("mem", task.resources),
                task.frameworkName ?? task.framework, Words.time(task.lastStatusAt))
        }
        return table.text
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a task in detail.", discussion: "rondo task inspect web.1")

        @Argument(help: "TASK or FRAMEWORK/TASK.") var task: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let path = "/rondo/v1/tasks/\(PathText.taskPath(task))"
                try await client.show(TaskDocument.self, path, TaskCommand.details)
            }
        }
    }

    static func details(_ task: TaskDocument) -> String {
        var facts = TextFacts()
        facts.add("task", task.id)
        facts.add("state", Words.state(task.state))
        facts.add("framework", "\(task.frameworkName ?? "-") (\(task.framework))")
        facts.add("node", "\(task.hostname ?? "-") (\(task.node))")
        facts.add("role", task.role)
        facts.add("user", task.user)
        facts.add("resources", Words.all(task.resources))
        if let command = task.command {
            let words = command.argv ?? []
            facts.add("command", command.shell || words.isEmpty ? command.value : words.joined(separator: " "))
        }
        facts.add("directory", task.directory)
        facts.add("first status", Words.time(task.firstStatusAt))
        facts.add("last status", Words.time(task.lastStatusAt))
        facts.add("reason", task.reason)
        facts.add("message", task.message)
        let history = (task.statuses ?? []).map { Words.state($0.state) }
        facts.add("history", history.joined(separator: " → "))
        return facts.text
    }

    struct Kill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a task: SIGTERM, then SIGKILL when its grace period is over.",
            discussion: """
                rondo task kill web.1
                rondo task kill 3f2a…-0001/web.1
                """)

        @Argument(help: "TASK or FRAMEWORK/TASK.") var task: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let path = "/rondo/v1/tasks/\(PathText.taskPath(task))"
                let found = try await client.document(TaskDocument.self, path).0
                guard !found.ended else {
                    throw ApplianceError(.failure, "task '\(found.id)' has ended already: \(Words.state(found.state))")
                }
                let key = "\(PathText.escaped(found.framework))/\(PathText.escaped(found.id))"
                _ = try await client.request(.post, "/rondo/v1/tasks/\(key)/kill")
                Console.note("task '\(found.id)' on \(found.hostname ?? found.node) is being ended")
            }
        }
    }

    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a task has written.",
            discussion: """
                rondo task log web.1
                rondo task log -f web.1           until the task has ended
                rondo task log --stderr --tail 20 web.1
                """)

        @Flag(name: .shortAndLong, help: "Go on until the task has ended.") var follow = false
        @Flag(help: "Standard error instead of standard output.") var stderr = false
        @Option(help: ArgumentHelp("The last lines only. (default: all)", valueName: "lines")) var tail: Int?
        @Argument(help: "TASK or FRAMEWORK/TASK.") var task: String
        @OptionGroup var client: ClientOptions

        func validate() throws {
            if let tail, tail < 0 { throw ValidationError("--tail takes a number of lines, at least 0") }
        }

        func run() async throws {
            try await client.withClient { client in
                let found = try await client.document(TaskDocument.self, "/rondo/v1/tasks/\(PathText.taskPath(task))").0
                guard let directory = found.directory, !directory.isEmpty else {
                    throw ApplianceError(.failure, "task '\(found.id)' has not started, so it has written nothing yet")
                }
                let log = TaskLog(node: found.node, path: "\(directory)/\(stderr ? "stderr" : "stdout")")
                try await log.copy(client, follow: follow, from: tail.map { .lastLines($0) } ?? .oldest) { bytes in
                    if !Console.write(bytes: bytes, to: 1) { throw ArgumentParser.ExitCode(141) }
                }
            }
        }
    }
}
