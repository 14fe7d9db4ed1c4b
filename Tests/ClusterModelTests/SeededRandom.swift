import ClusterModel

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

    mutating func draw(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &self) }

    /// A few ranges below 60, sometimes with the ends of the domain.
    mutating func ranges() -> RangeSet {
        RangeSet(
            (0..<draw(0...4)).compactMap { _ in
                let begin = UInt64(draw(0...50))
                let far = draw(0...9)
                if far == 0 { return RangeSet.Range(begin: .max - begin, end: .max) }
                return RangeSet.Range(begin: begin, end: begin + UInt64(draw(0...9)))
            })
    }

    /// A kind out of a dozen, so that bags often share kinds.
    mutating func kind(_ names: [String]) -> ResourceKind {
        var kind = ResourceKind(name: names[draw(0...(names.count - 1))])
        if draw(0...2) == 0 {
            let role = RoleName(["a", "a/b", "c"][draw(0...2)])
            kind.reservations = [Reservation(kind: draw(0...1) == 0 ? .fixed : .dynamic, role: role)]
            if draw(0...2) == 0 { kind.reservations[0].principal = ["", "p"][draw(0...1)] }
            if draw(0...2) == 0 { kind.reservations[0].labels = [Label(key: "k", value: draw(0...1) == 0 ? nil : "v")] }
        }
        if draw(0...5) == 0 { kind.isRevocable = true }
        if draw(0...5) == 0 {
            kind.disk = DiskDetails(principal: draw(0...1) == 0 ? nil : "", sourceRoot: "/d\(draw(0...1))")
        }
        return kind
    }

    /// Items in no order, some of the same kind, some empty.
    mutating func items() -> [Resource] {
        (0..<draw(0...6)).map { _ in
            switch draw(0...4) {
            case 0: Resource(kind: kind(["ports"]), value: .ranges(ranges()))
            case 1: Resource(kind: kind(["disks"]), value: .set(Set((0..<draw(0...2)).map { "s\($0 * 3)" })))
            default:
                Resource(
                    kind: kind(["cpus", "mem", "disk"]),
                    value: .scalar(Quantity(thousandths: Int64(draw(0...5_000))) ?? .zero))
            }
        }
    }
}
