public import ClusterModel

/// Free resources of one agent that one framework is to be offered in one role. The allocator counts them as the
/// framework's until they are recovered.
public struct Allocation: Hashable, Sendable {
    /// To whom.
    public var framework: FrameworkID
    /// In which role.
    public var role: RoleName
    /// Whose resources.
    public var agent: AgentID
    /// What is offered.
    public var resources: Resources

    /// Makes an allocation.
    public init(framework: FrameworkID, role: RoleName, agent: AgentID, resources: Resources) {
        self.framework = framework
        self.role = role
        self.agent = agent
        self.resources = resources
    }
}

/// An amount of one scalar resource, whatever it is reserved for.
public struct NamedQuantity: Hashable, Sendable {
    /// The resource's name.
    public var name: String
    /// How much.
    public var amount: Quantity

    /// Makes an amount.
    public init(name: String, amount: Quantity) {
        self.name = name
        self.amount = amount
    }
}

/// What the allocator cannot do. Nothing has changed when one of these is thrown.
public enum AllocatorError: Error, Hashable, Sendable {
    /// The agent is there already.
    case agentExists(AgentID)
    /// The agent is not there.
    case agentUnknown(AgentID)
    /// A weight must be a positive finite number.
    case invalidWeight(RoleName, Double)
    /// The resources are not the framework's on this agent.
    case notAllocated(framework: FrameworkID, role: RoleName, agent: AgentID, ResourceError)
    /// What is said to be used on an agent cannot be: the same port twice, for example.
    case contradictoryUse(AgentID, ResourceError)
    /// The free resources of the agent do not hold what is claimed.
    case notFree(AgentID, ResourceError)
}

extension AllocatorError: CustomStringConvertible {
    /// What happened, why, and what to do.
    public var description: String {
        switch self {
        case .agentExists(let agent):
            "agent \(agent) was added twice: update its total or remove it first"
        case .agentUnknown(let agent):
            "agent \(agent) is not registered: add it first"
        case .invalidWeight(let role, let weight):
            "the weight \(weight) of role \(role) is not usable: give a finite number above zero"
        case .notAllocated(let framework, let role, let agent, let why):
            "framework \(framework) does not have these resources in role \(role) on agent \(agent): \(why)"
        case .contradictoryUse(let agent, let why):
            "the resources in use on agent \(agent) contradict each other: \(why); restart the agent with a clean state"
        case .notFree(let agent, let why):
            "agent \(agent) does not have these resources free: \(why)"
        }
    }
}
