internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Changes files below one directory, and nowhere else, whatever paths it is given.
///
/// The directory above a file is opened by the kernel with openat2 and RESOLVE_IN_ROOT, so that a link that leads
/// upwards or is absolute ends inside; the file itself is then named in that directory without following anything.
final class LayerTree {
    private let root: LinuxSystem.FileDescriptor
    private let limits: LayerLimits
    /// The directory that was used last: entries of one directory follow each other.
    private var kept: (path: ArraySlice<UInt8>, descriptor: Int32)?
    /// Directories that were made because something is in them; who describes one takes it out.
    var implied: Set<ArraySlice<UInt8>> = []

    /// `O_PATH`, which Swift does not see.
    private let namesOnly: Int32 = 0o1000_0000
    private static let resolveInRoot: UInt64 = 0x10
    private static let beneath: UInt64 = 0x08
    private static let noLinks: UInt64 = 0x04
    private static let noMagicLinks: UInt64 = 0x02
    private static let noOtherMounts: UInt64 = 0x01

    init(_ path: String, _ limits: LayerLimits) throws(ImageError) {
        self.limits = limits
        root = try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: 0o1000_0000 | O_DIRECTORY | O_NOFOLLOW)
        }
    }

    deinit { forget() }

    /// The path's parts, without those that mean nothing.
    ///
    /// - Throws: ``ImageError`` for `..`, for NUL, and for what no file system takes.
    func parts(_ path: [UInt8]) throws(ImageError) -> [ArraySlice<UInt8>] {
        guard path.count <= limits.pathBytes, !path.contains(0) else { throw hostile(path, "the path cannot be one") }
        let parts = path.split(separator: 0x2F).filter { !$0.elementsEqual([0x2E]) }
        for part in parts {
            if part.elementsEqual([0x2E, 0x2E]) { throw hostile(path, "it leads out of the image") }
            guard part.count <= 255 else { throw hostile(path, "a name has more than 255 bytes") }
        }
        guard parts.count <= limits.depth else {
            throw ImageError(.tooLarge, "\(TarEntry.shown(path)) is more than \(limits.depth) directories deep")
        }
        return parts
    }

    func hostile(_ path: [UInt8], _ reason: String) -> ImageError {
        ImageError(.hostileLayer, "the layer has the entry \"\(TarEntry.shown(path))\": \(reason)")
    }

    /// A directory, made with those above it where it is missing; valid until the next call. A whiteout in its place
    /// gives way to a directory that hides what is below.
    func directory(_ parts: ArraySlice<ArraySlice<UInt8>>) throws(ImageError) -> Int32 {
        let path = ArraySlice(parts.joined(separator: [0x2F]))
        if let kept, kept.path == path { return kept.descriptor }
        var descriptor = open(path)
        if descriptor < 0 {
            guard errno == ENOENT || errno == ENOTDIR, let name = parts.last else { throw cannotOpen(path) }
            let above = try directory(parts.dropLast())
            guard implied.count < limits.entries else {
                throw ImageError(
                    .tooLarge, "the layer has more than \(limits.entries) directories that it does not describe")
            }
            if mkdirat(above, cName(name), 0o755) == 0 {
                implied.insert(path)
            } else {
                guard errno == EEXIST, isWhiteout(above, name) else { throw cannotOpen(path) }
                try remove(above, name)
                guard mkdirat(above, cName(name), 0o755) == 0 else { throw cannotOpen(path) }
                try makeOpaque(above, name)
            }
            // Whatever this process takes away from new files.
            guard fchmodat(above, cName(name), 0o755, 0) == 0 else { throw cannotOpen(path) }
            descriptor = open(path)
            guard descriptor >= 0 else { throw cannotOpen(path) }
        }
        forget()
        kept = (path, descriptor)
        return descriptor
    }

    /// A directory as ``directory(_:)`` gives it, to which no link leads; `nil` when something else is in its way.
    func ownDirectory(_ parts: ArraySlice<ArraySlice<UInt8>>) throws(ImageError) -> Int32? {
        let path = ArraySlice(parts.joined(separator: [0x2F]))
        let descriptor = openAt(
            path.isEmpty ? [0x2E] : Array(path), namesOnly | O_DIRECTORY,
            Self.beneath | Self.noLinks | Self.noOtherMounts)
        guard descriptor >= 0 else {
            // What is missing is made; on the way to it there is no link, or that had been found first.
            return errno == ENOENT ? try directory(parts) : nil
        }
        forget()
        kept = (path, descriptor)
        return descriptor
    }

    /// Opens a directory that is there, for names in it only.
    private func open(_ path: ArraySlice<UInt8>) -> Int32 {
        openAt(path.isEmpty ? [0x2E] : Array(path), namesOnly | O_DIRECTORY)
    }

    private func openAt(
        _ path: [UInt8], _ flags: Int32, _ resolve: UInt64 = resolveInRoot | noMagicLinks | noOtherMounts
    ) -> Int32 {
        let how: [UInt64] = [UInt64(flags | O_CLOEXEC), 0, resolve]
        var result = 0
        // The kernel wants to be asked again when something was renamed while it looked at a link.
        for _ in 0..<128 {
            result = (path + [0]).withUnsafeBytes { path in
                how.withUnsafeBytes { how in
                    clinux_syscall(
                        Int(SYS_openat2), Int(root.raw), Int(bitPattern: path.baseAddress),
                        Int(bitPattern: how.baseAddress), how.count, 0, 0)
                }
            }
            if result != Int(-EAGAIN) && result != Int(-EINTR) { break }
        }
        guard result >= 0 else {
            errno = Int32(-result)
            return -1
        }
        return Int32(result)
    }

    /// A directory that is there and to which no link leads.
    func openDirectory(_ path: ArraySlice<UInt8>) -> LinuxSystem.FileDescriptor? {
        let descriptor = openAt(Array(path), O_RDONLY | O_DIRECTORY, Self.beneath | Self.noLinks | Self.noOtherMounts)
        return descriptor >= 0 ? LinuxSystem.FileDescriptor(owning: descriptor) : nil
    }

    /// A plain file for reading; links are followed, but not out of the tree.
    func openFile(_ path: [UInt8]) throws(ImageError) -> LinuxSystem.FileDescriptor {
        let parts = try parts(path)
        let descriptor = openAt(Array(parts.joined(separator: [0x2F])), O_RDONLY | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw failure("open", TarEntry.shown(path)) }
        let file = LinuxSystem.FileDescriptor(owning: descriptor)
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw ImageError(.invalidContent, "\(TarEntry.shown(path)) is no plain file")
        }
        return file
    }

    private func cannotOpen(_ path: ArraySlice<UInt8>) -> ImageError {
        switch errno {
        case ENOTDIR, EEXIST: hostile(Array(path), "something that is no directory is in its way")
        case ELOOP, EXDEV, ENOENT: hostile(Array(path), "it leads through a link that leads nowhere")
        case ENOSYS: ImageError(.unsupported, "unpacking needs openat2, which Linux has since 5.6")
        default: failure("open", TarEntry.shown(Array(path)))
        }
    }

    /// Has to be called whenever a directory may have gone.
    func forget() {
        if let kept { close(kept.descriptor) }
        kept = nil
    }

    func isWhiteout(_ directory: Int32, _ name: ArraySlice<UInt8>) -> Bool {
        var facts = stat()
        guard fstatat(directory, cName(name), &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return false }
        return facts.st_mode & S_IFMT == S_IFCHR && facts.st_rdev == 0
    }

    /// Marks a directory so that nothing of the layers below shows through it.
    func makeOpaque(_ directory: Int32, _ name: ArraySlice<UInt8>) throws(ImageError) {
        let opened = clinux_openat(directory, cName(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard opened >= 0 else { throw failure("open", TarEntry.shown(Array(name))) }
        defer { close(opened) }
        guard clinux_set_attribute(opened, Self.opaqueAttribute, "y", 1) == 0 else {
            throw failure("setxattr", TarEntry.shown(Array(name)))
        }
    }

    /// What overlay looks at; without root's rights it is mounted with `userxattr`.
    static let opaqueAttribute = geteuid() == 0 ? "trusted.overlay.opaque" : "user.overlay.opaque"

    /// Removes whatever has a name, with all that is below it.
    func remove(_ directory: Int32, _ name: ArraySlice<UInt8>) throws(ImageError) {
        if unlinkat(directory, cName(name), 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw failure("unlink", TarEntry.shown(Array(name))) }
        try removeDirectory(directory, cName(name), depth: 0)
        // The directory that is kept may have been in there; the caller's own cannot.
        if let kept, kept.descriptor != directory { forget() }
    }
}

/// A name as the system takes it.
func cName(_ name: some Collection<UInt8>) -> [CChar] {
    var bytes: [CChar] = []
    bytes.reserveCapacity(name.count + 1)
    for byte in name { bytes.append(CChar(bitPattern: byte)) }
    bytes.append(0)
    return bytes
}

/// Removes a tree of a layer by the bytes of its names, which need not be text; never follows a link. The name is one in
/// the directory, with a NUL at its end.
func removeDirectory(_ parent: Int32, _ name: [CChar], depth: Int) throws(ImageError) {
    if unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
    if errno == ENOTDIR, unlinkat(parent, name, 0) == 0 { return }
    guard depth < 300 else { throw ImageError(.system, "directories are too deep to be removed") }
    let shown = TarEntry.shown(name.dropLast().map { UInt8(bitPattern: $0) })
    let opened = clinux_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
    guard opened >= 0 else { throw failure("open", shown) }
    guard let stream = fdopendir(opened) else {
        close(opened)
        throw failure("opendir", shown)
    }
    defer { closedir(stream) }
    // Some file systems skip names while others are removed, so it may take another look.
    for _ in 0..<8 {
        try removeContent(opened, stream, shown, depth: depth)
        if unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
        guard errno == ENOTEMPTY else { break }
        rewinddir(stream)
    }
    throw failure("rmdir", shown)
}

private func removeContent(
    _ directory: Int32, _ stream: OpaquePointer, _ shown: String, depth: Int
) throws(ImageError) {
    while let entry = readdir(stream) {
        let child = withUnsafeBytes(of: entry.pointee.d_name) { cName($0.prefix { $0 != 0 }) }
        if child == [0x2E, 0] || child == [0x2E, 0x2E, 0] { continue }
        if unlinkat(directory, child, 0) == 0 || errno == ENOENT { continue }
        guard errno == EISDIR || errno == EPERM else { throw failure("unlink", shown) }
        try removeDirectory(directory, child, depth: depth + 1)
    }
}

/// Removes a file or a tree by its path; nothing there is fine.
func removeAll(_ path: String) throws(ImageError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw failure("unlink", path) }
    try removeDirectory(AT_FDCWD, cName(path.utf8), depth: 0)
}
