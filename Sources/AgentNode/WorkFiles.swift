internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem

/// The files that the agent's endpoint may show: what is in tasks' work directories, and the agent's own log.
///
/// Paths are walked one directory at a time and no link is followed, so that a task cannot lead a reader out of its
/// directory with links of its own.
struct WorkFiles: Sendable {
    /// The path under which Mesos clients ask for the agent's log.
    static let logName = "/slave/log"

    let root: String
    let logFile: String?

    /// What `ls -l` would say.
    struct Entry {
        var path: String
        var facts: stat
    }

    /// The parts of a path below the root: framework, task, container, then those inside of the work directory.
    private func parts(_ path: String) throws(GatewayError) -> [String] {
        guard path.hasPrefix(root + "/"), !path.utf8.contains(0) else { throw Self.notFound(path) }
        // `dcos task ls` asks for `DIRECTORY/.`.
        let parts = path.dropFirst(root.count + 1).split(separator: "/").map(String.init).filter { $0 != "." }
        guard parts.count >= 3, parts.count < 256, !parts.contains("..") else { throw Self.notFound(path) }
        return parts
    }

    /// The container whose work directory a path is in.
    func container(of path: String) -> ContainerID? {
        (try? parts(path)).map { ContainerID($0[2]) }
    }

    /// Opens a plain file for reading.
    func openFile(_ path: String) throws(GatewayError) -> LinuxSystem.FileDescriptor {
        let file: LinuxSystem.FileDescriptor
        if path == Self.logName, let logFile {
            do throws(SystemError) {
                file = try LinuxSystem.FileDescriptor.open(logFile, flags: O_RDONLY | O_NONBLOCK)
            } catch { throw Self.refusal(path, error) }
        } else {
            file = try open(path, O_RDONLY | O_NONBLOCK)
        }
        guard let facts = Self.facts(file), facts.st_mode & S_IFMT == S_IFREG else {
            throw GatewayError(.badRequest, "'\(path)' is not a plain file")
        }
        return file
    }

    /// Lists a directory, or names a single file.
    func browse(_ path: String) throws(GatewayError) -> [Entry] {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        let names: [String]
        do throws(SystemError) { names = try listDirectory("/proc/self/fd/\(directory.raw)") } catch {
            throw Self.refusal(path, error)
        }
        let prefix = try root + "/" + parts(path).joined(separator: "/")
        return names.prefix(10_000).compactMap { name in
            var facts = stat()
            guard fstatat(directory.raw, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
            return Entry(path: "\(prefix)/\(name)", facts: facts)
        }
    }

    static func facts(_ file: borrowing LinuxSystem.FileDescriptor) -> stat? {
        var facts = stat()
        return fstat(file.raw, &facts) == 0 ? facts : nil
    }

    private func open(_ path: String, _ flags: Int32) throws(GatewayError) -> LinuxSystem.FileDescriptor {
        let parts = try parts(path)
        do throws(SystemError) {
            var current = try LinuxSystem.FileDescriptor.open(root, flags: O_RDONLY | O_DIRECTORY)
            for (index, part) in parts.enumerated() {
                let isLast = index == parts.count - 1
                current = try current.open(at: part, flags: (isLast ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW)
            }
            return current
        } catch { throw Self.refusal(path, error) }
    }

    private static func refusal(_ path: String, _ error: SystemError) -> GatewayError {
        switch error.errno {
        case ENOENT, ENOTDIR: notFound(path)
        case ELOOP: GatewayError(.forbidden, "'\(path)' leads through a symbolic link, which is not followed")
        default: GatewayError(.internalServerError, "cannot read '\(path)': \(error.reason)")
        }
    }

    private static func notFound(_ path: String) -> GatewayError {
        GatewayError(.notFound, "'\(path.prefix(1_024))' is no file in a task's work directory")
    }
}

/// Reads bytes at a position; fewer at the end of the file.
func readChunk(_ file: borrowing LinuxSystem.FileDescriptor, at offset: Int64, count: Int) throws(GatewayError)
    -> [UInt8]
{
    var bytes = [UInt8](repeating: 0, count: max(count, 0))
    while true {
        let got = pread(file.raw, &bytes, bytes.count, Int(offset))
        if got >= 0 { return Array(bytes.prefix(got)) }
        guard errno == EINTR else {
            throw GatewayError(.internalServerError, "cannot read the file: \(SystemError.text(of: errno))")
        }
    }
}

/// The bytes without a character that is cut off at the end, unless nothing would be left.
func withoutTornCharacter(_ bytes: [UInt8]) -> [UInt8] {
    guard let start = bytes.suffix(4).lastIndex(where: { $0 & 0xc0 != 0x80 }) else { return bytes }
    let length =
        switch bytes[start] {
        case 0xf0...0xf7: 4
        case 0xe0...0xef: 3
        case 0xc0...0xdf: 2
        default: 1
        }
    return start > 0 && bytes.count - start < length ? Array(bytes[..<start]) : bytes
}
