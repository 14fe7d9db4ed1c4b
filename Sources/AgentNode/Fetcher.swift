internal import AgentCore
internal import ClusterModel
internal import Dispatch
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import NIOCore
internal import Transport

/// Puts the files that a command names into its work directory.
///
/// It works as root in a directory that is still root's (see ``WorkDirectory``), takes only what the task's user may
/// read, and writes no name that leads out of the directory.
struct Fetcher: Sendable {
    let caller: HTTPCaller
    /// The most bytes of one URI.
    let limit: UInt64

    /// Fetches all URIs of a task into an empty directory.
    ///
    /// - Throws: `TaskError` naming the URI and the reason; `CancellationError`.
    func fetch(_ task: StoredTask) async throws {
        let directory = WorkDirectory(path: task.directory)
        // An earlier life of the agent may have been stopped in the middle of this.
        try removeTree(task.directory)
        try directory.make(isGrouped: task.groupContainer != nil)
        // Only for copies of local files; an image may know users that this machine does not.
        let account = Result { () throws(TaskError) in try TaskAccount(for: task.launch) }
        if task.launch.task.container?.image == nil { _ = try account.get() }
        for uri in task.launch.task.command?.uris ?? [] {
            do {
                try await fetch(uri, into: task.directory) { try account.get() }
            } catch let error as CancellationError {
                throw error
            } catch {
                throw TaskError("cannot fetch \(uri.value.prefix(512)): \(error)")
            }
        }
    }

    private func fetch(
        _ uri: CommandURI, into directory: String, as account: () throws -> TaskAccount
    ) async throws {
        try Task.checkCancellation()
        let name = try Self.fileName(of: uri)
        let path = "\(directory)/\(name)"
        let mode: UInt32 = uri.isExecutable ? 0o755 : 0o644
        if uri.value.hasPrefix("http://") {
            try await download(uri.value, to: path, mode: mode)
        } else {
            let source = try Self.localPath(uri.value)
            let account = try account()
            try await blocking { try copy(source, to: path, mode: mode, account) }
        }
        if uri.isExtracted, !uri.isExecutable, let archive = Archive(name: name) {
            try await blocking { try archive.extract(path, into: directory) }
        }
    }

    private static let queue = DispatchQueue(label: "rondo.agent.fetch", attributes: .concurrent)

    /// Runs what waits for disks or child processes on a thread where that stops nobody else.
    private func blocking(_ work: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (waiting: CheckedContinuation<Void, any Error>) in
            Self.queue.async { waiting.resume(with: Result(catching: work)) }
        }
    }

    private static func create(_ path: String, mode: UInt32) throws(SystemError) -> LinuxSystem.FileDescriptor {
        try LinuxSystem.FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
    }

    /// The name in the work directory: the one that is asked for, or the last part of the address.
    static func fileName(of uri: CommandURI) throws(TaskError) -> String {
        var name = uri.outputFile ?? ""
        if uri.outputFile == nil {
            var address = uri.value[...]
            if address.hasPrefix("http://") { address = address.prefix { $0 != "?" && $0 != "#" } }
            name = String(address.split(separator: "/", omittingEmptySubsequences: false).last ?? "")
        }
        let isPlain = name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255, isPlain else {
            throw TaskError("it gives no plain file name; set output_file to a name without slashes")
        }
        guard name != "stdout", name != "stderr" else {
            throw TaskError("the name '\(name)' is that of the task's output; set another output_file")
        }
        return name
    }

    private static func localPath(_ value: String) throws(TaskError) -> String {
        if value.hasPrefix("/") { return value }
        if value.hasPrefix("file:///") { return String(value.dropFirst("file://".count)) }
        throw TaskError("only absolute paths, file:// and http:// are supported")
    }

    private func copy(_ source: String, to path: String, mode: UInt32, _ account: TaskAccount) throws {
        guard let resolved = realpath(source, nil) else {
            throw SystemError(call: "open", path: source, errno: errno)
        }
        defer { free(resolved) }
        let real = String(cString: resolved)
        guard account.mayRead(real) else {
            throw TaskError("user '\(account.name)' may not read it")
        }
        let input = try LinuxSystem.FileDescriptor.open(real, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        var facts = stat()
        guard fstat(input.raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw TaskError("it is not a plain file")
        }
        guard facts.st_size >= 0, UInt64(facts.st_size) <= limit else { throw tooLarge }
        let file = try Self.create(path, mode: mode)
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var total: UInt64 = 0
        while true {
            let count = read(input.raw, &chunk, chunk.count)
            if count == 0 { return }
            guard count > 0 else { throw SystemError(call: "read", path: real, errno: errno) }
            total += UInt64(count)
            guard total <= limit else { throw tooLarge }
            try file.writeAll(Array(chunk.prefix(count)), path: path)
        }
    }

    private func download(_ address: String, to path: String, mode: UInt32) async throws {
        let rest = address.dropFirst("http://".count)
        let host = String(rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        let tail = rest.dropFirst(host.count).prefix { $0 != "#" }
        let endpoint: Endpoint
        do throws(EndpointError) {
            let hasPort = host.hasSuffix("]") || !host.contains(":") ? false : true
            endpoint = try Endpoint(parsing: hasPort ? host : host + ":80")
        } catch { throw TaskError(error.description) }
        let target = tail.hasPrefix("/") ? String(tail) : "/" + tail
        let response = try await caller.stream(.get, endpoint, target, idleTimeout: .seconds(60))
        guard response.status == .ok else { throw TaskError("the server answered \(response.status.code)") }
        let file = try Self.create(path, mode: mode)
        var total: UInt64 = 0
        for try await piece in response.body {
            try Task.checkCancellation()
            total += UInt64(piece.readableBytes)
            guard total <= limit else { throw tooLarge }
            try file.writeAll(Array(piece.readableBytesView), path: path)
        }
    }

    private var tooLarge: TaskError { TaskError("it is larger than the limit of \(limit) bytes") }
}
