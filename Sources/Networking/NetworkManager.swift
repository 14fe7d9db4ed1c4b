public import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// Gives containers their network, and takes it away without a trace.
///
/// What a container has is written down before it is made (`NetworkStore`), what the kernel should have follows from
/// those notes alone (`NetworkPlan`), and what is done is the difference to what it has. So an agent that was killed in
/// the middle of anything, or a machine that was, only has to call `reconcile`. Everything that is made can be told from
/// what others have made: one bridge, known by its hardware address, the ports on it, and one table of the packet filter
/// with the bridge's name. Kernel and plugins are asked directly; no program of the host is run but plugins.
///
/// Calls may come from any thread and take some milliseconds, with plugins as long as those do. Two calls for one
/// container must not overlap.
public final class NetworkManager: Sendable {
    /// What was found and done by `reconcile`.
    public struct Report: Equatable, Sendable {
        /// Things that were not as they should be, and what was done, for the log.
        public var repairs: [String] = []
        /// What could not be put right.
        public var problems: [String] = []
    }

    /// What must not be looked at by two threads.
    struct State {
        var identity: NetworkIdentity?
        var pool: AddressPool?
        var bridged: [String: BridgeAttachment] = [:]
        var plugged: [String: PluginAttachment] = [:]
        /// Whether bridge and packet filter were looked at since this process began.
        var isPrepared = false
    }

    let settings: NetworkSettings
    let store: NetworkStore
    let state: Mutex<State>
    private let damaged: [String]

    /// The interface of every container.
    static let interface = "eth0"

    /// Reads what is written down. Nothing is made before the first container wants it.
    public init(_ settings: NetworkSettings) throws(NetworkError) {
        if let name = settings.bridge, !NetworkIdentity.isInterfaceName(name) {
            throw NetworkError(
                .invalidRequest, "\"\(name)\" cannot be the bridge's name: 1 to 15 characters, no '/' and ':'")
        }
        self.settings = settings
        store = NetworkStore(directory: settings.directory)
        try store.prepare()
        var state = State()
        state.identity = try store.identity()
        let (records, problems) = try store.records()
        var damaged = problems
        state.pool = state.identity.map { AddressPool($0.pools) }
        for record in records {
            if let bridge = record.bridge {
                if state.pool?.take(bridge.number, for: bridge.container) == true {
                    state.bridged[bridge.container] = bridge
                } else {
                    damaged.append("two containers have the address of \(bridge.container); it gets no connection")
                }
            } else if let plugin = record.plugin {
                state.plugged[plugin.container] = plugin
            }
        }
        self.damaged = damaged
        self.state = Mutex(state)
    }

    /// The host's addresses on the bridge, where containers look for names; empty before the first container.
    public var gateways: [NetworkPrefix] { state.withLock { $0.identity?.gateways ?? [] } }

    /// Sees that the bridge is there, so that something can listen on its addresses before there is a container.
    public func prepareBridge() throws(NetworkError) -> [NetworkPrefix] {
        try locked { (state) throws(NetworkError) in try prepare(&state).gateways }
    }

    /// Connects a container to its network; doing it again changes nothing.
    ///
    /// - Parameters:
    ///   - container: its id; letters, digits, `-`, `_`, `.`.
    ///   - namespacePath: its network namespace; not looked at for the host's network.
    ///   - request: what it asks for.
    /// - Returns: what it has got.
    /// - Throws: why it cannot be connected; nothing is left of the attempt then.
    public func attach(
        container: String, namespacePath: String, request: NetworkRequest
    ) throws(NetworkError) -> Attachment {
        try RequestCheck.container(container)
        switch request.mode {
        case .host, .none:
            guard request.portMappings.isEmpty else {
                throw NetworkError(
                    .invalidRequest,
                    "cannot publish ports of a container that has no address of its own; choose the network bridge")
            }
            if request.mode == .none {
                try NetworkNamespace(namespacePath).run { () throws(NetworkError) in
                    try LinkSocket().bringLoopbackUp()
                }
            }
            return Attachment()
        case .bridge:
            return try locked { (state) throws(NetworkError) in
                try attachToBridge(container, namespacePath, request.portMappings, &state)
            }
        case .named(let network):
            return try attachByPlugins(container, namespacePath, network, request.portMappings)
        }
    }

    /// Takes everything away that a container has got; one that has nothing is fine.
    public func detach(container: String) throws(NetworkError) {
        try RequestCheck.container(container)
        try detachFromPlugins(container)
        try locked { (state) throws(NetworkError) in try detachFromBridge(container, &state) }
    }

    /// Makes the kernel's state what it should be: everything for the containers that run, nothing for others.
    ///
    /// - Parameter running: all containers of this agent that run and have a namespace of their own.
    /// - Returns: what was done, and what could not be.
    public func reconcile(running: [RunningContainer]) -> Report {
        var report = Report(problems: damaged)
        let namespaces = Dictionary(running.map { ($0.id, $0.namespacePath) }) { first, _ in first }
        reconcilePlugins(namespaces, &report)
        state.withLock { reconcileBridge(namespaces, &$0, &report) }
        return report
    }

    /// Removes all that this agent has ever made in the network, and puts back the kernel's settings.
    ///
    /// - Returns: what could not be removed; empty when nothing is left.
    public func purge() -> [String] {
        var problems: [String] = []
        func attempt(_ step: () throws(NetworkError) -> Void) {
            do throws(NetworkError) {
                try step()
            } catch {
                problems.append(error.description)
            }
        }
        for container in state.withLock({ Array($0.plugged.keys) }) {
            attempt { () throws(NetworkError) in try detachFromPlugins(container) }
        }
        state.withLock { state in
            attempt { () throws(NetworkError) in try removeBridge(state) }
            attempt { () throws(NetworkError) in try KernelSettings(store: store).restore() }
            attempt { () throws(NetworkError) in try removeNamespaces() }
            if problems.isEmpty { attempt { () throws(NetworkError) in try store.removeAll() } }
            if problems.isEmpty { state = State() }
        }
        return problems
    }

    /// `withLock` cannot say what kind of error it throws.
    func locked<Value: Sendable>(
        _ body: (inout State) throws(NetworkError) -> Value
    ) throws(NetworkError) -> Value {
        try state.withLock { (state) -> Result<Value, NetworkError> in
            do throws(NetworkError) {
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    // MARK: Namespaces

    /// Makes a network namespace for a container; one that is there already is kept.
    ///
    /// - Parameter container: its id.
    /// - Returns: the file that names it.
    /// - Throws: why it cannot be made.
    public func makeNamespace(container: String) throws(NetworkError) -> String {
        try RequestCheck.container(container)
        do {
            try makeDirectories(settings.runDirectory, mode: 0o711)
        } catch {
            throw NetworkError(.system(errno: error.errno), "cannot make a network for a container: \(error)")
        }
        let path = namespace(of: container)
        if !NetworkNamespace.isMounted(at: path) { try NetworkNamespace.make(at: path) }
        return path
    }

    /// Removes a container's namespace; it ends when no process is in it any more. None there is fine.
    public func removeNamespace(container: String) throws(NetworkError) {
        try RequestCheck.container(container)
        try NetworkNamespace.remove(at: namespace(of: container))
    }

    private func removeNamespaces() throws(NetworkError) {
        for name in (try? listDirectory(settings.runDirectory)) ?? [] {
            try NetworkNamespace.remove(at: "\(settings.runDirectory)/\(name)")
        }
        guard rmdir(settings.runDirectory) == 0 || errno == ENOENT else {
            throw .last("remove \(settings.runDirectory)")
        }
    }
}
