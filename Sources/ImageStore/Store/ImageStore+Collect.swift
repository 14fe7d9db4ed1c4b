internal import Glibc
internal import LinuxSystem

/// What was removed from a store.
public struct Removed: Sendable, Equatable {
    /// How many blobs.
    public var blobs = 0
    /// How many unpacked layers.
    public var layers = 0
    /// How many bytes of both.
    public var bytes: Int64 = 0

    /// Nothing.
    public init() {}
}

/// What a store takes of the disk.
public struct ImageUsage: Sendable, Equatable {
    /// Bytes of blobs.
    public var blobBytes: Int64 = 0
    /// Bytes of files of unpacked layers.
    public var layerBytes: Int64 = 0
    /// Bytes of downloads that broke off.
    public var partialBytes: Int64 = 0
    /// Of all these, what no image needs.
    public var reclaimableBytes: Int64 = 0
    /// How many blobs.
    public var blobs = 0
    /// How many unpacked layers.
    public var layers = 0
}

extension ImageStore {
    /// What images that have a name or a user need.
    ///
    /// An image whose documents cannot be read keeps nothing but itself; one that is only damaged a little must not be
    /// the reason that everything is kept for ever, and can be pulled again.
    private func needed() throws(ImageError) -> (blobs: Set<Digest>, layers: Set<String>) {
        var blobs: Set<Digest> = []
        var layers: Set<String> = []
        for digest in try ImageIndexFile.load(directory).roots {
            blobs.insert(digest)
            for image in images(below: digest) {
                blobs.formUnion([image.digest, image.manifest.config.digest])
                for layer in image.layers {
                    blobs.insert(layer.blob.digest)
                    layers.formUnion(LayerStore.names(layer))
                }
            }
        }
        return (blobs, layers)
    }

    /// The image that a digest stands for, or all those of an index that are here.
    func images(below digest: Digest) -> [StoredImage] {
        if let image = try? load(digest, nil) { return [image] }
        guard let bytes = try? blobs.read(digest, limit: ImageDocument.sizeLimit),
            case .index(let index) = try? ImageDocument(parsing: bytes, mediaType: nil)
        else { return [] }
        return index.manifests.compactMap { try? load($0.digest, nil) }
    }

    /// Removes what nobody needs, if asked also downloads that broke off and might go on. `nil` when somebody works on
    /// the store.
    func collect(partial: Bool) throws(ImageError) -> Removed? {
        guard let alone = try directory.use(alone: true) else { return nil }
        // Held until the end, so that nobody begins to use an image in between.
        let lock = try directory.lockIndex()
        let needed = try needed()
        var removed = Removed()
        for name in try layerStore.list() where !needed.layers.contains(name) {
            removed.bytes += layerBytes(name)
            try layerStore.remove(name)
            removed.layers += 1
        }
        for digest in try blobs.list() where !needed.blobs.contains(digest) {
            removed.bytes += blobs.size(digest) ?? 0
            try blobs.remove(digest)
            removed.blobs += 1
        }
        if partial {
            for (path, bytes) in try partials() {
                removed.bytes += bytes
                try removeAll(path)
            }
        }
        _ = consume lock
        _ = consume alone
        return removed
    }

    private func partials() throws(ImageError) -> [(String, Int64)] {
        let folder = directory.partial
        return try system { () throws(SystemError) in try listDirectory(folder) }.map { name in
            var facts = stat()
            let path = "\(folder)/\(name)"
            return (path, lstat(path, &facts) == 0 ? Int64(facts.st_size) : 0)
        }
    }

    private func layerBytes(_ name: String) -> Int64 {
        let path = "\(directory.layers)/\(name)/layer.json"
        let facts = (try? readFile(path, limit: 64 << 10)).flatMap { try? parseJSON(LayerFacts.self, $0, path) }
        return facts?.bytes ?? 0
    }

    /// What the store takes of the disk.
    ///
    /// - Returns: the sums.
    /// - Throws: ``ImageError`` when the store cannot be read.
    public func usage() throws(ImageError) -> ImageUsage {
        var usage = ImageUsage()
        let needed = try needed()
        for digest in try blobs.list() {
            let size = blobs.size(digest) ?? 0
            usage.blobs += 1
            usage.blobBytes += size
            if !needed.blobs.contains(digest) { usage.reclaimableBytes += size }
        }
        for name in try layerStore.list() {
            let size = layerBytes(name)
            usage.layers += 1
            usage.layerBytes += size
            if !needed.layers.contains(name) { usage.reclaimableBytes += size }
        }
        for (_, bytes) in try partials() {
            usage.partialBytes += bytes
            usage.reclaimableBytes += bytes
        }
        return usage
    }
}
