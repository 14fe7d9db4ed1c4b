internal import Crypto
internal import Glibc
internal import LinuxSystem

/// Files named by the digest of their content.
///
/// A blob is written under another name while its digest is taken, synced, and renamed when the digest is right: a name
/// below `blobs` therefore always has all of its bytes, and the right ones. What a broken download has brought stays
/// below `partial`, where the next one goes on; its lock makes several pulls of one blob wait for one.
struct BlobStore: Sendable {
    let directory: StoreDirectory

    /// Where a blob is, or would be.
    func path(_ digest: Digest) -> String { "\(directory.blobs)/\(digest.hex)" }

    /// The size of a blob that is there.
    func size(_ digest: Digest) -> Int64? {
        var facts = stat()
        guard lstat(path(digest), &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(facts.st_size)
    }

    /// Whether a blob is there; one of another size than was said is an error, since both cannot be right.
    func has(_ descriptor: Descriptor) throws(ImageError) -> Bool {
        guard let size = size(descriptor.digest) else { return false }
        guard size == descriptor.size else {
            throw ImageError(
                .digestMismatch, "\(descriptor.digest) has \(size) bytes and is said to have \(descriptor.size)")
        }
        return true
    }

    func open(_ digest: Digest) throws(ImageError) -> LinuxSystem.FileDescriptor {
        let path = path(digest)
        do throws(SystemError) {
            return try LinuxSystem.FileDescriptor.open(path, flags: O_RDONLY | O_NOFOLLOW)
        } catch {
            guard error.errno == ENOENT else { throw ImageError(error) }
            throw ImageError(.notFound, "the store lacks \(digest); pull or import the image again")
        }
    }

    /// A small blob's content, verified: what is acted upon may have rotted on the disk.
    func read(_ digest: Digest, limit: Int) throws(ImageError) -> [UInt8] {
        _ = try open(digest)
        let path = path(digest)
        let bytes = try system { () throws(SystemError) in try readFile(path, limit: limit) }
        guard Digest(of: bytes) == digest else {
            throw ImageError(.digestMismatch, "\(path) was changed on the disk; remove it and pull the image again")
        }
        return bytes
    }

    /// Keeps a document.
    @discardableResult
    func add(_ bytes: [UInt8]) throws(ImageError) -> Digest {
        let digest = Digest(of: bytes)
        if size(digest) == Int64(bytes.count) { return digest }
        let writer = try BlobWriter(self)
        try writer.write(bytes)
        _ = try writer.finish(expecting: digest)
        return digest
    }

    /// All that are there.
    func list() throws(ImageError) -> [Digest] {
        let path = directory.blobs
        return try system { () throws(SystemError) in try listDirectory(path) }.compactMap { Digest(hex: $0) }
    }

    func remove(_ digest: Digest) throws(ImageError) {
        guard unlink(path(digest)) == 0 || errno == ENOENT else { throw failure("unlink", path(digest)) }
    }
}

/// Writes one blob: under another name, with its digest taken on the way.
final class BlobWriter {
    private let blobs: BlobStore
    private let file: LinuxSystem.FileDescriptor
    private let path: String
    private var hash = SHA256()
    private(set) var size: Int64 = 0
    private var isDone = false
    /// Whether what was written so far is of use to a later try.
    private let isResumable: Bool

    /// Writes a blob whose digest is not known yet.
    init(_ blobs: BlobStore) throws(ImageError) {
        self.blobs = blobs
        isResumable = false
        let path = blobs.directory.temporaryPath("blob")
        self.path = path
        file = try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
    }

    /// Goes on with a locked file that an earlier try has left: its bytes are read for the digest. One that is longer
    /// than the limit is begun anew.
    init(_ blobs: BlobStore, resuming partial: consuming LockedFile, limit: Int64) throws(ImageError) {
        self.blobs = blobs
        isResumable = true
        path = partial.path
        file = partial.file
        try readBack(limit)
    }

    private func readBack(_ limit: Int64) throws(ImageError) {
        var facts = stat()
        guard fstat(file.raw, &facts) == 0 else { throw failure("fstat", path) }
        guard facts.st_size <= limit else { return try restart() }
        try withBuffer { (buffer) throws(ImageError) in
            while true {
                let count = read(file.raw, buffer.baseAddress, buffer.count)
                if count == 0 { return }
                if count < 0 {
                    guard errno == EINTR else { throw failure("read", path) }
                    continue
                }
                hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                size += Int64(count)
            }
        }
    }

    /// Forgets what was written.
    func restart() throws(ImageError) {
        guard ftruncate(file.raw, 0) == 0, lseek(file.raw, 0, SEEK_SET) == 0 else { throw failure("truncate", path) }
        hash = SHA256()
        size = 0
    }

    /// Appends.
    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        do throws(ImageError) {
            try writeFully(file.raw, bytes, path)
        } catch {
            // What does not fit must not keep the disk full for everybody else until a later try.
            if error.code == .diskFull { try? restart() }
            throw error
        }
        hash.update(bufferPointer: bytes)
        size += Int64(bytes.count)
    }

    func write(_ bytes: [UInt8]) throws(ImageError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(ImageError) in try write(bytes) }
        }
        try result.get()
    }

    /// Compares, syncs and gives the blob its name; what is not what it must be is removed. Says what it is.
    func finish(expecting expected: Digest?) throws(ImageError) -> Digest {
        let digest = Digest(hash.finalize())
        isDone = true
        if let expected, expected != digest {
            unlink(path)
            throw ImageError(.digestMismatch, "the bytes of \(expected) have the digest \(digest)")
        }
        do throws(ImageError) {
            guard fsync(file.raw) == 0 else { throw failure("fsync", path) }
            let target = blobs.path(digest)
            guard rename(path, target) == 0 else { throw failure("rename", target) }
            let parent = blobs.directory.blobs
            try system { () throws(SystemError) in try syncDirectory(parent) }
        } catch {
            unlink(path)
            throw error
        }
        return digest
    }

    deinit {
        guard !isDone else { return }
        // An empty file would only be litter.
        if !isResumable || size == 0 { unlink(path) }
    }
}

/// Writes all of some bytes to a blocking descriptor.
func writeFully(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ path: String) throws(ImageError) {
    var rest = bytes
    while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
            guard errno == EINTR else { throw failure("write", path) }
        } else {
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// Lends a buffer for reading files.
func withBuffer<Result>(
    _ size: Int = 256 << 10, _ body: (UnsafeMutableRawBufferPointer) throws(ImageError) -> Result
) throws(ImageError) -> Result {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { buffer.deallocate() }
    return try body(buffer)
}
