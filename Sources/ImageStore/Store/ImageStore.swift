internal import Dispatch
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// The images of one node: pulled from registries or imported, verified, unpacked once, and removed when nobody needs
/// them.
///
/// Below ``root`` lie blobs by their digest, unpacked layers by the digest of their archive, and `images.json` with the
/// names and the users of images. Nothing there has its final name before it is whole, verified and on the disk, so a
/// process may be killed at any moment; what it left is removed when the store is opened next and nobody works on it.
/// Several processes may use one store: what reads or adds holds a shared lock, what removes holds it alone.
///
/// An image is used by stacking ``layers(of:)`` with overlay. Whoever does so calls ``retain(_:by:)`` first and
/// ``release(by:)`` afterwards; what is retained is never removed, also not after a restart.
///
/// The calls that do not suspend wait for the disk; those that do run their work on threads of their own.
public final class ImageStore: Sendable {
    /// The store's directory.
    public let root: String
    let directory: StoreDirectory
    let blobs: BlobStore
    let layerStore: LayerStore
    let limits: LayerLimits

    /// Opens a store and makes it when it is not there.
    ///
    /// - Parameters:
    ///   - root: its directory; only root may look into it afterwards.
    ///   - limits: what a layer may take.
    /// - Throws: ``ImageError``.
    public init(root: String, limits: LayerLimits = LayerLimits()) throws(ImageError) {
        self.root = root
        self.limits = limits
        directory = StoreDirectory(root: root)
        blobs = BlobStore(directory: directory)
        layerStore = LayerStore(directory: directory, blobs: blobs, limits: limits)
        try directory.make()
        try clean()
    }

    /// Removes what a process that was killed has left half done, unless somebody works on the store.
    private func clean() throws(ImageError) {
        guard let alone = try directory.use(alone: true) else { return }
        try empty(directory.temporary)
        _ = consume alone
    }

    private func empty(_ path: String) throws(ImageError) {
        for name in try system({ () throws(SystemError) in try listDirectory(path) }) {
            try removeAll("\(path)/\(name)")
        }
    }

    static let queue = DispatchQueue(label: "rondo.images", attributes: .concurrent)

    /// Runs what waits for the disk on a thread where that stops nobody else.
    func blocking<Value: Sendable>(
        _ work: @escaping @Sendable () throws(ImageError) -> Value
    ) async throws(ImageError) -> Value {
        let result = await withCheckedContinuation { waiting in
            Self.queue.async { waiting.resume(returning: Result { () throws(ImageError) in try work() }) }
        }
        return try result.get()
    }

    // MARK: - Reading

    /// An image by its name, or by its digest when the name has one.
    ///
    /// - Parameter reference: the name.
    /// - Returns: the image; `nil` when it is not in the store.
    /// - Throws: ``ImageError`` when what is there cannot be read.
    public func image(_ reference: ImageReference) throws(ImageError) -> StoredImage? {
        let index = try ImageIndexFile.load(directory)
        if let digest = index.references[reference.description] { return try load(digest, reference) }
        guard let digest = reference.digest, index.roots.contains(digest) else { return nil }
        return try load(digest, reference)
    }

    /// An image by a name or by the first digits of its digest, as people write it.
    ///
    /// - Parameter text: such as `nginx`, `nginx:1.25` or `3f2a9c`.
    /// - Returns: the image.
    /// - Throws: ``ImageError`` of code `image.not-found` when there is none, or more than one.
    public func find(_ text: String) throws(ImageError) -> StoredImage {
        if let reference = try? ImageReference(parsing: text), let image = try image(reference) { return image }
        let digits = text.hasPrefix("sha256:") ? text.dropFirst("sha256:".count) : text[...]
        let index = try ImageIndexFile.load(directory)
        let found = digits.utf8.count < 4 ? [] : index.roots.filter { $0.hex.hasPrefix(digits) }
        guard let digest = found.first else {
            throw ImageError(
                .notFound, "there is no image \(text.prefix(200)) in the store; `rondo image list` shows what is")
        }
        guard found.count == 1 else {
            throw ImageError(.notFound, "\(found.count) images begin with \(digits.prefix(80)); write more digits")
        }
        return try load(digest, Self.name(of: digest, index))
    }

