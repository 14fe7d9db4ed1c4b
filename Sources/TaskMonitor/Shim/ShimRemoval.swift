internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The action `delete`: takes away what a shim that is gone has left of a container.
///
/// containerd also asks for this after every orderly end, when there is nothing left to be done.
struct ShimRemoval {
    private let options: ShimArguments
    private let runtime: ([String]) -> Int32

    init(_ options: ShimArguments, runtime: @escaping ([String]) -> Int32) {
        self.options = options
        self.runtime = runtime
    }

    func run() throws(ShimFailure) -> Int32 {
        guard !options.id.isEmpty else { throw .invalid("-id is missing") }
        let bundle = try bundle()
        let pid = Self.number(in: bundle + "/init.pid")
        let kept = (try? readFile(bundle + "/" + ShimSession.optionsFile, limit: 1 << 16)) ?? []
        let given = try ShimOptions(kept[...])
        let log = bundle + "/delete.json"
        do throws(SystemError) {
            let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
            let call = try RuntimeCall.start(
                ["delete", "--force", options.id], root: ShimSession.root(given, namespace: options.namespace),
                logPath: log, global: given.systemdCgroup ? ["--systemd-cgroup"] : [],
                streams: RuntimeCall.Streams(input: null.raw, output: null.raw, errors: null.raw), entry: runtime)
            if call.wait() != 0, let complaint = call.complaint, !complaint.contains("does not exist") {
                TaskMonitor.complain("container \(options.id): \(complaint)")
            }
        } catch { TaskMonitor.complain("\(error)") }
        unlink(log)
        unmount(bundle + "/rootfs")
        removeSocket(bundle)
        var answer = ProtobufWriter()
        answer.put(1, pid)
        answer.put(2, 128 + SIGKILL)
        answer.put(3, ShimTime.now())
        try ContainerdShim.answer(answer.bytes)
        return 0
    }

    /// The folder of this container; the current one can be that of another of its group.
    private func bundle() throws(ShimFailure) -> String {
        if options.bundle.hasPrefix("/") { return options.bundle }
        guard let path = getcwd(nil, 0) else { throw .unknown("the current folder is gone, and -bundle is missing") }
        defer { free(path) }
        let folder = String(cString: path)
        guard let slash = folder.lastIndex(of: "/") else { return folder }
        return folder[..<slash] + "/" + options.id
    }

    private static func number(in path: String) -> Int32 {
        let text = (try? readFile(path, limit: 64)) ?? []
        return Int32(String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self)) ?? 0
    }

    private func unmount(_ path: String) {
        for _ in 0..<40 {
            let error = RootMount.unmountAll(path)
            guard error == EBUSY else {
                if error != 0 { TaskMonitor.complain("\(SystemError(call: "unmount", path: path, errno: error))") }
                return
            }
            usleep(50_000)
        }
        TaskMonitor.complain("\(SystemError(call: "unmount", path: path, errno: EBUSY))")
    }

    /// A shim that was killed leaves its socket; one that lives keeps it.
    private func removeSocket(_ bundle: String) {
        guard let text = try? readFile(bundle + "/address", limit: 4096) else { return }
        let address = String(decoding: text, as: UTF8.self)
        guard address.hasPrefix("unix:///run/containerd/s/") else { return }
        let path = String(address.dropFirst("unix://".count))
        let connection = clinux_connect_unix(path)
        if connection >= 0 { close(connection) } else if errno == ECONNREFUSED { unlink(path) }
    }
}
