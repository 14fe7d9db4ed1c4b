internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import HTTPTypes

/// `rondo keys`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "The keys of nodes and of the gossip: list, rotate, evict.",
        discussion: """
            rondo keys list
            rondo keys rotate
            rondo keys evict 9c6f0e…
            """,
        subcommands: [List.self, Rotate.self, Evict.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the nodes' keys, the gossip's keys by name, and who was evicted.",
            discussion: "rondo keys list --output json")

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                try await client.show(MembersDocument.self, "/rondo/v1/members", KeysCommand.table)
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the gossip's key, without a gap, or what sessions are signed with.",
            discussion: """
                Every node learns the new key before the first one uses it, and uses it before the old one is forgotten.
                Nodes that are away get it when they are back.

                  rondo keys rotate
                  rondo keys rotate --sessions     # everybody has to log in again; tokens go on working
                """)

        @Flag(help: "End all sessions by changing the key that they are signed with.") var sessions = false
        @OptionGroup var client: ClientOptions

        private struct Answer: Decodable {
            var id: String
            var late: [String]
        }

        func run() async throws {
            try await client.withClient { client in
                guard !sessions else {
                    _ = try await client.request(.post, "/rondo/v1/keys/rotate?kind=sessions")
                    Console.out("rondo: all sessions are ended; log in again with `rondo login`")
                    return
                }
                Console.note("rondo: every node is told; this takes a few seconds")
                let bytes = try await client.request(.post, "/rondo/v1/keys/rotate", timeout: .seconds(120))
                if client.isJSON {
                    Console.out(String(decoding: bytes, as: UTF8.self))
                    return
                }
                let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
                Console.out("rondo: the gossip's key is \(answer.id) now")
                if !answer.late.isEmpty {
                    Console.note(
                        "rondo: not confirmed by \(answer.late.joined(separator: ", ")); they follow by themselves")
                }
            }
        }
    }

    struct Evict: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shut a node out: its key is worth nothing any more.",
            discussion: """
                Its tasks are not ended by this; its session ends at once, and no other node listens to it. To have the
                machine back, remove its data directory there and join again.

                  rondo keys evict 9c6f0e6f1b0e4c1f8f8a2d3f4b5c6d7e
                """)

        @Argument(
            help: ArgumentHelp("The node's id, or the beginning of it, from `rondo keys list`.", valueName: "node"))
        var node: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let (document, _) = try await client.document(MembersDocument.self, "/rondo/v1/members")
                let found = document.members.filter { $0.id.hasPrefix(node) }
                guard found.count <= 1 else {
                    throw ApplianceError(.failure, "'\(node)' is the beginning of \(found.count) ids; type more of it")
                }
                let id = found.first?.id ?? node
                _ = try await client.request(.post, "/rondo/v1/members/\(PathText.escaped(id))/evict")
                Console.out("rondo: node \(id) is shut out")
            }
        }
    }

    static func table(_ document: MembersDocument) -> String {
        var nodes = TextTable("NODE", "ROLE", "JOINED", "CONNECTED", "ID")
        for member in document.members {
            nodes.add(member.name, member.role, member.joinedAt, member.connected ? "yes" : "no", member.id)
        }
        var keys = TextTable("GOSSIP KEY", "USE")
        for key in document.keys { keys.add(key.id, key.seals ? "seals and opens" : "opens") }
        var text = nodes.text + "\n\n" + keys.text
        if !document.evicted.isEmpty {
            text += "\n\nevicted or left: " + document.evicted.map { String($0.prefix(12)) }.joined(separator: " ")
        }
        return text
    }
}

/// `GET /rondo/v1/members`.
struct MembersDocument: Decodable {
    struct Key: Decodable {
        var id: String
        var seals: Bool
    }

    struct Member: Decodable {
        var id: String
        var name: String
        var role: String
        var joinedAt: String
        var connected: Bool
    }

    var keys: [Key]
    var evicted: [String]
    var members: [Member]
}
