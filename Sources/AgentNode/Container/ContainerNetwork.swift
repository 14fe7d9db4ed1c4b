internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import NameService

/// What a container with a root of its own has of networks when it is made: its namespace, and the files that tell it
/// how to find names.
struct ContainerNetwork {
    /// The namespace.
    var namespace = ImageRoot.Network.host
    /// Files such as `/etc/resolv.conf`, mounted over the image's.
    var mounts: [ImageRoot.Mount] = []
    /// Addresses that are the container's alone.
    var addresses: [NetworkAddress] = []

    /// Prepares the network that a container asks for. Runs before the container is made; blocks.
    ///
    /// - Parameters:
    ///   - container: what it asks for.
    ///   - id: the container.
    ///   - directory: the container's own, for files that it sees; goes with it.
    ///   - networks: what connects it.
    /// - Returns: what goes into the container's bundle.
    /// - Throws: why it cannot be had.
    static func prepare(
        _ container: ContainerInfo, for id: ContainerID, in directory: String, _ networks: AgentNetworks
    ) throws(TaskError) -> ContainerNetwork {
        if container.network == .host { return try host(directory, networks) }
        let connection = try networks.connect(container, id)
        let files = Files(directory: directory)
        let hostname = container.parameters.last { $0.key == "hostname" }?.value ?? container.hostname
        return ContainerNetwork(
            namespace: .made(path: connection.namespacePath),
            mounts: [
                try files.put("hosts", Self.hosts(hostname ?? String(id.value.prefix(12)), connection.addresses)),
                try files.put("resolv.conf", Self.resolvers(connection.resolvers)),
            ], addresses: connection.addresses)
    }

    /// It finds hosts as the host does; names of the cluster too, where something answers for them.
    private static func host(_ directory: String, _ networks: AgentNetworks) throws(TaskError) -> ContainerNetwork {
        var network = ContainerNetwork()
        if access("/etc/hosts", R_OK) == 0 {
            network.mounts.append(
                ImageRoot.Mount(destination: "/etc/hosts", source: .path("/etc/hosts"), isReadOnly: true))
        }
        if let own = networks.names.own {
            network.mounts.append(try Files(directory: directory).put("resolv.conf", resolvers([own])))
        } else if access("/etc/resolv.conf", R_OK) == 0 {
            network.mounts.append(
                ImageRoot.Mount(destination: "/etc/resolv.conf", source: .path("/etc/resolv.conf"), isReadOnly: true))
        }
        return network
    }

    private static func resolvers(_ servers: [NetworkAddress]) -> String {
        let host = (try? readFile("/etc/resolv.conf", limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return servers.isEmpty ? host : ResolverFile.text(servers: servers, host: host)
    }

    private static func hosts(_ name: String, _ addresses: [NetworkAddress]) -> String {
        let known = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
        return (known + addresses.map { "\($0) \(name)" }).joined(separator: "\n") + "\n"
    }

    /// Files of one container, which may change them: nobody else reads them.
    private struct Files {
        let directory: String

        func put(_ name: String, _ text: String) throws(TaskError) -> ImageRoot.Mount {
            let path = "\(directory)/\(name)"
            do throws(SystemError) { try writeFileAtomically(path, Array(text.utf8), durable: false) } catch {
                throw TaskError("the container's /etc/\(name) cannot be written: \(error)")
            }
            guard chmod(path, 0o644) == 0 else { throw TaskError("the container's /etc/\(name) cannot be shown to it") }
            return ImageRoot.Mount(destination: "/etc/\(name)", source: .path(path))
        }
    }
}
