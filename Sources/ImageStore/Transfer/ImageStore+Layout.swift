internal import Glibc
internal import LinuxSystem

/// A document that stands beside images in an archive: an artifact of OCI with one layer.
public struct LayoutDocument: Sendable, Equatable {
    /// The media type, of the artifact and of its layer.
    public var type: String
    /// What is in it.
    public var bytes: [UInt8]

    /// A document.
    public init(type: String, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }

    /// Which documents somebody wants out of an archive.
    public struct Wanted: Sendable {
        /// Their media type.
        public var type: String
        /// The most bytes of one.
        public var limit: Int

        /// Documents of a type, of at most so many bytes.
        public init(type: String, limit: Int) {
            self.type = type
            self.limit = limit
        }
    }

    /// More than anybody has a use for.
    static let countLimit = 16

    /// The manifest of an artifact.
    struct Manifest: Codable {
        var schemaVersion = 2
        var mediaType: String?
        var artifactType: String?
        var config: Descriptor
        var layers: [Descriptor]

        init(type: String, config: Descriptor, layer: Descriptor) {
            mediaType = MediaType.manifest
            artifactType = type
            self.config = config
            layers = [layer]
        }
    }

    /// The configuration of what has none, as the image specification has it.
    static let emptyConfig = Array("{}".utf8)
    static let emptyType = "application/vnd.oci.empty.v1+json"

    /// The artifact's documents: its manifest with a descriptor of it, and the descriptors of its blobs.
    func artifact() throws(ImageError) -> (top: Descriptor, files: [(descriptor: Descriptor, bytes: [UInt8])]) {
        let config = Descriptor(
            mediaType: Self.emptyType, digest: Digest(of: Self.emptyConfig), size: Int64(Self.emptyConfig.count))
        let layer = Descriptor(mediaType: type, digest: Digest(of: bytes), size: Int64(bytes.count))
        let manifest = try writeJSON(Manifest(type: type, config: config, layer: layer))
        let top = Descriptor(
            mediaType: MediaType.manifest, digest: Digest(of: manifest), size: Int64(manifest.count),
            artifactType: type)
        return (top, [(config, Self.emptyConfig), (layer, bytes), (top, manifest)])
    }
}

/// What a layout is made of: images under their names, and documents.
struct LayoutContent {
    /// Each image with the index that its name stands for, where that is not its own manifest.
    var images: [(image: StoredImage, index: [UInt8]?)]
    var documents: [LayoutDocument] = []
}

