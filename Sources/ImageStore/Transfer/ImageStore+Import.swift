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
            try self.takeIn(source, reference, platform)
        }
        for (image, names) in images {
            try await stack(image)
            for name in names { try self.name(name, image.digest) }
        }
        _ = consume use
        return images.map { image, names in
            var image = image
            image.reference = names.first
            return image
        }
    }

    private struct Source: Sendable {
        var path: String
        var isDirectory: Bool
    }

    private typealias Found = (image: StoredImage, names: [ImageReference])

    private func takeIn(
        _ source: Source, _ reference: ImageReference?, _ platform: Platform
    ) throws(ImageError) -> [Found] {
        if source.isDirectory { return try read(LayerTree(source.path, limits), reference, platform, source.path) }
        let scratch = directory.temporaryPath("import")
        guard mkdir(scratch, 0o700) == 0 else { throw failure("mkdir", scratch) }
        let result: Result<[Found], ImageError>
        do throws(ImageError) {
            let file = try system { () throws(SystemError) in
                try LinuxSystem.FileDescriptor.open(source.path, flags: O_RDONLY)
            }
            do throws(ImageError) {
                _ = try LayerUnpacker(file.raw, into: scratch, limits, isLayer: false).run()
            } catch {
                throw error.with(source.path)
            }
            result = .success(try read(LayerTree(scratch, limits), reference, platform, source.path))
        } catch {
            result = .failure(error)
        }
        try? removeAll(scratch)
        return try result.get()
    }

    private func read(
        _ tree: LayerTree, _ reference: ImageReference?, _ platform: Platform, _ path: String
    ) throws(ImageError) -> [Found] {
        let found: [Found]
        if (try? tree.openFile(Array("manifest.json".utf8))) != nil {
            // Newer versions of docker write both; the names are in this one.
            found = try readDocker(tree)
        } else if (try? tree.openFile(Array("oci-layout".utf8))) != nil {
            found = try readLayout(tree, platform)
        } else {
            throw ImageError(
                .invalidContent,
                "\(path) is no image: it has neither oci-layout nor manifest.json; is it a root for build-from-rootfs?")
        }
        if let reference {
            guard found.count == 1, let image = found.first?.image else {
                throw ImageError(.invalidName, "\(path) has \(found.count) images, which cannot all be \(reference)")
            }
            return [(image, [reference])]
        }
        guard found.allSatisfy({ !$0.names.isEmpty }) else {
            throw ImageError(.invalidName, "an image in \(path) has no whole name; give it one with --as")
        }
        return found
    }

    // MARK: - OCI

    private struct Layout: Decodable {
        var imageLayoutVersion: String
    }

    private func readLayout(_ tree: LayerTree, _ platform: Platform) throws(ImageError) -> [Found] {
        let layout = try parseJSON(Layout.self, content(tree, "oci-layout", 64 << 10), "oci-layout")
        guard layout.imageLayoutVersion.hasPrefix("1.") else {
            throw ImageError(
                .unsupported, "the layout is of version \(layout.imageLayoutVersion.prefix(20)); 1 is read")
        }
        let bytes = try content(tree, "index.json", ImageDocument.sizeLimit)
        guard case .index(let index) = try ImageDocument(parsing: bytes, mediaType: MediaType.index) else { return [] }
        // Images for several platforms may stand side by side, each without a name or with the same.
        var groups: [(names: [ImageReference], manifests: [Descriptor])] = []
        for descriptor in index.manifests {
            let names = Self.names(descriptor)
            if let place = groups.firstIndex(where: { $0.names == names }) {
                groups[place].manifests.append(descriptor)
            } else {
                groups.append((names, [descriptor]))
            }
        }
        var found: [Found] = []
        for group in groups {
            let chosen = try ImageIndex(manifests: group.manifests).choose(platform)
            found.append((try readImage(tree, chosen, platform), group.names))
        }
        return found
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
        _ tree: LayerTree, _ descriptor: Descriptor, _ platform: Platform
    ) throws(ImageError) -> StoredImage {
        var descriptor = descriptor
        for _ in 0..<3 {
            try copy(tree, Self.place(descriptor.digest), descriptor)
            let bytes = try blobs.read(descriptor.digest, limit: ImageDocument.sizeLimit)
            switch try ImageDocument(parsing: bytes, mediaType: descriptor.mediaType) {
            case .index(let index): descriptor = try index.choose(platform)
            case .manifest(let manifest):
                try copy(tree, Self.place(manifest.config.digest), manifest.config)
                for layer in manifest.layers { try copy(tree, Self.place(layer.digest), layer) }
                return try load(descriptor.digest, nil)
            }
        }
        throw ImageError(.unsupported, "the layout has an index of indexes of indexes")
    }

    private static func place(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

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
            found.append((try load(digest, nil), names))
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
