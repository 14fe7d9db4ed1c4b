internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials

/// `rondo context`.
struct ContextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "The clusters that this command line knows.",
        discussion: """
            A context is a cluster's address, its authority and a credential. `rondo login` makes one; commands use the
            current one unless --master or --context names another, or this machine has a node of its own.

              rondo context list
              rondo context use laboratory
              rondo context rm laboratory
            """,
        subcommands: [List.self, Use.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List contexts.", discussion: "rondo context list")

        @Option(help: ArgumentHelp("How results are written: table or json. (default: table)", valueName: "form"))
        var output: String?
        @OptionGroup var file: ConfigOption

        func run() async throws {
            let configuration = try file.load([.output: output])
            let known = try Contexts.load()
            if configuration.text(.output) == "json" {
                let all = known.contexts.map { context in
                    JSONValue.object([
                        "name": .text(context.name), "address": .text(context.address),
                        "user": context.user.map { .text($0) } ?? .null, "tls": .bool(context.authority != nil),
                        "loggedIn": .bool(context.token != nil), "current": .bool(context.name == known.current),
                    ])
                }
                let document = JSONValue.object(["contexts": .list(all)])
                Console.out(String(decoding: try document.encoded(), as: UTF8.self))
                return
            }
            var table = TextTable("CURRENT", "NAME", "ADDRESS", "USER", "LOGGED IN")
            for context in known.contexts {
                table.add(
                    context.name == known.current ? "*" : " ", context.name, context.address, context.user,
                    context.token == nil ? "no" : "yes")
            }
            Console.out(table.text)
        }
    }

    struct Use: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a context the one that commands use.", discussion: "rondo context use laboratory")

        @Argument(help: ArgumentHelp("The context.", valueName: "name")) var name: String

        func run() async throws {
            var known = try Contexts.load()
            _ = try known.named(name)
            known.current = name
            try known.save()
            Console.out("rondo: commands use '\(name)' now")
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Forget a context and its credential.",
            discussion: "rondo context rm laboratory")

        @Argument(help: ArgumentHelp("The context.", valueName: "name")) var name: String

        func run() async throws {
            var known = try Contexts.load()
            _ = try known.named(name)
            known.contexts.removeAll { $0.name == name }
            if known.current == name { known.current = nil }
            try known.save()
        }
    }
}
