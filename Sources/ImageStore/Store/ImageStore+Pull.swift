internal import Glibc
public import Transport

/// What to pull, and how.
public struct PullOptions: Sendable {
    /// For what platform; this machine's by default.
    public var platform = Platform.own
    /// How registries are spoken to.
    public var registry = RegistrySettings()
    /// Asks no registry when the name is in the store already.
    public var onlyMissing = false
    /// The transport to use; by default one is made and shut down again.
    public var transport: Transport?
    /// The images that the cluster keeps for its nodes; they are asked for before any registry.
    public var cluster: ClusterSource?

    /// The usual ones.
    public init() {}
}

extension ImageStore {
    /// Pulls an image: its documents, and in parallel the layers that are not here yet, each unpacked as soon as it is
    /// complete. What a broken pull has brought is used by the next one.
    ///
    /// - Parameters:
    ///   - reference: what to pull. With a digest, that is what comes; with a tag, what the registry has under it now.
    ///   - options: from where, and for what platform.
    ///   - progress: told of what happens, on any thread.
    /// - Returns: the image, whole and unpacked.
    /// - Throws: ``ImageError``.
    public func pull(
        _ reference: ImageReference, options: PullOptions = PullOptions(),
        progress: @escaping @Sendable (PullProgress) -> Void = { _ in }
    ) async throws(ImageError) -> StoredImage {
        if options.onlyMissing, let image = try image(reference) {
            _ = try await layers(of: image)
            return image
        }
        return try await take(reference, options, unpacks: true, progress).image
    }

    /// Fetches an image for others: its blobs are verified and kept, and nothing is unpacked.
    ///
    /// - Parameters:
    ///   - reference: what to fetch. Where its digest is an index's, that is kept, too.
    ///   - options: from where, and for what platform.
    ///   - progress: told of what happens, on any thread.
    /// - Returns: the image.
    /// - Throws: ``ImageError``.
    public func fetch(
        _ reference: ImageReference, options: PullOptions = PullOptions(),
        progress: @escaping @Sendable (PullProgress) -> Void = { _ in }
    ) async throws(ImageError) -> NamedImage {
        try await take(reference, options, unpacks: false, progress)
    }

    private func take(
        _ reference: ImageReference, _ options: PullOptions, unpacks: Bool,
        _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) -> NamedImage {
        let use = try await directory.useShared()
        let web = WebClient(options.transport, options.registry)
        let result: Result<NamedImage, ImageError>
        do throws(ImageError) {
            result = .success(try await pull(reference, options, unpacks, web, progress))
        } catch {
            result = .failure(error)
        }
        await web.shutDown()
        _ = consume use
        return try result.get()
    }

    /// Tries what the cluster has, the mirrors of the registry in their order, then the registry itself.
    private func pull(
        _ reference: ImageReference, _ options: PullOptions, _ unpacks: Bool, _ web: WebClient,
        _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) -> NamedImage {
        var said: String?
        if let cluster = options.cluster {
            do throws(ImageError) {
                let registry = RegistryClient(cluster, options.registry)
                return try await pull(reference, cluster.path(of: reference), options, unpacks, registry, progress)
            } catch {
                if [.cancelled, .diskFull, .system].contains(error.code) { throw error }
                said = error.code == .notFound ? "the cluster keeps no such image" : error.message
            }
        }
        do throws(ImageError) {
            return try await pull(outside: reference, options, unpacks, web, progress)
        } catch {
            guard let said else { throw error }
            throw ImageError(
                error.code,
                "\(error.message); \(said) (`rondo image import FILE --cluster` gives an image to all nodes)",
                isPassing: error.isPassing)
        }
    }

    private func pull(
        outside reference: ImageReference, _ options: PullOptions, _ unpacks: Bool, _ web: WebClient,
        _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) -> NamedImage {
        let repository = reference.repository
        for mirror in options.registry.mirrors[reference.registry] ?? [] {
            do throws(ImageError) {
                let registry = try RegistryClient(mirror, web, options.registry)
                return try await pull(reference, repository, options, unpacks, registry, progress)
            } catch {
                // Whatever is wrong with a mirror, the registry itself may have it; except where that cannot help.
                if [.cancelled, .diskFull, .system].contains(error.code) { throw error }
            }
        }
        let registry = try RegistryClient(reference.registry, web, options.registry)
        return try await pull(reference, repository, options, unpacks, registry, progress)
    }

