// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

public import ClusterModel
import Scheduling
import Testing

/// SplitMix64, so that a failing run can be repeated from its seed.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

/// Plain resources with what is not zero.
func resources(
    cpus: Double = 0, mem: Double = 0, disk: Double = 0, gpus: Double = 0, ports: ClosedRange<UInt64>? = nil
) -> Resources {
    var items: [Resource] = [
        .scalar("cpus", cpus), .scalar("mem", mem), .scalar("disk", disk), .scalar("gpus", gpus),
    ]
    if let ports { items.append(.ports(ports.lowerBound, ports.upperBound)) }
    return try! Resources(items)
}

/// Scalars reserved for a role.
func reserved(_ role: String, cpus: Double = 0, mem: Double = 0) -> Resources {
    let reservation = Reservation(kind: .fixed, role: RoleName(role))
    return try! Resources(
        [("cpus", cpus), ("mem", mem)]
            .map { name, amount in
                Resource(kind: ResourceKind(name: name, reservations: [reservation]), value: .scalar(Quantity(amount)!))
            })
}

extension Identifier: ExpressibleByStringLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
    ExpressibleByUnicodeScalarLiteral
{
    /// Wraps a literal.
    public init(stringLiteral value: String) { self.init(value) }
}

extension RoleName: ExpressibleByStringLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
    ExpressibleByUnicodeScalarLiteral
{
    /// Wraps a literal.
    public init(stringLiteral value: String) { self.init(value) }
}

extension Allocator {
    /// One cycle with a fixed seed.
    mutating func cycle(at now: Duration = .zero) -> [Allocation] { allocate(now: now, seed: 1) }

    /// To whom the cycle offered, in order.
    mutating func receivers(at now: Duration = .zero) -> [FrameworkID] { cycle(at: now).map(\.framework) }

    mutating func decline(_ allocation: Allocation, refuse: Duration? = nil, at now: Duration = .zero) throws {
        try recover(
            allocation.resources, of: allocation.framework, role: allocation.role, on: allocation.agent,
            refuse: refuse, now: now)
    }

    /// A framework's weighted standing, for assertions.
    func share(of framework: FrameworkID, in role: RoleName = "*") -> FrameworkShare? {
        shares().first { $0.role == role }?.frameworks.first { $0.framework == framework }
    }

    func obstacle(_ framework: FrameworkID, on agent: AgentID, at now: Duration = .zero) -> OfferObstacle? {
        explain(framework, now: now).first { $0.agent == agent }?.obstacle
    }
}

/// Whether two shares are the same but for rounding in the last place.
func nearly(_ left: Double?, _ right: Double) -> Bool { left.map { abs($0 - right) < 1e-12 } ?? false }
