import Glibc
import Testing

@testable import ImageStore

@Suite("The store of images")
struct ImageStoreTests {
    private static func store(_ scratch: Scratch) throws -> ImageStore {
        try ImageStore(root: scratch.path + "/images")
    }

    private static func reference(_ text: String) throws -> ImageReference { try ImageReference(parsing: text) }

    /// Puts a small root into the tree.
    private static func makeRoot(_ scratch: Scratch) throws {
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("bin", mode: 0o755)
                tar.file("bin/app", String(repeating: "app", count: 1_000), mode: 0o4755)
                tar.hardLink("bin/same", to: "bin/app")
                tar.link("lib", to: "usr/lib")
                tar.directory("usr/lib")
                tar.long("L", ("usr/" + String(repeating: "long", count: 40)).utf8)
                tar.file("short")
                tar.header("run/pipe".utf8, type: "6")
                tar.header([0x75, 0xFF])
            })
    }

    private static func build(_ store: ImageStore, _ scratch: Scratch, _ name: String = "app:1") async throws
        -> StoredImage
    {
        var config = ImageConfig()
        config.entrypoint = ["/bin/app"]
        config.env = ["A=b"]
        config.exposedPorts = ["80/tcp"]
        return try await store.build(fromRoot: scratch.tree, config: config, as: reference(name))
    }

    @Test func `an image is made of a directory, and the same files make the same image`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        #expect(image.config.env == ["A=b"])
        #expect(try await Self.build(store, scratch, "app:2").digest == image.digest)
        let layer = try await store.layers(of: image)[0]
        var facts = stat()
        #expect(lstat(layer + "/bin/app", &facts) == 0 && facts.st_nlink == 2 && facts.st_mode & 0o7777 == 0o4755)
        #expect(lstat(layer + "/run/pipe", &facts) == 0 && facts.st_mode & S_IFMT == S_IFIFO)
        #expect(lstat(layer + "/lib", &facts) == 0 && facts.st_mode & S_IFMT == S_IFLNK)
        #expect(lstat(layer + "/usr/" + String(repeating: "long", count: 40), &facts) == 0)
        #expect(try store.list().count == 2)
    }

    @Test(arguments: ["plain", "gzip", "zstd"])
    func `an image is made of an archive`(_ form: String) async throws {
        let scratch = try Scratch()
        let tar = TarBytes.make { $0.file("bin/app") }
        try scratch.write("root.tar", form == "gzip" ? gzip(tar) : form == "zstd" ? zstd(tar) : tar)
        let store = try Self.store(scratch)
        let image = try await store.build(
            fromRoot: scratch.path + "/root.tar", config: ImageConfig(), as: Self.reference("a"))
        #expect(image.layers.map(\.diffID) == [Digest(of: tar)])
    }

    @Test(arguments: ExportFormat.allCases)
    func `an image that is exported and imported again is the same`(_ format: ExportFormat) async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        let path = scratch.path + "/exported"
        try await store.export(image, to: path, format: format)
        let other = try ImageStore(root: scratch.path + "/other")
        let back = try #require(try await other.importImages(path).first)
        #expect(back.reference == image.reference)
        #expect(back.config == image.config)
        #expect(back.layers.map(\.diffID) == image.layers.map(\.diffID))
        if format != .dockerArchive { #expect(back.digest == image.digest) }
        let renamed = try await other.importImages(path, as: Self.reference("b:2"))
        #expect(renamed.map(\.reference?.description) == ["docker.io/library/b:2"])
    }

    @Test func `an export does not replace a file`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        try scratch.write("there", "mine")
        await #expect(throws: ImageError.self) {
            try await store.export(image, to: scratch.path + "/there", format: .ociArchive)
        }
        #expect(scratch.surroundings().contains("there"))
    }

    // MARK: - Hostile archives of images

    private static let manifest = #"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l/layer.tar"]}]"#

    private static func config(_ layer: [UInt8]) throws -> String {
        var config = ImageConfig()
        config.diffIDs = [Digest(of: layer)]
        return String(decoding: try config.encoded(), as: UTF8.self)
    }

    @Test func `what docker saves is read, with links to layers as old versions made them`() async throws {
        let scratch = try Scratch()
        let layer = TarBytes.make { $0.file("f") }
        try scratch.write(
            "saved.tar",
            TarBytes.make { tar in
                tar.file("manifest.json", Self.manifest)
                tar.link("l/layer.tar", to: "../real/layer.tar")
                tar.header("real/layer.tar".utf8, size: layer.count)
                tar.content(layer)
                tar.file("c.json", (try? Self.config(layer)) ?? "")
            })
        let images = try await Self.store(scratch).importImages(scratch.path + "/saved.tar")
        #expect(images.map(\.reference?.description) == ["docker.io/library/a:1"])
    }

    @Test(arguments: [
        "a path above", "an absolute path", "a link above", "a directory as layer", "another layer", "no configuration",
        "no list",
        "no layer", "a bad name",
    ])
    func `a hostile archive of docker's form is refused or contained`(_ kind: String) async throws {
        let scratch = try Scratch()
        let layer = TarBytes.make { $0.file("f") }
        try scratch.write("outside/layer.tar", layer)
        let before = scratch.surroundings().filter { $0.contains("outside") }
        try scratch.write(
            "saved.tar",
            TarBytes.make { tar in
                let path =
                    switch kind {
                    case "a path above": "../../../../outside/layer.tar"
                    case "an absolute path": scratch.outside + "/layer.tar"
                    default: "l/layer.tar"
                    }
                let name = kind == "a bad name" ? "A/../B" : "a:1"
                tar.file(
                    "manifest.json",
                    kind == "no list"
                        ? "{}" : #"[{"Config":"c.json","RepoTags":["\#(name)"],"Layers":["\#(path)"]}]"#)
                switch kind {
                case "a link above": tar.link("l/layer.tar", to: scratch.outside + "/layer.tar")
                case "a directory as layer": tar.directory("l/layer.tar")
                case "another layer": tar.file("l/layer.tar", String(repeating: "\0", count: 1_024))
                case "a bad name":
                    tar.header("l/layer.tar".utf8, size: layer.count)
                    tar.content(layer)
                default: break
                }
                if kind != "no configuration" { tar.file("c.json", (try? Self.config(layer)) ?? "") }
            })
        let store = try Self.store(scratch)
        await #expect(throws: ImageError.self) { try await store.importImages(scratch.path + "/saved.tar") }
        #expect(try store.list().isEmpty)
        #expect(scratch.surroundings().filter { $0.contains("outside") } == before)
    }

    @Test(arguments: [
        "a digest above", "no blob", "another blob", "a larger blob", "a wrong layout", "no index", "no name",
    ])
    func `a hostile layout is refused`(_ kind: String) async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        let path = scratch.path + "/layout"
        try await store.export(image, to: path, format: .ociDirectory)
        let index = "layout/index.json"
        let blob = "layout/blobs/sha256/\(image.layers[0].blob.digest.hex)"
        let text = try String(decoding: store.blobs.read(image.digest, limit: 1 << 20), as: UTF8.self)
        _ = text
        switch kind {
        case "a digest above":
            try scratch.write(
                index,
                #"{"schemaVersion":2,"manifests":[{"mediaType":"\#(MediaType.manifest)","digest":"sha256:../../../outside/secret","size":6}]}"#
            )
        case "no blob": unlink("\(scratch.path)/\(blob)")
        case "another blob": try scratch.write(blob, [UInt8](repeating: 0, count: Int(image.layers[0].blob.size)))
        case "a larger blob": try scratch.write(blob, [UInt8](repeating: 0, count: Int(image.layers[0].blob.size) + 1))
        case "a wrong layout": try scratch.write("layout/oci-layout", #"{"imageLayoutVersion":"2.0.0"}"#)
        case "no index": unlink("\(scratch.path)/\(index)")
        default:
            try scratch.write(
                index,
                #"{"schemaVersion":2,"manifests":[{"mediaType":"\#(MediaType.manifest)","digest":"\#(image.digest)","size":\#(text.utf8.count)}]}"#
            )
        }
        let other = try ImageStore(root: scratch.path + "/other")
        await #expect(throws: ImageError.self) { try await other.importImages(path) }
        #expect(try other.list().isEmpty)
        if kind == "no name" { #expect(try await other.importImages(path, as: Self.reference("x")).count == 1) }
    }

    // MARK: - What stays and what goes

    @Test func `what is used stays, whatever happens to its name, also in another process`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        try store.retain(image, by: "container-1")
        let other = try Self.store(scratch)
        #expect(throws: ImageError.self) { try other.remove(Self.reference("app:1")) }
        #expect(try other.remove(Self.reference("app:1"), force: true) == Removed())
        #expect(try other.prune() == Removed())
        #expect(try await other.layers(of: image).count == 1)
        #expect(try other.list().map(\.digest) == [image.digest])
        #expect(try other.users(of: image) == ["container-1"])
        try other.release(by: "container-1")
        let removed = try store.prune()
        #expect(removed.blobs == 3 && removed.layers == 1 && removed.bytes > 0)
        #expect(try store.usage() == ImageUsage())
        #expect(throws: ImageError.self) { try store.retain(image, by: "late") }
    }

    @Test func `layers that images share stay until the last one goes`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        _ = try await Self.build(store, scratch, "app:1")
        _ = try await store.build(fromRoot: scratch.tree, config: ImageConfig(), as: Self.reference("app:2"))
        #expect(try store.usage().layers == 1)
        #expect(try store.remove(Self.reference("app:1")).layers == 0)
        #expect(try await store.layers(of: store.find("app:2")).count == 1)
        #expect(try store.remove(Self.reference("app:2")).layers == 1)
        #expect(try store.list().isEmpty)
    }

    @Test func `nothing is removed while somebody works on the store`() async throws {
        let scratch = try Scratch()
        let store = try Self.store(scratch)
        let use = try await store.directory.useShared()
        #expect { try store.prune() } throws: { ($0 as? ImageError)?.code == .inUse }
        _ = consume use
        #expect(try store.prune() == Removed())
    }

    @Test func `what a killed process has left is removed when the store is opened`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        mkdir(store.root + "/tmp/layer-1-x", 0o700)
        mkdir(store.root + "/tmp/layer-1-x/fs", 0o755)
        try scratch.write("images/tmp/layer-1-x/fs/half", "half")
        try scratch.write("images/tmp/blob-1-y", "half")
        let again = try Self.store(scratch)
        var facts = stat()
        #expect(lstat(store.root + "/tmp/layer-1-x", &facts) != 0)
        #expect(lstat(store.root + "/tmp/blob-1-y", &facts) != 0)
        #expect(try await again.layers(of: image).count == 1)
    }

    @Test func `a layer that is gone is unpacked again, and documents that rot are noticed`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        let path = try await store.layers(of: image)[0]
        try store.layerStore.remove(LayerStore.names(image.layers[0])[0])
        #expect(try await store.layers(of: image) == [path])
        try scratch.write("images/blobs/sha256/\(image.digest.hex)", "rotten")
        #expect { try store.find("app:1") } throws: { ($0 as? ImageError)?.code == .digestMismatch }
        #expect(try store.list().isEmpty)
    }

    @Test func `images are found by name and by the first digits`() async throws {
        let scratch = try Scratch()
        try Self.makeRoot(scratch)
        let store = try Self.store(scratch)
        let image = try await Self.build(store, scratch)
        for text in [
            "app:1", "docker.io/library/app:1", image.digest.description, image.digest.short,
            String(image.digest.hex.prefix(4)),
        ] {
            #expect(try store.find(text).digest == image.digest, "\(text)")
        }
        for text in ["app", "app:2", "abc", "", "../x", String(repeating: "0", count: 64)] {
            #expect { try store.find(text) } throws: { ($0 as? ImageError)?.code == .notFound }
        }
    }

    private static func save(_ scratch: Scratch, _ name: String, _ layers: [[UInt8]]) throws {
        var config = ImageConfig()
        config.diffIDs = layers.map { Digest(of: $0) }
        let document = String(decoding: try config.encoded(), as: UTF8.self)
        let names = layers.indices.map { "\"\($0)\"" }.joined(separator: ",")
        try scratch.write(
            name + ".tar",
            TarBytes.make { tar in
                tar.file("manifest.json", #"[{"Config":"c","RepoTags":["\#(name):1"],"Layers":[\#(names)]}]"#)
                tar.file("c", document)
                for (index, layer) in layers.enumerated() {
                    tar.header("\(index)".utf8, size: layer.count)
                    tar.content(layer)
                }
            })
    }

    @Test func `directories that a layer does not describe are as the layers below have them`() async throws {
        let scratch = try Scratch()
        func base(_ mode: Int) -> [UInt8] {
            TarBytes.make { tar in
                tar.directory("d", mode: mode, time: 77)
                tar.directory("d/e", mode: 0o711, time: 78)
                tar.file("f")
            }
        }
        let change = TarBytes.make { tar in
            tar.file("d/e/new")
            tar.file("f/now/a/directory")
            tar.file("other/new")
        }
        let store = try Self.store(scratch)
        func modes(_ image: StoredImage) async throws -> [mode_t] {
            let layers = try await store.layers(of: image)
            var modes: [mode_t] = []
            for name in ["d", "d/e", "f/now", "other"] {
                var facts = stat()
                #expect(lstat(layers[0] + "/" + name, &facts) == 0)
                modes.append(facts.st_mode & 0o7777)
                if name == "d" { modes.append(mode_t(facts.st_mtim.tv_sec == 77 ? 1 : 0)) }
            }
            return modes
        }
        try Self.save(scratch, "one", [base(0o700), change])
        try Self.save(scratch, "two", [base(0o1777), change])
        try Self.save(scratch, "alone", [change])
        let one = try await store.importImages(scratch.path + "/one.tar")[0]
        let two = try await store.importImages(scratch.path + "/two.tar")[0]
        let alone = try await store.importImages(scratch.path + "/alone.tar")[0]
        #expect(try await modes(one) == [0o700, 1, 0o711, 0o755, 0o755])
        #expect(try await modes(two) == [0o1777, 1, 0o711, 0o755, 0o755])
        #expect(try await modes(alone) == [0o755, 0, 0o755, 0o755, 0o755])
        #expect(try store.usage().layers == 5)
        #expect(try store.prune() == Removed())
        for name in ["one", "two", "alone"] { try store.remove(Self.reference(name + ":1")) }
        #expect(try store.usage() == ImageUsage())
    }

    @Test func `an index that hides everything below ends the list of layers`() async throws {
        let scratch = try Scratch()
        let layers = [
            TarBytes.make { $0.file("old") }, TarBytes.make { $0.file(".wh..wh..opq", "") },
            TarBytes.make { $0.file("new") },
        ]
        try Self.save(scratch, "saved", layers)
        let store = try Self.store(scratch)
        let image = try await store.importImages(scratch.path + "/saved.tar")[0]
        #expect(try await store.layers(of: image).count == 2)
    }
}