    private func pull(
        _ reference: ImageReference, _ repository: String, _ options: PullOptions, _ unpacks: Bool,
        _ registry: RegistryClient, _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) -> NamedImage {
        var (bytes, mediaType) = try await registry.manifest(repository, reference.manifestName)
        var document = try ImageDocument(parsing: bytes, mediaType: mediaType)
        let outer = bytes
        // An index of indexes is legal, and one of itself is not possible; two steps are more than anybody uses.
        for _ in 0..<2 {
            guard case .index(let index) = document else { break }
            let chosen = try index.choose(options.platform)
            (bytes, _) = try await registry.manifest(repository, chosen.digest.description)
            document = try ImageDocument(parsing: bytes, mediaType: chosen.mediaType)
        }
        guard case .manifest(let manifest) = document else {
            throw ImageError(.unsupported, "\(reference) is an index of indexes of indexes")
        }
        let configBytes = try await small(registry, repository, manifest.config)
        let config = try ImageConfig(parsing: configBytes)
        guard options.platform.distance(to: config.platform) != nil else {
            throw ImageError(.notFound, "\(reference) is for \(config.platform), not for \(options.platform)")
        }
        let digest = Digest(of: bytes)
        let image = try Self.assemble(reference, digest, manifest, config)
        try await fetchLayers(image, repository, registry, options, unpacks, progress)
        if unpacks { try await stack(image) }
        try blobs.add(bytes)
        // Whoever reads an image for others needs all that its digest stands for.
        let top = reference.digest ?? digest
        if !unpacks, top != digest { try blobs.add(outer) }
        try name(reference, digest)
        return NamedImage(image, top: unpacks ? nil : top)
    }

    /// A small blob, here or from the registry.
    private func small(
        _ registry: RegistryClient, _ repository: String, _ descriptor: Descriptor
    ) async throws(ImageError) -> [UInt8] {
        try await fetch(descriptor, repository, registry) { _ in }
        return try blobs.read(descriptor.digest, limit: ImageConfig.sizeLimit)
    }

    private func fetchLayers(
        _ image: StoredImage, _ repository: String, _ registry: RegistryClient, _ options: PullOptions,
        _ unpacks: Bool, _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) {
        // A layer may come twice in an image.
        var seen: Set<Digest> = []
        let layers = image.layers.filter { seen.insert($0.diffID).inserted }
        var missing: Int64 = 0
        for layer in layers where try !blobs.has(layer.blob) { missing += layer.blob.size }
        progress(.found(layers: layers.count, bytes: missing))
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var waiting = layers[...]
                for _ in 0..<max(1, options.registry.parallelLayers) {
                    guard let layer = waiting.popFirst() else { break }
                    group.addTask { try await self.fetch(layer, repository, registry, unpacks, progress) }
                }
                while try await group.next() != nil {
                    guard let layer = waiting.popFirst() else { continue }
                    group.addTask { try await self.fetch(layer, repository, registry, unpacks, progress) }
                }
            }
        } catch {
            throw ImageError(wrapping: error)
        }
    }

    private func fetch(
        _ layer: StoredImage.Layer, _ repository: String, _ registry: RegistryClient, _ unpacks: Bool,
        _ progress: @escaping @Sendable (PullProgress) -> Void
    ) async throws(ImageError) {
        try await fetch(layer.blob, repository, registry) { progress(.received(bytes: $0)) }
        guard unpacks else { return }
        try await unpack(layer)
        progress(.unpacked(layer.diffID))
    }

    /// Makes sure that a blob is here; several that want the same one from the same registry wait for one of them.
    /// Nobody waits for another registry, which may be slow: whoever is first gives it to all.
    private func fetch(
        _ blob: Descriptor, _ repository: String, _ registry: RegistryClient, _ progress: @Sendable (Int64) -> Void
    ) async throws(ImageError) {
        let path = directory.partial(blob.digest, from: registry.registry)
        let blobs = self.blobs
        // What was begun earlier may be damaged; then it comes once more from the start.
        for attempt in 0..<2 {
            let taken = try await LockedFile.wait(path) { () throws(ImageError) in try blobs.has(blob) }
            guard let taken else { return }
            let begun = try directory.adopt(blob.digest, by: taken)
            let writer = try BlobWriter(blobs, resuming: begun, limit: blob.size)
            let wasBegun = writer.size > 0
            do throws(ImageError) {
                try await registry.blob(
                    repository, blob, into: writer, unless: { blobs.size(blob.digest) == blob.size }, progress: progress
                )
                guard writer.size == blob.size else {
                    // It has come from elsewhere meanwhile.
                    unlink(path)
                    return
                }
                _ = try writer.finish(expecting: blob.digest)
                return
            } catch {
                guard error.code == .digestMismatch, wasBegun, attempt == 0 else { throw error }
                progress(-writer.size)
            }
        }
    }
}
