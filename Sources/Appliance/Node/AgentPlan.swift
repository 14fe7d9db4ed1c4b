internal import AgentNode
public import ClusterModel
internal import Transport

extension AgentNode.Settings {
    /// What the configuration says of an agent.
    init(_ configuration: Configuration, directory: String, masters: [Endpoint], _ trust: NodeTrust?) {
        self.init(dataDirectory: directory, masters: masters)
        identity = trust?.agentID
        masterSecurity = trust?.toMasters
        listenSecurity = trust?.fromMasters
        resources = configuration.resources
        ownPorts = [configuration.port(.masterPort), configuration.port(.gossipPort)]
        if case .tcp(_, let plain)? = configuration.endpoint(.plainListen) { ownPorts.append(plain) }
        attributes = configuration.attributes
        domain = configuration.domain
        hostname = configuration.text(.hostname)
        limitsProcessorTime = configuration.isTrue(.limitProcessor)
        logBytes = UInt64(max(configuration.integer(.logBytes), 4_096))
        logFiles = UInt32(clamping: max(configuration.integer(.logFiles), 1))
        switch configuration.text(.namesListen) {
        case "off": names = .off
        default:
            if case .tcp(let address, let port)? = configuration.endpoint(.namesListen),
                let address = NetworkAddress(address.description)
            {
                names = .at(address, port: port)
            }
        }
        version = Program.version
    }

    /// Listens everywhere, since addresses come and go; on loopback alone where that is what others are told.
    mutating func listen(at advertised: IPAddress, isAlone: Bool, _ configuration: Configuration) {
        var port = configuration.port(.agentPort)
        let probed = isAlone ? advertised : .v4("0.0.0.0")
        if !configuration.isSet(.agentPort) { port = MachineAddress.freePorts(1, from: port, on: probed)[0] }
        listen = .tcp(isAlone ? advertised : MachineAddress.everywhere, port: port)
        advertisedAddress = advertised.description
        guard !isAlone, !configuration.isSet(.advertise) else { return }
        currentAddress = { [masters] in
            // Beside its master, an agent is where the machine is.
            let master = masters.endpoints.first { !$0.isLoopback }
            let address = master.flatMap { MachineAddress.towards($0) } ?? MachineAddress.main()
            return address.isLoopback ? nil : address.description
        }
    }
}

/// Divides what a machine has between agents that run on it side by side.
public enum MachineShare {
    /// Equal shares: scalars are divided, ranges cut into neighbouring pieces,
    /// sets go to the first.
    ///
    /// - Parameters:
    ///   - all: what the machine has.
    ///   - count: how many agents, at least one.
    /// - Returns: one share for each.
    /// - Throws: never for resources that are valid as they are.
    public static func divide(_ all: Resources, into count: Int) throws(ResourceError) -> [Resources] {
        var shares: [[Resource]] = Array(repeating: [], count: max(count, 1))
        for item in all.items {
            switch item.value {
            case .scalar(let amount):
                let each = amount.thousandths / Int64(shares.count)
                guard let share = Quantity(thousandths: each), !share.isZero else { continue }
                for index in shares.indices { shares[index].append(Resource(kind: item.kind, value: .scalar(share))) }
            case .ranges(let ranges):
                // Of ports that tasks are given by preference, everybody has some.
                for var rest in item.kind.name == "ports" ? ranges.portsByPreference : [ranges] {
                    for index in shares.indices {
                        let left = UInt64(shares.count - index)
                        let part = rest.prefix(rest.count / left)
                        rest = rest.subtracting(part)
                        if !part.isEmpty { shares[index].append(Resource(kind: item.kind, value: .ranges(part))) }
                    }
                }
            case .set: shares[0].append(item)
            }
        }
        var divided: [Resources] = []
        for share in shares { divided.append(try Resources(share)) }
        return divided
    }
}
