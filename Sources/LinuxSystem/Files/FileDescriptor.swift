internal import CLinux
import Glibc

/// An open descriptor with one owner, closed when the owner goes.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number, valid as long as this value lives.
    public let raw: Int32

    /// Takes over a descriptor that nobody else closes.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// Gives the descriptor away without closing it.
    public consuming func release() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// Opens a file, close-on-exec.
    ///
    /// - Parameters:
    ///   - path: file to open.
    ///   - flags: `O_…` flags.
    ///   - mode: permissions of a file that is made by this.
    /// - Returns: the open file.
    /// - Throws: why it cannot be opened.
    public static func open(_ path: String, flags: Int32, mode: UInt32 = 0o600) throws(SystemError) -> FileDescriptor {
        while true {
            let raw = clinux_open(path, flags, mode)
            if raw >= 0 { return FileDescriptor(owning: raw) }
            guard errno == EINTR else { throw .last("open", path) }
        }
    }

    /// Opens a file below an open directory, close-on-exec.
    ///
    /// - Parameters:
    ///   - name: path relative to this directory.
    ///   - flags: `O_…` flags.
    ///   - mode: permissions of a file that is made by this.
    /// - Returns: the open file.
    /// - Throws: why it cannot be opened.
    public func open(at name: String, flags: Int32, mode: UInt32 = 0o600) throws(SystemError) -> FileDescriptor {
        while true {
            let opened = clinux_openat(raw, name, flags, mode)
            if opened >= 0 { return FileDescriptor(owning: opened) }
            guard errno == EINTR else { throw .last("open", name) }
        }
    }

    /// Both ends of a pipe, close-on-exec: first the one to read from.
    public static func pipe() throws(SystemError) -> Pipe {
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard clinux_pipe(&reading, &writing) == 0 else { throw .last("pipe") }
        return Pipe(reading: FileDescriptor(owning: reading), writing: FileDescriptor(owning: writing))
    }

    /// Writes all bytes to a blocking descriptor.
    ///
    /// - Parameters:
    ///   - bytes: what to write.
    ///   - path: for the error text only.
    /// - Throws: why not all could be written; a part may be.
    public func writeAll(_ bytes: [UInt8], path: String? = nil) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(raw, $0.baseAddress.map { $0 + done }, $0.count - done) }
            if count < 0 {
                guard errno == EINTR else { throw .last("write", path) }
            } else {
                done += count
            }
        }
    }

    /// Makes what was written durable.
    public func sync(path: String? = nil) throws(SystemError) {
        guard fsync(raw) == 0 else { throw .last("fsync", path) }
    }
}

/// The two ends of a pipe.
public struct Pipe: ~Copyable, Sendable {
    /// The end to read from.
    public let reading: FileDescriptor
    /// The end to write to.
    public let writing: FileDescriptor

    /// The end to read from; the other is closed.
    public consuming func takeReading() -> Int32 { reading.release() }

    /// The end to write to; the other is closed.
    public consuming func takeWriting() -> Int32 { writing.release() }

    init(reading: consuming FileDescriptor, writing: consuming FileDescriptor) {
        self.reading = reading
        self.writing = writing
    }
}
