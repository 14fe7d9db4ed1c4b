extension ContainerInfo {
    /// The capabilities of a container that asks for nothing, by the kernel's numbers.
    public static let usualCapabilities: Set<UInt8> = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31]

    /// Words of docker's command line that a container may be given as parameters.
    public static let knownParameters: Set<String> = [
        "cap-add", "cap-drop", "device", "entrypoint", "env", "hostname", "init", "label", "privileged", "read-only",
        "shm-size", "stop-signal", "tmpfs", "ulimit", "user", "volume", "workdir",
    ]

    /// Whether the container gets more of the host than its walls would leave. It takes the right to run as root.
    public var reachesHost: Bool {
        if isPrivileged || isUnfiltered { return true }
        // Capabilities at the start are for users who are not root, and some of the usual ones make them root.
        if effectiveCapabilities?.isEmpty == false { return true }
        if (boundingCapabilities ?? []).contains(where: { !Self.usualCapabilities.contains($0) }) { return true }
        if volumes.contains(where: { if case .host = $0.source { true } else { false } }) { return true }
        return parameters.contains { parameter in
            switch parameter.key {
            case "cap-add", "device", "privileged": true
            case "volume": parameter.value.hasPrefix("/")
            default: false
            }
        }
    }

    /// Says what is wrong with the container, or nil.
    public var defect: String? {
        if let image, image.utf8.count > 512 || image.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
            return "container: the image's name has spaces or more than 512 bytes"
        }
        let hasRights = boundingCapabilities != nil || effectiveCapabilities != nil || isPrivileged || isUnfiltered
        if image == nil, hasRights || !volumes.isEmpty || hostname != nil || network != .host || sharedMemory != nil {
            return "container: without an image a task runs in the host's root, which takes no volumes, networks, "
                + "hostname and rights of its own; name an image"
        }
        if !portMappings.isEmpty, network == .host || network == .none {
            return "container: port mappings need a network of the container's own, such as bridge"
        }
        for (index, volume) in volumes.enumerated() {
            let parts = volume.containerPath.split(separator: "/", omittingEmptySubsequences: true)
            if parts.isEmpty || parts.contains("..") || parts.contains(".") {
                return "container.volumes[\(index)].container_path: must be a path without . and .."
            }
        }
        if let unknown = parameters.first(where: { !Self.knownParameters.contains($0.key) }) {
            return "container.docker.parameters: '\(unknown.key.prefix(64))' is not supported; known are "
                + Self.knownParameters.sorted().joined(separator: ", ")
        }
        return nil
    }
}

extension Resources {
    /// Whether a port is among the resources of the name `ports`.
    public func hasPort(_ port: UInt16) -> Bool {
        items.contains { item in
            guard item.kind.name == "ports", case .ranges(let ranges) = item.value else { return false }
            return ranges.contains(UInt64(port))
        }
    }
}

/// How strong the wall around a task is.
public enum TaskIsolation: String, Hashable, Sendable, CaseIterable {
    /// Namespaces, a cgroup, few capabilities, a filter of system calls.
    case container
    /// A kernel in user space.
    case sandbox
    /// A kernel of its own in a virtual machine.
    case microvm

    /// The label of a task that names it.
    public static let label = "isolation"
}

extension TaskInfo {
    /// Whether something has to be there before its container can be made: files, or an image.
    public var needsFetching: Bool { !(command?.uris.isEmpty ?? true) || container?.image != nil }

    /// Says what is wrong with the wall that the task wants, or nil.
    public var isolationDefect: String? {
        guard let wanted = labels.first(where: { $0.key == TaskIsolation.label })?.value, wanted != "container" else {
            return nil
        }
        let all = TaskIsolation.allCases.map(\.rawValue).joined(separator: ", ")
        guard let level = TaskIsolation(rawValue: wanted) else {
            return "isolation: '\(wanted.prefix(64))' is not one of \(all)"
        }
        return "isolation: '\(level.rawValue)' is not available in this release; use 'container'"
    }
}
