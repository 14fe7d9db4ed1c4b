import FoundationEssentials

@testable import Packages

/// The packages of `Fixtures`, each made for what it shows: `beacon` in all forms of packaging, `harbour-tool` without
/// a service, `lantern` with options of every kind, `ledger` with an option that somebody must give.
enum FixtureTree {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path

    /// All files by their paths.
    static let files: [(path: String, bytes: [UInt8])] = {
        let paths = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
        return paths.sorted().compactMap { path in
            FileManager.default.contents(atPath: directory + "/" + path).map { (path, Array($0)) }
        }.filter { !$0.bytes.isEmpty }
    }()

    static var tree: PackageTree {
        var tree = PackageTree()
        for (path, bytes) in files { tree.add(path, bytes) }
        return tree
    }

    static let repository = PackageRepository(tree, source: "https://packages.example/repo")
    static let catalog = PackageCatalog([repository])

    static func package(_ name: String, _ version: String? = nil) throws -> PackageDefinition {
        try catalog.find(name, version: version).package
    }
}

/// A repository of packages written by hand: each is a few fields over the least that one must have.
func repository(_ packages: [String], source: String = "https://one.example") throws -> PackageRepository {
    let all = try packages.map { fields in
        let least = try object(#"{"packagingVersion":"4.0","name":"a","version":"1","releaseVersion":0}"#)
        return JSON.object(try least.merging(object(fields)))
    }
    return try PackageRepository(json: JSON.object(JSONObject(["packages": .list(all)])).bytes, source: source)
}
