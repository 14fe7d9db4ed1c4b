/// An amount of a scalar resource in thousandths of its unit (of a core for `cpus`, of a MiB for `mem` and `disk`).
///
/// Mesos compares scalars in fixed point with three decimals (`Value::Scalar`), because sums of doubles drift. A
/// quantity is never negative: subtraction that would go below zero is an error, not a value.
public struct Quantity: Hashable, Comparable, Sendable, Codable {
    /// The amount in thousandths, never negative.
    public let thousandths: Int64

    /// Nothing.
    public static let zero = Quantity(unchecked: 0)

    init(unchecked thousandths: Int64) { self.thousandths = thousandths }

    /// Makes a quantity, or nil when it would be negative.
    public init?(thousandths: Int64) {
        guard thousandths >= 0 else { return nil }
        self.thousandths = thousandths
    }

    /// Rounds to the nearest thousandth; nil when not finite, negative or above 9·10¹² units.
    public init?(_ value: Double) {
        guard value.isFinite, value >= 0, value <= 9_000_000_000_000 else { return nil }
        thousandths = Int64((value * 1_000).rounded())
    }

    /// The amount in units.
    public var value: Double { Double(thousandths) / 1_000 }

    /// Whether nothing is left.
    public var isZero: Bool { thousandths == 0 }

    /// The sum, or nil on overflow.
    public func adding(_ other: Quantity) -> Quantity? {
        let (sum, overflow) = thousandths.addingReportingOverflow(other.thousandths)
        return overflow ? nil : Quantity(unchecked: sum)
    }

    /// The difference, or nil when it would be negative.
    public func subtracting(_ other: Quantity) -> Quantity? {
        thousandths >= other.thousandths ? Quantity(unchecked: thousandths - other.thousandths) : nil
    }

    /// Orders by amount.
    public static func < (left: Self, right: Self) -> Bool { left.thousandths < right.thousandths }

    /// Reads a single JSON integer of thousandths; refuses negative ones.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let quantity = Quantity(thousandths: try container.decode(Int64.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a quantity must not be negative")
        }
        self = quantity
    }

    /// Writes a single JSON integer of thousandths.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(thousandths)
    }
}

extension Quantity: CustomStringConvertible {
    /// The amount without needless zeros: `2`, `0.5`, `1.125`.
    public var description: String {
        let whole = thousandths / 1_000
        var rest = String(thousandths % 1_000)
        guard rest != "0" else { return String(whole) }
        rest = String(repeating: "0", count: 3 - rest.count) + rest
        while rest.hasSuffix("0") { rest.removeLast() }
        return "\(whole).\(rest)"
    }
}
