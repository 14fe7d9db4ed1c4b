public import ClusterModel

extension FrameworkCapability {
    /// Reads a capability; nil for those that this release does not know.
    public init?(_ wire: WireFrameworkInfo.Capability) {
        switch wire.type {
        case .revocableResources: self = .revocableResources
        case .taskKillingState: self = .taskKillingState
        case .gpuResources: self = .gpuResources
        case .sharedResources: self = .sharedResources
        case .partitionAware: self = .partitionAware
        case .multiRole: self = .multiRole
        case .reservationRefinement: self = .reservationRefinement
        case .regionAware: self = .regionAware
        case .unknown: return nil
        }
    }

    /// The capability on the wire.
    public var wire: WireFrameworkInfo.Capability {
        var capability = WireFrameworkInfo.Capability()
        capability.type =
            switch self {
            case .revocableResources: .revocableResources
            case .taskKillingState: .taskKillingState
            case .gpuResources: .gpuResources
            case .sharedResources: .sharedResources
            case .partitionAware: .partitionAware
            case .multiRole: .multiRole
            case .reservationRefinement: .reservationRefinement
            case .regionAware: .regionAware
            }
        return capability
    }
}

extension FrameworkInfo {
    /// Reads a framework's description of itself.
    ///
    /// `role` and `roles` are read by Mesos' rule: with the capability MULTI_ROLE the list counts and `role` must not
    /// be set, without it the other way round (`FrameworkInfo` validation, docs/roles.md).
    /// - Throws: `.invalidField` with the path in the message.
    public init(_ wire: WireFrameworkInfo) throws(WireError) {
        let capabilities = Set(wire.capabilities.compactMap { FrameworkCapability($0) })
        guard wire.failoverTimeout >= 0 else {
            throw .invalidField(path: "failover_timeout", problem: "must be a number of seconds, 0 or more")
        }
        self.init(
            user: wire.user, name: wire.name,
            id: try wire.hasID && !wire.id.value.isEmpty
                ? within("id") { () throws(WireError) in try wire.id.checked() } : nil,
            failoverTimeout: .clamped(seconds: wire.failoverTimeout), checkpoint: wire.checkpoint,
            roles: try Self.roles(wire, hasSeveral: capabilities.contains(.multiRole)),
            hostname: wire.hostname, principal: wire.hasPrincipal ? wire.principal : nil,
            webuiURL: wire.hasWebuiURL ? wire.webuiURL : nil, capabilities: capabilities,
            labels: wire.labels.labels.map { Label($0) })
    }

    private static func roles(_ wire: WireFrameworkInfo, hasSeveral: Bool) throws(WireError) -> [RoleName] {
        guard hasSeveral else {
            if !wire.roles.isEmpty {
                throw .invalidField(path: "roles", problem: "needs the capability MULTI_ROLE; set 'role' instead")
            }
            return [try within("role") { () throws(WireError) in try RoleName.checked(wire.role) }]
        }
        if wire.hasRole {
            throw .invalidField(path: "role", problem: "must not be set with the capability MULTI_ROLE; set 'roles'")
        }
        if wire.roles.isEmpty { throw .invalidField(path: "roles", problem: "must name at least one role") }
        var roles: [RoleName] = []
        var known: Set<RoleName> = []
        for (index, text) in wire.roles.enumerated() {
            let role = try within("roles[\(index)]") { () throws(WireError) in try RoleName.checked(text) }
            guard known.insert(role).inserted else {
                throw .invalidField(path: "roles[\(index)]", problem: "names the role '\(role)' again")
            }
            roles.append(role)
        }
        return roles
    }
}

extension WireFrameworkInfo {
    /// Makes the message for a framework's description.
    public init(_ info: FrameworkInfo) {
        self.init()
        user = info.user
        name = info.name
        if let id = info.id { self.id = WireFrameworkID(id) }
        failoverTimeout = info.failoverTimeout.inSeconds
        checkpoint = info.checkpoint
        if info.capabilities.contains(.multiRole) {
            roles = info.roles.map(\.value)
        } else {
            role = (info.roles.first ?? .everyone).value
        }
        if !info.hostname.isEmpty { hostname = info.hostname }
        if let principal = info.principal { self.principal = principal }
        if let webuiURL = info.webuiURL { self.webuiURL = webuiURL }
        capabilities = FrameworkCapability.allCases.filter(info.capabilities.contains).map(\.wire)
        if !info.labels.isEmpty { labels = WireLabels(info.labels) }
    }
}
