internal import ClusterModel

/// A step of a rule of nf_tables. All of them work on register 1; a step that does not hold ends the rule.
enum FilterExpression: Equatable {
    /// What the kernel knows of a packet besides its bytes.
    enum Fact: UInt32 {
        case inputName = 6
        case outputName = 7
        case networkProtocol = 15
        case transportProtocol = 16
    }

    enum Base: UInt32 {
        case network = 1
        case transport = 2
    }

    enum Verdict: Equatable {
        case drop
        case accept
        /// Goes on as if the chain had ended.
        case leave
        case jump(String)
    }

    enum Tracked: UInt32 {
        case state = 0
        case status = 2
    }

    case fact(Fact)
    case bytes(Base, offset: UInt32, count: UInt32)
    case mask([UInt8])
    case equals([UInt8])
    case differs([UInt8])
    case tracked(Tracked)
    /// What kind of address it is: 2 for one of this host.
    case kindOfSource
    case kindOfTarget
    /// Replaces register 1 by what a map has for it.
    case lookup(map: String, id: UInt32)
    /// Sends the packet to the address and port in register 1 and behind it.
    case redirect(isIPv6: Bool)
    case masquerade
    case verdict(Verdict)

    private static let register: UInt32 = 1
    private static let data: UInt16 = 2

    /// As an element of a rule's list.
    func encode(into list: inout [UInt8]) {
        list.append(nested: 1) { element in
            element.append(attribute: 1, text: name)
            element.append(nested: Self.data) { encodeData(into: &$0) }
        }
    }

    private var name: String {
        switch self {
        case .fact: "meta"
        case .bytes: "payload"
        case .mask: "bitwise"
        case .equals, .differs: "cmp"
        case .tracked: "ct"
        case .kindOfSource, .kindOfTarget: "fib"
        case .lookup: "lookup"
        case .redirect: "nat"
        case .masquerade: "masq"
        case .verdict: "immediate"
        }
    }

    private func encodeData(into data: inout [UInt8]) {
        let register = Self.register
        switch self {
        case .fact(let fact):
            data.append(attribute: 2, big: fact.rawValue)
            data.append(attribute: 1, big: register)
        case .bytes(let base, let offset, let count):
            data.append(attribute: 1, big: register)
            data.append(attribute: 2, big: base.rawValue)
            data.append(attribute: 3, big: offset)
            data.append(attribute: 4, big: count)
        case .mask(let mask):
            data.append(attribute: 1, big: register)
            data.append(attribute: 2, big: register)
            data.append(attribute: 3, big: UInt32(mask.count))
            data.append(nested: 4) { $0.append(attribute: 1, mask) }
            data.append(nested: 5) { $0.append(attribute: 1, [UInt8](repeating: 0, count: mask.count)) }
        case .equals(let bytes): encodeComparison(0, bytes, into: &data)
        case .differs(let bytes): encodeComparison(1, bytes, into: &data)
        case .tracked(let key):
            data.append(attribute: 2, big: key.rawValue)
            data.append(attribute: 1, big: register)
        case .kindOfSource: encodeKindOfAddress(1, into: &data)
        case .kindOfTarget: encodeKindOfAddress(2, into: &data)
        case .lookup(let map, let id):
            data.append(attribute: 2, big: register)
            data.append(attribute: 3, big: register)
            data.append(attribute: 1, text: map)
            data.append(attribute: 4, big: id)
        case .redirect(let isIPv6):
            let (toTarget, ipv4, ipv6): (UInt32, UInt32, UInt32) = (1, 2, 10)
            data.append(attribute: 1, big: toTarget)
            data.append(attribute: 2, big: isIPv6 ? ipv6 : ipv4)
            data.append(attribute: 3, big: register)
            // The port is behind the address: registers have four bytes where they count from 8, else sixteen.
            data.append(attribute: 5, big: isIPv6 ? UInt32(2) : UInt32(9))
        case .masquerade: break
        case .verdict(let verdict):
            data.append(attribute: 1, big: UInt32(0))
            data.append(nested: 2) { value in
                value.append(nested: 2) { Self.encode(verdict, into: &$0) }
            }
        }
    }

