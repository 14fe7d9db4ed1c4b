internal import Glibc
internal import LinuxSystem

/// The flag `-info`: what this runtime is and can do (`containerd.types.RuntimeInfo`).
enum ShimInfo {
    static func write(_ runtime: ([String]) -> Int32) throws(ShimFailure) -> Int32 {
        var info = ProtobufWriter()
        info.put(1, "io.containerd.rondo.v2")
        // "rondo oci version 1.2.3", and lines about other things.
        let words = try output(["--version"], runtime).split { $0 == 0x0A || $0 == 0x20 }
        let number = words.first { $0.first.map { 0x30...0x39 ~= $0 } ?? false }
        var version = ProtobufWriter()
        version.put(1, String(decoding: number ?? [], as: UTF8.self))
        info.put(2, version)
        let type = "types.containerd.io/opencontainers/runtime-spec/1/features/Features"
        info.put(4, type: type, try output(["features"], runtime)[...])
        try ContainerdShim.answer(info.bytes)
        return 0
    }

    private static func output(_ arguments: [String], _ runtime: ([String]) -> Int32) throws(ShimFailure) -> [UInt8] {
        guard let file = OutputFile() else { throw .unknown("no file in memory can be made") }
        let streams = file.streams()
        defer { ShimSession.closeAll(streams) }
        do throws(SystemError) {
            let call = try RuntimeCall.start(
                arguments, root: ShimOptions.standardRoot, logPath: "/dev/null", streams: streams, entry: runtime)
            guard call.wait() == 0 else { throw SystemError(call: "ask the runtime", errno: EINVAL) }
        } catch { throw .unknown("\(error)") }
        return file.content()
    }
}