    /// All images, by name; one that has several names comes several times.
    ///
    /// - Returns: the images. One whose documents cannot be read is left out.
    /// - Throws: ``ImageError`` when the list of names cannot be read.
    public func list() throws(ImageError) -> [StoredImage] {
        let index = try ImageIndexFile.load(directory)
        var images: [StoredImage] = []
        for (name, digest) in index.references.sorted(by: { $0.key < $1.key }) {
            if let image = try? load(digest, try? ImageReference(parsing: name)) { images.append(image) }
        }
        let named = Set(index.references.values)
        for digest in Set(index.retained.values).subtracting(named).sorted() {
            if let image = try? load(digest, nil) { images.append(image) }
        }
        return images
    }

    /// Who holds an image.
    ///
    /// - Parameter image: the image.
    /// - Returns: what ``retain(_:by:)`` was told, sorted.
    /// - Throws: ``ImageError`` when the list of users cannot be read.
    public func users(of image: StoredImage) throws(ImageError) -> [String] {
        try ImageIndexFile.load(directory).users(of: image.digest)
    }

    private static func name(of digest: Digest, _ index: ImageIndexFile) -> ImageReference? {
        let name = index.references.filter { $0.value == digest }.keys.min()
        return name.flatMap { try? ImageReference(parsing: $0) }
    }

    func load(_ digest: Digest, _ reference: ImageReference?) throws(ImageError) -> StoredImage {
        let bytes = try blobs.read(digest, limit: ImageDocument.sizeLimit)
        guard case .manifest(let manifest) = try ImageDocument(parsing: bytes, mediaType: nil) else {
            throw ImageError(.invalidContent, "\(digest) is an index and no image")
        }
        let config = try ImageConfig(parsing: blobs.read(manifest.config.digest, limit: ImageConfig.sizeLimit))
        return try Self.assemble(reference, digest, manifest, config)
    }

    /// The configuration and the manifest must speak of the same layers.
    static func assemble(
        _ reference: ImageReference?, _ digest: Digest, _ manifest: ImageManifest, _ config: ImageConfig
    ) throws(ImageError) -> StoredImage {
        guard manifest.layers.count == config.diffIDs.count else {
            throw ImageError(
                .invalidContent,
                "the manifest has \(manifest.layers.count) layers, and the configuration \(config.diffIDs.count)")
        }
        var layers: [StoredImage.Layer] = []
        for (blob, diffID) in zip(manifest.layers, config.diffIDs) {
            let chainID = layers.last.map { Digest(of: Array("\($0.chainID) \(diffID)".utf8)) } ?? diffID
            layers.append(StoredImage.Layer(blob: blob, diffID: diffID, chainID: chainID))
        }
        return StoredImage(reference: reference, digest: digest, config: config, layers: layers, manifest: manifest)
    }

    /// The directories of an image's layers for overlay's `lowerdir`, the topmost first; what is not unpacked yet is.
    ///
    /// - Parameter image: an image of this store.
    /// - Returns: absolute paths; one empty directory for an image without layers.
    /// - Throws: ``ImageError``.
    public func layers(of image: StoredImage) async throws(ImageError) -> [String] {
        let use = try await directory.useShared()
        let paths = try await stack(image)
        _ = consume use
        guard paths.isEmpty else { return paths }
        let empty = directory.root + "/empty"
        try system { () throws(SystemError) in try makeDirectories(empty) }
        return [empty]
    }

    /// Unpacks and settles all layers, the lowest first; gives their directories, the topmost first.
    @discardableResult
    func stack(_ image: StoredImage) async throws(ImageError) -> [String] {
        var paths: [String] = []
        for layer in image.layers {
            var found = try layerStore.ready(layer)
            // Somebody else may settle it for another stack in between; then it is unpacked once more.
            for _ in 0..<3 where found == nil {
                try await unpack(layer)
                if let lock = try await layerStore.beginSettling(layer) {
                    let held = Held(lock)
                    let (store, lower) = (layerStore, paths)
                    try await blocking { () throws(ImageError) in
                        guard let lock = held.take() else { return }
                        try store.settle(layer, above: lower, lock: lock)
                    }
                }
                found = try layerStore.ready(layer)
            }
            guard let found else {
                throw ImageError(
                    .system, "layer \(layer.diffID.short) cannot be unpacked while others use it; try again")
            }
            // Nothing of those below shows then.
            paths = found.facts.hidesAll ? [found.tree] : [found.tree] + paths
        }
        return paths
    }

    func unpack(_ layer: StoredImage.Layer) async throws(ImageError) {
        guard let lock = try await layerStore.begin(layer) else { return }
        let held = Held(lock)
        let store = layerStore
        let result = await withTaskCancellationHandler {
            await Self.result { () async throws(ImageError) in
                try await self.blocking { () throws(ImageError) in
                    guard let lock = held.take() else { return }
                    try store.unpack(layer, lock: lock) { held.isCancelled }
                }
            }
        } onCancel: {
            held.cancel()
        }
        try result.get()
    }

