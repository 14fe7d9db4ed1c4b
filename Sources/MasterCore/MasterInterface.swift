public import ClusterModel

/// One open event stream to a framework or an agent, numbered by the driver; never used twice in a process' life.
public struct ConnectionID: Hashable, Comparable, Sendable {
    /// The driver's number.
    public let number: UInt64

    /// Wraps the driver's number.
    public init(_ number: UInt64) { self.number = number }

    /// Orders by age.
    public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// One request that waits for an answer, numbered by the driver.
public struct RequestID: Hashable, Sendable {
    /// The driver's number.
    public let number: UInt64

    /// Wraps the driver's number.
    public init(_ number: UInt64) { self.number = number }
}

/// All that can happen to a master. Every input goes through the one inbox, one at a time.
public enum MasterInput: Sendable {
    /// A framework opened its event stream.
    case subscribe(ConnectionID, Subscription)
    /// A framework called; `connection` is the stream whose `Mesos-Stream-Id` the call carried, nil when no open
    /// stream has that id.
    case call(RequestID, framework: FrameworkID, connection: ConnectionID?, SchedulerCall)
    /// An agent opened its event stream.
    case registerAgent(ConnectionID, AgentRegistration)
    /// An agent called on behalf of its stream: calls that came together, in order, with one reply.
    case agentCalls(RequestID, connection: ConnectionID, [AgentCall])
    /// Others get no answer from the agent's node. They decide nothing: the agent is asked for a sign of life at once.
    case doubted(AgentID)
    /// A stream of either sort ended.
    case closed(ConnectionID)
    /// An operator, a tool or the web page wants a change.
    case command(RequestID, OperatorCommand)
    /// Somebody wants to reach an agent's own routes; the agent is asked to dial back.
    case openStream(RequestID, AgentID, StreamRequest)
    /// `nextDeadline` has come.
    case tick
}

/// Changes that do not come from frameworks or agents.
public enum OperatorCommand: Hashable, Sendable {
    /// Ends a framework and its tasks.
    case teardown(FrameworkID)
    /// Ends one task.
    case killTask(TaskKey)
    /// Declares an agent dead for good; it is not let in again.
    case markAgentGone(AgentID)
    /// Sets a role's weight; 1 is the default.
    case setWeight(RoleName, Double)
}

/// The answer to a request.
public enum Reply: Hashable, Sendable {
    /// Received (HTTP 202).
    case accepted
    /// Carried out and durable (HTTP 200).
    case done
    /// Refused, with a text that says why and what to do.
    case refused(Refusal, String)

    /// Why a request is refused; each has one HTTP status.
    public enum Refusal: Int, Hashable, Sendable {
        /// The request can never succeed as it is.
        case invalid = 400
        /// The sender may not do this now.
        case forbidden = 403
        /// There is no such thing.
        case notFound = 404
        /// It does not fit the present state.
        case conflict = 409
        /// There was such a thing once.
        case gone = 410
        /// Not now; try again.
        case unavailable = 503
    }
}

/// What the driver must do once the turn's changes are durable, in this order.
public enum MasterEffect: Sendable {
    /// Answer a request.
    case reply(RequestID, Reply)
    /// Put an event on a framework's stream.
    case send(ConnectionID, SchedulerEvent)
    /// Put an event on an agent's stream.
    case sendAgent(ConnectionID, AgentEvent)
    /// End a stream after what was put on it.
    case close(ConnectionID)
    /// Tell those who watch the cluster.
    case publish(ClusterEvent)
    /// Tell the operator.
    case warn(String)
}

/// What watchers of the cluster are told.
public enum ClusterEvent: Sendable {
    /// A task was accepted.
    case taskAdded(TaskRecord)
    /// A task's state changed.
    case taskUpdated(TaskRecord)
    /// A framework subscribed for the first time.
    case frameworkAdded(FrameworkID)
    /// A framework came back, went away or changed its description.
    case frameworkUpdated(FrameworkID)
    /// A framework was removed.
    case frameworkRemoved(FrameworkInfo)
    /// An agent registered, for the first time or again.
    case agentAdded(AgentID)
    /// An agent is unreachable, left or was declared gone.
    case agentRemoved(AgentID)
}

/// A change to what the master must not forget. The driver makes the changes of a turn durable before any effect.
public enum RegistryChange: Hashable, Sendable {
    /// An agent is new or changed.
    case putAgent(AgentRecord)
    /// An agent left for good.
    case removeAgent(AgentID)
    /// A framework is new or changed.
    case putFramework(FrameworkRecord)
    /// The oldest memory of a removed framework is dropped.
    case removeFramework(FrameworkID)
    /// A role's weight.
    case putWeight(RoleName, Double)
}

/// An agent as it is stored.
public struct AgentRecord: Hashable, Sendable, Codable {
    /// What has become of it.
    public enum Standing: String, Hashable, Sendable, Codable {
        /// It takes part.
        case member
        /// Its session has been silent for too long.
        case unreachable
        /// An operator declared it dead; it is never let in again.
        case gone
    }

