import Testing

@testable import Packages

@Suite("Definitions of packages")
struct DefinitionTests {
    private static let least = #"{"packagingVersion":"3.0","name":"kafka","version":"1.0"}"#

    private func read(_ changes: String) throws -> PackageDefinition {
        try PackageDefinition(.object(object(Self.least).merging(object(changes))))
    }

    @Test func `all forms of packaging are read, and what nobody knows is kept as it was written`() throws {
        #expect(FixtureTree.files.count == 25)
        #expect(FixtureTree.repository.refusals.isEmpty)
        #expect(FixtureTree.repository.count == 7)
        let forms = try ["1.0", "1.1", "1.2", "2.0-beta"].map { try FixtureTree.package("beacon", $0) }
        #expect(forms.map(\.packagingVersion) == [.v2, .v3, .v4, .v5])
        #expect(forms.map(\.releaseVersion) == [0, 1, 2, 3])
        #expect(forms.map { $0.minimumRelease?.description } == [nil, "1.8", "1.10", "2.0"])
        #expect(forms[0].json["command"] == .object(try object(#"{"pip":["beacon-cli==1.0"]}"#)))
        let new = try #require(forms[3].json["somethingNew"])
        #expect(String(decoding: new.bytes, as: UTF8.self) == #"{"kept":[1.0,1000.0,12345678901234567890]}"#)
        #expect(forms[3].json["manager"]?["packageName"] == .text("beacon-manager"))
    }

    @Test func `what is read of a definition`() throws {
        let package = try FixtureTree.package("beacon", "1.1")
        #expect(package.description == "Lights for ships. Finds them in fog.")
        #expect(package.tags == ["light", "sea"])
        #expect(package.isSelected == true)
        #expect(!package.isFramework)
        #expect(package.preInstallNotes == "It shines.")
        #expect(package.postInstallNotes == "It is lit.")
        #expect(package.postUninstallNotes == "It is dark.")
        #expect(package.images?["icon-small"] == .text("https://beacon.example/s.png"))
        #expect(package.template?.hasPrefix("{\n  \"id\": \"{{beacon.name}}\"") == true)
        #expect(try FixtureTree.package("harbour-tool").template == nil)
        #expect(try FixtureTree.package("harbour-tool").schema == nil)
    }

    @Test func `null stands for an absent field, as older servers write it`() throws {
        let nulls = [
            "selected", "framework", "tags", "config", "resource", "command", "marathon", "licenses", "releaseVersion",
            "minDcosReleaseVersion", "upgradesFrom", "downgradesTo", "preInstallNotes", "scm",
        ]
        let package = try read("{" + nulls.map { "\"\($0)\":null" }.joined(separator: ",") + "}")
        #expect(package.tags.isEmpty)
        #expect(package.template == nil)
        #expect(package.isSelected == nil)
    }

