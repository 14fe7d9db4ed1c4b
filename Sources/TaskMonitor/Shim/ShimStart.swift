internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The action `start`: finds or makes the process that a container is to belong to, and tells its address.
struct ShimStart {
    /// Where the sockets of all shims are.
    private static let socketFolder = "/run/containerd/s"
    /// Annotations that name a group of containers; the first one that is there counts.
    private static let groupNames = [
        "io.containerd.rondo.v2.group", "io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id",
    ]

    private let options: ShimArguments
    private let runtime: ([String]) -> Int32

    init(_ options: ShimArguments, runtime: @escaping ([String]) -> Int32) {
        self.options = options
        self.runtime = runtime
    }

    func run() throws(ShimFailure) -> Int32 {
        guard !options.id.isEmpty else { throw .invalid("-id is missing") }
        let given = try ShimOptions(any: Self.options(try ContainerdShim.readInput()))
        let bundle = try bundle()
        let path = try socketPath(bundle)
        let address = "unix://" + path
        guard let listener = try listen(path) else {
            // The group has its shim already.
            try write(address, in: bundle)
            try ContainerdShim.answer(Array(address.utf8))
            return 0
        }
        do throws(ShimFailure) {
            try write(address, in: bundle)
            return try detach(bundle, path, listener, given)
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Stays in this process and serves a given socket, for tests and people who look.
    func serve() throws(ShimFailure) -> Int32 {
        let path = options.socket.hasPrefix("unix://") ? String(options.socket.dropFirst(7)) : options.socket
        let listener = clinux_listen_unix(path, 128)
        guard listener >= 0 else { throw .unknown("\(SystemError(call: "listen", path: path, errno: errno))") }
        return try session(try bundle(), path, listener)
    }

    /// The options on standard input: alone, or from containerd 2.3 on among others (`BootstrapParams`).
    static func options(_ input: [UInt8]) -> ArraySlice<UInt8> {
        do throws(ShimFailure) {
            let message = try ProtobufMessage(input[...])
            if try isOptions(message) { return input[...] }
            for part in try message.all(8) {
                let any = try ProtobufMessage(part).bytes(1)
                if try isOptions(ProtobufMessage(any)) { return any }
            }
        } catch {
            // Whatever else it is, it is nothing that this version needs.
        }
        return []
    }

    private static func isOptions(_ any: ProtobufMessage) throws(ShimFailure) -> Bool {
        guard try any.bytes(3).isEmpty, try any.bytes(4).isEmpty else { return false }
        return ShimOptions.types.contains(String(try any.text(1).split(separator: "/").last ?? ""))
    }

    private func bundle() throws(ShimFailure) -> String {
        if options.bundle.hasPrefix("/") { return options.bundle }
        guard let path = getcwd(nil, 0) else { throw .unknown("the current folder, the bundle, is gone") }
        defer { free(path) }
        return String(cString: path)
    }

    /// The same for all containers of a group.
    private func socketPath(_ bundle: String) throws(ShimFailure) -> String {
        let spec: [UInt8]
        do throws(SystemError) {
            spec = try readFile(bundle + "/config.json", limit: 64 << 20)
        } catch { throw .unknown("\(error)") }
        let annotations = SpecScanner.member("annotations", of: spec[...])
        let group = annotations.flatMap { annotations in
            Self.groupNames.lazy.compactMap { SpecScanner.text(SpecScanner.member($0, of: annotations)) }.first
        }
        let parts = [ContainerdShim.programName, options.address, options.namespace, group ?? options.id]
        // NUL is in none of them.
        return "\(Self.socketFolder)/\(SHA256.hex(Array(parts.joined(separator: "\0").utf8)))"
    }

    /// Listens at a path; nil when another shim does.
    private func listen(_ path: String) throws(ShimFailure) -> Int32? {
        do throws(SystemError) {
            try makeDirectories(Self.socketFolder, mode: 0o711)
            // Else two that find the socket of a dead shim could each remove that of the other.
            let folder = try FileDescriptor.open(Self.socketFolder, flags: O_RDONLY | O_DIRECTORY)
            guard clinux_flock(folder.raw, LOCK_EX) == 0 else {
                throw SystemError(call: "lock", path: Self.socketFolder, errno: errno)
            }
            for _ in 0..<16 {
                let listener = clinux_listen_unix(path, 128)
                if listener >= 0 { return listener }
                guard errno == EADDRINUSE else { break }
                let connection = clinux_connect_unix(path)
                if connection >= 0 {
                    close(connection)
                    return nil
                }
                // Its shim was killed.
                if errno == ECONNREFUSED { unlink(path) }
            }
            throw SystemError(call: "listen", path: path, errno: errno)
        } catch { throw .unknown("\(error)") }
    }

    private func write(_ address: String, in bundle: String) throws(ShimFailure) {
        do throws(SystemError) {
            try writeFileAtomically(bundle + "/address", Array(address.utf8), mode: 0o644, durable: false)
        } catch { throw .unknown("\(error)") }
    }

    /// Goes on in a child that has nothing of the caller's any more.
    private func detach(
        _ bundle: String, _ path: String, _ listener: Int32, _ given: ShimOptions
    ) throws(ShimFailure) -> Int32 {
        if getenv("SCHED_CORE") != nil { try shareCore() }
        let score = Self.oomScore(of: getppid()).map { min($0 + 1, 1000) }
        let groups = given.shimCgroup.isEmpty ? nil : CgroupPlaces.named(given.shimCgroup)
        guard given.shimCgroup.isEmpty || groups != nil else {
            throw .unknown("there is no control group \(given.shimCgroup) for the shim; make it, or set no ShimCgroup")
        }
        let child = clinux_fork()
        guard child >= 0 else { throw .unknown("\(SystemError(call: "fork", errno: errno))") }
        if child > 0 {
            do throws(SystemError) {
                try groups?.add(pid: child)
            } catch {
                kill(child, SIGKILL)
                throw .unknown("cannot move the shim into its control group: \(error)")
            }
            try ContainerdShim.answer(Array("unix://\(path)".utf8))
            return 0
        }
        setsid()
        // One more than containerd: where memory is short, the shim may go, but not before what it watches over.
        if let score {
            try? FileDescriptor.open("/proc/self/oom_score_adj", flags: O_WRONLY).writeAll(Array("\(score)".utf8))
        }
        let null = clinux_open("/dev/null", O_RDWR, 0)
        let kept = fcntl(listener, F_DUPFD_CLOEXEC, 64)
        for place in Int32(0)...2 { dup2(null, place) }
        // The listener is all that is needed of what is open.
        dup2(kept, 3)
        _ = fcntl(3, F_SETFD, FD_CLOEXEC)
        _ = clinux_close_from(4)
        return try session(bundle, path, 3)
    }

    private func session(_ bundle: String, _ path: String, _ listener: Int32) throws(ShimFailure) -> Int32 {
        var address = getenv("TTRPC_ADDRESS").map { String(cString: $0) } ?? ""
        if address.hasPrefix("unix://") { address = String(address.dropFirst("unix://".count)) }
        let settings = ShimSession.Settings(
            namespace: options.namespace, bundle: bundle, socketPath: path,
            eventAddress: address.isEmpty ? nil : address,
            publishProgram: address.isEmpty && !options.publishProgram.isEmpty
                ? (options.publishProgram, options.address) : nil)
        _ = chdir("/")
        do throws(SystemError) {
            try ShimSession(settings, listener: listener, runtime: runtime).run()
        } catch {
            ShimLog.write("\(error)", bundle: bundle)
            throw .unknown("\(error)")
        }
        return 0
    }

    private static func oomScore(of pid: Int32) -> Int? {
        guard let text = try? readFile("/proc/\(pid)/oom_score_adj", limit: 64) else { return nil }
        return Int(String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// Lets no other process run beside the container on one core (`PR_SCHED_CORE`).
    private func shareCore() throws(ShimFailure) {
        let schedulesCore = 62
        let create = 1
        let processGroup = 2
        setpgid(0, 0)
        let result = clinux_syscall(Int(SYS_prctl), schedulesCore, create, 0, processGroup, 0, 0)
        guard result >= 0 else {
            throw .unknown("core scheduling is not to be had: \(SystemError.text(of: Int32(-result)))")
        }
    }
}