    /// As it described itself last; `id` is set.
    public var info: AgentInfo
    /// Whether it takes part.
    public var standing: Standing
    /// When it registered first.
    public var registeredAt: UnixTime
    /// Tasks whose frameworks were told that they are lost and that the agent brought back: they are ended, and
    /// nothing the agent says of them is passed on, whichever life of the master hears it.
    public var condemned: Set<TaskKey>

    /// Makes a record.
    public init(info: AgentInfo, standing: Standing, registeredAt: UnixTime, condemned: Set<TaskKey> = []) {
        self.info = info
        self.standing = standing
        self.registeredAt = registeredAt
        self.condemned = condemned
    }
}

/// A framework as it is stored.
public struct FrameworkRecord: Hashable, Sendable, Codable {
    /// As it described itself last; `id` is set.
    public var info: FrameworkInfo
    /// When it subscribed first.
    public var registeredAt: UnixTime
    /// When it was removed; such a framework is never let in again.
    public var removedAt: UnixTime?

    /// Makes a record.
    public init(info: FrameworkInfo, registeredAt: UnixTime, removedAt: UnixTime? = nil) {
        self.info = info
        self.registeredAt = registeredAt
        self.removedAt = removedAt
    }
}

/// All that a master knows when it starts: what `RegistryChange`s have left in the store.
public struct Registry: Hashable, Sendable {
    /// Agents by id.
    public var agents: [AgentID: AgentRecord]
    /// Frameworks by id, removed ones among them.
    public var frameworks: [FrameworkID: FrameworkRecord]
    /// Weights that are not 1.
    public var weights: [RoleName: Double]

    /// Makes a registry; empty for a new cluster.
    public init(
        agents: [AgentID: AgentRecord] = [:], frameworks: [FrameworkID: FrameworkRecord] = [:],
        weights: [RoleName: Double] = [:]
    ) {
        self.agents = agents
        self.frameworks = frameworks
        self.weights = weights
    }

    /// Applies a change, as the store does.
    public mutating func apply(_ change: RegistryChange) {
        switch change {
        case .putAgent(let record):
            if let id = record.info.id { agents[id] = record }
        case .removeAgent(let id): agents[id] = nil
        case .putFramework(let record):
            if let id = record.info.id { frameworks[id] = record }
        case .removeFramework(let id): frameworks[id] = nil
        case .putWeight(let role, let weight): weights[role] = weight
        }
    }
}

/// What one input led to: first all changes become durable, then the effects are carried out in order.
public struct MasterTurn: Sendable {
    /// To be stored, in order, in one transaction.
    public var changes: [RegistryChange] = []
    /// To be carried out after that, in order.
    public var effects: [MasterEffect] = []
    /// Contradictions found inside the core; empty unless there is a bug. To be logged as errors.
    public var faults: [String] = []
}
