internal import CSeccomp

/// The agent that answers a container's notifications.
extension SeccompProgram {
    /// Longer than an agent that works needs to take a connection.
    private static let patienceSeconds: Int32 = 10

    /// The container process state (OCI runtime-spec, config-linux.md) for one notification descriptor.
    ///
    /// `pid` is the container's process as the runtime sees it, `state` what the `state` command prints.
    static func processState(ociVersion: String, pid: Int32, metadata: String?, state: JSONValue) -> JSONValue {
        var members = [
            JSONMember(name: "ociVersion", value: .string(ociVersion)),
            JSONMember(name: "fds", value: .strings(["seccompFd"])),
            JSONMember(name: "pid", value: .int(pid)),
        ]
        if let metadata, !metadata.isEmpty { members.append(JSONMember(name: "metadata", value: .string(metadata))) }
        members.append(JSONMember(name: "state", value: state))
        return .object(members)
    }

    /// Sends the notification descriptor and the container process state, in one connection of their own.
    ///
    /// `descriptor` is that of ``load()`` and stays open here; `state` is the text of
    /// ``processState(ociVersion:pid:metadata:state:)``.
    static func sendListener(
        _ descriptor: Int32, to socketPath: String, state: String
    ) throws(RuntimeFailure) {
        guard !socketPath.utf8.contains(0) else {
            throw RuntimeFailure("seccomp: listenerPath has a NUL byte in it")
        }
        var text = state
        let result = text.withUTF8 { text in
            cseccomp_send_descriptor(socketPath, text.baseAddress, text.count, descriptor, patienceSeconds)
        }
        guard result == 0 else {
            throw RuntimeFailure("seccomp: error sending the notify descriptor to \(socketPath)", errno: -result)
        }
    }
}
