internal import CLinux
internal import Crypto
internal import Glibc
internal import LinuxSystem

extension ImageStore {
    /// Makes an image of one layer of a root file system.
    ///
    /// - Parameters:
    ///   - path: a directory, or a tar archive, compressed or not.
    ///   - config: how its processes are to be run; the layer is added.
    ///   - reference: the image's name.
    /// - Returns: the image. The same files give the same image.
    /// - Throws: ``ImageError``.
    public func build(
        fromRoot path: String, config: ImageConfig, as reference: ImageReference
    ) async throws(ImageError) -> StoredImage {
        let use = try await directory.useShared()
        let image = try await blocking { () throws(ImageError) in
            let (layer, diffID) = try self.rootLayer(path)
            var config = config
            config.diffIDs = [diffID]
            let document = try config.encoded()
            let manifest = ImageManifest(
                mediaType: MediaType.manifest,
                config: Descriptor(
                    mediaType: MediaType.config, digest: try self.blobs.add(document), size: Int64(document.count)),
                layers: [layer])
            return try self.load(self.blobs.add(writeJSON(manifest)), reference)
        }
        try await stack(image)
        try name(reference, image.digest)
        _ = consume use
        return image
    }

    private func rootLayer(_ path: String) throws(ImageError) -> (Descriptor, Digest) {
        let file = try system { () throws(SystemError) in try LinuxSystem.FileDescriptor.open(path, flags: O_RDONLY) }
        var facts = stat()
        guard fstat(file.raw, &facts) == 0 else { throw failure("stat", path) }
        if facts.st_mode & S_IFMT == S_IFDIR { return try packRoot(file.raw, path) }
        let layer = try addLayer(file.raw, path)
        let blob = try blobs.open(layer.digest)
        return (layer, try LayerStream(blob.raw, limits).finish())
    }

    private func packRoot(_ root: Int32, _ path: String) throws(ImageError) -> (Descriptor, Digest) {
        let blob = try BlobWriter(blobs)
        let gzip = try GzipWriter { (bytes) throws(ImageError) in try blob.write(bytes) }
        var hash = SHA256()
        let writer = TarWriter { (bytes) throws(ImageError) in
            hash.update(bufferPointer: bytes)
            try gzip.write(bytes)
        }
        try RootPacker(writer, limits, path).pack(root)
        try writer.finish()
        try gzip.finish()
        let size = blob.size
        let layer = Descriptor(
            mediaType: MediaType.layer + "+gzip", digest: try blob.finish(expecting: nil), size: size)
        return (layer, Digest(hash.finalize()))
    }
}

/// Packs a directory as a layer: sorted, without sockets and devices, and without what is mounted below it.
private final class RootPacker {
    private let writer: TarWriter
    private let limits: LayerLimits
    private let root: String
    private var device: dev_t = 0
    private var entries = 0
    /// Where files with several names were packed first.
    private var links: [UInt64: [UInt8]] = [:]

    init(_ writer: TarWriter, _ limits: LayerLimits, _ root: String) {
        self.writer = writer
        self.limits = limits
        self.root = root
    }

    func pack(_ directory: Int32) throws(ImageError) {
        var facts = stat()
        guard fstat(directory, &facts) == 0 else { throw failure("stat", root) }
        device = facts.st_dev
        try packContent(directory, [], 0)
    }

    private func packContent(_ directory: Int32, _ path: [UInt8], _ depth: Int) throws(ImageError) {
        guard depth < limits.depth else {
            throw ImageError(.tooLarge, "\(root) is more than \(limits.depth) directories deep")
        }
        for name in try names(directory) {
            entries += 1
            guard entries <= limits.entries else {
                throw ImageError(.tooLarge, "\(root) has more than \(limits.entries) files")
            }
            let own = path.isEmpty ? name : path + [0x2F] + name
            if name.starts(with: Array(".wh.".utf8)) {
                throw ImageError(
                    .unsupported, "\(TarEntry.shown(own)) has a name that means a removed file in layers; rename it")
            }
            try packEntry(directory, cName(name), own, depth)
        }
    }

    private func names(_ directory: Int32) throws(ImageError) -> [[UInt8]] {
        guard let stream = fdopendir(clinux_openat(directory, ".", O_RDONLY | O_DIRECTORY, 0)) else {
            throw failure("opendir", root)
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2E] && name != [0x2E, 0x2E] { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private func packEntry(_ directory: Int32, _ name: [CChar], _ path: [UInt8], _ depth: Int) throws(ImageError) {
        var facts = stat()
        guard fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw failure("stat", TarEntry.shown(path))
        }
        var entry = TarEntry(
            kind: .file, path: path, target: [], size: 0, mode: facts.st_mode & 0o7777, user: facts.st_uid,
            group: facts.st_gid, seconds: Int64(facts.st_mtim.tv_sec), nanoseconds: 0, attributes: [])
        switch facts.st_mode & S_IFMT {
        case S_IFDIR:
            let opened = LinuxSystem.FileDescriptor(
                owning: clinux_openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0))
            guard opened.raw >= 0 else { throw failure("open", TarEntry.shown(path)) }
            entry.kind = .directory
            entry.path = path + [0x2F]
            entry.attributes = attributes(opened.raw)
            try writer.begin(entry)
            if facts.st_dev == device { try packContent(opened.raw, path, depth + 1) }
        case S_IFREG where facts.st_dev == device:
            if facts.st_nlink > 1, let first = links[UInt64(facts.st_ino)] {
                entry.kind = .hardLink
                entry.target = first
                return try writer.begin(entry)
            }
            if facts.st_nlink > 1 { links[UInt64(facts.st_ino)] = path }
            try packFile(directory, name, entry)
        case S_IFLNK:
            var target = [CChar](repeating: 0, count: 4_096)
            let count = readlinkat(directory, name, &target, target.count)
            guard count > 0, count < target.count else { throw failure("readlink", TarEntry.shown(path)) }
            entry.kind = .symbolicLink
            entry.target = target[..<count].map { UInt8(bitPattern: $0) }
            try writer.begin(entry)
        case S_IFIFO:
            entry.kind = .fifo
            try writer.begin(entry)
        default: break
        }
    }

    private func packFile(_ directory: Int32, _ name: [CChar], _ entry: TarEntry) throws(ImageError) {
        let file = LinuxSystem.FileDescriptor(
            owning: clinux_openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0))
        var facts = stat()
        guard file.raw >= 0, fstat(file.raw, &facts) == 0 else { throw failure("open", entry.name) }
        var entry = entry
        entry.size = Int64(facts.st_size)
        entry.attributes = attributes(file.raw)
        try writer.begin(entry)
        try forEachPiece(file.raw, entry.name) { (piece) throws(ImageError) in try writer.write(piece) }
    }

    /// Those that layers may have.
    private func attributes(_ file: Int32) -> [(name: [UInt8], value: [UInt8])] {
        var names = [CChar](repeating: 0, count: 64 << 10)
        let length = clinux_list_attributes(file, &names, names.count)
        guard length > 0 else { return [] }
        var found: [(name: [UInt8], value: [UInt8])] = []
        for name in names[..<length].split(separator: 0) {
            let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text == "security.capability" || (text.hasPrefix("user.") && !text.hasPrefix("user.overlay.")) else {
                continue
            }
            var value = [UInt8](repeating: 0, count: 64 << 10)
            let size = clinux_get_attribute(file, Array(name) + [0], &value, value.count)
            if size >= 0 { found.append((Array(text.utf8), Array(value[..<size]))) }
        }
        return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
