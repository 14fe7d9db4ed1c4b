internal import ArgumentParser

/// `rondo node`.
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "List and inspect the nodes that run tasks.",
        discussion: """
            rondo node list
            rondo node inspect agent1
            """,
        subcommands: [List.self, Inspect.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List nodes with what is used of them.", discussion: "rondo node list --output json")

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(NodesDocument.self, "/rondo/v1/nodes", NodeCommand.table)
            }
        }
    }

    static func table(_ document: NodesDocument) -> String {
        var table = TextTable("NODE", "ADDRESS", "STATE", "CPUS#", "MEM#", "DISK#", "TASKS#", "ATTRIBUTES", "ID")
        for node in document.nodes.sorted(by: { ($0.hostname, $0.id) < ($1.hostname, $1.id) }) {
            table.add(
                node.hostname, "\(node.address):\(node.port)", node.state,
                Words.share("cpus", node.used, node.resources),
                Words.share("mem", node.used, node.resources), Words.share("disk", node.used, node.resources),
                "\(node.tasks)", attributes(node), node.id)
        }
        return table.text
    }

    private static func attributes(_ node: NodeDocument) -> String {
        node.attributes.sorted { $0.key < $1.key }.map { name, value in
            "\(name):\(value.text ?? Words.number(value.double))"
        }.joined(separator: ",")
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a node and its tasks.", discussion: "rondo node inspect agent1")

        @Argument(help: "Its id, or its host name.") var node: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(
                    NodeDocument.self, "/rondo/v1/nodes/\(PathText.escaped(node))", NodeCommand.details)
            }
        }
    }

    static func details(_ node: NodeDocument) -> String {
        var facts = TextFacts()
        facts.add("node", node.hostname)
        facts.add("id", node.id)
        facts.add("address", "\(node.address):\(node.port)")
        facts.add("state", node.state)
        facts.add("release", node.version)
        facts.add("registered", Words.time(node.registeredAt))
        facts.add("has", Words.all(node.resources))
        facts.add("used", Words.all(node.used))
        facts.add("offered", Words.all(node.offered))
        facts.add("attributes", attributes(node))
        let tasks = node.taskList ?? []
        return tasks.isEmpty ? facts.text : facts.text + "\n\n" + TaskCommand.table(TasksDocument(tasks: tasks))
    }
}
