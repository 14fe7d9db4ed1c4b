internal import CLinux
import Glibc

/// Secrets on their way to a task's command. They are in memory behind a descriptor that the agent, the monitor, the
/// container runtime and the task's init hand on, and in no file that outlives the task.
public struct MonitorSecrets: Sendable {
    /// Variables for the environment of the command, each once and none that the spec has; values without NUL.
    public var variables: [(name: String, value: [UInt8])] = []
    /// Files by their path in the work directory, where they are links to what is in ``MonitorSpec/secretDirectory``.
    public var files: [(path: String, content: [UInt8])] = []
    /// ``MonitorSpec/secretDirectory``.
    public var directory = ""

    /// No secrets.
    public init() {}

    /// Writes them into memory that only its descriptor leads to.
    func memory() throws(SystemError) -> FileDescriptor {
        let raw = clinux_secret_memory()
        guard raw >= 0 else { throw .last("memfd_create") }
        let memory = FileDescriptor(owning: raw)
        var bytes: [UInt8] = []
        for variable in variables {
            Self.put(CLINUX_SECRET_VARIABLE, Array((variable.name + "=").utf8) + variable.value, [], &bytes)
        }
        for (index, file) in files.enumerated() {
            let place = Array("\(directory)/\(index)".utf8)
            Self.put(CLINUX_SECRET_FILE, place, file.content, &bytes)
            Self.put(CLINUX_SECRET_LINK, Array(file.path.utf8), place + [0], &bytes)
        }
        try memory.writeAll(bytes)
        return memory
    }

    /// The form that `CLinux.h` describes.
    private static func put(_ kind: clinux_secret_kind, _ name: [UInt8], _ data: [UInt8], _ bytes: inout [UInt8]) {
        let header = clinux_secret(kind: kind.rawValue, name: UInt32(name.count + 1), data: UInt32(data.count))
        withUnsafeBytes(of: header) { bytes += $0 }
        bytes += name
        bytes.append(0)
        bytes += data
    }
}
