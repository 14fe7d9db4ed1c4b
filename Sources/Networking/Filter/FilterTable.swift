internal import ClusterModel

/// Where a chain hangs in the way of packets.
struct FilterHook: Equatable {
    enum Place: UInt32 {
        case prerouting = 0
        case forward = 2
        case output = 3
        case postrouting = 4
    }

    var type: String
    var place: Place
    var priority: Int32
}

/// A rule with what it is for; that is shown by `nft list ruleset`.
struct FilterRule: Equatable {
    var purpose: String
    var steps: [FilterExpression]

    /// The rule's expressions as the kernel gets them.
    var encodedSteps: [UInt8] {
        var bytes: [UInt8] = []
        for step in steps { step.encode(into: &bytes) }
        return bytes
    }

    /// The purpose and a digest of the rule: with it one can tell from a list of comments whether the rules in the
    /// kernel are these, without understanding how the kernel gives expressions back.
    var comment: String { "\(purpose) #" + String(StableHash.of(encodedSteps), radix: 16) }
}

struct FilterChain: Equatable {
    var name: String
    var hook: FilterHook?
    var rules: [FilterRule]
}

/// Published ports of one protocol and family: the port of the host, and where packets to it go.
struct FilterMap: Equatable {
    struct Target: Hashable {
        var address: NetworkAddress
        var port: UInt16
    }

    var name: String
    var isIPv6: Bool
    var elements: [UInt16: Target]

    /// For messages within one transaction.
    var id: UInt32
}

/// The table of one bridge: everything that Rondo tells the packet filter. Tables of others are never touched.
struct FilterTable: Equatable {
    var name: String
    var chains: [FilterChain]
    var maps: [FilterMap]

    /// Without IPv6 a map of it is there all the same, and stays empty.
    static func make(bridge: String, pools: [NetworkPrefix], elements: [String: [UInt16: FilterMap.Target]]) -> Self {
        let maps = [("tcp4", false), ("udp4", false), ("tcp6", true), ("udp6", true)].enumerated().map { place, map in
            FilterMap(name: map.0, isIPv6: map.1, elements: elements[map.0] ?? [:], id: UInt32(place) + 1)
        }
        let loopback = NetworkPrefix("127.0.0.0/8")
        let guarded = loopback.map { [FilterExpression].from(bridge) + .target(in: $0) + [.verdict(.drop)] }
        let toMappings: [FilterRule] = [
            FilterRule(purpose: "published ports", steps: .targetIsHost + [.verdict(.jump("published"))])
        ]
        // The kernel takes no answer from elsewhere for ::1: who tries it first should be refused at once, and go on
        // with 127.0.0.1, rather than wait.
        let ownLoopback = NetworkPrefix("::1/128").map {
            FilterRule(purpose: "never answered from elsewhere", steps: .target(in: $0) + [.verdict(.leave)])
        }
        return FilterTable(
            name: bridge,
            chains: [
                FilterChain(
                    name: "guard", hook: FilterHook(type: "filter", place: .prerouting, priority: -300),
                    rules: guarded.map { [FilterRule(purpose: "loopback is the host's own", steps: $0)] } ?? []),
                FilterChain(name: "published", hook: nil, rules: maps.map(published)),
                FilterChain(
                    name: "prerouting", hook: FilterHook(type: "nat", place: .prerouting, priority: -100),
                    rules: toMappings),
                FilterChain(
                    name: "output", hook: FilterHook(type: "nat", place: .output, priority: -100),
                    rules: [ownLoopback].compactMap { $0 } + toMappings),
                FilterChain(
                    name: "postrouting", hook: FilterHook(type: "nat", place: .postrouting, priority: 100),
                    rules: outgoing(bridge, pools)),
                FilterChain(
                    name: "forward", hook: FilterHook(type: "filter", place: .forward, priority: 0),
                    rules: forwarded(bridge, pools)),
            ], maps: maps)
    }

    private static func published(_ map: FilterMap) -> FilterRule {
        let (tcp, udp): (UInt8, UInt8) = (6, 17)
        var steps: [FilterExpression] = .isIPv6(map.isIPv6) + .transport(map.name.hasPrefix("tcp") ? tcp : udp)
        let targetPort = (offset: UInt32(2), count: UInt32(2))
        steps.append(.bytes(.transport, offset: targetPort.offset, count: targetPort.count))
        steps.append(.lookup(map: map.name, id: map.id))
        steps.append(.redirect(isIPv6: map.isIPv6))
        return FilterRule(purpose: "to containers", steps: steps)
    }

    private static func outgoing(_ bridge: String, _ pools: [NetworkPrefix]) -> [FilterRule] {
        // What the host says to itself from its address on the bridge is not of a container.
        var rules = pools.map {
            FilterRule(
                purpose: "containers to the outside",
                steps: .source(in: $0) + .notTo(bridge) + .notTo("lo") + [.masquerade])
        }
        // Answers must come back through the host to be translated back: not from container to container, and not to
        // an address of the host's loopback.
        rules.append(
            FilterRule(
                purpose: "the host to its published ports",
                steps: .to(bridge) + .isRedirected + .sourceIsHost + [.masquerade]))
        rules += pools.map {
            FilterRule(
                purpose: "containers to published ports",
                steps: .source(in: $0) + .to(bridge) + .isRedirected + [.masquerade])
        }
        return rules
    }

    private static func forwarded(_ bridge: String, _ pools: [NetworkPrefix]) -> [FilterRule] {
        var rules = pools.map {
            FilterRule(
                purpose: "containers use their own addresses",
                steps: .source(notIn: $0) + .from(bridge) + .notTo(bridge) + [.verdict(.drop)])
        }
        rules.append(FilterRule(purpose: "answers", steps: .to(bridge) + .isAnswer + [.verdict(.accept)]))
        rules.append(
            FilterRule(purpose: "published ports", steps: .to(bridge) + .isRedirected + [.verdict(.accept)]))
        rules.append(
            FilterRule(
                purpose: "what is not published is not reached from outside",
                steps: .to(bridge) + .notFrom(bridge) + [.verdict(.drop)]))
        return rules
    }

    /// Rules by chain, as a list of comments.
    var outline: [String: [String]] {
        Dictionary(chains.map { ($0.name, $0.rules.map(\.comment)) }) { first, _ in first }
    }
}

/// The table as the kernel has it.
struct FilterState: Equatable {
    var outline: [String: [String]]
    var elements: [String: [UInt16: FilterMap.Target]]

    /// Whether chains, rules and maps are those of a table, whatever is in the maps.
    func hasShape(of table: FilterTable) -> Bool {
        outline == table.outline && Set(elements.keys) == Set(table.maps.map(\.name))
    }
}

/// A hash that is the same in every process and release (FNV-1a), for names and comparisons, not against attackers.
enum StableHash {
    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    static func of(_ text: String) -> UInt64 { of(text.utf8) }
}
