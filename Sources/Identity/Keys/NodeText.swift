public import Membership

extension NodeID {
    /// An id from its sixteen bytes; nil for another number of bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        func half(_ part: some Sequence<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(high: half(bytes.prefix(8)), low: half(bytes.dropFirst(8)))
    }

    /// An id from its thirty-two lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 32, let bytes = ByteText.bytes(hex: hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// The sixteen bytes.
    public var bytes: [UInt8] {
        [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
    }
}

extension NodeRoles {
    /// Every role there is, in the order in which texts list them.
    private static let named: [(String, NodeRoles)] = [("agent", .agent), ("master", .master)]

    /// The names in alphabetical order, separated by commas; empty for no role.
    public var text: String { Self.named.filter { contains($0.1) }.map(\.0).joined(separator: ",") }

    /// Reads what ``text`` wrote, and at least one role; nil for anything else, such as another order.
    public init?(text: some StringProtocol) {
        self = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let role = Self.named.first(where: { $0.0 == part })?.1 else { return nil }
            insert(role)
        }
        guard self.text == text else { return nil }
    }

    /// True when every bit is a known role and there is one.
    var isCertifiable: Bool { !isEmpty && isSubset(of: [.master, .agent]) }
}
