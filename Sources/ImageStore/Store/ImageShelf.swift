internal import Glibc
internal import LinuxSystem

/// Images that are kept for other machines: blobs, names, and who wants them kept. Nothing is unpacked here; whoever
/// fetches an image unpacks it and checks its layers.
///
/// An owner keeps an image under a name. The name that was kept last is what is served; when its owner gives it up,
/// another owner's image of that name is served again. What no owner keeps is removed from the disk.
public struct ImageShelf: Sendable {
    /// An image that an owner keeps.
    public struct Kept: Hashable, Sendable {
        /// Who keeps it.
        public var owner: String
        /// Its whole name.
        public var name: String
        /// The digest of its manifest, or of the index that its name asks for.
        public var digest: Digest
        /// Whether this is what is served under the name.
        public var isServed: Bool
        /// The bytes of its layers, compressed.
        public var size: Int64
    }

    /// What came of an archive.
    public struct Content: Sendable {
        /// The whole names of its images, with their digests.
        public var images: [(name: String, digest: Digest)]
        /// Its documents.
        public var documents: [LayoutDocument]
        /// Who keeps its blobs until the images are kept by somebody else.
        fileprivate var owner: String
    }

    private let store: ImageStore
    /// Owners that are none: what came and has not been looked at yet.
    private static let arriving = "arriving/"

    /// Opens a shelf and makes it when it is not there. What had not arrived when a process ended is removed.
    ///
    /// - Parameter root: its directory.
    /// - Throws: ``ImageError``.
    public init(root: String) throws(ImageError) {
        store = try ImageStore(root: root)
        try store.release { $0.hasPrefix(Self.arriving) }
        _ = try store.collect(partial: true)
    }

    // MARK: - Arriving

    /// A new file for an archive that arrives; whoever asks for it removes it.
    ///
    /// - Returns: its path.
    /// - Throws: ``ImageError``.
    public func arrival() throws(ImageError) -> Arrival { try Arrival(store.directory) }

    /// Copies the images of an archive while every digest is verified. They are not served until ``keep(_:by:)``.
    ///
    /// - Parameters:
    ///   - path: the archive.
    ///   - name: what its one image is to be called.
    ///   - documents: which documents to read.
    /// - Returns: what is in it.
    /// - Throws: ``ImageError``; nothing is left then.
    public func take(
        _ path: String, as name: ImageReference? = nil, documents: LayoutDocument.Wanted? = nil
    ) async throws(ImageError) -> Content {
        let use = try await store.directory.useShared()
        let store = store
        let source = ImageStore.Source(path: path, isDirectory: false)
        let taken = try await store.blocking { () throws(ImageError) in
            try store.takeIn(source, name, nil, documents: documents)
        }
        var generator = SystemRandomNumberGenerator()
        let owner = Self.arriving + String(generator.next() as UInt64, radix: 16)
        let images = taken.images.flatMap { found in
            found.names.map { (name: $0.description, digest: $0.digest ?? found.top) }
        }
        for (found, image) in zip(taken.images.flatMap { found in found.names.map { _ in found } }, images)
        where image.digest != found.top && image.digest != found.image.digest {
            throw ImageError(
                .digestMismatch, "what the archive has under \(image.name) is \(found.top) and not what the name says")
        }
        try store.change { index throws(ImageError) in
            for image in images { index.retained["\(owner) \(image.name)"] = image.digest }
            try Self.check(index)
        }
        _ = consume use
        return Content(images: images, documents: taken.documents, owner: owner)
    }

    private static func check(_ index: ImageIndexFile) throws(ImageError) {
        guard index.retained.count <= ImageIndexFile.retainedLimit else {
            throw ImageError(.tooLarge, "more than \(ImageIndexFile.retainedLimit) images are kept")
        }
    }

    // MARK: - Keeping

