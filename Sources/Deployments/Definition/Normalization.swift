extension ServiceDefinition {
    /// The definition with everything in it that follows from the rest, as Marathon answers it.
    /// - Parameters:
    ///   - role: the role of its group, or the framework's.
    ///   - defaultNetworkName: what an unnamed container network stands for.
    /// - Returns: the whole definition; to normalize it again changes nothing.
    public func normalized(role: String, defaultNetworkName: String? = nil) -> ServiceDefinition {
        var result = self
        if result.role == nil { result.role = role }
        if result.networks.isEmpty { result.networks = [Network(mode: .host)] }
        result.networks.name(unnamed: defaultNetworkName)
        result.normalizePorts()
        if !result.healthChecks.isEmpty { result.normalizeHealthChecks() }
        if result.upgradeStrategy == nil { result.upgradeStrategy = Workload.service(result).upgradeStrategy }
        if result.unreachableStrategy == nil {
            result.unreachableStrategy = Workload.service(result).unreachableStrategy
        }
        return result
    }

    private mutating func normalizePorts() {
        let isHost = networks.contains { $0.mode == .host }
        let isBridge = networks.contains { $0.mode == .bridge }
        if isHost {
            // One port of the agent's choice unless told otherwise.
            if portDefinitions == nil { portDefinitions = [PortDefinition(name: "default")] }
            if container?.portMappings?.isEmpty == true { container?.portMappings = nil }
        } else {
            requirePorts = false
            if portDefinitions?.isEmpty == true { portDefinitions = nil }
            if container == nil { container = Container(kind: .mesos) }
            if container?.portMappings == nil { container?.portMappings = [PortMapping(name: "default")] }
        }
        guard isBridge else { return }
        for index in container?.portMappings?.indices ?? 0..<0 where container?.portMappings?[index].hostPort == nil {
            container?.portMappings?[index].hostPort = 0
        }
    }

    /// A check that names no port means the first.
    private mutating func normalizeHealthChecks() {
        guard portCount > 0 else { return }
        for index in healthChecks.indices where healthChecks[index].kind != .command {
            if healthChecks[index].port == nil, healthChecks[index].portIndex == nil {
                healthChecks[index].portIndex = 0
            }
        }
    }
}

extension PodDefinition {
    /// The definition with everything in it that follows from the rest, as Marathon answers it.
    /// - Parameters:
    ///   - role: the role of its group, or the framework's.
    ///   - defaultNetworkName: what an unnamed container network stands for.
    /// - Returns: the whole definition; to normalize it again changes nothing.
    public func normalized(role: String, defaultNetworkName: String? = nil) -> PodDefinition {
        var result = self
        if result.role == nil { result.role = role }
        if result.networks.isEmpty { result.networks = [Network(mode: .host)] }
        result.networks.name(unnamed: defaultNetworkName)
        if !result.networks.contains(where: { $0.mode == .container }) {
            for index in result.containers.indices {
                for port in result.containers[index].endpoints.indices
                where result.containers[index].endpoints[port].hostPort == nil {
                    result.containers[index].endpoints[port].hostPort = 0
                }
            }
        }
        if result.upgradeStrategy == nil { result.upgradeStrategy = Workload.pod(result).upgradeStrategy }
        if result.unreachableStrategy == nil { result.unreachableStrategy = Workload.pod(result).unreachableStrategy }
        return result
    }
}

extension Workload {
    /// The definition with everything in it that follows from the rest.
    public func normalized(role: String, defaultNetworkName: String? = nil) -> Workload {
        switch self {
        case .service(let service):
            .service(service.normalized(role: role, defaultNetworkName: defaultNetworkName))
        case .pod(let pod): .pod(pod.normalized(role: role, defaultNetworkName: defaultNetworkName))
        }
    }

    /// What is wrong with the definition, which has been `normalized`.
    public func violations(_ rules: ValidationRules = ValidationRules()) -> [Violation] {
        switch self {
        case .service(let service): service.violations(rules)
        case .pod(let pod): pod.violations(rules)
        }
    }
}

extension [Network] {
    fileprivate mutating func name(unnamed name: String?) {
        guard let name else { return }
        for index in indices where self[index].mode == .container && self[index].name == nil {
            self[index].name = name
        }
    }
}
