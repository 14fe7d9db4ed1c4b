public import ClusterModel
import FoundationEssentials

extension Label {
    /// Reads a label.
    public init(_ wire: WireLabel) { self.init(key: wire.key, value: wire.hasValue ? wire.value : nil) }
}

extension WireLabels {
    /// Makes the message for labels.
    public init(_ labels: [Label]) {
        self.init()
        self.labels = labels.map { label in
            var wire = WireLabel()
            wire.key = label.key
            if let value = label.value { wire.value = value }
            return wire
        }
    }
}

extension WireTimeInfo {
    /// Makes the message for a time of day.
    public init(_ time: UnixTime) {
        self.init()
        nanoseconds = time.nanoseconds
    }
}

extension WireDurationInfo {
    /// Makes the message for a duration, held at the ends of what nanoseconds in 64 bits can say.
    public init(_ duration: Duration) {
        self.init()
        let parts = duration.components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = whole.addingReportingOverflow(parts.attoseconds / 1_000_000_000)
        nanoseconds = overflow || overflow2 ? (parts.seconds < 0 ? .min : .max) : sum
    }

    /// The duration, which must not be negative.
    /// - Throws: `.invalidField` with the path `nanoseconds`.
    func checked() throws(WireError) -> Duration {
        guard nanoseconds >= 0 else { throw .invalidField(path: "nanoseconds", problem: "must not be negative") }
        return .nanoseconds(nanoseconds)
    }
}

extension RangeSet {
    /// Reads ranges that must neither be empty nor overlap.
    /// - Throws: `.invalidField` with the path of the range.
    public init(_ wire: WireValue.Ranges) throws(WireError) {
        var ranges: [RangeSet.Range] = []
        ranges.reserveCapacity(wire.range.count)
        for (index, one) in wire.range.enumerated() {
            guard let range = RangeSet.Range(begin: one.begin, end: one.end) else {
                throw .invalidField(path: "range[\(index)]", problem: "ends before it begins")
            }
            ranges.append(range)
        }
        ranges.sort { $0.begin < $1.begin }
        for (range, next) in zip(ranges, ranges.dropFirst()) where next.begin <= range.end {
            throw .invalidField(path: "range", problem: "has \(next.begin) twice")
        }
        self.init(ranges)
    }
}

extension WireValue.Ranges {
    /// Makes the message for ranges.
    public init(_ set: RangeSet) {
        self.init()
        range = set.ranges.map { one in
            var wire = WireValue.Range()
            wire.begin = one.begin
            wire.end = one.end
            return wire
        }
    }
}

extension WireValue.Scalar {
    /// Makes the message for an amount.
    public init(_ quantity: Quantity) {
        self.init()
        value = quantity.value
    }
}

extension Attribute {
    /// Reads an attribute.
    /// - Throws: `.missingField` or `.invalidField` with the path in the message.
    public init(_ wire: WireAttribute) throws(WireError) {
        switch wire.type {
        case .scalar:
            guard wire.hasScalar else { throw .missingField(path: "scalar") }
            self.init(name: wire.name, value: .scalar(wire.scalar.value))
        case .text:
            guard wire.hasText else { throw .missingField(path: "text") }
            self.init(name: wire.name, value: .text(wire.text.value))
        case .ranges:
            guard wire.hasRanges else { throw .missingField(path: "ranges") }
            let ranges = try within("ranges") { () throws(WireError) in try RangeSet(wire.ranges) }
            self.init(name: wire.name, value: .ranges(ranges))
        case .set: throw .invalidField(path: "type", problem: "is SET, which attributes cannot have")
        }
    }
}

extension WireAttribute {
    /// Makes the message for an attribute.
    public init(_ attribute: Attribute) {
        self.init()
        name = attribute.name
        switch attribute.value {
        case .text(let text):
            type = .text
            self.text.value = text
        case .scalar(let number):
            type = .scalar
            scalar.value = number
        case .ranges(let set):
            type = .ranges
            ranges = WireValue.Ranges(set)
        }
    }
}

extension Domain {
    /// Reads a domain; nil when no fault domain is set.
    public init?(_ wire: WireDomainInfo) {
        guard wire.hasFaultDomain else { return nil }
        self.init(region: wire.faultDomain.region.name, zone: wire.faultDomain.zone.name)
    }
}

extension WireDomainInfo {
    /// Makes the message for a domain.
    public init(_ domain: Domain) {
        self.init()
        faultDomain.region.name = domain.region
        faultDomain.zone.name = domain.zone
    }
}

extension StatusUUID {
    /// Reads a UUID, which is 16 bytes.
    /// - Throws: `.invalidField` with an empty path.
    static func checked(_ data: Data) throws(WireError) -> StatusUUID {
        guard data.count == 16 else {
            throw .invalidField(path: "", problem: "must be the 16 bytes of the update, not \(data.count)")
        }
        return StatusUUID(bytes: [UInt8](data))
    }
}