    /// Keeps what arrived for an owner, who keeps nothing else any more, and serves it.
    ///
    /// - Parameters:
    ///   - content: what arrived.
    ///   - owner: who keeps it; has no blanks at its end.
    ///   - adds: whether the owner keeps what it had.
    /// - Throws: ``ImageError``.
    public func keep(_ content: Content, by owner: String, adds: Bool = false) throws(ImageError) {
        try store.change { index throws(ImageError) in
            if !adds { Self.release(&index) { $0 == owner } }
            for image in content.images {
                index.retained["\(owner) \(image.name)"] = image.digest
                index.references[image.name] = image.digest
            }
            Self.release(&index) { $0 == content.owner }
            try Self.check(index)
        }
        _ = try store.collect(partial: true)
    }

    /// Removes what arrived.
    ///
    /// - Parameter content: what nobody wants.
    public func drop(_ content: Content) { try? release { $0 == content.owner } }

    /// Has some images of one owner kept by another, too.
    ///
    /// - Parameters:
    ///   - owner: who keeps them.
    ///   - heir: who keeps them from now on as well.
    ///   - wants: whether the heir wants an image of that name.
    /// - Returns: the names of those that the heir keeps.
    /// - Throws: ``ImageError``.
    @discardableResult
    public func share(
        from owner: String, to heir: String, where wants: (String) -> Bool
    ) throws(ImageError) -> [String] {
        var shared: [String] = []
        try store.change { index in
            for (key, digest) in index.retained {
                guard let (holder, name) = Self.parts(key), holder == owner, wants(name) else { continue }
                index.retained["\(heir) \(name)"] = digest
                shared.append(name)
            }
        }
        return shared.sorted()
    }

    /// Gives up all images of some owners, and removes what nobody else keeps.
    ///
    /// - Parameter isOver: whether an owner needs its images no longer.
    /// - Throws: ``ImageError``.
    public func release(where isOver: (String) -> Bool) throws(ImageError) {
        try store.change { index in Self.release(&index, where: isOver) }
        _ = try store.collect(partial: true)
    }

    /// Gives up one image of an owner.
    ///
    /// - Parameters:
    ///   - name: its whole name.
    ///   - owner: who kept it.
    /// - Returns: whether there was one.
    /// - Throws: ``ImageError``.
    public func release(_ name: String, of owner: String) throws(ImageError) -> Bool {
        var found = false
        try store.change { index in
            found = index.retained.removeValue(forKey: "\(owner) \(name)") != nil
            Self.settle(&index)
        }
        _ = try store.collect(partial: true)
        return found
    }

    private static func release(_ index: inout ImageIndexFile, where isOver: (String) -> Bool) {
        index.retained = index.retained.filter { key, _ in parts(key).map { !isOver($0.owner) } ?? false }
        settle(&index)
    }

    /// A name without its image stands for another owner's image of that name, or for nothing.
    private static func settle(_ index: inout ImageIndexFile) {
        var kept: [String: [Digest]] = [:]
        for (key, digest) in index.retained.sorted(by: { $0.key < $1.key }) {
            guard let (owner, name) = parts(key), !owner.hasPrefix(arriving) else { continue }
            kept[name, default: []].append(digest)
        }
        for (name, digest) in index.references {
            guard let others = kept[name] else {
                index.references[name] = nil
                continue
            }
            if !others.contains(digest) { index.references[name] = others[0] }
        }
    }

    /// Owners may have blanks in their names, images have none.
    private static func parts(_ key: String) -> (owner: String, name: String)? {
        guard let blank = key.lastIndex(of: " ") else { return nil }
        return (String(key[..<blank]), String(key[key.index(after: blank)...]))
    }

    /// Everything that is kept, by name.
    ///
    /// - Returns: the images of all owners.
    /// - Throws: ``ImageError`` when the list cannot be read.
    public func images() throws(ImageError) -> [Kept] {
        let index = try ImageIndexFile.load(store.directory)
        return index.retained.compactMap { key, digest -> Kept? in
            guard let (owner, name) = Self.parts(key), !owner.hasPrefix(Self.arriving) else { return nil }
            let size = store.images(below: digest).reduce(0) { $0 + $1.size }
            return Kept(
                owner: owner, name: name, digest: digest, isServed: index.references[name] == digest, size: size)
        }.sorted { ($0.name, $0.owner) < ($1.name, $1.owner) }
    }

