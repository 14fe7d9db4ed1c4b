internal import CLinux
internal import Glibc
internal import LinuxSystem

/// What became of a layer when it was unpacked.
struct LayerFacts: Codable, Equatable, Sendable {
    var diffID: Digest
    /// Bytes of files.
    var bytes: Int64 = 0
    var entries = 0
    /// Devices that were left out: a container gets its own.
    var devices = 0
    /// Extended attributes that were left out.
    var attributes = 0
    /// Whether nothing of the layers below shows at all.
    var hidesAll = false
    /// How many directories were made only because something is in them; see ``LayerStore``.
    var implied = 0
    /// The layers below that these directories were taken from, together with this one.
    var chainID: Digest?
    var format = 1
}

/// Unpacks one layer into a directory that overlay can stack.
///
/// The archive is hostile until the opposite is shown: names are taken apart and looked up below the directory by the
/// kernel (``LayerTree``), so that nothing is written outside whatever the archive says; `..` is refused rather than
/// interpreted, links are made and not followed on the way to a name, devices are left out, privileges in extended
/// attributes are only those of `security.capability`, and everything is counted (``LayerLimits``). A whiteout becomes
/// overlay's character device 0:0 and an opaque directory its extended attribute, whatever the order of the entries.
final class LayerUnpacker {
    private let tree: LayerTree
    private let reader: TarReader
    private let stream: LayerStream
    private let limits: LayerLimits
    private let isRoot = geteuid() == 0
    private var facts = LayerFacts(diffID: Digest(of: []))
    private var attributeBytes: Int64 = 0
    /// Directories whose times are set last, since making their entries changes them.
    private var times: [[UInt8]: (seconds: Int64, nanoseconds: Int)] = [:]
    /// Archives of files for import have no whiteouts: names are taken as they are.
    private let isLayer: Bool
    private let isCancelled: @Sendable () -> Bool

    private static let whiteout = Array(".wh.".utf8)
    private static let opaque = Array(".wh..wh..opq".utf8)
    private static let reserved = Array(".wh..wh.".utf8)

