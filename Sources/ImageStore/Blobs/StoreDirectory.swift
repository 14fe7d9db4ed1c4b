internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The directories of a store, and the locks that keep its users apart.
///
/// Several processes may work on one store: a node's agent and commands of an operator. What uses blobs and layers
/// holds `use.lock` shared for as long as that takes; what removes them, or cleans up after a crash, holds it alone.
/// `index.lock` is held for the moment that changing `images.json` takes.
struct StoreDirectory: Sendable {
    let root: String

    var blobs: String { root + "/blobs/sha256" }
    var partial: String { root + "/partial" }
    var layers: String { root + "/layers" }
    /// For what is being made; everything in it may be removed when nobody works on the store.
    var temporary: String { root + "/tmp" }
    var index: String { root + "/images.json" }

    /// Where a registry's download of a blob is until it is whole.
    func partial(_ digest: Digest, from registry: String) -> String {
        "\(partial)/\(digest.hex).\(Digest(of: Array(registry.utf8)).hex.prefix(16))"
    }

    /// Makes what is missing. Only root may look into it: layers have files that run with the rights of their owner.
    func make() throws(ImageError) {
        for path in [root, blobs, partial, layers, temporary] {
            try system { () throws(SystemError) in try makeDirectories(path, mode: 0o700) }
        }
    }

    /// Who holds a lock holds this.
    struct Lock: ~Copyable, Sendable {
        fileprivate let file: LinuxSystem.FileDescriptor
    }

    /// Takes the lock of the use of blobs and layers; `nil` when others have it in a way that does not go together.
    func use(alone: Bool) throws(ImageError) -> Lock? {
        let file = try openLock("use.lock")
        guard clinux_flock(file.raw, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw failure("lock", root) }
            return nil
        }
        return Lock(file: file)
    }

    /// Takes the lock of the use of blobs and layers together with others; waits while somebody removes.
    func useShared() async throws(ImageError) -> Lock {
        while true {
            if let lock = try use(alone: false) { return lock }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { throw ImageError(wrapping: error) }
        }
    }

    /// Waits for the lock of the index, which nobody holds for long.
    func lockIndex() throws(ImageError) -> Lock {
        let file = try openLock("index.lock")
        while clinux_flock(file.raw, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure("lock", root) }
        }
        return Lock(file: file)
    }

    /// A download that has not begun yet goes on with what another registry's has left of the same blob, if nobody works
    /// on that.
    func adopt(_ digest: Digest, by taken: consuming LockedFile) throws(ImageError) -> LockedFile {
        guard taken.size == 0 else { return taken }
        let folder = partial
        let names = try system { () throws(SystemError) in try listDirectory(folder) }
        for name in names where name.hasPrefix(digest.hex) && "\(folder)/\(name)" != taken.path {
            guard let other = try LockedFile.take("\(folder)/\(name)") else { continue }
            // Taking one that has gone meanwhile has made it anew.
            guard other.size > 0 else {
                unlink(other.path)
                continue
            }
            guard rename(other.path, taken.path) == 0 else { throw failure("rename", other.path) }
            return LockedFile(file: other.file, path: taken.path)
        }
        return taken
    }

    private func openLock(_ name: String) throws(ImageError) -> LinuxSystem.FileDescriptor {
        let path = "\(root)/\(name)"
        return try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        }
    }

    /// A name in the directory for what is being made, which nobody else uses.
    func temporaryPath(_ kind: String) -> String {
        var generator = SystemRandomNumberGenerator()
        return "\(temporary)/\(kind)-\(getpid())-\(String(generator.next(), radix: 36))"
    }
}

/// A file that one process works on at a time, locked; gone when another has finished it meanwhile.
struct LockedFile: ~Copyable, Sendable {
    let file: LinuxSystem.FileDescriptor
    let path: String

    /// How many bytes it has.
    var size: Int64 {
        var facts = stat()
        return fstat(file.raw, &facts) == 0 ? Int64(facts.st_size) : 0
    }

    /// Opens and locks a file that may be renamed or removed by who holds its lock; `nil` when it is locked.
    static func take(_ path: String) throws(ImageError) -> LockedFile? {
        let file = try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        }
        guard clinux_flock(file.raw, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw failure("lock", path) }
            return nil
        }
        var mine = stat()
        var there = stat()
        guard fstat(file.raw, &mine) == 0, lstat(path, &there) == 0, mine.st_ino == there.st_ino else { return nil }
        return LockedFile(file: file, path: path)
    }

    /// Waits until nobody else works on it. `done` is asked before each try; when it says that there is nothing left to
    /// do, somebody else has done it, and there is no file.
    static func wait(_ path: String, unless done: () throws(ImageError) -> Bool) async throws(ImageError) -> LockedFile?
    {
        while true {
            if try done() { return nil }
            if let taken = try take(path) {
                if try done() {
                    unlink(path)
                    return nil
                }
                return taken
            }
            do { try await Task.sleep(for: .milliseconds(40)) } catch { throw ImageError(wrapping: error) }
        }
    }
}