    @Test(arguments: [
        (#"{"packagingVersion":"1.0"}"#, "/packagingVersion"), (#"{"packagingVersion":"6.0"}"#, "/packagingVersion"),
        (#"{"packagingVersion":3}"#, "/packagingVersion"), (#"{"name":""}"#, "/name"), (#"{"name":7}"#, "/name"),
        (#"{"name":"../etc"}"#, "/name"), (#"{"name":"a/b"}"#, "/name"), (#"{"name":".a"}"#, "/name"),
        (#"{"name":"-a"}"#, "/name"), (#"{"name":"a b"}"#, "/name"), (#"{"name":"a\u0000"}"#, "/name"),
        (#"{"name":"<script>"}"#, "/name"), (#"{"name":"kafkä"}"#, "/name"), (#"{"name":"a\n"}"#, "/name"),
        (#"{"version":""}"#, "/version"), (#"{"version":1.0}"#, "/version"), (#"{"version":".."}"#, "/version"),
        (#"{"version":"1/../2"}"#, "/version"), (#"{"version":"1 2"}"#, "/version"),
        (#"{"version":"<b>"}"#, "/version"),
        (#"{"version":"$(id)"}"#, "/version"), (#"{"version":"*"}"#, "/version"), (#"{"version":"1\\2"}"#, "/version"),
        (#"{"releaseVersion":-1}"#, "/releaseVersion"), (#"{"releaseVersion":1.5}"#, "/releaseVersion"),
        (#"{"releaseVersion":"1"}"#, "/releaseVersion"), (#"{"releaseVersion":1e30}"#, "/releaseVersion"),
        (#"{"description":1}"#, "/description"), (#"{"maintainer":[]}"#, "/maintainer"), (#"{"tags":"a"}"#, "/tags"),
        (#"{"tags":[1]}"#, "/tags"), (#"{"selected":"yes"}"#, "/selected"), (#"{"framework":1}"#, "/framework"),
        (#"{"config":[]}"#, "/config"), (#"{"config":"{}"}"#, "/config"), (#"{"resource":1}"#, "/resource"),
        (#"{"command":[]}"#, "/command"), (#"{"marathon":"e30="}"#, "/marathon"), (#"{"licenses":{}}"#, "/licenses"),
        (#"{"marathon":{"v2AppMustacheTemplate":1}}"#, "/marathon/v2AppMustacheTemplate"),
        (#"{"marathon":{"v2AppMustacheTemplate":"%"}}"#, "/marathon/v2AppMustacheTemplate"),
        (#"{"marathon":{"v2AppMustacheTemplate":"//8="}}"#, "/marathon/v2AppMustacheTemplate"),
        (#"{"minDcosReleaseVersion":1.8}"#, "/minDcosReleaseVersion"),
        (#"{"minDcosReleaseVersion":"x"}"#, "/minDcosReleaseVersion"),
        (#"{"minDcosReleaseVersion":"1..2"}"#, "/minDcosReleaseVersion"), (#"{"upgradesFrom":"*"}"#, "/upgradesFrom"),
        (#"{"downgradesTo":[null]}"#, "/downgradesTo"), (#"{"preInstallNotes":{}}"#, "/preInstallNotes"),
    ])
    func `what is wrong with a definition is told with its place`(changes: String, path: String) {
        let refusal = #expect(throws: PackageRefusal.self) { try read(changes) }
        #expect(refusal?.defects.map(\.path) == [path])
    }

    @Test func `all that is wrong is told at once`() {
        let refusal = #expect(throws: PackageRefusal.self) { try PackageDefinition(.object(object(#"{"tags":1}"#))) }
        #expect(refusal?.defects.map(\.path) == ["/name", "/version", "/packagingVersion", "/tags"])
        #expect(throws: PackageRefusal.self) { try PackageDefinition(.list([])) }
    }

    @Test func `names and texts have a length`() throws {
        let long = String(repeating: "a", count: 129)
        #expect(throws: PackageRefusal.self) { try read("{\"name\":\"\(long)\"}") }
        #expect(throws: PackageRefusal.self) { try read("{\"version\":\"\(long)\"}") }
        #expect(try read("{\"name\":\"\(long.dropLast())\"}").name.count == 128)
        let huge = String(repeating: "a", count: 65_537)
        #expect(throws: PackageRefusal.self) { try read("{\"description\":\"\(huge)\"}") }
        let tags = JSONObject(["tags": .list(Array(repeating: .text("a"), count: 513))])
        #expect(throws: PackageRefusal.self) { try PackageDefinition(.object(object(Self.least).merging(tags))) }
        let template = Base64.text(Array(repeating: 0x20, count: Template.bytesMax + 1))
        #expect(throws: PackageRefusal.self) {
            try read("{\"marathon\":{\"v2AppMustacheTemplate\":\"\(template)\"}}")
        }
    }

    @Test func `versions that repositories have are taken`() throws {
        for version in [
            "1.0.0-2.4.0", "v1.7.0", "latest", "0.0.13-RELEASE.2018-10-06T00-15-16Z", "1.0+dfsg~1", "2_1:3",
        ] {
            #expect(try read("{\"version\":\"\(version)\"}").version == version)
        }
        for name in ["a", "9to5", "Cassandra", "a_b.c-d"] { #expect(try read("{\"name\":\"\(name)\"}").name == name) }
    }

    @Test(arguments: [
        ("1.8", "1.9", true), ("1.9", "1.10", true), ("1.10", "1.10", false), ("1.10", "1.10.0", false),
        ("1.10", "1.10.1", true), ("2.0", "1.13.9", false), ("1.10-dev", "1.10", false), ("1.10-dev", "1.11", true),
        ("0", "0.0.1", true), ("1", "2", true), ("1.13", "2", true),
    ])
    func `releases are ordered by their numbers`(left: String, right: String, isLess: Bool) throws {
        let (left, right) = (try #require(ReleaseNumber(left)), try #require(ReleaseNumber(right)))
        #expect((left < right) == isLess)
        #expect(!(right < left) || !isLess)
    }

    @Test(arguments: ["", ".", "1.", ".1", "a", "1.a", "1 ", "+1", "-1", "1-", "1.-", "99999999999999999999", "١"])
    func `what is no release is not taken for one`(text: String) {
        #expect(ReleaseNumber(text) == nil)
    }

    @Test func `media types name the form`() {
        #expect(PackagingVersion.v4.mediaType == "application/vnd.dcos.universe.package+json;charset=utf-8;version=v4")
    }

    @Test func `files of a folder are told apart from those that are wrong`() throws {
        var files = PackageFiles(releaseVersion: 3)
        #expect(throws: PackageRefusal.self) { try files.combined() }
        files[.package] = Array(Self.least.utf8)
        files[.oldTemplate] = Array("{}".utf8)
        let package = try files.combined()
        #expect(package.releaseVersion == 3)
        #expect(package.template == "{}")
        files[.template] = Array("{ }".utf8)
        files[.config] = Array("{".utf8)
        files[.resource] = Array("[]".utf8)
        let refusal = #expect(throws: PackageRefusal.self) { try files.combined() }
        #expect(refusal?.name == "kafka")
        #expect(refusal?.defects.map(\.path) == ["config.json"])
        files[.config] = nil
        #expect(throws: PackageRefusal.self) { try files.combined() }
        files[.resource] = nil
        #expect(try files.combined().template == "{ }")
    }
}
