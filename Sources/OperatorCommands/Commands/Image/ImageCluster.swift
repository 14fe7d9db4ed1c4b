internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import HTTPTypes
internal import ImageStore

/// `rondo image cluster`.
struct ImageCluster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Show the images that the cluster keeps for its nodes.",
        discussion: """
            They are on the master's disk. Nodes ask for them there before they ask a registry.

              rondo image import saved.tar --cluster
              rondo image cluster
              rondo image cluster --remove web/app:2

            Images of a repository of packages go with it (`rondo catalog remove`).
            """)

    @Option(help: ArgumentHelp("Take an image away that was imported.", valueName: "name")) var remove: String?
    @OptionGroup var client: ClientOptions

    private struct Document: Decodable {
        struct Image: Decodable {
            var name: String
            var digest: String
            var keptFor: String
            var served: Bool
            var bytes: Int64
        }

        var images: [Image]
    }

    func run() async throws {
        let path = "/rondo/v1/catalog/images"
        let name = try remove.map(ImageOptions.reference)
        try await client.withClient { client in
            if let name {
                let query = "?name=" + PathText.escaped(name.description)
                return try Self.show(client, try await client.request(.delete, path + query, timeout: .seconds(120)))
            }
            try Self.show(client, try await client.request(.get, path))
        }
    }

    static func show(_ client: ClusterClient, _ bytes: [UInt8]) throws {
        if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
        let document = try CatalogClient(client).decode(Document.self, bytes)
        var table = TextTable("IMAGE", "DIGEST", "SIZE#", "KEPT FOR", "SERVED")
        for image in document.images {
            table.add(
                image.name, String(image.digest.prefix(19)), ImageText.bytes(image.bytes), image.keptFor,
                image.served ? "yes" : "no")
        }
        Console.out(table.text)
    }
}
