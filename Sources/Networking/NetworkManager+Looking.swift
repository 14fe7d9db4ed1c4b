internal import Glibc
internal import LinuxSystem
internal import Synchronization

// What containers have, and what is left of those that are gone.
extension NetworkManager {
    /// What a container has.
    ///
    /// - Parameter container: its id.
    /// - Returns: nil when it is connected neither to the bridge nor by plugins, or not completely.
    public func attachment(of container: String) -> Attachment? {
        let (bridged, plugged, identity) = state.withLock { state in
            (state.bridged[container], state.plugged[container], state.identity)
        }
        if let bridged, let identity { return attachment(bridged, identity) }
        guard let plugged, let bytes = plugged.result,
            let result = try? PluginResult.parse(bytes, of: plugged.network)
        else { return nil }
        return try? PluginResult.attachment(result, interface: Self.interface, mappings: plugged.portMappings)
    }

    /// Removes namespaces of containers that are gone, such as after a crash.
    ///
    /// - Parameter running: those that stay.
    /// - Returns: what could not be removed.
    public func removeNamespaces(except running: Set<String>) -> [String] {
        var problems: [String] = []
        for name in (try? listDirectory(settings.runDirectory)) ?? [] where !running.contains(name) {
            do throws(NetworkError) {
                try NetworkNamespace.remove(at: "\(settings.runDirectory)/\(name)")
            } catch {
                problems.append(error.description)
            }
        }
        return problems
    }

    /// Sees that the namespace of a running container has its name. It has lost it where this process has another table of
    /// mounts than the one that has made it, as under a service manager that gives each start its own.
    ///
    /// - Parameters:
    ///   - container: its id.
    ///   - process: any of its processes.
    /// - Throws: why it has none.
    public func keepNamespace(container: String, of process: Int32) throws(NetworkError) {
        try RequestCheck.container(container)
        do {
            try makeDirectories(settings.runDirectory, mode: 0o711)
        } catch { throw NetworkError(.system(errno: error.errno), "cannot name a container's network: \(error)") }
        let path = namespace(of: container)
        if !NetworkNamespace.isMounted(at: path) { try NetworkNamespace.name(of: process, at: path) }
    }

    /// The file that names a container's namespace.
    ///
    /// - Parameter container: its id.
    /// - Returns: a path, whether or not there is anything.
    public func namespace(of container: String) -> String { "\(settings.runDirectory)/\(container)" }
}
