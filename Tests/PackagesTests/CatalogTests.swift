import Testing

@testable import Packages

@Suite("The catalog")
struct CatalogTests {
    @Test func `a combined repository has the packages of the folders it is made of`() throws {
        let folders = FixtureTree.repository
        let all = try (0..<folders.count).map { JSON.object(try folders[$0].json) }
        let text = JSON.object(JSONObject(["before": .list([.text("]")]), "packages": .list(all), "after": .null]))
            .bytes
        let combined = try PackageRepository(json: text, source: "x")
        #expect(combined.refusals.isEmpty)
        #expect(combined.count == folders.count)
        for number in 0..<folders.count { #expect(try combined[number] == folders[number]) }
        #expect(throws: PackageRefusal.self) { try combined[folders.count] }
    }

    @Test func `an empty repository is one`() throws {
        #expect(try PackageRepository(json: Array(#" { "packages" : [ ] } "#.utf8), source: "").count == 0)
    }

    @Test func `a package that is wrong does not keep the others out`() throws {
        let deep = String(repeating: "[", count: 80) + String(repeating: "]", count: 80)
        let text = #"""
            {"packages":[{"packagingVersion":"3.0","name":"good","version":"1"},7,[],{"name":"no"},{"name":"]}",},
             {"packagingVersion":"3.0","name":"../x","version":"1"},"text",null,
             {"packagingVersion":"3.0","name":"deep","version":"1","x":\#(deep)},
             {"packagingVersion":"4.0","name":"also-good","version":"2","description":"} ] \" {"}]}
            """#
        let repository = try PackageRepository(json: Array(text.utf8), source: "x")
        #expect(repository.count == 2)
        #expect(repository.refusals.count == 8)
        #expect(PackageCatalog([repository]).names == ["also-good", "good"])
    }

    @Test func `without a version the newest is found, by its release version`() throws {
        let catalog = PackageCatalog([
            try repository([
                #"{"version":"9","releaseVersion":1}"#, #"{"version":"2","releaseVersion":10}"#,
                #"{"version":"3","releaseVersion":9}"#,
            ])
        ])
        #expect(try catalog.find("a").package.version == "2")
        #expect(try catalog.find("a", version: "9").package.releaseVersion == 1)
        #expect(catalog.versions(of: "a").map(\.version) == ["2", "3", "9"])
        #expect(catalog.versions(of: "b").isEmpty)
        #expect(throws: CatalogError.packageNotFound(name: "b")) { try catalog.find("b") }
        #expect(throws: CatalogError.packageNotFound(name: "b")) { try catalog.find("b", version: "1") }
        #expect(throws: CatalogError.versionNotFound(name: "a", version: "1")) { try catalog.find("a", version: "1") }
        #expect("\(CatalogError.packageNotFound(name: "x"))" == "Package [x] not found")
    }

    @Test func `a version that was published twice is that of the larger release version`() throws {
        let catalog = PackageCatalog([
            try repository([
                #"{"releaseVersion":1,"description":"old"}"#, #"{"releaseVersion":2,"description":"new"}"#,
                #"{"releaseVersion":2,"description":"same"}"#,
            ])
        ])
        #expect(catalog.count == 1)
        #expect(try catalog.find("a").package.description == "new")
    }

    @Test func `the first repository counts most`() throws {
        let one = try repository([#"{"version":"1","releaseVersion":1,"description":"one"}"#], source: "one")
        let two = try repository(
            [
                #"{"version":"1","releaseVersion":5,"description":"two"}"#, #"{"version":"2","releaseVersion":9}"#,
                #"{"name":"b","version":"1"}"#,
            ], source: "two")
        let catalog = PackageCatalog([one, two])
        #expect(catalog.count == 3)
        #expect(try catalog.find("a").source == "one")
        #expect(try catalog.find("a", version: "2").source == "two")
        #expect(try catalog.find("b").source == "two")
        #expect(catalog.versions(of: "a").map(\.version) == ["1", "2"])
        #expect(try PackageCatalog([two, one]).find("a").package.version == "2")
        #expect(PackageCatalog([]).search("").isEmpty)
    }

    @Test func `packages that ask for a newer cluster are not offered, and it is said why`() throws {
        let catalog = PackageCatalog([FixtureTree.repository], release: ReleaseNumber("1.9"))
        #expect(try catalog.find("beacon").package.version == "1.1")
        #expect(catalog.versions(of: "beacon").map(\.version) == ["1.1", "1.0"])
        let release = try #require(ReleaseNumber("2.0"))
        #expect(throws: CatalogError.needsRelease(name: "beacon", version: "2.0-beta", release: release)) {
            try catalog.find("beacon", version: "2.0-beta")
        }
        #expect(throws: CatalogError.versionNotFound(name: "beacon", version: "7")) {
            try catalog.find("beacon", version: "7")
        }
        let old = try repository([#"{"minDcosReleaseVersion":"3.0"}"#])
        #expect(throws: CatalogError.self) { try PackageCatalog([old], release: ReleaseNumber("1.9")).find("a") }
        #expect(try PackageCatalog([old], release: ReleaseNumber("3.0.1")).find("a").package.name == "a")
    }

    @Test func `upgrades and downgrades are those that one of both versions names`() throws {
        let catalog = FixtureTree.catalog
        #expect(catalog.upgrades(of: "beacon", from: "1.1") == ["2.0-beta", "1.2"])
        #expect(catalog.upgrades(of: "beacon", from: "0.9-gone") == ["2.0-beta"])
        #expect(catalog.upgrades(of: "none", from: "1").isEmpty)
        #expect(try catalog.downgrades(of: FixtureTree.package("beacon", "1.2")) == ["1.1", "1.0"])
        #expect(try catalog.downgrades(of: FixtureTree.package("beacon")) == ["2.0-beta", "1.2", "1.1", "1.0"])
        #expect(try catalog.downgrades(of: FixtureTree.package("beacon", "1.0")).isEmpty)
        let installed = try FixtureTree.package("beacon", "1.1")
        #expect(try catalog.update(installed, to: "1.2").package.version == "1.2")
        #expect(try catalog.update(installed, to: "1.1").package.version == "1.1")
        #expect(throws: CatalogError.updateNotAllowed(name: "beacon", from: "1.1", to: "1.0")) {
            try catalog.update(installed, to: "1.0")
        }
        #expect(try catalog.update(FixtureTree.package("beacon", "1.2"), to: "1.0").package.version == "1.0")
        #expect(throws: CatalogError.versionNotFound(name: "beacon", version: "5")) {
            try catalog.update(installed, to: "5")
        }
    }

    @Test func `a description is the package as the repository has it`() throws {
        let text = try #require(FixtureTree.catalog.text(of: "beacon", version: "1.1"))
        #expect(
            try PackageDefinition(json(String(decoding: text, as: UTF8.self))) == FixtureTree.package("beacon", "1.1"))
        #expect(FixtureTree.catalog.text(of: "beacon", version: "5") == nil)
        #expect(FixtureTree.catalog.text(of: "none") == nil)
    }

    // MARK: searching

    private func found(_ query: String, _ order: SearchOrder = .selectedFirst) -> [String] {
        FixtureTree.catalog.search(query, order: order).map(\.name)
    }

    @Test(arguments: [
        ("", ["lantern", "beacon", "harbour-tool", "ledger"]), ("beacon", ["beacon"]), ("BEACON", ["beacon"]),
        ("aco", ["beacon"]), ("light", ["lantern", "beacon", "harbour-tool"]), ("fog", ["beacon"]),
        ("cli", ["harbour-tool"]),
        ("nothing", []), ("l*", ["lantern", "beacon", "ledger"]), ("*er", ["ledger"]),
        ("*", ["lantern", "beacon", "harbour-tool", "ledger"]),
        ("**", ["lantern", "beacon", "harbour-tool", "ledger"]), ("b*c*n", ["beacon"]), ("b*x*n", []),
        ("beacon*", ["beacon"]),
        ("*beacon", ["beacon"]), ("bea*acon", []), ("*OPTIONS*", ["lantern"]), ("Needs*as it is.", ["ledger"]),
        (".*", []),
        ("lan.ern", []), ("(", ["ledger"]), ("((", []), ("[a-z]", []), ("<script>", ["ledger"]), ("\u{0}", []),
    ])
    func `searches find names, tags and descriptions`(query: String, names: [String]) {
        #expect(found(query) == names)
    }

    @Test func `the best comes first when it is asked for`() throws {
        let catalog = PackageCatalog([
            try repository([
                #"{"name":"a","description":"uses spark"}"#, #"{"name":"b","tags":["sparkling"]}"#,
                #"{"name":"c","tags":["spark"]}"#,
                #"{"name":"my-spark"}"#, #"{"name":"spark-history","selected":true}"#, #"{"name":"spark"}"#,
                #"{"name":"d"}"#,
            ])
        ])
        let best = catalog.search("Spark", order: .bestFirst).map(\.name)
        #expect(best == ["spark", "spark-history", "my-spark", "c", "b", "a"])
        #expect(catalog.search("Spark").map(\.name) == ["spark-history", "a", "b", "c", "my-spark", "spark"])
    }

    @Test func `a result says what the newest version is`() throws {
        let result = try #require(FixtureTree.catalog.search("beacon").first)
        #expect(result.currentVersion == "2.0-beta")
        #expect(result.tags == ["light", "sea"])
        #expect(result.isSelected == nil)
        #expect(result.images?["icon-small"] != nil)
        #expect(FixtureTree.catalog.search(String(repeating: "a", count: 257)).isEmpty)
    }

    // MARK: paths

    @Test(arguments: [
        "packages/K/kafka/12/config.json", "./packages/K/kafka/12/config.json", "repo/packages/K/kafka/12/config.json",
        "universe-version-3.x/repo/packages/K/kafka/012/config.json", "packages/k/kafka/12/config.json",
    ])
    func `files of packages are known by their paths`(path: String) {
        #expect(PackageTree.place(of: path) == PackageTree.Place(package: "kafka", release: 12, file: .config))
    }

    @Test(arguments: [
        "", "/", "packages", "config.json", "packages/K/kafka/12/other.json", "packages/K/kafka/12/config.json/x",
        "packages/K/kafka/12/../config.json", "../packages/K/kafka/12/config.json",
        "a/../packages/K/kafka/12/config.json",
        "/packages/K/kafka/12/config.json", "packages/K/kafka/-1/config.json", "packages/K/kafka/1.0/config.json",
        "packages/K/kafka//config.json", "packages/K//12/config.json", "packages//kafka/12/config.json",
        "packages/K/../12/config.json", "packages/./.ssh/12/config.json", "packages/X/kafka/12/config.json",
        "packages/K/kafka/99999999999999999999/config.json", "packages/K/ka\u{0}fka/12/config.json",
        "packages/K/k\\..\\x/12/config.json", "packages/K/kafka/12/CONFIG.JSON",
        "a/b/c/d/packages/K/kafka/12/config.json",
        "packages/KK/kafka/12/config.json", "packages/K/kafka/١/config.json",
        "packages/packages/K/kafka/12/config.json",
    ])
    func `other paths mean nothing`(path: String) {
        #expect(PackageTree.place(of: path) == nil)
        var tree = PackageTree()
        let isTaken = tree.add(path, Array("{}".utf8))
        #expect(isTaken)
        #expect(PackageRepository(tree, source: "").count == 0)
    }

    @Test func `folders whose files are wrong are named`() {
        var tree = PackageTree()
        tree.add("packages/A/alpha/0/config.json", [])
        tree.add("packages/B/beta/0/package.json", Array("{".utf8))
        let repository = PackageRepository(tree, source: "")
        #expect(repository.count == 0)
        #expect(repository.refusals.map(\.name) == ["alpha/0", "beta/0"])
    }
}
