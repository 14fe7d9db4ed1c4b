internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// What a container with a root of its own has of networks when it is made: its namespace, and the files that tell it
/// how to find names.
struct ContainerNetwork {
    /// The namespace.
    var namespace = ImageRoot.Network.host
    /// Files such as `/etc/resolv.conf`, mounted over the image's.
    var mounts: [ImageRoot.Mount] = []

    /// Prepares the network that a container asks for. Runs before the container is made; blocks.
    ///
    /// - Parameters:
    ///   - container: what it asks for.
    ///   - id: the container.
    ///   - directory: the container's own, for files that it sees; goes with it.
    /// - Returns: what goes into the container's bundle.
    /// - Throws: why it cannot be had.
    static func prepare(
        _ container: ContainerInfo, for id: ContainerID, in directory: String
    ) throws(TaskError) -> ContainerNetwork {
        switch container.network {
        case .host:
            // It finds names as the host does.
            let files: [String] = ["/etc/resolv.conf", "/etc/hosts"].filter { (path: String) in access(path, R_OK) == 0
            }
            return ContainerNetwork(
                mounts: files.map { ImageRoot.Mount(destination: $0, source: .path($0), isReadOnly: true) })
        case .none: return ContainerNetwork(namespace: .own)
        case .bridge: throw TaskError("this agent has no network 'bridge' for containers; use the host's")
        case .named(let name): throw TaskError("this agent has no network '\(name)' for containers; use the host's")
        }
    }
}
