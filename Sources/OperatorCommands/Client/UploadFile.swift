internal import Glibc
internal import LinuxSystem
internal import NIOCore
internal import Synchronization

/// A file that is sent piece by piece.
final class UploadFile: Sendable {
    /// How many bytes it has; as many are sent, whatever becomes of it meanwhile.
    let size: Int64
    private let file: LinuxSystem.FileDescriptor
    private let offset = Mutex<Int64>(0)

    init(_ path: String) throws(SystemError) {
        file = try LinuxSystem.FileDescriptor.open(path, flags: O_RDONLY)
        var facts = stat()
        guard fstat(file.raw, &facts) == 0 else { throw SystemError(call: "fstat", path: path, errno: errno) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw SystemError(call: "open", path: path, errno: EISDIR) }
        size = Int64(facts.st_size)
    }

    /// How many bytes were given out.
    var sent: Int64 { offset.withLock(\.self) }

    /// The next piece; nil at the end.
    ///
    /// - Throws: ``SystemError`` when the file cannot be read, or has become shorter.
    func next() throws(SystemError) -> ByteBuffer? {
        let start = sent
        guard start < size else { return nil }
        var piece = ByteBuffer()
        var count = 0
        var problem: Int32 = 0
        piece.writeWithUnsafeMutableBytes(minimumWritableBytes: 256 << 10) { room in
            count = pread(file.raw, room.baseAddress, min(room.count, Int(size - start)), Int(start))
            if count < 0 { problem = errno }
            return max(0, count)
        }
        guard count > 0 else { throw SystemError(call: "read", path: nil, errno: problem == 0 ? EIO : problem) }
        offset.withLock { $0 += Int64(count) }
        return piece
    }
}
