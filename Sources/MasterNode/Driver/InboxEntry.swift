internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import Identity
internal import MasterCore
internal import Membership
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// The answer to one request, given exactly once.
struct ReplyPromise: Sendable {
    private let continuation: CheckedContinuation<Result<Reply, GatewayError>, Never>

    init(_ continuation: CheckedContinuation<Result<Reply, GatewayError>, Never>) { self.continuation = continuation }

    func answer(_ reply: Reply) { continuation.resume(returning: .success(reply)) }
    func refuse(_ error: GatewayError) { continuation.resume(returning: .failure(error)) }
}

/// A copy of the core for one reader, given exactly once.
struct SnapshotPromise: Sendable {
    private let continuation: CheckedContinuation<Result<MasterCore, GatewayError>, Never>

    init(_ continuation: CheckedContinuation<Result<MasterCore, GatewayError>, Never>) {
        self.continuation = continuation
    }

    func give(_ core: MasterCore) { continuation.resume(returning: .success(core)) }
    func refuse(_ error: GatewayError) { continuation.resume(returning: .failure(error)) }
}

/// What waits in a master's inbox.
enum InboxEntry: Sendable {
    /// A framework's SUBSCRIBE, with the stream to answer on.
    case framework(ConnectionID, Subscription, FrameworkSink)
    /// An agent's SUBSCRIBE, with the stream to answer on.
    case agent(ConnectionID, AgentRegistration, AgentSink)
    /// A stream has ended. A notice.
    case closed(ConnectionID)
    /// Gossip has lost an agent's node. A notice, of which there are few: one for each change of belief.
    case doubted(AgentID)
    /// Anything that waits for a reply.
    case request(RequestID, MasterInput, ReplyPromise)
    /// The same for tasks that get secrets, whose values the core never sees.
    case launch(RequestID, MasterInput, ReplyPromise, LaunchSecrets)
    /// A reader wants a copy.
    case snapshot(SnapshotPromise)
    /// Somebody wants to follow the cluster from its present state on.
    case watch(ClusterWatcher)
    /// A follower has gone. A notice.
    case unwatch(ClusterWatcher.ID)
    /// The master's machine has another address.
    case moved(String)
}

/// Where a framework's events go.
struct FrameworkSink: Sendable {
    /// The way there.
    enum Way: Sendable {
        /// As records of a stream over HTTP, in the form that the framework wants.
        case wire(EventStream, MediaType)
        /// As values, to a framework of this program.
        case local(SchedulerEventQueue)
    }

    let way: Way
    /// What the framework's calls carry in `Mesos-Stream-Id`.
    let streamID: String

    /// - Returns: false when this event was the one too many for a slow reader, with which the stream ends.
    func send(_ event: SchedulerEvent, for capabilities: Set<FrameworkCapability>) throws -> Bool {
        switch way {
        case .wire(let stream, let media):
            stream.send(try EventEncoding.record(event, as: media, for: capabilities)) != .overflow
        case .local(let queue): queue.send(event) != .overflow
        }
    }

    /// Ends the stream, with an ERROR when there is a reason.
    func finish(after message: String? = nil) {
        switch way {
        case .wire(let stream, let media):
            stream.finish(after: message.flatMap { EventEncoding.error($0, as: media) })
        case .local(let queue): queue.finish(after: message.map { .error($0) })
        }
    }
}

/// The event stream of an agent.
struct AgentSink: Sendable {
    let stream: EventStream
    /// What the agent's calls carry in `Rondo-Session`.
    let session: String
}

/// The open streams by the names that calls carry. Shared by the facades, which look up, and the driver, which removes.
final class StreamDirectory: Sendable {
    struct Session: Sendable {
        var connection: ConnectionID
        /// Who opened the stream; calls must be the same one's.
        var caller: Caller
        /// Ends the stream.
        var end: (@Sendable () -> Void)?
        /// The agent behind it, once the core has let it in.
        var agent: AgentID?
    }

    private struct State {
        var byName: [String: Session] = [:]
        var names: [ConnectionID: String] = [:]
        var byAgent: [AgentID: String] = [:]
        var next: UInt64 = 1
    }

    private let state = Mutex(State())

    /// A number for a new stream, never used before.
    func open(name: String, caller: Caller) -> ConnectionID {
        state.withLock { state in
            let connection = ConnectionID(state.next)
            state.next += 1
            state.byName[name] = Session(connection: connection, caller: caller)
            state.names[connection] = name
            return connection
        }
    }

    /// The open stream with this name.
    func session(_ name: String) -> Session? { state.withLock { $0.byName[name] } }

    /// Notes which agent a stream belongs to.
    func setAgent(_ agent: AgentID, of connection: ConnectionID) {
        state.withLock { state in
            guard let name = state.names[connection] else { return }
            state.byName[name]?.agent = agent
            state.byAgent[agent] = name
        }
    }

    /// Says how a stream is ended from here.
    func setEnd(of connection: ConnectionID, _ end: @escaping @Sendable () -> Void) {
        state.withLock { state in
            if let name = state.names[connection] { state.byName[name]?.end = end }
        }
    }

    /// The nodes that have a stream open.
    var nodes: Set<NodeID> {
        state.withLock { state in
            Set(
                state.byName.values.compactMap { if case .node(let id, _) = $0.caller { NodeID(hex: id) } else { nil } }
            )
        }
    }

    /// Ends all streams of a node.
    func endSessions(of node: NodeID) {
        let ends = state.withLock { state in
            state.byName.values.filter {
                if case .node(node.description, _) = $0.caller { true } else { false }
            }.compactMap(\.end)
        }
        for end in ends { end() }
    }

    /// The newest open stream of an agent.
    func session(of agent: AgentID) -> Session? {
        state.withLock { state in state.byAgent[agent].flatMap { state.byName[$0] } }
    }

    func close(_ connection: ConnectionID) {
        state.withLock { state in
            guard let name = state.names.removeValue(forKey: connection) else { return }
            guard let agent = state.byName.removeValue(forKey: name)?.agent else { return }
            if state.byAgent[agent] == name { state.byAgent[agent] = nil }
        }
    }
}
