internal import Glibc
public import Identity
public import ImageStore
internal import LinuxSystem
public import Packages

/// Packages with all images that they name, in one archive for machines that reach no registry.
///
/// Images are gathered in a store beside the archive, so that a run that was broken off goes on where it stopped. The
/// archive is an OCI layout: the images under their whole names, and the repository document as an artifact.
public struct CatalogMirror: Sendable {
    /// Where images may be.
    public struct Sources: Sendable {
        /// Archives and layouts.
        public var archives: [String] = []
        /// This machine's own images.
        public var local: ImageStore?
        /// How registries are spoken to, and for which platform.
        public var pull = PullOptions()
        /// Whether registries are asked at all.
        public var asksRegistries = true

        /// No source but registries.
        public init() {}
    }

    /// What happens.
    public enum Progress: Sendable {
        /// An image is there, and where it came from.
        case found(String, from: String)
        /// An image is being fetched from its registry.
        case pulling(String, PullProgress)
        /// So many more bytes of the archive are written.
        case written(Int64)
    }

    /// What came of it.
    public struct Result: Sendable {
        /// How many versions of packages are in the archive.
        public var packages: Int
        /// The images in it, by name, with their digests.
        public var images: [(name: String, digest: Digest)]
        /// How many bytes of blobs are in it.
        public var bytes: Int64
    }

    /// An image that could not be had.
    public struct Missing: Sendable {
        /// As the package names it.
        public var image: String
        /// The packages that name it.
        public var packages: [String]
        /// Why not.
        public var reason: String
    }

    private let packages: [PackageDefinition]
    private let sources: Sources
    private let progress: @Sendable (Progress) -> Void

    /// An archive to be.
    ///
    /// - Parameters:
    ///   - packages: what goes into it.
    ///   - sources: where images may be.
    ///   - progress: told of what happens, on any thread.
    public init(
        _ packages: [PackageDefinition], sources: Sources, progress: @escaping @Sendable (Progress) -> Void
    ) {
        self.packages = packages
        self.sources = sources
        self.progress = progress
    }

    /// Gathers the images.
    ///
    /// - Parameter store: where they are gathered.
    /// - Returns: each image by the name that packages have for it, and those that could not be had.
    /// - Throws: ``ImageError`` when an archive is wrong or the disk does not do.
    public func gather(in store: ImageStore) async throws -> (images: [String: NamedImage], missing: [Missing]) {
        var users: [String: [String]] = [:]
        var order: [String] = []
        for package in packages {
            for image in package.imageNames {
                if users[image] == nil { order.append(image) }
                users[image, default: []].append("\(package.name) \(package.version)")
            }
        }
        var archived: [ImageReference: NamedImage] = [:]
        let wanted = Set(order.compactMap { try? ImageReference(parsing: $0) })
        for archive in sources.archives where !wanted.allSatisfy({ archived[$0] != nil }) {
            for image in try await store.importForOthers(archive, platform: sources.pull.platform) {
                if let name = image.image.reference { archived[name] = image }
            }
        }
        var images: [String: NamedImage] = [:]
        var missing: [Missing] = []
        for name in order {
            do {
                images[name] = try await find(name, archived, store)
            } catch let error as ImageError where ![.diskFull, .system, .cancelled].contains(error.code) {
                missing.append(Missing(image: name, packages: users[name] ?? [], reason: error.message))
            }
        }
        return (images, missing)
    }

    private func find(
        _ name: String, _ archived: [ImageReference: NamedImage], _ store: ImageStore
    ) async throws -> NamedImage {
        let reference = try ImageReference(parsing: name)
        if let image = archived[reference] {
            progress(.found(name, from: "archive"))
            return image
        }
        if let local = sources.local, let image = try local.image(reference),
            sources.pull.platform.runs(image.config.platform)
        {
            let top = reference.digest ?? image.digest
            if top == image.digest {
                try await store.copy(image, from: local)
                progress(.found(name, from: "this machine"))
                return NamedImage(image)
            }
        }
        guard sources.asksRegistries else {
            throw ImageError(.notFound, "it is neither in the archives nor among this machine's images")
        }
        let image = try await store.fetch(reference, options: sources.pull) { [progress] in
            progress(.pulling(name, $0))
        }
        progress(.found(name, from: reference.registry))
        return image
    }

    /// Writes the archive.
    ///
    /// - Parameters:
    ///   - path: the file; it is replaced when everything is written.
    ///   - store: where the images were gathered.
    ///   - images: what was gathered.
    ///   - pins: whether the packages name their images by digest from now on.
    ///   - key: signs every package; without one, signatures stay where nothing was changed.
    /// - Returns: how many packages, images and bytes there are.
    /// - Throws: ``ImageError``, or what the key's library says.
    public func write(
        _ path: String, from store: ImageStore, _ images: [String: NamedImage], pins: Bool, key: NodeKey?
    ) async throws -> Result {
        let changed = pins ? packages.map { $0.replacingImages { ImagePin.pinned($0, images[$0]?.top) } } : packages
        let document = try RepositoryBuilding.document(of: changed, key: key)
        var all: [String: NamedImage] = [:]
        for (name, image) in images {
            let final = pins ? ImagePin.pinned(name, image.top) ?? name : name
            let reference = try ImageReference(parsing: final)
            var named = image
            named.image.reference = reference
            all[reference.description] = named
        }
        let sorted = all.sorted { $0.key < $1.key }
        let bytes = try await store.export(
            sorted.map(\.value),
            documents: [LayoutDocument(type: RepositoryFetcher.artifactType, bytes: document)], to: path
        ) { [progress] in progress(.written($0)) }
        return Result(
            packages: changed.count, images: sorted.map { ($0.key, $0.value.top) }, bytes: bytes)
    }
}

/// Names of images with the digest of the bytes that they mean.
public enum ImagePin {
    /// `NAME:TAG@sha256:…`; a name that has a digest stays as it is.
    ///
    /// - Parameters:
    ///   - name: as a package has it.
    ///   - digest: what it means; nil when nobody knows.
    /// - Returns: the name with the digest; nil when there is none to add.
    public static func pinned(_ name: String, _ digest: Digest?) -> String? {
        guard let digest, let reference = try? ImageReference(parsing: name), reference.digest == nil else {
            return nil
        }
        // A tag that was left out is named, so that it still says what was meant.
        let hasTag = name.hasSuffix(":" + (reference.tag ?? ""))
        return name + (hasTag ? "" : ":" + (reference.tag ?? "latest")) + "@" + digest.description
    }
}
