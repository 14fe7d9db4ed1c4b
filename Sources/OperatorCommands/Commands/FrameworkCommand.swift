internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo framework`.
struct FrameworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "framework",
        abstract: "List, inspect and tear down frameworks.",
        discussion: """
            rondo framework list
            rondo framework inspect 3f2a…-0001
            rondo framework teardown 3f2a…-0001
            """,
        subcommands: [List.self, Inspect.self, Teardown.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List frameworks.",
            discussion: """
                rondo framework list
                rondo framework list --all
                """)

        @Flag(name: .shortAndLong, help: "Those that were removed too.") var all = false
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(FrameworksDocument.self, "/rondo/v1/frameworks") { document in
                    var document = document
                    if !all { document.frameworks.removeAll { $0.state == "removed" } }
                    return FrameworkCommand.table(document)
                }
            }
        }
    }

    static func table(_ document: FrameworksDocument) -> String {
        var table = TextTable("FRAMEWORK", "STATE", "ROLES", "TASKS#", "CPUS#", "MEM#", "ID")
        for framework in document.frameworks {
            table.add(
                framework.name, framework.state, framework.roles.joined(separator: ","), "\(framework.tasks.live)",
                Words.amount("cpus", framework.used), Words.amount("mem", framework.used), framework.id)
        }
        return table.text
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a framework and its tasks.", discussion: "rondo framework inspect 3f2a…-0001")

        @Argument(help: "Its id.") var framework: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(
                    FrameworkDocument.self, "/rondo/v1/frameworks/\(PathText.escaped(framework))",
                    FrameworkCommand.details)
            }
        }
    }

    static func details(_ framework: FrameworkDocument) -> String {
        var facts = TextFacts()
        facts.add("framework", framework.name)
        facts.add("id", framework.id)
        facts.add("state", framework.state)
        facts.add("roles", framework.roles.joined(separator: ", "))
        facts.add("suppressed", framework.suppressedRoles.joined(separator: ", "))
        facts.add("user", framework.user)
        facts.add("principal", framework.principal)
        facts.add("host", framework.hostname)
        facts.add("capabilities", framework.capabilities.joined(separator: ", "))
        facts.add("comes back within", "\(Words.number(framework.failoverTimeoutSeconds)) s")
        facts.add("registered", Words.time(framework.registeredAt))
        facts.add("used", Words.all(framework.used))
        facts.add("offered", Words.all(framework.offered))
        let tasks = framework.taskList ?? []
        return tasks.isEmpty ? facts.text : facts.text + "\n\n" + TaskCommand.table(TasksDocument(tasks: tasks))
    }

    struct Teardown: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a framework's tasks and remove it for good.",
            discussion: "rondo framework teardown 3f2a…-0001")

        @Argument(help: "Its id.") var framework: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let path = "/rondo/v1/frameworks/\(PathText.escaped(framework))"
                let found = try await client.document(FrameworkDocument.self, path).0
                _ = try await client.request(.post, path + "/teardown")
                Console.note("framework '\(found.name)' is removed; \(found.tasks.live) tasks are being ended")
            }
        }
    }
}
