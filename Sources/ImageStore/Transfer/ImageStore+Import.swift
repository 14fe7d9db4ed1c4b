internal import Glibc
internal import LinuxSystem

extension ImageStore {
    /// Takes in what others have exported: a directory in OCI's layout, an archive of one, or what `docker save` and
    /// `podman save` write, compressed or not.
    ///
    /// Nothing of it is believed: blobs are copied while their digest is taken, and names inside are looked up below
    /// the directory by the kernel.
    ///
    /// - Parameters:
    ///   - path: a directory or an archive.
    ///   - reference: the image's name, for what has none or has to get another; it must be a single image then.
    ///   - platform: which one of an image for several.
    /// - Returns: the images, unpacked.
    /// - Throws: ``ImageError``.
    public func importImages(
        _ path: String, as reference: ImageReference? = nil, platform: Platform = .own
    ) async throws(ImageError) -> [StoredImage] {
        let use = try await directory.useShared()
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw failure("open", path) }
        let source = Source(path: path, isDirectory: facts.st_mode & S_IFMT == S_IFDIR)
        let images = try await blocking { () throws(ImageError) in
            try self.takeIn(source, reference, platform, documents: nil).images
        }
        for found in images {
            try await stack(found.image)
            for name in found.names { try self.name(name, found.image.digest) }
        }
        _ = consume use
        return images.map { found in
            var image = found.image
            image.reference = found.names.first
            return image
        }
    }

    struct Source: Sendable {
        var path: String
        var isDirectory: Bool
    }

    /// An image in what others have exported.
    struct Found: Sendable {
        var image: StoredImage
        var names: [ImageReference]
        /// What the names stand for there: the image's manifest, or an index that has it.
        var top: Digest
    }

    /// What is in an archive or a layout.
    struct Taken: Sendable {
        var images: [Found]
        var documents: [LayoutDocument]
    }

    /// Copies the blobs of all images. Without a platform, images for any are taken, one for each name.
    func takeIn(
        _ source: Source, _ reference: ImageReference?, _ platform: Platform?, documents: LayoutDocument.Wanted?
    ) throws(ImageError) -> Taken {
        if source.isDirectory {
            return try read(LayerTree(source.path, limits), reference, platform, source.path, documents)
        }
        let scratch = directory.temporaryPath("import")
        guard mkdir(scratch, 0o700) == 0 else { throw failure("mkdir", scratch) }
        let result: Result<Taken, ImageError>
        do throws(ImageError) {
            let file = try system { () throws(SystemError) in
                try LinuxSystem.FileDescriptor.open(source.path, flags: O_RDONLY)
            }
            do throws(ImageError) {
                _ = try LayerUnpacker(file.raw, into: scratch, limits, isLayer: false).run()
            } catch {
                throw error.with(source.path)
            }
            result = .success(
                try read(
                    LayerTree(scratch, limits), reference, platform, source.path, documents))
        } catch {
            result = .failure(error)
        }
        try? removeAll(scratch)
        return try result.get()
    }

    private func read(
        _ tree: LayerTree, _ reference: ImageReference?, _ platform: Platform?, _ path: String,
        _ wanted: LayoutDocument.Wanted?
    ) throws(ImageError) -> Taken {
        let found: [Found]
        var documents: [LayoutDocument] = []
        if (try? tree.openFile(Array("manifest.json".utf8))) != nil {
            // Newer versions of docker write both; the names are in this one.
            found = try readDocker(tree)
        } else if (try? tree.openFile(Array("oci-layout".utf8))) != nil {
            let index = try readIndex(tree)
            found = try readLayout(tree, index, platform)
            if let wanted { documents = try readDocuments(tree, index, wanted) }
        } else {
            throw ImageError(
                .invalidContent,
                "\(path) is no image: it has neither oci-layout nor manifest.json; is it a root for build-from-rootfs?")
        }
        if let reference {
            guard found.count == 1, let image = found.first?.image else {
                throw ImageError(.invalidName, "\(path) has \(found.count) images, which cannot all be \(reference)")
            }
            return Taken(images: [Found(image: image, names: [reference], top: image.digest)], documents: documents)
        }
        guard found.allSatisfy({ !$0.names.isEmpty }) else {
            throw ImageError(.invalidName, "an image in \(path) has no whole name; give it one with --as")
        }
        return Taken(images: found, documents: documents)
    }

    // MARK: - OCI

    private struct Layout: Decodable {
        var imageLayoutVersion: String
    }

    private func readIndex(_ tree: LayerTree) throws(ImageError) -> ImageIndex {
        let layout = try parseJSON(Layout.self, content(tree, "oci-layout", 64 << 10), "oci-layout")
        guard layout.imageLayoutVersion.hasPrefix("1.") else {
            throw ImageError(
                .unsupported, "the layout is of version \(layout.imageLayoutVersion.prefix(20)); 1 is read")
        }
        let bytes = try content(tree, "index.json", ImageDocument.sizeLimit)
        guard case .index(let index) = try ImageDocument(parsing: bytes, mediaType: MediaType.index) else {
            throw ImageError(.invalidContent, "index.json is no index")
        }
        return index
    }

    /// The documents of a media type, each the only layer of an artifact.
    private func readDocuments(
        _ tree: LayerTree, _ index: ImageIndex, _ wanted: LayoutDocument.Wanted
    ) throws(ImageError) -> [LayoutDocument] {
        var documents: [LayoutDocument] = []
        for descriptor in index.manifests where descriptor.artifactType == wanted.type {
            guard documents.count < LayoutDocument.countLimit else {
                throw ImageError(.tooLarge, "it has more than \(LayoutDocument.countLimit) documents")
            }
            let bytes = try verified(tree, descriptor, ImageDocument.sizeLimit)
            let layers = try parseJSON(LayoutDocument.Manifest.self, bytes, "the document's manifest").layers
            guard let layer = layers.first(where: { $0.mediaType == wanted.type }) else {
                throw ImageError(.invalidContent, "the document has no layer of \(wanted.type)")
            }
            documents.append(LayoutDocument(type: wanted.type, bytes: try verified(tree, layer, wanted.limit)))
        }
        return documents
    }

    private func verified(_ tree: LayerTree, _ descriptor: Descriptor, _ limit: Int) throws(ImageError) -> [UInt8] {
        let bytes = try content(tree, Self.place(descriptor.digest), limit)
        guard Digest(of: bytes) == descriptor.digest, Int64(bytes.count) == descriptor.size else {
            throw ImageError(.digestMismatch, "the archive has bytes of another digest under \(descriptor.digest)")
        }
        return bytes
    }

    private func readLayout(
        _ tree: LayerTree, _ index: ImageIndex, _ platform: Platform?
    ) throws(ImageError) -> [Found] {
        // Images for several platforms may stand side by side, each without a name or with the same.
        var groups: [(names: [ImageReference], manifests: [Descriptor])] = []
        for descriptor in index.manifests where descriptor.artifactType == nil {
            let names = Self.names(descriptor)
            if let place = groups.firstIndex(where: { $0.names == names }) {
                groups[place].manifests.append(descriptor)
            } else {
                groups.append((names, [descriptor]))
            }
        }
        var found: [Found] = []
        for group in groups {
            let chosen = try choose(group.manifests, platform, tree)
            let image = try readImage(tree, chosen, platform)
            found.append(Found(image: image, names: group.names, top: chosen.digest))
        }
        return found
    }

    /// The manifest for a platform; without one, the first that is there.
    private func choose(
        _ manifests: [Descriptor], _ platform: Platform?, _ tree: LayerTree
    ) throws(ImageError) -> Descriptor {
        if let platform { return try ImageIndex(manifests: manifests).choose(platform) }
        let there = manifests.first { (try? tree.openFile(Array(Self.place($0.digest).utf8))) != nil }
        guard let there else { throw ImageError(.notFound, "an index names images that are not in the archive") }
        return there
    }

    /// Annotations have whole names or only a tag; the latter is no name.
    private static func names(_ descriptor: Descriptor) -> [ImageReference] {
        for key in ["io.containerd.image.name", "org.opencontainers.image.ref.name"] {
            guard let text = descriptor.annotations?[key], text.contains("/") || text.contains(":") else { continue }
            if let name = try? ImageReference(parsing: text) { return [name] }
        }
        return []
    }

    private func readImage(
        _ tree: LayerTree, _ descriptor: Descriptor, _ platform: Platform?
    ) throws(ImageError) -> StoredImage {
        var descriptor = descriptor
        for _ in 0..<3 {
            try copy(tree, Self.place(descriptor.digest), descriptor)
            let bytes = try blobs.read(descriptor.digest, limit: ImageDocument.sizeLimit)
            switch try ImageDocument(parsing: bytes, mediaType: descriptor.mediaType) {
            case .index(let index): descriptor = try choose(index.manifests, platform, tree)
            case .manifest(let manifest):
                try copy(tree, Self.place(manifest.config.digest), manifest.config)
                for layer in manifest.layers { try copy(tree, Self.place(layer.digest), layer) }
                return try load(descriptor.digest, nil)
            }
        }
        throw ImageError(.unsupported, "the layout has an index of indexes of indexes")
    }

    // MARK: - Docker

    private struct Saved: Decodable {
        var config: String
        var repoTags: [String]?
        var layers: [String]

        enum CodingKeys: String, CodingKey {
            case config = "Config"
            case repoTags = "RepoTags"
            case layers = "Layers"
        }
    }

    private func readDocker(_ tree: LayerTree) throws(ImageError) -> [Found] {
        let bytes = try content(tree, "manifest.json", ImageDocument.sizeLimit)
        let list = try parseJSON([Saved].self, bytes, "manifest.json")
        guard (1...1_000).contains(list.count) else {
            throw ImageError(.invalidContent, "manifest.json names \(list.count) images")
        }
        var found: [Found] = []
        for saved in list {
            guard saved.layers.count <= ImageDocument.layerLimit else {
                throw ImageError(.tooLarge, "the image has more than \(ImageDocument.layerLimit) layers")
            }
            let config = try content(tree, saved.config, ImageConfig.sizeLimit)
            _ = try ImageConfig(parsing: config)
            var manifest = ImageManifest(
                mediaType: MediaType.manifest,
                config: Descriptor(
                    mediaType: MediaType.config, digest: try blobs.add(config), size: Int64(config.count)),
                layers: [])
            for layer in saved.layers { manifest.layers.append(try copyLayer(tree, layer)) }
            let digest = try blobs.add(writeJSON(manifest))
            var names: [ImageReference] = []
            for tag in saved.repoTags ?? [] { names.append(try ImageReference(parsing: tag)) }
            found.append(Found(image: try load(digest, nil), names: names, top: digest))
        }
        return found
    }

    private func copyLayer(_ tree: LayerTree, _ path: String) throws(ImageError) -> Descriptor {
        let file = try tree.openFile(Array(path.utf8))
        return try addLayer(file.raw, path)
    }

    /// Copies an archive of a layer, compressed or not, and says what it is.
    func addLayer(_ file: Int32, _ path: String) throws(ImageError) -> Descriptor {
        let writer = try BlobWriter(blobs)
        var compression: Inflater.Compression?
        try forEachPiece(file, path) { (piece) throws(ImageError) in
            compression = compression ?? .init(piece)
            try writer.write(piece)
        }
        let suffix =
            switch compression ?? .none {
            case .none: ""
            case .gzip: "+gzip"
            case .zstd: "+zstd"
            }
        let size = writer.size
        return Descriptor(mediaType: MediaType.layer + suffix, digest: try writer.finish(expecting: nil), size: size)
    }

    // MARK: - Files

    private func content(_ tree: LayerTree, _ path: String, _ limit: Int) throws(ImageError) -> [UInt8] {
        let file = try tree.openFile(Array(path.utf8))
        var bytes: [UInt8] = []
        try forEachPiece(file.raw, path) { (piece) throws(ImageError) in
            guard piece.count <= limit - bytes.count else {
                throw ImageError(.tooLarge, "\(TarEntry.shown(Array(path.utf8))) has more than \(limit) bytes")
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }

    private func copy(_ tree: LayerTree, _ path: String, _ descriptor: Descriptor) throws(ImageError) {
        if try blobs.has(descriptor) { return }
        let file = try tree.openFile(Array(path.utf8))
        let writer = try BlobWriter(blobs)
        try forEachPiece(file.raw, path) { (piece) throws(ImageError) in
            guard Int64(piece.count) <= descriptor.size - writer.size else {
                throw ImageError(
                    .digestMismatch, "\(path) has more than the \(descriptor.size) bytes that it should have")
            }
            try writer.write(piece)
        }
        guard writer.size == descriptor.size else {
            throw ImageError(
                .digestMismatch, "\(path) has \(writer.size) of the \(descriptor.size) bytes that it should have")
        }
        _ = try writer.finish(expecting: descriptor.digest)
    }
}

/// Reads a file piece by piece.
func forEachPiece(
    _ file: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) throws(ImageError) -> Void
) throws(ImageError) {
    try withBuffer { (buffer) throws(ImageError) in
        while true {
            let count = read(file, buffer.baseAddress, buffer.count)
            if count == 0 { return }
            if count < 0 {
                guard errno == EINTR else { throw failure("read", path) }
                continue
            }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