extension ImageStore {
    /// Writes images and documents into one archive in OCI's layout. Under its name the archive is whole, or not there.
    ///
    /// - Parameters:
    ///   - images: images of this store, each with its name; the same blob is written once.
    ///   - documents: what stands beside them.
    ///   - path: the file; one that is there is replaced.
    ///   - progress: told of each blob's bytes when they are written.
    /// - Returns: how many bytes of blobs were written.
    /// - Throws: ``ImageError``; what was begun is removed.
    @discardableResult
    public func export(
        _ images: [NamedImage], documents: [LayoutDocument], to path: String,
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws(ImageError) -> Int64 {
        let use = try await directory.useShared()
        let written = try await blocking { () throws(ImageError) in
            var content = LayoutContent(images: [], documents: documents)
            for named in images {
                let isManifest = named.top == named.image.digest
                let index = isManifest ? nil : try self.blobs.read(named.top, limit: ImageDocument.sizeLimit)
                content.images.append((named.image, index))
            }
            return try self.replaceArchive(path, content, progress)
        }
        _ = consume use
        return written
    }

    private func replaceArchive(
        _ path: String, _ content: LayoutContent, _ progress: (Int64) -> Void
    ) throws(ImageError) -> Int64 {
        let part = path + ".part"
        unlink(part)
        let file = try Self.openOutput(part)
        let raw = file.raw
        let written: Int64
        do throws(ImageError) {
            let writer = TarWriter { (bytes) throws(ImageError) in try writeFully(raw, bytes, part) }
            written = try putLayout(content, writer, progress)
            try writer.finish()
            guard fsync(raw) == 0 else { throw failure("fsync", part) }
            guard rename(part, path) == 0 else { throw failure("rename", path) }
        } catch {
            unlink(part)
            throw error
        }
        let parent = parentDirectory(of: path)
        try system { () throws(SystemError) in try syncDirectory(parent) }
        return written
    }

    /// Puts a layout into an archive: what says what is in it first, then every blob once.
    @discardableResult
    func putLayout(
        _ content: LayoutContent, _ writer: TarWriter, _ progress: (Int64) -> Void = { _ in }
    ) throws(ImageError) -> Int64 {
        for (name, bytes) in try layoutFiles(content) { try writer.add(name, bytes) }
        var sum: Int64 = 0
        for blob in Self.blobs(of: content) {
            try put(blob.digest, blob.size, Self.place(blob.digest), writer)
            sum += blob.size
            progress(blob.size)
        }
        return sum
    }

    /// The blobs of all images, each once, without their manifests.
    static func blobs(of content: LayoutContent) -> [Descriptor] {
        var seen: Set<Digest> = []
        return content.images.flatMap { [$0.image.manifest.config] + $0.image.manifest.layers }
            .filter { seen.insert($0.digest).inserted }
    }

    /// The small files of a layout: what is not a blob, the manifests, and the documents.
    func layoutFiles(_ content: LayoutContent) throws(ImageError) -> [(String, [UInt8])] {
        var index = ImageIndex(mediaType: MediaType.index, manifests: [])
        var files: [(String, [UInt8])] = []
        var seen: Set<Digest> = []
        func add(_ digest: Digest, _ bytes: [UInt8]) {
            if seen.insert(digest).inserted { files.append((Self.place(digest), bytes)) }
        }
        for (image, outer) in content.images {
            let manifest = try blobs.read(image.digest, limit: ImageDocument.sizeLimit)
            add(image.digest, manifest)
            var annotations: [String: String] = [:]
            if let reference = image.reference {
                annotations["io.containerd.image.name"] = reference.description
                // A tag alone says nothing where there are several images.
                let isAlone = content.images.count == 1 && content.documents.isEmpty
                annotations["org.opencontainers.image.ref.name"] = isAlone ? reference.tag : reference.description
            }
            var top = Descriptor(
                mediaType: image.manifest.mediaType ?? MediaType.manifest, digest: image.digest,
                size: Int64(manifest.count), platform: image.config.platform,
                annotations: annotations.isEmpty ? nil : annotations)
            if let outer {
                guard case .index(let document) = try ImageDocument(parsing: outer, mediaType: nil) else {
                    throw ImageError(.invalidContent, "what the name of an image stands for is neither it nor an index")
                }
                (top.mediaType, top.platform) = (document.mediaType ?? MediaType.index, nil)
                (top.digest, top.size) = (Digest(of: outer), Int64(outer.count))
                add(top.digest, outer)
            }
            index.manifests.append(top)
        }
        for document in content.documents {
            let (top, blobs) = try document.artifact()
            for blob in blobs { add(blob.descriptor.digest, blob.bytes) }
            index.manifests.append(top)
        }
        return [
            ("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)), ("index.json", try writeJSON(index)),
        ] + files
    }
}

// MARK: - For others

extension ImageStore {
    /// Takes in what others have exported, for others: its blobs are verified and kept, and nothing is unpacked.
    ///
    /// - Parameters:
    ///   - path: a directory or an archive.
    ///   - platform: which one of an image for several.
    /// - Returns: the images, one for each name.
    /// - Throws: ``ImageError``.
    public func importForOthers(_ path: String, platform: Platform) async throws(ImageError) -> [NamedImage] {
        let use = try await directory.useShared()
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw failure("open", path) }
        let source = Source(path: path, isDirectory: facts.st_mode & S_IFMT == S_IFDIR)
        let taken = try await blocking { () throws(ImageError) in
            try self.takeIn(source, nil, platform, documents: nil)
        }
        var images: [NamedImage] = []
        for found in taken.images {
            for reference in found.names {
                try name(reference, found.image.digest)
                var image = found.image
                image.reference = reference
                images.append(NamedImage(image, top: reference.digest))
            }
        }
        _ = consume use
        return images
    }

    /// Has an image of another store in this one, too; its digests are verified, and nothing is unpacked.
    ///
    /// - Parameters:
    ///   - image: the image, with its name.
    ///   - other: the store that has it.
    /// - Throws: ``ImageError``.
    public func copy(_ image: StoredImage, from other: ImageStore) async throws(ImageError) {
        let use = try await directory.useShared()
        let otherUse = try await other.directory.useShared()
        try await blocking { () throws(ImageError) in
            for blob in [image.manifest.config] + image.manifest.layers where try !self.blobs.has(blob) {
                let file = try other.blobs.open(blob.digest)
                let writer = try BlobWriter(self.blobs)
                try forEachPiece(file.raw, other.blobs.path(blob.digest)) { (piece) throws(ImageError) in
                    try writer.write(piece)
                }
                _ = try writer.finish(expecting: blob.digest)
            }
            try self.blobs.add(try other.blobs.read(image.digest, limit: ImageDocument.sizeLimit))
        }
        if let reference = image.reference { try name(reference, image.digest) }
        _ = consume otherUse
        _ = consume use
    }
}
