import Testing

@testable import Packages

@Suite("Images of packages")
struct PackageImagesTests {
    private static func package(
        _ name: String = "web", _ version: String = "1", release: Int = 0, images: String = #"{"web": "own/web:1"}"#,
        template: String? = nil
    ) throws -> PackageDefinition {
        let text =
            template ?? #"{"id": "x", "container": {"docker": {"image": "{{resource.assets.container.docker.web}}"}}}"#
        let source = Base64.text(Array(text.utf8))
        let json =
            #"{"packagingVersion":"3.0","name":"\#(name)","version":"\#(version)","releaseVersion":\#(release),"#
            + #""maintainer":"m","description":"d","tags":[],"signature":"s","#
            + #""resource":{"assets":{"container":{"docker":\#(images)}}},"#
            + #""marathon":{"v2AppMustacheTemplate":"\#(source)"}}"#
        return try PackageDefinition(JSON(parsing: Array(json.utf8), limits: PackageLimits.package))
    }

    @Test func `images are those of assets and of the app that defaults make, each once`() throws {
        #expect(try Self.package().imageNames == ["own/web:1"])
        let two = try Self.package(images: #"{"web": "own/web:1", "side": "own/side:2", "n": 3}"#)
        #expect(two.imageNames == ["own/web:1", "own/side:2"])
        let own = try Self.package(template: #"{"id": "x", "container": {"docker": {"image": "other:3"}}}"#)
        #expect(own.imageNames == ["own/web:1", "other:3"])
        let pod = try Self.package(
            template: #"{"id": "x", "containers": [{"image": {"id": "a:1"}}, {}, {"image": {"id": "b:2"}}]}"#)
        #expect(pod.imageNames == ["own/web:1", "a:1", "b:2"])
        #expect(try Self.package(template: "{{broken").imageNames == ["own/web:1"])
    }

    @Test func `what has other images has no signature any more, and the rest is as it was`() throws {
        let package = try Self.package(images: #"{"web": "own/web:1", "side": "own/side:2"}"#)
        let changed = package.replacingImages { $0 == "own/web:1" ? $0 + "@sha256:x" : nil }
        #expect(changed.dockerAssets.map(\.image) == ["own/web:1@sha256:x", "own/side:2"])
        #expect(changed.json["signature"] == nil && changed.json["description"] == package.json["description"])
        #expect(package.replacingImages { _ in nil } == package)
        #expect(package.replacingImages { $0 } == package)
    }

    @Test func `packages are chosen by name and version`() throws {
        let repository = PackageRepository(
            [
                try Self.package("a", "1"), try Self.package("a", "2", release: 1), try Self.package("b", "1"),
            ], source: "x")
        func chosen(_ words: [String], all: Bool = false) -> ([String], [String]) {
            let (packages, missing) = PackageSelection(words, allVersions: all).choose(from: repository)
            return (packages.map { "\($0.name) \($0.version)" }, missing)
        }
        #expect(chosen([]) == (["a 2", "b 1"], []))
        #expect(chosen([], all: true) == (["a 2", "a 1", "b 1"], []))
        #expect(chosen(["a@1", "a@1"]) == (["a 1"], []))
        #expect(chosen(["a", "a@1"], all: true) == (["a 2", "a 1"], []))
        #expect(chosen(["b", "c", "a@3", "@", ""]) == (["b 1"], ["c", "a@3", "@", ""]))
    }

    @Test func `of several repositories the first one's version counts`() throws {
        let first = PackageRepository([try Self.package("a", "1")], source: "one")
        let second = PackageRepository(
            [try Self.package("a", "1", images: "{}"), try Self.package("a", "2", release: 1)], source: "two")
        let merged = PackageRepository.merged([first, second])
        #expect(merged.count == 2)
        #expect(merged.packages.first { $0.version == "1" }?.dockerAssets.count == 1)
    }
}
