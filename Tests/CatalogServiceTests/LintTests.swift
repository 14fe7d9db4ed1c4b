import ImageStore
import Packages
import Testing

@testable import CatalogService

@Suite("What is wrong with packages")
struct LintTests {
    private static let healthy = #"""
        {"id": "web", "cpus": 0.1, "mem": 16, "instances": 1,
         "container": {"type": "DOCKER", "docker": {"image": "{{resource.assets.container.docker.web}}"}},
         "healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}}]}
        """#

    private struct Package {
        var version = "1"
        var release = 0
        var fields = #""maintainer": "m", "licenses": [{"name": "MIT", "url": "https://x.example"}]"#
        var image = "own/web:1"
        var config: String?
        var template = LintTests.healthy

        var tree: [(String, String)] {
            let place = "packages/W/web/\(release)"
            var files = [
                (
                    "\(place)/package.json",
                    #"{"packagingVersion": "4.0", "name": "web", "version": "\#(version)", "description": "d", "tags": [], \#(fields)}"#
                ),
                ("\(place)/resource.json", #"{"assets": {"container": {"docker": {"web": "\#(image)"}}}}"#),
                ("\(place)/marathon.json.mustache", template),
            ]
            if let config { files.append(("\(place)/config.json", config)) }
            return files
        }
    }

    private static func rules(_ packages: Package...) -> [String] {
        var tree = PackageTree()
        for (path, text) in packages.flatMap(\.tree) { tree.add(path, Array(text.utf8)) }
        return CatalogLint.findings(in: PackageRepository(tree, source: "test"))
            .map { "\($0.severity.rawValue) \($0.rule.rawValue)" }
    }

    @Test func `nothing is wrong with a good package`() {
        #expect(Self.rules(Package()) == [])
    }

    @Test func `each rule finds what it is for`() {
        let option = #"{"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}"#
        let needed =
            #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer", "default": 1}}, "required": ["a"]}"#
        #expect(Self.rules(Package(config: option)) == ["error defaults"])
        #expect(Self.rules(Package(config: needed)) == ["warning required"])
        #expect(Self.rules(Package(template: "{{#a}}")) == ["error template"])
        #expect(Self.rules(Package(template: "no JSON")) == ["error template"])
        #expect(Self.rules(Package(image: "own/web")) == ["error image"])
        #expect(Self.rules(Package(image: "own/web@sha256:" + String(repeating: "0", count: 64))) == [])
        #expect(Self.rules(Package(image: "Own/Web:1")).contains("error image"))
        #expect(Self.rules(Package(template: Self.healthy.replacing("16", with: "-1"))) == ["error app"])
        #expect(
            Self.rules(Package(template: Self.healthy.replacing("\"cpus\"", with: "\"what\": 1, \"cpus\"")))
                == ["warning unknown"])
        #expect(
            Self.rules(Package(template: Self.healthy.replacing("healthChecks", with: "x-healthChecks")))
                == ["warning unknown", "warning health"])
        #expect(
            Self.rules(
                Package(template: Self.healthy.replacing("{{resource.assets.container.docker.web}}", with: "a:1")))
                == ["warning asset"])
        #expect(Self.rules(Package(fields: #""maintainer": "m""#)) == ["warning licence"])
        #expect(
            Self.rules(Package(fields: #""maintainer": "", "licenses": [{"name": "x", "url": "y"}]"#))
                == ["warning maintainer"])
        #expect(Self.rules(Package(fields: #""maintainer": 1"#)) == ["error format"])
    }

    @Test func `versions are held against each other`() {
        #expect(Self.rules(Package(), Package(version: "2", release: 1)) == [])
        #expect(Self.rules(Package(), Package(version: "2", release: 3)) == ["warning gap"])
        #expect(Self.rules(Package(), Package(version: "1", release: 1)) == ["error duplicate"])
        let ways = Package().fields + #", "upgradesFrom": ["0.9", "*", "1"], "downgradesTo": ["0.8"]"#
        #expect(Self.rules(Package(fields: ways)) == ["warning upgrade", "warning upgrade"])
    }

    @Test func `nothing is wrong with the packages that come with the program`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let (versions, findings) = try CatalogLint.look(at: root + "/Catalog")
        #expect(versions >= 12)
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test func `a name is pinned with the tag that was meant`() throws {
        let digest = Digest(of: [])
        #expect(ImagePin.pinned("web", digest) == "web:latest@\(digest)")
        #expect(ImagePin.pinned("host:5000/own/web", digest) == "host:5000/own/web:latest@\(digest)")
        #expect(ImagePin.pinned("own/web:1", digest) == "own/web:1@\(digest)")
        #expect(ImagePin.pinned("web@\(digest)", digest) == nil)
        #expect(ImagePin.pinned("web:1", nil) == nil && ImagePin.pinned("Web:1", digest) == nil)
    }

    @Test func `an archive is an address that is stored and not fetched`() throws {
        let text = "rondo:archive/" + String(repeating: "a", count: 64)
        let address = try RepositoryAddress(text)
        #expect(address.text == text && !address.isElsewhere)
        #expect(throws: CatalogProblem.self) { try RepositoryAddress("rondo:archive/x") }
    }
}
