internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Logging
internal import Networking
internal import Synchronization

/// Networks of this agent's containers, for as long as each runs.
///
/// A container's namespace is made and connected before its monitor starts, so that its addresses are known when it is
/// first told of, and taken away before its end is told, so that the next task may have its ports at once. What an
/// agent that was killed has left is put right before the next one starts anything. Calls block.
final class AgentNetworks: Sendable {
    /// What a container has got.
    struct Connection: Sendable {
        /// The file that names its namespace.
        var namespacePath: String
        var addresses: [NetworkAddress]
        /// Who answers its questions for names; empty when those are the host's own resolvers.
        var resolvers: [NetworkAddress]
    }

    private let manager: NetworkManager?
    /// Why there is none.
    private let lack: String
    let names: AgentNames
    private let logger: Logger
    /// Containers that have something.
    private let connected = Mutex<Set<ContainerID>>([])
    private let isRepairing = Atomic(false)
    /// What the last repair could not do.
    private let problems = Mutex<[String]>([])

    /// Reads what is written down in the agent's directory. Addresses and the bridge's hardware address are made from its
    /// id.
    init(directory: String, identity: AgentID, names: AgentNames, logger: Logger) {
        self.names = names
        self.logger = logger
        guard geteuid() == 0 else {
            manager = nil
            lack = "it does not run as root"
            return
        }
        do throws(NetworkError) {
            manager = try NetworkManager(Self.settings(directory, identity))
            lack = ""
        } catch {
            logger.error("this agent has no networks for containers: \(error)")
            manager = nil
            lack = error.description
        }
    }

    private static func settings(_ directory: String, _ identity: AgentID) -> NetworkSettings {
        NetworkSettings(directory: "\(directory)/network", runDirectory: "\(directory)/netns", nodeID: identity.value)
    }

    /// Connects a container; once more changes nothing.
    func connect(_ container: ContainerInfo, _ id: ContainerID) throws(TaskError) -> Connection {
        guard let manager else {
            throw TaskError("this agent has no networks for containers (\(lack)); use the host's")
        }
        connected.withLock { _ = $0.insert(id) }
        do throws(NetworkError) {
            let path = try manager.makeNamespace(container: id.value)
            do throws(NetworkError) {
                let attachment = try manager.attach(
                    container: id.value, namespacePath: path, request: NetworkRequest(container))
                var resolvers = attachment.dns
                if container.network == .bridge, !names.serve(bridge: manager.gateways) { resolvers = [] }
                return Connection(
                    namespacePath: path, addresses: attachment.addresses.map(\.address), resolvers: resolvers)
            } catch {
                try? manager.removeNamespace(container: id.value)
                throw error
            }
        } catch { throw TaskError("the container's network cannot be made: \(error)") }
    }

    /// Whether a container has anything that must be taken away.
    func holds(_ id: ContainerID) -> Bool { connected.withLock { $0.contains(id) } }

    /// Takes away what a container has; one that has nothing is fine.
    func disconnect(_ id: ContainerID) {
        guard let manager, holds(id) else { return }
        do throws(NetworkError) {
            try manager.detach(container: id.value)
            try manager.removeNamespace(container: id.value)
            connected.withLock { _ = $0.remove(id) }
        } catch {
            // It is tried again when the task is forgotten, and when the agent starts.
            logger.error("the network of container \(id) cannot be removed: \(error)")
        }
    }

    /// What a running container has, as far as it is known.
    func addresses(of id: ContainerID) -> [NetworkAddress] {
        manager?.attachment(of: id.value)?.addresses.map(\.address) ?? []
    }

    /// Puts right what an earlier life left. To be called before anything is connected.
    ///
    /// - Parameter processes: by containers with a network of their own that run, a process of each.
    func reconcile(_ processes: [ContainerID: Int32?]) {
        guard let manager else { return }
        let running = processes.keys.sorted()
        connected.withLock { $0.formUnion(running) }
        for case (let id, let process?) in processes {
            do throws(NetworkError) { try manager.keepNamespace(container: id.value, of: process) } catch {
                logger.error("networks of containers: \(error)")
            }
        }
        let report = manager.reconcile(
            running: running.map { RunningContainer(id: $0.value, namespacePath: manager.namespace(of: $0.value)) })
        for repair in report.repairs { logger.notice("networks of containers: \(repair)") }
        let problems = report.problems + manager.removeNamespaces(except: Set(running.map(\.value)))
        for problem in problems { logger.error("networks of containers: \(problem)") }
        if !manager.gateways.isEmpty { _ = names.serve(bridge: manager.gateways) }
    }

    /// Puts right what others did to it since. To be called every now and then; blocks.
    func repair() {
        guard let manager, isRepairing.exchange(true, ordering: .acquiring) == false else { return }
        defer { isRepairing.store(false, ordering: .releasing) }
        let report = manager.repair()
        for repair in report.repairs { logger.notice("networks of containers: \(repair), and is put right") }
        // What cannot be put right is said once.
        let known = problems.withLock { known in
            defer { known = report.problems }
            return known
        }
        for problem in report.problems where !known.contains(problem) {
            logger.error("networks of containers: \(problem)")
        }
    }

    /// Removes what an agent whose process is gone has made.
    ///
    /// - Returns: what could not be removed.
    static func purge(_ directory: String) -> [String] {
        guard geteuid() == 0, access("\(directory)/network", F_OK) == 0 else { return [] }
        do throws(NetworkError) {
            return try NetworkManager(settings(directory, AgentID(""))).purge()
        } catch { return [error.description] }
    }

    /// The agent leaves for good: removes all that it has made, and puts back the kernel's settings.
    func purge() {
        for problem in manager?.purge() ?? [] { logger.error("networks of containers: \(problem)") }
    }
}

extension NetworkRequest {
    fileprivate init(_ container: ContainerInfo) {
        let mode: NetworkMode =
            switch container.network {
            case .host: .host
            case .bridge: .bridge
            case .none: .none
            case .named(let name): .named(name)
            }
        self.init(
            mode: mode,
            portMappings: container.portMappings.map {
                PortMapping(
                    hostPort: $0.hostPort, containerPort: $0.containerPort,
                    transport: PortProtocol(rawValue: $0.transport) ?? .tcp)
            })
    }
}