    private static func result(_ body: () async throws(ImageError) -> Void) async -> Result<Void, ImageError> {
        do throws(ImageError) { return .success(try await body()) } catch { return .failure(error) }
    }

    // MARK: - Names and users

    func change(_ body: (inout ImageIndexFile) throws(ImageError) -> Void) throws(ImageError) {
        let lock = try directory.lockIndex()
        var index = try ImageIndexFile.load(directory)
        let before = index
        try body(&index)
        if index != before { try index.save(directory) }
        _ = consume lock
    }

    /// Gives an image a name; the one that had it loses it.
    func name(_ reference: ImageReference, _ digest: Digest) throws(ImageError) {
        try change { $0.references[reference.description] = digest }
    }

    /// Keeps an image for somebody until ``release(by:)``, whatever happens to its name; written down at once.
    ///
    /// - Parameters:
    ///   - image: an image of this store.
    ///   - id: who uses it, such as a container's id; one holds one image.
    /// - Throws: ``ImageError``, of code `image.not-found` when it was removed meanwhile.
    public func retain(_ image: StoredImage, by id: String) throws(ImageError) {
        guard !id.isEmpty, id.utf8.count <= 256 else {
            throw ImageError(.invalidName, "the id of an image's user has 1 to 256 bytes")
        }
        try change { index throws(ImageError) in
            guard index.retained[id] != nil || index.retained.count < ImageIndexFile.retainedLimit else {
                throw ImageError(.tooLarge, "images have more than \(ImageIndexFile.retainedLimit) users")
            }
            index.retained[id] = image.digest
        }
        guard blobs.size(image.digest) != nil else {
            try release(by: id)
            throw ImageError(.notFound, "the image \(image.digest.short) was removed; pull it again")
        }
    }

    /// Ends what ``retain(_:by:)`` began; unknown ids are fine.
    ///
    /// - Parameter id: who used it.
    /// - Throws: ``ImageError``.
    public func release(by id: String) throws(ImageError) {
        try change { $0.retained[id] = nil }
    }

    /// Ends what ``retain(_:by:)`` began for several at once.
    ///
    /// - Parameter isOver: says of an id whether it needs its image no longer.
    /// - Throws: ``ImageError``.
    public func release(where isOver: (String) -> Bool) throws(ImageError) {
        try change { index in index.retained = index.retained.filter { !isOver($0.key) } }
    }

    /// Takes an image's name away, and what only it needed from the disk.
    ///
    /// - Parameters:
    ///   - reference: the name.
    ///   - force: also when the image is used; it stays on the disk for its users then.
    /// - Returns: what was removed.
    /// - Throws: ``ImageError`` of code `image.not-found` or `image.in-use`.
    @discardableResult
    public func remove(_ reference: ImageReference, force: Bool = false) throws(ImageError) -> Removed {
        try change { index throws(ImageError) in
            let name = reference.description
            guard let digest = index.references[name] else {
                throw ImageError(.notFound, "there is no image \(name) in the store; `rondo image list` shows what is")
            }
            let users = index.users(of: digest)
            let isLast = index.references.count { $0.value == digest } == 1
            guard users.isEmpty || force || !isLast else {
                let names = users.prefix(5).joined(separator: ", ") + (users.count > 5 ? " and others" : "")
                throw ImageError(.inUse, "the image \(name) is used by \(names); stop that first")
            }
            index.references[name] = nil
        }
        return try collect(partial: false) ?? Removed()
    }

    /// Removes blobs, layers and broken downloads that no image needs.
    ///
    /// - Returns: what was removed.
    /// - Throws: ``ImageError`` of code `image.in-use` while somebody pulls or imports.
    public func prune() throws(ImageError) -> Removed {
        guard let removed = try collect(partial: true) else {
            throw ImageError(.inUse, "somebody pulls or imports an image now; try again when that has ended")
        }
        return removed
    }
}

/// Carries a locked file to another thread, and tells that thread when nobody waits for it any more.
private final class Held: @unchecked Sendable {
    // Only one thread has it at a time: who made it, then the one that takes it.
    private var file: LockedFile?
    private let cancelled = Atomic(false)

    init(_ file: consuming LockedFile) { self.file = consume file }

    func take() -> LockedFile? { file.take() }
    func cancel() { cancelled.store(true, ordering: .relaxed) }
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
}
