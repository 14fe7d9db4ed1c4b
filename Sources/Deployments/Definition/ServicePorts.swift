/// Gives services the ports under which load balancers know them: each 0 becomes a number that nobody in the cluster
/// has.
public struct ServicePorts: Sendable {
    /// Marathon's range.
    public static let standardRange = 10_000...20_000

    private var taken: Set<Int> = []
    private let range: ClosedRange<Int>
    private var next: Int

    /// Knows the ports of everything in a tree.
    public init(in root: GroupDefinition, range: ClosedRange<Int> = ServicePorts.standardRange) {
        self.range = range
        next = range.lowerBound
        root.visit { group in
            for service in group.services.values { taken.formUnion(service.servicePorts) }
        }
    }

    /// Gives a service the ports that it lacks; those it had before are kept, in their order.
    /// - Returns: false when there are none left.
    public mutating func assign(to service: inout ServiceDefinition, before: ServiceDefinition?) -> Bool {
        var kept = (before?.servicePorts ?? []).filter { range.contains($0) }
        taken.formUnion(service.servicePorts.filter { $0 != 0 })
        kept.removeAll { service.servicePorts.contains($0) }
        kept.reverse()
        for index in service.portDefinitions?.indices ?? 0..<0 where service.portDefinitions?[index].port == 0 {
            // With ports that are required, 0 asks for any port of the agent.
            guard !service.requirePorts else { continue }
            guard let port = kept.popLast() ?? fresh() else { return false }
            service.portDefinitions?[index].port = port
        }
        for index in service.container?.portMappings?.indices ?? 0..<0
        where service.container?.portMappings?[index].servicePort == 0 {
            guard let port = kept.popLast() ?? fresh() else { return false }
            service.container?.portMappings?[index].servicePort = port
        }
        return true
    }

    private mutating func fresh() -> Int? {
        while next <= range.upperBound {
            let port = next
            next += 1
            if taken.insert(port).inserted { return port }
        }
        return nil
    }
}

extension ServiceDefinition {
    /// The ports under which load balancers know it; 0 where none is given yet.
    public var servicePorts: [Int] {
        if let mappings = container?.portMappings { return mappings.map(\.servicePort) }
        return portDefinitions?.map(\.port) ?? []
    }
}
