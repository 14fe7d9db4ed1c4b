/// What a framework says it can cope with; changes what it is offered and told.
public enum FrameworkCapability: String, Hashable, Sendable, Codable, CaseIterable {
    case revocableResources = "REVOCABLE_RESOURCES"
    case taskKillingState = "TASK_KILLING_STATE"
    case gpuResources = "GPU_RESOURCES"
    case sharedResources = "SHARED_RESOURCES"
    case partitionAware = "PARTITION_AWARE"
    case multiRole = "MULTI_ROLE"
    case reservationRefinement = "RESERVATION_REFINEMENT"
    case regionAware = "REGION_AWARE"
}

/// A framework as it describes itself.
public struct FrameworkInfo: Hashable, Sendable, Codable {
    /// The account its tasks run under unless they say otherwise.
    public var user: String
    /// For people.
    public var name: String
    /// Given by the master; absent in the first subscription.
    public var id: FrameworkID?
    /// How long its tasks live on after it disconnects.
    public var failoverTimeout: Duration
    /// Whether its tasks survive a restart of their agent.
    public var checkpoint: Bool
    /// The roles it takes offers in; never empty.
    public var roles: [RoleName]
    /// Where it runs.
    public var hostname: String
    /// Who it is, for authorisation and display.
    public var principal: String?
    /// Its own web page.
    public var webuiURL: String?
    /// What it can cope with.
    public var capabilities: Set<FrameworkCapability>
    /// Free text, shown and kept.
    public var labels: [Label]

    /// Makes a description.
    public init(
        user: String, name: String, id: FrameworkID? = nil, failoverTimeout: Duration = .zero, checkpoint: Bool = false,
        roles: [RoleName] = [.everyone], hostname: String = "", principal: String? = nil, webuiURL: String? = nil,
        capabilities: Set<FrameworkCapability> = [], labels: [Label] = []
    ) {
        self.user = user
        self.name = name
        self.id = id
        self.failoverTimeout = failoverTimeout
        self.checkpoint = checkpoint
        self.roles = roles
        self.hostname = hostname
        self.principal = principal
        self.webuiURL = webuiURL
        self.capabilities = capabilities
        self.labels = labels
    }
}