    /// For an archive, compressed or not, from where its descriptor stands, and an empty directory. Where it is no layer
    /// but an archive of an image, names are taken as they are and owners are not kept.
    init(
        _ descriptor: Int32, into path: String, _ limits: LayerLimits, isLayer: Bool = true,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(ImageError) {
        self.limits = limits
        self.isLayer = isLayer
        self.isCancelled = isCancelled
        tree = try LayerTree(path, limits)
        stream = LayerStream(descriptor, limits)
        reader = TarReader(stream, limits)
    }

    /// The directories that the archive did not describe.
    var implied: [ArraySlice<UInt8>] { tree.implied.sorted { $0.lexicographicallyPrecedes($1) } }

    /// Unpacks all of it.
    func run() throws(ImageError) -> LayerFacts {
        while let entry = try reader.next() {
            facts.entries += 1
            if facts.entries % 64 == 0, isCancelled() { throw ImageError(.cancelled, "it was cancelled") }
            try unpack(entry)
        }
        try setTimes()
        facts.implied = tree.implied.count
        facts.diffID = try stream.finish()
        return facts
    }

    private func unpack(_ entry: TarEntry) throws(ImageError) {
        let parts = try tree.parts(entry.path)
        guard let name = parts.last else {
            guard entry.kind == .directory else { throw tree.hostile(entry.path, "only a directory can be the root") }
            return try describeRoot(entry)
        }
        if isLayer {
            for part in parts.dropLast() where part.starts(with: Self.whiteout) {
                // AUFS had directories of its own, which old images still have.
                if part.starts(with: Self.reserved), !part.elementsEqual(Self.opaque) { return }
                throw tree.hostile(entry.path, "a whiteout has nothing below it")
            }
            if name.starts(with: Self.whiteout) { return try hide(entry, parts) }
        }
        if entry.kind == .device {
            facts.devices += 1
            return
        }
        let directory = try tree.directory(parts.dropLast())
        switch entry.kind {
        case .file: try makeFile(entry, directory, name)
        case .directory: try makeDirectory(entry, directory, name, parts)
        case .symbolicLink: try makeLink(entry, directory, name)
        case .hardLink: try makeHardLink(entry, parts)
        case .fifo: try makeFifo(entry, directory, name)
        case .device: break
        }
    }

    // MARK: - Whiteouts

    private func hide(_ entry: TarEntry, _ parts: [ArraySlice<UInt8>]) throws(ImageError) {
        guard let name = parts.last else { return }
        let hidden = name.dropFirst(Self.whiteout.count)
        if hidden.isEmpty || hidden.elementsEqual([0x2E]) || hidden.elementsEqual([0x2E, 0x2E]) {
            throw tree.hostile(entry.path, "it hides what is no name")
        }
        let isOpaque = name.elementsEqual(Self.opaque)
        // Other names of this form were AUFS's own; nothing of them belongs into an image.
        if name.starts(with: Self.reserved), !isOpaque { return }
        if isOpaque, parts.count == 1 {
            // Overlay does not look at the topmost directory of a layer: the layers below are left out instead.
            facts.hidesAll = true
            return
        }
        // Where a directory became a file or a link, tools also list what was in it; all of that is hidden already.
        guard let directory = try tree.ownDirectory(parts.dropLast()) else { return }
        if isOpaque { return try tree.makeOpaque(directory, [0x2E]) }
        if mknodat(directory, cName(hidden), S_IFCHR, 0) == 0 { return }
        guard errno == EEXIST else { throw failure("mknod", entry.name) }
        // The layer has such an entry itself, which stays: what is hidden is below it.
        var there = stat()
        if fstatat(directory, cName(hidden), &there, AT_SYMLINK_NOFOLLOW) == 0, there.st_mode & S_IFMT == S_IFDIR {
            try tree.makeOpaque(directory, hidden)
        }
    }

    // MARK: - Entries

    /// Makes an entry; when its name is taken, what is there gives way first.
    ///
    /// - Returns: whether something gave way.
    @discardableResult
    private func replacing(
        _ entry: TarEntry, _ directory: Int32, _ name: ArraySlice<UInt8>, _ make: () -> Int32
    ) throws(ImageError) -> Bool {
        if make() >= 0 { return false }
        guard errno == EEXIST else { throw refused(entry) }
        try tree.remove(directory, name)
        guard make() >= 0 else { throw refused(entry) }
        return true
    }

    private func refused(_ entry: TarEntry) -> ImageError {
        switch errno {
        case EINVAL, EILSEQ, ENAMETOOLONG: tree.hostile(entry.path, "the file system does not take it")
        default: failure("make", entry.name)
        }
    }

    private func makeFile(_ entry: TarEntry, _ directory: Int32, _ name: ArraySlice<UInt8>) throws(ImageError) {
        var descriptor: Int32 = -1
        let name0 = cName(name)
        try replacing(entry, directory, name) {
            descriptor = clinux_openat(directory, name0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
            return descriptor
        }
        let file = LinuxSystem.FileDescriptor(owning: descriptor)
        while true {
            let piece = try reader.nextContent()
            if piece.isEmpty { break }
            try writeFully(file.raw, piece, entry.name)
        }
        facts.bytes += entry.size
        try describe(entry, file.raw)
    }

    private func makeDirectory(
        _ entry: TarEntry, _ directory: Int32, _ name: ArraySlice<UInt8>, _ parts: [ArraySlice<UInt8>]
    ) throws(ImageError) {
        let name0 = cName(name)
        if mkdirat(directory, name0, 0o700) != 0 {
            guard errno == EEXIST else { throw refused(entry) }
            var there = stat()
            guard fstatat(directory, name0, &there, AT_SYMLINK_NOFOLLOW) == 0 else { throw refused(entry) }
            if there.st_mode & S_IFMT != S_IFDIR {
                // What the layer had here before, a whiteout perhaps, hid what is below; so does the directory then.
                try tree.remove(directory, name)
                guard mkdirat(directory, name0, 0o700) == 0 else { throw refused(entry) }
                if isLayer { try tree.makeOpaque(directory, name) }
            }
        }
        let opened = clinux_openat(directory, name0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard opened >= 0 else { throw failure("open", entry.name) }
        let file = LinuxSystem.FileDescriptor(owning: opened)
        try describe(entry, file.raw)
        let path = Array(parts.joined(separator: [0x2F]))
        tree.implied.remove(path[...])
        times[path] = (entry.seconds, entry.nanoseconds)
    }

    private func describeRoot(_ entry: TarEntry) throws(ImageError) {
        let opened = clinux_openat(try tree.directory([]), ".", O_RDONLY | O_DIRECTORY, 0)
        guard opened >= 0 else { throw failure("open", entry.name) }
        let file = LinuxSystem.FileDescriptor(owning: opened)
        try describe(entry, file.raw)
        times[[0x2E]] = (entry.seconds, entry.nanoseconds)
    }

    private func makeLink(_ entry: TarEntry, _ directory: Int32, _ name: ArraySlice<UInt8>) throws(ImageError) {
        guard !entry.target.isEmpty, entry.target.count <= limits.pathBytes, !entry.target.contains(0) else {
            throw tree.hostile(entry.path, "a link leads to what is no path")
        }
        let name0 = cName(name)
        let target = cName(entry.target)
        try replacing(entry, directory, name) { symlinkat(target, directory, name0) }
        try own(entry, directory, name0)
    }

    private func makeFifo(_ entry: TarEntry, _ directory: Int32, _ name: ArraySlice<UInt8>) throws(ImageError) {
        let name0 = cName(name)
        try replacing(entry, directory, name) { mkfifoat(directory, name0, 0o600) }
        try own(entry, directory, name0)
        guard fchmodat(directory, name0, entry.mode, 0) == 0 else { throw failure("chmod", entry.name) }
    }

    /// The target is another entry of the same layer: below it there is nothing to link to when a layer is shared.
    private func makeHardLink(_ entry: TarEntry, _ parts: [ArraySlice<UInt8>]) throws(ImageError) {
        let targetParts = try tree.parts(entry.target)
        guard let target = targetParts.last, let name = parts.last else {
            throw tree.hostile(entry.path, "a hard link leads to a directory")
        }
        if targetParts.elementsEqual(parts, by: { $0.elementsEqual($1) }) { return }
        // Both directories are needed at once, and the tree keeps one.
        let first = try tree.directory(targetParts.dropLast())
        let from = LinuxSystem.FileDescriptor(owning: fcntl(first, F_DUPFD_CLOEXEC, 0))
        guard from.raw >= 0 else { throw failure("dup", entry.name) }
        let directory = try tree.directory(parts.dropLast())
        var there = stat()
        guard fstatat(from.raw, cName(target), &there, AT_SYMLINK_NOFOLLOW) == 0 else {
            guard errno == ENOENT else { throw failure("stat", entry.name) }
            throw tree.hostile(entry.path, "it is a hard link to what this layer does not have")
        }
        guard [S_IFREG, S_IFLNK, S_IFIFO].contains(there.st_mode & S_IFMT) else {
            throw tree.hostile(entry.path, "it is a hard link to what is no file")
        }
        var same = stat()
        if fstatat(directory, cName(name), &same, AT_SYMLINK_NOFOLLOW) == 0, same.st_ino == there.st_ino { return }
        let names = (cName(target), cName(name))
        try replacing(entry, directory, name) { linkat(from.raw, names.0, directory, names.1, 0) }
    }

    // MARK: - What a file has beside its content

    private func describe(_ entry: TarEntry, _ descriptor: Int32) throws(ImageError) {
        guard isLayer else { return }
        // Before the mode: a change of owner takes the set-user-ID bit away.
        guard fchown(descriptor, entry.user, entry.group) == 0 || !isRoot else { throw failure("chown", entry.name) }
        // Who is not root could not get into his own files any more.
        guard fchmod(descriptor, isRoot ? entry.mode : entry.mode | 0o700) == 0 else {
            throw failure("chmod", entry.name)
        }
        for attribute in entry.attributes { try set(attribute, entry, descriptor) }
        guard entry.kind != .directory else { return }
        var times = [timespec](repeating: Self.time(entry.seconds, entry.nanoseconds), count: 2)
        guard futimens(descriptor, &times) == 0 else { throw failure("utimens", entry.name) }
    }

    /// Owner and time of what cannot be opened.
    private func own(_ entry: TarEntry, _ directory: Int32, _ name: [CChar]) throws(ImageError) {
        guard isLayer else { return }
        guard fchownat(directory, name, entry.user, entry.group, AT_SYMLINK_NOFOLLOW) == 0 || !isRoot else {
            throw failure("chown", entry.name)
        }
        var times = [timespec](repeating: Self.time(entry.seconds, entry.nanoseconds), count: 2)
        guard utimensat(directory, name, &times, AT_SYMLINK_NOFOLLOW) == 0 else { throw failure("utimens", entry.name) }
        facts.attributes += entry.attributes.count
    }

    /// `trusted` attributes steer overlay itself and are refused; of `security` those are kept that a program needs.
    private func set(
        _ attribute: (name: [UInt8], value: [UInt8]), _ entry: TarEntry, _ descriptor: Int32
    ) throws(ImageError) {
        attributeBytes += Int64(attribute.value.count + attribute.name.count)
        guard attributeBytes <= limits.attributeBytes else {
            throw ImageError(.tooLarge, "the layer has more than \(limits.attributeBytes) bytes of extended attributes")
        }
        let name = String(decoding: attribute.name, as: UTF8.self)
        if name.hasPrefix("trusted.") || name.hasPrefix("user.overlay.") {
            throw tree.hostile(entry.path, "it has the extended attribute \(TarEntry.shown(attribute.name))")
        }
        let isCapability = name == "security.capability" && (20...24).contains(attribute.value.count)
        guard (isCapability && isRoot && entry.kind == .file) || name.hasPrefix("user.") else {
            facts.attributes += 1
            return
        }
        let result = attribute.value.withUnsafeBytes {
            clinux_set_attribute(descriptor, name, $0.baseAddress, $0.count)
        }
        guard result == 0 else {
            // A file system without them, or without room for so many.
            guard errno == ENOTSUP || errno == EPERM || errno == E2BIG || (errno == ENOSPC && !isCapability) else {
                throw failure("setxattr", entry.name)
            }
            facts.attributes += 1
            return
        }
    }

    /// File systems clamp what they cannot keep; the kernel refuses only nonsense.
    private static func time(_ seconds: Int64, _ nanoseconds: Int) -> timespec {
        timespec(tv_sec: Int(max(-(1 << 40), min(seconds, 1 << 40))), tv_nsec: nanoseconds)
    }

    private func setTimes() throws(ImageError) {
        guard isLayer else { return }
        for (path, time) in times {
            let parts = try tree.parts(path)
            guard let directory = try? tree.directory(parts.dropLast()) else { continue }
            var times = [timespec](repeating: Self.time(time.seconds, time.nanoseconds), count: 2)
            let name = parts.last ?? [0x2E]
            // A later entry may have put something else in its place.
            guard utimensat(directory, cName(name), &times, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT else {
                throw failure("utimens", TarEntry.shown(path))
            }
        }
        tree.forget()
    }
}