    // MARK: - Serving

    /// A manifest or an index.
    public struct Document: Sendable {
        /// What it is.
        public var mediaType: String
        /// Its digest.
        public var digest: Digest
        /// Its bytes.
        public var bytes: [UInt8]
    }

    /// The manifest that is served under a tag or a digest.
    ///
    /// - Parameters:
    ///   - name: registry and repository.
    ///   - reference: a tag or a digest.
    /// - Returns: the document; nil when nothing like that is kept.
    /// - Throws: ``ImageError`` when it cannot be read.
    public func manifest(_ name: String, _ reference: String) throws(ImageError) -> Document? {
        let index = try ImageIndexFile.load(store.directory)
        var digest = index.references["\(name):\(reference)"]
        if digest == nil, let wanted = try? Digest(parsing: reference), store.blobs.size(wanted) != nil {
            // A manifest is asked for by the digest that an index has of it.
            let roots = index.roots
            let isKept =
                roots.contains(wanted)
                || roots.contains { root in
                    store.images(below: root).contains { $0.digest == wanted }
                }
            if isKept { digest = wanted }
        }
        guard let digest else { return nil }
        let bytes = try store.blobs.read(digest, limit: ImageDocument.sizeLimit)
        let type =
            switch try ImageDocument(parsing: bytes, mediaType: nil) {
            case .index(let index): index.mediaType ?? MediaType.index
            case .manifest(let manifest): manifest.mediaType ?? MediaType.manifest
            }
        return Document(mediaType: type, digest: digest, bytes: bytes)
    }

    /// A blob to read from.
    ///
    /// - Parameter digest: its digest.
    /// - Returns: the open file; nil when it is not here.
    /// - Throws: ``ImageError`` when it cannot be opened.
    public func blob(_ digest: Digest) throws(ImageError) -> OpenBlob? {
        guard let size = store.blobs.size(digest) else { return nil }
        return OpenBlob(file: try store.blobs.open(digest), size: size, digest: digest)
    }
}

/// A blob that is read from; it stays readable when it is removed meanwhile.
public final class OpenBlob: Sendable {
    /// How many bytes it has.
    public let size: Int64
    private let file: LinuxSystem.FileDescriptor
    private let digest: Digest

    init(file: consuming LinuxSystem.FileDescriptor, size: Int64, digest: Digest) {
        self.file = file
        self.size = size
        self.digest = digest
    }

    /// A piece of it.
    ///
    /// - Parameters:
    ///   - offset: where it begins.
    ///   - count: how many bytes are wanted.
    /// - Returns: at least one byte, and at most as many as are wanted.
    /// - Throws: ``ImageError`` when it cannot be read, or has become shorter.
    public func read(at offset: Int64, count: Int) throws(ImageError) -> [UInt8] {
        var problem: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            var got = pread(file.raw, buffer.baseAddress, count, Int(offset))
            while got < 0, errno == EINTR { got = pread(file.raw, buffer.baseAddress, count, Int(offset)) }
            if got < 0 { problem = errno }
            initialized = max(0, got)
        }
        guard problem == 0 else { throw ImageError(SystemError(call: "read", path: nil, errno: problem)) }
        guard !bytes.isEmpty else { throw ImageError(.digestMismatch, "\(digest) became shorter on the disk") }
        return bytes
    }
}

/// A file that an archive arrives in. It is gone when nobody holds it any more, or when the shelf is opened next.
public final class Arrival: Sendable {
    /// Where it is.
    public let path: String
    private let file: LinuxSystem.FileDescriptor

    init(_ directory: StoreDirectory) throws(ImageError) {
        let path = directory.temporaryPath("arrival")
        self.path = path
        file = try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
    }

    /// Appends.
    ///
    /// - Parameter bytes: what has arrived.
    /// - Throws: ``ImageError``, of code `image.disk-full` when there is no room.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) { try writeFully(file.raw, bytes, path) }

    deinit { unlink(path) }
}