    private static func encode(_ verdict: Verdict, into bytes: inout [UInt8]) {
        switch verdict {
        case .drop: bytes.append(attribute: 1, big: UInt32(0))
        case .accept: bytes.append(attribute: 1, big: UInt32(1))
        case .leave: bytes.append(attribute: 1, big: Int32(-5))
        case .jump(let chain):
            bytes.append(attribute: 1, big: Int32(-3))
            bytes.append(attribute: 2, text: chain)
        }
    }

    private func encodeComparison(_ operation: UInt32, _ bytes: [UInt8], into data: inout [UInt8]) {
        data.append(attribute: 1, big: Self.register)
        data.append(attribute: 2, big: operation)
        data.append(nested: 3) { $0.append(attribute: 1, bytes) }
    }

    private func encodeKindOfAddress(_ flags: UInt32, into data: inout [UInt8]) {
        let kind: UInt32 = 3
        data.append(attribute: 3, big: flags)
        data.append(attribute: 2, big: kind)
        data.append(attribute: 1, big: Self.register)
    }
}

/// Steps that belong together.
extension [FilterExpression] {
    /// A name as it is compared: names of interfaces have 16 bytes.
    private static func padded(_ name: String) -> [UInt8] {
        let bytes = Array<UInt8>(name.utf8.prefix(15))
        return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
    }

    static func from(_ interface: String) -> Self { [.fact(.inputName), .equals(padded(interface))] }
    static func notFrom(_ interface: String) -> Self { [.fact(.inputName), .differs(padded(interface))] }
    static func to(_ interface: String) -> Self { [.fact(.outputName), .equals(padded(interface))] }
    static func notTo(_ interface: String) -> Self { [.fact(.outputName), .differs(padded(interface))] }

    static func isIPv6(_ isIPv6: Bool) -> Self { [.fact(.networkProtocol), .equals([isIPv6 ? 10 : 2])] }

    static func transport(_ number: UInt8) -> Self { [.fact(.transportProtocol), .equals([number])] }

    static func source(in network: NetworkPrefix) -> Self { source(network, isIn: true) }
    static func source(notIn network: NetworkPrefix) -> Self { source(network, isIn: false) }

    private static func source(_ network: NetworkPrefix, isIn: Bool) -> Self {
        address(network, at: network.address.isIPv6 ? 8 : 12, isIn: isIn)
    }

    static func target(in network: NetworkPrefix) -> Self {
        address(network, at: network.address.isIPv6 ? 24 : 16, isIn: true)
    }

    /// Whole bytes are compared as they are; only a prefix that ends inside of one needs a mask.
    private static func address(_ network: NetworkPrefix, at offset: UInt32, isIn: Bool) -> Self {
        let isIPv6 = network.address.isIPv6
        let all = network.network.address.bytes
        let isWhole = network.length % 8 == 0 && network.length > 0
        let bytes = isWhole ? Array<UInt8>(all.prefix(network.length / 8)) : all
        var steps = self.isIPv6(isIPv6) + [.bytes(.network, offset: offset, count: UInt32(bytes.count))]
        if !isWhole {
            let ones = isIPv6 ? NetworkAddress(ipv6: ~0) : NetworkAddress(ipv4: ~0)
            let mask = NetworkPrefix(ones, length: network.length)?.network.address.bytes ?? ones.bytes
            steps.append(.mask(mask))
        }
        return steps + [isIn ? .equals(bytes) : .differs(bytes)]
    }

    /// Whether one of these bits is set.
    static func tracked(_ key: FilterExpression.Tracked, anyOf bits: UInt32) -> Self {
        var mask: [UInt8] = []
        mask.append(number: bits)
        return [.tracked(key), .mask(mask), .differs([0, 0, 0, 0])]
    }

    /// What was sent to a published port and is on its way to its container.
    static var isRedirected: Self { tracked(.status, anyOf: 0x20) }
    /// What belongs to a connection that was allowed to begin.
    static var isAnswer: Self { tracked(.state, anyOf: 0x06) }

    /// Of this host itself.
    static var sourceIsHost: Self { [.kindOfSource, .equals(local)] }
    static var targetIsHost: Self { [.kindOfTarget, .equals(local)] }

    private static var local: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(2))
        return bytes
    }
}
