public import ClusterModel

extension AgentInfo {
    /// Reads an agent's description as the operator interface gives it. The address and the release are not part of
    /// it; they are in the message around it.
    /// - Throws: `.invalidField` or `.missingField` with the path in the message.
    public init(_ wire: WireAgentInfo, address: String = "", version: String = "") throws(WireError) {
        guard let port = UInt16(exactly: wire.port) else {
            throw .invalidField(path: "port", problem: "must be from 0 to 65535")
        }
        var attributes: [Attribute] = []
        for (index, one) in wire.attributes.enumerated() {
            attributes.append(try within("attributes[\(index)]") { () throws(WireError) in try Attribute(one) })
        }
        self.init(
            id: try wire.hasID ? within("id") { () throws(WireError) in try wire.id.checked() } : nil,
            hostname: wire.hostname, address: address, port: port,
            resources: try within("resources") { () throws(WireError) in try Resources(wire.resources) },
            attributes: attributes, domain: wire.hasDomain ? Domain(wire.domain) : nil, version: version)
    }
}

extension WireAgentInfo {
    /// Makes the message for an agent's description.
    public init(_ info: AgentInfo, _ form: ResourceForm = ResourceForm(.both)) {
        self.init()
        hostname = info.hostname
        port = Int32(info.port)
        resources = info.resources.wire(form)
        attributes = info.attributes.map { WireAttribute($0) }
        if let id = info.id { self.id = WireAgentID(id) }
        if let domain = info.domain { self.domain = WireDomainInfo(domain) }
    }
}

extension MasterInfo {
    /// Reads a master's description.
    /// - Throws: `.invalidField` with the path in the message.
    public init(_ wire: WireMasterInfo) throws(WireError) {
        guard let port = UInt16(exactly: wire.port) else {
            throw .invalidField(path: "port", problem: "must be from 0 to 65535")
        }
        let address = wire.address.hasIp ? wire.address.ip : IPv4.text(networkOrder: wire.ip)
        self.init(
            id: MasterID(wire.id), hostname: wire.hasHostname ? wire.hostname : address, address: address, port: port,
            version: wire.version)
    }
}

extension WireMasterInfo {
    /// Makes the message for a master's description.
    public init(_ info: MasterInfo) {
        self.init()
        id = info.id.value
        // Zero for IPv6: `address` has it, and this field cannot.
        ip = IPv4.networkOrder(info.address) ?? 0
        port = UInt32(info.port)
        let host = info.address.contains(":") ? "[\(info.address)]" : info.address
        pid = "master@\(host):\(info.port)"
        hostname = info.hostname
        version = info.version
        address.hostname = info.hostname
        address.ip = info.address
        address.port = Int32(info.port)
        let known: [Capability.TypeEnum] = [.agentUpdate, .agentDraining, .quotaV2]
        capabilities = known.map { type in
            var capability = Capability()
            capability.type = type
            return capability
        }
    }
}

/// IPv4 addresses as `MasterInfo.ip` has them: the four bytes in network order, read as a little-endian number.
enum IPv4 {
    /// The number for dotted text, or nil for anything else.
    static func networkOrder(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts.reversed() {
            guard let byte = UInt8(part), String(byte) == part else { return nil }
            number = number << 8 | UInt32(byte)
        }
        return number
    }

    /// Dotted text for the number.
    static func text(networkOrder number: UInt32) -> String {
        (0..<4).map { String((number >> (8 * $0)) & 0xff) }.joined(separator: ".")
    }
}
