/// All that the processes inside of a container's birth need to know; nothing is read from disk after the fork.
struct InitPlan {
    var config: ContainerConfig
    var process: ProcessConfig
    /// Absolute, on the host.
    var rootfs: String
    var bundle: String
    var id: String
    var cgroup: CgroupRecord
    var entrance: CgroupEntrance
    /// Compiled before anything was made, so that a bad profile costs nothing.
    var seccomp: SeccompProgram?
    /// The exec fifo, opened without access (O_PATH).
    var fifo: Int32
    /// Where the master side of the terminal is sent.
    var console: Int32?
    /// Whether this program is what stands between the container's terminal and its user's.
    var isConsoleRelayed: Bool
    var preserveFDs: Int
    var noPivot: Bool
    var noNewKeyring: Bool

    /// A root of `/` is the host's own: there is nothing to enter, and nothing is made in it.
    var isInHostRoot: Bool { RootDirectory.normalized(rootfs).isEmpty }
}

/// The state that hooks and seccomp agents are given (OCI runtime-spec, runtime.md).
enum HookState {
    static func json(
        id: String, status: String, pid: Int32, bundle: String, annotations: [(name: String, value: String)]
    ) -> JSONValue {
        var members = [
            JSONMember(name: "ociVersion", value: .string("1.3.0")), JSONMember(name: "id", value: .string(id)),
            JSONMember(name: "status", value: .string(status)),
        ]
        if pid > 0 { members.append(JSONMember(name: "pid", value: .number(String(pid)))) }
        members.append(JSONMember(name: "bundle", value: .string(bundle)))
        if !annotations.isEmpty {
            members.append(
                JSONMember(
                    name: "annotations",
                    value: .object(annotations.map { JSONMember(name: $0.name, value: .string($0.value)) })))
        }
        return .object(members)
    }
}
