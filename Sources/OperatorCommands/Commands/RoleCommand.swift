internal import ArgumentParser

/// `rondo role`.
struct RoleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "role",
        abstract: "See how resources are shared between roles.",
        discussion: "rondo role list",
        subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List roles with their dominant shares.",
            discussion: """
                The dominant share is the largest part that a role has of any resource; the role with the smallest one,
                by weight, is offered resources first.

                  rondo role list
                """)

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(RolesDocument.self, "/rondo/v1/roles", RoleCommand.table)
            }
        }
    }

    static func table(_ document: RolesDocument) -> String {
        var table = TextTable("ROLE", "WEIGHT#", "SHARE#", "OF", "CPUS#", "MEM#", "FRAMEWORKS")
        for role in document.roles {
            table.add(
                role.name, Words.number(role.weight), Words.percent(role.dominantShare), role.dominantResource,
                Words.number(role.allocated["cpus"] ?? 0), Words.number(role.allocated["mem"] ?? 0),
                role.frameworks.map { $0.name ?? $0.id }.joined(separator: ", "))
        }
        return table.text
    }
}

/// `rondo why`.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Explain why something does not run, or has ended.",
        discussion: """
            For a framework: what stands between it and each node's resources. For a task: its state, the last reason,
            and what it waits for.

              rondo why web.1
              rondo why 3f2a…-0001
            """)

    @Argument(help: "A task, FRAMEWORK/TASK, or a framework's id.") var subject: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            try await client.show(
                ExplanationsDocument.self, "/rondo/v1/why/\(PathText.taskPath(subject))", WhyCommand.text)
        }
    }

    static func text(_ document: ExplanationsDocument) -> String {
        document.explanations.map { explanation in
            let facts = explanation.facts.map { "  \(TextTable.clean($0))" }
            let lines = explanation.agents.map { line in
                TextTable.clean(
                    "  \(line.hostname.isEmpty ? line.node : line.hostname), role \(line.role): \(line.text)")
            }
            return ([TextTable.clean(explanation.subject)] + facts + lines).joined(separator: "\n")
        }.joined(separator: "\n\n")
    }
}
