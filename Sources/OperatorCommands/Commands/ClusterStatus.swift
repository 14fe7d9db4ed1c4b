internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import HTTPTypes

extension ClusterCommand {
    /// `rondo cluster status`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the cluster and its nodes.",
            discussion: """
                rondo cluster status
                rondo cluster status --output json
                """)

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.withClient { client in
                let (cluster, clusterBytes) = try await client.document(ClusterDocument.self, "/rondo/v1/cluster")
                let (nodes, nodeBytes) = try await client.document(NodesDocument.self, "/rondo/v1/nodes")
                guard client.isJSON else { return Console.out(Self.text(cluster, nodes)) }
                let both: JSONValue = [
                    "cluster": try JSONValue(parsing: clusterBytes),
                    "nodes": try JSONValue(parsing: nodeBytes)["nodes"] ?? [],
                ]
                Console.out(String(decoding: try both.encoded(), as: UTF8.self))
            }
        }

        static func text(_ cluster: ClusterDocument, _ nodes: NodesDocument) -> String {
            var facts = TextFacts()
            facts.add("cluster", "\(cluster.name) (\(cluster.id))")
            facts.add(
                "master",
                "\(cluster.leader.hostname) at \(cluster.leader.address):\(cluster.leader.port), "
                    + "release \(cluster.version), since \(Words.time(cluster.startedAt) ?? "-")")
            let states = cluster.nodes.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            facts.add("nodes", states.isEmpty ? "none" : states.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
            facts.add(
                "frameworks",
                "\(cluster.frameworks.connected) connected, \(cluster.frameworks.disconnected) disconnected")
            facts.add("tasks", "\(cluster.tasks)")
            return facts.text + "\n\n" + NodeCommand.table(nodes)
        }
    }

    /// `rondo cluster token`.
    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make, list and revoke the tokens that let machines in.",
            discussion: """
                For the administrator: on the master's machine, or with its credential in RONDO_TOKEN.

                  rondo cluster token create --expires 1h --uses 3
                  rondo cluster token list
                  rondo cluster token revoke 3f2a9c0d11e4
                """,
            subcommands: [Create.self, List.self, Revoke.self])

        struct Create: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make a token and print the line that uses it.",
                discussion: "rondo cluster token create --expires 1h --uses 3")

            @Option(help: ArgumentHelp("How long it works.", valueName: "time")) var expires = "1h"
            @Option(help: ArgumentHelp("How many machines it lets in.", valueName: "number")) var uses = 1
            @OptionGroup var client: ClientOptions

            func run() async throws {
                guard let lifetime = Duration(text: expires) else {
                    throw ValidationError("--expires takes a time with a unit, such as 30m, 1h or 7d")
                }
                let seconds = Double(lifetime.components.seconds)
                try await client.withClient { client in
                    let wanted: JSONValue = [
                        "role": "agent", "lifetimeSeconds": .number(seconds), "uses": .integer(Int64(uses)),
                    ]
                    let bytes = try await client.request(.post, "/rondo/v1/tokens", body: wanted)
                    if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
                    let made = try JSONDecoder().decode(NewTokenDocument.self, from: Data(bytes))
                    let leader = try await client.document(ClusterDocument.self, "/rondo/v1/cluster").0.leader
                    Console.out(
                        """
                        rondo cluster join \(leader.address):\(leader.port) --token \(made.token)
                        """)
                    Console.note("works until \(Words.time(made.expiresAt) ?? "-"), \(made.usesLeft) times")
                }
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the tokens; their text is not kept.", discussion: "rondo cluster token list")

            @OptionGroup var client: ClientOptions

            func run() async throws {
                try await client.withClient { client in
                    try await client.show(TokensDocument.self, "/rondo/v1/tokens") { document in
                        var table = TextTable("ID", "ROLE", "USES LEFT#", "EXPIRES")
                        for token in document.tokens {
                            table.add(token.id, token.role, "\(token.usesLeft)", Words.time(token.expiresAt))
                        }
                        return table.text
                    }
                }
            }
        }

        struct Revoke: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "End a token.", discussion: "rondo cluster token revoke 3f2a9c0d11e4")

            @Argument(help: "The token's id.") var id: String
            @OptionGroup var client: ClientOptions

            func run() async throws {
                try await client.withClient { client in
                    _ = try await client.request(.delete, "/rondo/v1/tokens/\(PathText.escaped(id))")
                }
            }
        }
    }
}
