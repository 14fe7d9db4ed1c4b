import LinuxSystem
import Testing

@testable import ImageStore

@Suite("Images that are kept for other machines")
struct ImageShelfTests {
    private struct Bench {
        let scratch: Scratch
        let maker: ImageStore
        let shelf: ImageShelf

        init() throws {
            scratch = try Scratch()
            maker = try ImageStore(root: scratch.path + "/maker")
            shelf = try ImageShelf(root: scratch.path + "/shelf")
        }

        /// Makes images and writes them into an archive.
        func archive(_ names: [String], documents: [LayoutDocument] = [], word: String = "") async throws -> String {
            var images: [NamedImage] = []
            for name in names {
                try scratch.unpack(TarBytes.make { $0.file("word", word + name) })
                let reference = try ImageReference(parsing: name)
                images.append(
                    NamedImage(try await maker.build(fromRoot: scratch.tree, config: ImageConfig(), as: reference)))
            }
            let path = scratch.path + "/images.tar"
            try await maker.export(images, documents: documents, to: path)
            return path
        }

        func blobs() throws -> Int { try listDirectory(scratch.path + "/shelf/blobs/sha256").count }
    }

    @Test func `an archive has each blob once and its documents, and is read by import, too`() async throws {
        let bench = try Bench()
        let document = LayoutDocument(type: "application/vnd.x+json", bytes: Array("{}\n".utf8))
        try bench.scratch.unpack(TarBytes.make { $0.file("word") })
        var images: [NamedImage] = []
        for name in ["x.example/a:1", "x.example/b:2"] {
            let reference = try ImageReference(parsing: name)
            images.append(
                NamedImage(
                    try await bench.maker.build(fromRoot: bench.scratch.tree, config: ImageConfig(), as: reference)))
        }
        let path = bench.scratch.path + "/both.tar"
        let bytes = try await bench.maker.export(images, documents: [document], to: path)
        #expect(bytes == images[0].image.size + images[0].image.manifest.config.size)
        let content = try await bench.shelf.take(path, documents: .init(type: document.type, limit: 100))
        #expect(content.documents == [document])
        #expect(content.images.map(\.name) == ["x.example/a:1", "x.example/b:2"])
        let other = try ImageStore(root: bench.scratch.path + "/other")
        #expect(try await other.importImages(path).count == 2)
        await #expect(throws: ImageError.self) {
            try await bench.shelf.take(path, documents: .init(type: document.type, limit: 2))
        }
    }

    @Test func `what arrived is seen when it is kept, and goes with its owner`() async throws {
        let bench = try Bench()
        let content = try await bench.shelf.take(try await bench.archive(["x.example/a:1"]))
        #expect(try bench.shelf.images().isEmpty)
        #expect(try bench.shelf.manifest("x.example/a", "1") == nil)
        try bench.shelf.keep(content, by: "repository/our own")
        let kept = try #require(try bench.shelf.images().first)
        #expect(kept.owner == "repository/our own" && kept.name == "x.example/a:1" && kept.isServed)
        let manifest = try #require(try bench.shelf.manifest("x.example/a", "1"))
        #expect(manifest.digest == kept.digest && Digest(of: manifest.bytes) == kept.digest)
        #expect(try bench.shelf.manifest("x.example/a", kept.digest.description)?.digest == kept.digest)
        #expect(try bench.shelf.manifest("x.example/a", "2") == nil)
        #expect(try bench.shelf.blob(kept.digest)?.read(at: 0, count: 1).count == 1)
        try bench.shelf.release { $0 == "repository/our own" }
        #expect(try bench.shelf.images().isEmpty && bench.blobs() == 0)
    }

    @Test func `what two owners keep stays until the last, and the name goes to the one that is left`() async throws {
        let bench = try Bench()
        let (first, second) = ("x.example/a:1", "another ")
        try bench.shelf.keep(try await bench.shelf.take(try await bench.archive([first])), by: "one")
        let old = try bench.shelf.manifest("x.example/a", "1")?.digest
        try bench.shelf.keep(
            try await bench.shelf.take(try await bench.archive([first], word: second)), by: "two")
        let new = try bench.shelf.manifest("x.example/a", "1")?.digest
        #expect(old != nil && new != nil && old != new)
        #expect(try bench.shelf.share(from: "two", to: "heir") { _ in true } == [first])
        try bench.shelf.release { $0 == "two" }
        #expect(try bench.shelf.manifest("x.example/a", "1")?.digest == new)
        #expect(try bench.shelf.release(first, of: "heir"))
        #expect(try bench.shelf.manifest("x.example/a", "1")?.digest == old)
        #expect(try !bench.shelf.release(first, of: "heir"))
    }

    @Test func `what had not been looked at when a process ended is gone in the next`() async throws {
        let bench = try Bench()
        let arrival = try bench.shelf.arrival()
        _ = try await bench.shelf.take(try await bench.archive(["x.example/a:1"]))
        #expect(try bench.blobs() == 3)
        _ = try ImageShelf(root: bench.scratch.path + "/shelf")
        #expect(try bench.blobs() == 0)
        #expect(try listDirectory(bench.scratch.path + "/shelf/tmp").isEmpty)
        _ = arrival
    }

    @Test func `an image whose name has another digest is refused`() async throws {
        let bench = try Bench()
        let image = try #require(
            try await bench.maker.importForOthers(try await bench.archive(["x.example/a:1"]), platform: .own).first)
        var wrong = image
        wrong.image.reference = try ImageReference(parsing: "x.example/a:1@\(Digest(of: []))")
        let path = bench.scratch.path + "/wrong.tar"
        try await bench.maker.export([wrong], documents: [], to: path)
        await #expect(throws: ImageError.self) { try await bench.shelf.take(path) }
        #expect(try bench.shelf.images().isEmpty)
        var right = image
        right.image.reference = try ImageReference(parsing: "x.example/a:1@\(image.image.digest)")
        try await bench.maker.export([right], documents: [], to: path)
        try bench.shelf.keep(try await bench.shelf.take(path), by: "one")
        #expect(try bench.shelf.manifest("x.example/a", image.image.digest.description) != nil)
    }
}
