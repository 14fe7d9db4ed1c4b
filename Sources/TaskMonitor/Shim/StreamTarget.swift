internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Where the output of a process goes, as containerd names it: a fifo or file by its path, `file://PATH`, or
/// `binary://PATH?key=value`, a program that reads it.
enum StreamTarget {
    /// An opened target.
    struct Opened {
        let sink: Int32
        /// The reading end of a fifo: with it here, a client that goes and another that comes do not disturb the
        /// writer.
        var kept: [Int32] = []
    }

    /// Opens a target.
    ///
    /// - Parameter path: what containerd said; not empty, no `binary://`.
    /// - Returns: nil for a fifo that nobody reads yet.
    /// - Throws: why it cannot be opened.
    static func open(_ path: String) throws(ShimFailure) -> Opened? {
        do throws(SystemError) {
            guard !path.hasPrefix("file://") else { return try file(String(path.dropFirst("file://".count))) }
            var status = stat()
            guard stat(path, &status) == 0 else { throw SystemError(call: "find", path: path, errno: errno) }
            guard status.st_mode & S_IFMT == S_IFIFO else {
                return Opened(sink: try FileDescriptor.open(path, flags: O_WRONLY | O_APPEND).release())
            }
            let sink = clinux_open(path, O_WRONLY | O_NONBLOCK, 0)
            guard sink >= 0 else {
                if errno == ENXIO { return nil }
                throw SystemError(call: "open", path: path, errno: errno)
            }
            let reading = clinux_open(path, O_RDONLY | O_NONBLOCK, 0)
            return Opened(sink: sink, kept: reading >= 0 ? [reading] : [])
        } catch {
            throw .unknown("cannot open where output is to go: \(error)")
        }
    }

    private static func file(_ path: String) throws(SystemError) -> Opened {
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]))
        }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        return Opened(sink: try FileDescriptor.open(path, flags: flags, mode: 0o644).release())
    }

    /// Starts the program of a `binary://` target; it has output as descriptor 3, errors as 4, and ends with them.
    ///
    /// - Parameters:
    ///   - uri: what containerd said.
    ///   - id: the container, for the program's environment.
    ///   - namespace: containerd's namespace, likewise.
    /// - Returns: targets for output and errors.
    /// - Throws: why it cannot be started.
    static func startLogger(_ uri: String, id: String, namespace: String) throws(ShimFailure) -> [Opened] {
        do throws(SystemError) {
            let output = try FileDescriptor.pipe()
            let errors = try FileDescriptor.pipe()
            // The program closes this when it is ready; the pipes hold what comes earlier.
            let ready = try FileDescriptor.pipe()
            let parts = uri.dropFirst("binary://".count).split(separator: "?", maxSplits: 1)
            let path = unescaped(parts.first ?? "")
            var words = [path]
            for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
                words += pair.split(separator: "=", maxSplits: 1).map { unescaped($0) }
            }
            let child = clinux_fork()
            guard child >= 0 else { throw SystemError(call: "fork", errno: errno) }
            if child == 0 {
                setenv("CONTAINER_ID", id, 1)
                setenv("CONTAINER_NAMESPACE", namespace, 1)
                let inherited = [0, 1, 2, output.reading.raw, errors.reading.raw, ready.writing.raw]
                ChildProgram.execute(words, descriptors: inherited)
            }
            for descriptor in [output.writing.raw, errors.writing.raw] { _ = clinux_set_nonblocking(descriptor) }
            return [Opened(sink: output.takeWriting()), Opened(sink: errors.takeWriting())]
        } catch {
            throw .unknown("cannot start the program that output is to go to: \(error)")
        }
    }

    /// Replaces `%41` by `A`.
    static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A program started by a forked child of this process.
enum ChildProgram {
    /// In the child: becomes the program, with the given descriptors as 0 and up; never returns.
    static func execute(_ words: [String], descriptors: [Int32]) -> Never {
        let moved = descriptors.map { fcntl($0, F_DUPFD, 64) }
        for (place, source) in moved.enumerated() where source < 0 || dup2(source, Int32(place)) < 0 { _exit(126) }
        guard clinux_close_from(Int32(descriptors.count)) == 0, let program = words.first else { _exit(126) }
        clinux_reset_signals()
        let arguments = CStringVector(words)
        execvp(program, UnsafeMutablePointer(mutating: arguments.pointers))
        _exit(127)
    }
}
