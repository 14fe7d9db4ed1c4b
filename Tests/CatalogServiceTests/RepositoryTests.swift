import CCatalog
import ClusterModel
import Identity
import ImageStore
import LinuxSystem
import Logging
import Packages
import StateStore
import Testing

@testable import CatalogService

/// A folder of packages and a desk over it, removed afterwards.
private struct Fixture {
    let root: String
    let store = MemoryStore()

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        var generator = SystemRandomNumberGenerator()
        let root = "/tmp/rondo-catalog-test-\(generator.next() as UInt64)"
        try makeDirectories(root)
        let result: Result<Void, any Error>
        do { result = .success(try await body(Fixture(root: root))) } catch { result = .failure(error) }
        try removeTree(root)
        try result.get()
    }

    var folder: String { root + "/folder" }

    func publish(_ name: String, _ number: Int, version: String, description: String = "what it is") throws {
        let path = "\(folder)/packages/\(name.prefix(1).uppercased())/\(name)/\(number)"
        try makeDirectories(path)
        let package =
            #"{"packagingVersion":"3.0","name":"\#(name)","version":"\#(version)","maintainer":"m","description":"\#(description)","tags":["t"]}"#
        try writeFileAtomically(path + "/package.json", Array(package.utf8))
    }

    func desk() -> RepositoryDesk {
        RepositoryDesk(
            store: store, shelf: DocumentShelf(directory: root + "/shelf"),
            fetcher: RepositoryFetcher(
                builtIn: { Array(#"{"packages":[]}"#.utf8) }, settings: RegistrySettings(), transport: nil),
            release: nil, now: { UnixTime(seconds: 1_000) }, logger: Logger(label: "test"))
    }

    func record(_ name: String = "ours") throws -> RepositoryRecord {
        RepositoryRecord(name: name, address: try RepositoryAddress("file://" + folder))
    }
}

@Suite("Repositories of packages")
struct RepositoryTests {
    @Test(
        arguments: [
            ("rondo:built-in", "rondo:built-in"), ("/srv/catalog", "file:///srv/catalog"),
            ("file:///srv/catalog", "file:///srv/catalog"), ("https://a.example/x.json", "https://a.example/x.json"),
            ("oci://h:5000/a/b:1", "oci://h:5000/a/b:1"),
        ])
    func `addresses are read and shown`(text: String, shown: String) throws {
        #expect(try RepositoryAddress(text).text == shown)
    }

    @Test(arguments: [
        "", "ftp://a/b", "file://a", "/", "a/b", "https://a b", "oci://nothing", "http://\u{7f}", "rondo:x",
    ])
    func `what is no address is refused`(text: String) {
        #expect(throws: CatalogProblem.self) { try RepositoryAddress(text) }
    }

    @Test func `a repository is added, kept over a restart without its place, and removed`() async throws {
        try await Fixture.with { fixture in
            try fixture.publish("redis", 0, version: "7.0")
            try fixture.publish("redis", 1, version: "7.2")
            let desk = fixture.desk()
            try await desk.load()
            #expect(desk.repositories.map(\.record.name) == ["Rondo"])
            try await desk.add(try fixture.record(), at: 0)
            #expect(desk.repositories.map(\.record.name) == ["ours", "Rondo"])
            #expect(desk.catalog.versions(of: "redis").map(\.version) == ["7.2", "7.0"])
            // The folder is gone and the master starts again.
            try removeTree(fixture.folder)
            let second = fixture.desk()
            try await second.load()
            #expect(second.catalog.versions(of: "redis").map(\.version) == ["7.2", "7.0"])
            await second.refresh()
            #expect(second.repositories[0].problem?.contains("packages") == true)
            #expect(second.catalog.versions(of: "redis").count == 2)
            try await second.remove(name: "ours", uri: nil)
            #expect(second.catalog.names.isEmpty)
            #expect(try listDirectory(fixture.root + "/shelf").isEmpty)
        }
    }

    @Test func `a published version does not change, and new ones come`() async throws {
        try await Fixture.with { fixture in
            try fixture.publish("redis", 0, version: "7.0", description: "as it was")
            let desk = fixture.desk()
            try await desk.load()
            try await desk.add(try fixture.record(), at: nil)
            try fixture.publish("redis", 0, version: "7.0", description: "something else")
            try fixture.publish("redis", 1, version: "7.2")
            await desk.refresh()
            #expect(try desk.catalog.find("redis", version: "7.0").package.description == "as it was")
            #expect(try desk.catalog.find("redis").package.version == "7.2")
            let problem = try #require(desk.repositories.last?.problem)
            #expect(problem.contains("changed") && problem.contains("redis 7.0"))
        }
    }

    @Test func `names and addresses come once, and places are within the list`() async throws {
        try await Fixture.with { fixture in
            try fixture.publish("redis", 0, version: "7.0")
            let desk = fixture.desk()
            try await desk.load()
            try await desk.add(try fixture.record(), at: nil)
            func problem(_ record: RepositoryRecord, at index: Int? = nil) async -> String? {
                do { try await desk.add(record, at: index) } catch { return (error as? CatalogProblem)?.type }
                return nil
            }
            #expect(await problem(try fixture.record("other")) == "RepositoryAlreadyPresent")
            let elsewhere = RepositoryRecord(name: "ours", address: .folder("/nowhere"))
            #expect(await problem(elsewhere) == "RepositoryAlreadyPresent")
            let missing = RepositoryRecord(name: "missing", address: .folder("/nowhere"))
            #expect(await problem(missing) == "RepositoryUriConnection")
            #expect(await problem(missing, at: 3) == "RepositoryAddIndexOutOfBounds")
            #expect(await problem(missing, at: -1) == "RepositoryAddIndexOutOfBounds")
            #expect(desk.repositories.count == 2)
            await #expect(throws: CatalogProblem.self) { try await desk.remove(name: "missing", uri: nil) }
        }
    }

    @Test func `entries count only with the signature of the key that was given`() async throws {
        try await Fixture.with { fixture in
            try fixture.publish("redis", 0, version: "7.0")
            let (key, other) = (NodeKey(), NodeKey())
            let folder = try await RepositoryBuilding.repository(
                .folder(fixture.folder), builtIn: { [] }, settings: RegistrySettings())
            #expect(folder.count == 1 && folder.refusals.isEmpty)
            let document = try RepositoryBuilding.document(of: Array(folder.packages), key: key)
            let repository = try RepositoryBuilding.repository(document, source: "/")
            let entry = try #require(repository.packages.first(where: { _ in true })?.json)
            #expect(EntryKey(key).verifies(entry) && !EntryKey(other).verifies(entry))
            #expect(EntryKey(EntryKey(key).text) == EntryKey(key))
            // The order of fields means nothing; every value counts.
            var turned = JSONObject()
            for field in Array(entry.fields).reversed() { turned[field.name] = field.value }
            #expect(EntryKey(key).verifies(turned))
            for field in entry.fields where field.name != "signature" {
                var changed = entry
                changed[field.name] = .text("x")
                #expect(!EntryKey(key).verifies(changed), "\(field.name)")
                changed[field.name] = nil
                #expect(!EntryKey(key).verifies(changed), "\(field.name)")
            }
            for wrong in ["", "AAAA", "!", String(repeating: "A", count: 4_000)] {
                var changed = entry
                changed["signature"] = .text(wrong)
                #expect(!EntryKey(key).verifies(changed))
            }
            // A folder is not signed, so nothing of it counts where a key is asked for.
            let desk = fixture.desk()
            try await desk.load()
            var record = try fixture.record()
            record.key = EntryKey(key)
            await #expect(throws: CatalogProblem.self) { try await desk.add(record, at: nil) }
        }
    }

    @Test func `a document that was damaged on disk is fetched again and not used`() async throws {
        try await Fixture.with { fixture in
            try fixture.publish("redis", 0, version: "7.0")
            let desk = fixture.desk()
            try await desk.load()
            try await desk.add(try fixture.record(), at: nil)
            let name = try #require(try listDirectory(fixture.root + "/shelf").first)
            try writeFileAtomically("\(fixture.root)/shelf/\(name)", Array(#"{"packages":[]}"#.utf8))
            let second = fixture.desk()
            try await second.load()
            #expect(second.repositories.last?.problem != nil && second.catalog.names.isEmpty)
            await second.refresh()
            #expect(second.repositories.last?.problem == nil && second.catalog.names == ["redis"])
        }
    }

    @Test func `what comes with the program is what the folder Catalog has`() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let repository = try await RepositoryBuilding.repository(
            .folder(root + "/Catalog"), builtIn: { [] }, settings: RegistrySettings())
        #expect(repository.refusals.isEmpty && repository.count >= 12)
        let document = try RepositoryBuilding.document(of: Array(repository.packages), key: nil)
        let bytes = try #require(rondo_catalog_bytes())
        let embedded = Array(UnsafeBufferPointer(start: bytes, count: rondo_catalog_length()))
        #expect(embedded == document, "run `make catalog`")
    }

    @Test(arguments: ["", "A", String(repeating: "A", count: 44), String(repeating: "!", count: 44)])
    func `what is no key is refused`(text: String) { #expect(EntryKey(text) == nil) }
}
