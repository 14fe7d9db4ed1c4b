internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import HTTPTypes

/// `rondo catalog`.
struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "Say where packages come from.",
        discussion: """
            rondo catalog list
            rondo catalog add ours https://packages.example.org/repo.json --key KEY
            rondo catalog add disk file:///srv/catalog --index 0
            rondo catalog mirror packages.tar redis nginx
            rondo catalog add carried packages.tar
            rondo catalog refresh
            rondo catalog remove ours

            A package that several repositories have comes from the first of them.
            """,
        subcommands: [
            CatalogList.self, CatalogAdd.self, CatalogRemove.self, CatalogRefresh.self, CatalogBuild.self,
            CatalogPush.self, CatalogLintCommand.self, CatalogMirrorCommand.self, CatalogKey.self,
        ])

    static func show(_ client: ClusterClient, _ bytes: [UInt8]) throws {
        if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
        let catalog = try CatalogClient(client).decode(CatalogDocument.self, bytes)
        var table = TextTable("REPOSITORY", "PACKAGES#", "VERSIONS#", "SIGNED", "FETCHED", "ADDRESS", "PROBLEM")
        for repository in catalog.repositories {
            table.add(
                repository.name, String(repository.packages), String(repository.versions),
                repository.key == nil ? "no" : "yes", Words.time(repository.fetchedAt), repository.uri,
                repository.problem)
        }
        Console.out(table.text)
    }
}

/// `/rondo/v1/catalog`.
struct CatalogDocument: Decodable {
    struct Repository: Decodable {
        var name: String
        var uri: String
        var packages: Int
        var versions: Int
        var key: String?
        var fetchedAt: String?
        var problem: String?
    }

    var repositories: [Repository]
}

/// `rondo catalog list`.
struct CatalogList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List repositories, in the order in which packages are looked for.",
        discussion: """
            rondo catalog list
            rondo catalog list --output json
            """)

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            try CatalogCommand.show(client, try await client.request(.get, "/rondo/v1/catalog"))
        }
    }
}

/// `rondo catalog add`.
struct CatalogAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a repository.",
        discussion: """
            The address is a repository document or a zip archive (https://…), an artifact in a registry
            (oci://HOST/NAME:TAG), or a folder on the master's machine (file:///…).

              rondo catalog add ours https://packages.example.org/repo.json --key KEY
              rondo catalog add rack oci://registry.rack:5000/catalog:1
              rondo catalog add carried packages.tar

            An archive that `rondo catalog mirror` has made is sent to the master, which keeps its images for all nodes:
            they need no registry then.

            With --key each package must be signed with that key.
            """)

    @Argument(help: "What the repository is called.") var name: String
    @Argument(help: "Where it is, or an archive on this machine.") var address: String
    @Option(help: ArgumentHelp("Where it goes in the list; 0 is the front. (default: the end)", valueName: "number"))
    var index: Int?
    @Option(help: ArgumentHelp("The key that its packages are signed with.", valueName: "key")) var key: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        if CatalogUpload.isFile(address) {
            var query = "name=\(PathText.escaped(name))"
            if let index { query += "&index=\(index)" }
            if let key { query += "&key=\(PathText.escaped(key))" }
            let path = "/rondo/v1/catalog/archives?" + query
            return try await client.withClient { client in
                try CatalogCommand.show(client, try await CatalogUpload.send(client, path, address))
            }
        }
        var body: [String: JSONValue] = ["name": .text(name), "uri": .text(address)]
        if let index { body["index"] = .integer(Int64(index)) }
        if let key { body["key"] = .text(key) }
        let wanted = body
        try await client.withClient { client in
            _ = try await CatalogClient(client).ask("package.repository.add", wanted)
            try CatalogCommand.show(client, try await client.request(.get, "/rondo/v1/catalog"))
        }
    }
}

/// `rondo catalog remove`.
struct CatalogRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a repository out of the list. What is installed from it stays.",
        discussion: """
            rondo catalog remove ours

            The images that came with it in an archive go, too, but for those that services have: these stay until no
            service has them.
            """)

    @Argument(help: "The repository.") var name: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            _ = try await CatalogClient(client).ask("package.repository.delete", ["name": .text(name)])
            try CatalogCommand.show(client, try await client.request(.get, "/rondo/v1/catalog"))
        }
    }
}

/// `rondo catalog refresh`.
struct CatalogRefresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh", abstract: "Fetch all repositories again, now.", discussion: "rondo catalog refresh")

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let bytes = try await client.request(.post, "/rondo/v1/catalog/refresh", timeout: .seconds(300))
            try CatalogCommand.show(client, bytes)
        }
    }
}
