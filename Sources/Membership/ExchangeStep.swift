/// What two members that speak protocol 2 say to each other over one stream, in turns, until they know the same.
///
/// ```
/// one     ask: this is my table in one number, and this am I
/// other   same ─── or ─── summary: these incarnations I know
/// one                     difference: here is what you lack, and that I lack
/// other                   rest: here it is
/// ```
public enum ExchangeStep: Hashable, Sendable {
    /// Opens: the sum of the sender's table, and the sender's own entry.
    case ask(table: UInt64, StateExchange)
    /// "My table is the same." The last step.
    case same(source: NodeID)
    /// "Mine is another one", in short.
    case summary(source: NodeID, [Row])
    /// What the other lacks, and whose entries the sender wants; the last step when it wants none.
    case difference(StateExchange, wanted: [NodeID])
    /// What was wanted. The last step.
    case rest(StateExchange)

    /// One member in a summary.
    public struct Row: Hashable, Sendable {
        /// The member.
        public var id: NodeID
        /// The incarnation of the newest record that the sender knows.
        public var incarnation: UInt64
        /// What the sender believes.
        public var status: MemberStatus
        /// Tells two records of one incarnation from each other.
        public var check: UInt32

        /// Makes a row.
        public init(id: NodeID, incarnation: UInt64, status: MemberStatus, check: UInt32) {
            self.id = id
            self.incarnation = incarnation
            self.status = status
            self.check = check
        }
    }

    /// Nothing follows on the stream.
    public var isLast: Bool {
        switch self {
        case .ask, .summary: false
        case .same, .rest: true
        case .difference(_, let wanted): wanted.isEmpty
        }
    }
}

extension MemberCoding {
    /// The bytes of a step.
    public static func encode(step: ExchangeStep) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(formatVersion)
        switch step {
        case .ask(let table, let state):
            writer.byte(1)
            writer.integer(table)
            writer.state(state)
        case .same(let source):
            writer.byte(2)
            writer.id(source)
        case .summary(let source, let rows):
            writer.byte(3)
            writer.id(source)
            writer.integer(UInt16(min(rows.count, stateLimit)))
            for row in rows.prefix(stateLimit) {
                writer.id(row.id)
                writer.variable(row.incarnation)
                writer.byte(row.status.rawValue)
                writer.integer(row.check)
            }
        case .difference(let state, let wanted):
            writer.byte(4)
            writer.state(state)
            writer.integer(UInt16(min(wanted.count, stateLimit)))
            for id in wanted.prefix(stateLimit) { writer.id(id) }
        case .rest(let state):
            writer.byte(5)
            writer.state(state)
        }
        return writer.bytes
    }

    /// Reads a step; all of it is good, or none is taken.
    public static func step(from bytes: [UInt8]) throws(Failure) -> ExchangeStep {
        var reader = ByteReader(bytes)
        try reader.version()
        let step: ExchangeStep
        switch try reader.byte() {
        case 1:
            let table = try reader.integer(UInt64.self)
            step = .ask(table: table, try reader.state())
        case 2: step = .same(source: try reader.id())
        case 3:
            let source = try reader.id()
            step = .summary(source: source, try rows(from: &reader))
        case 4:
            let state = try reader.state()
            var wanted: [NodeID] = []
            for _ in 0..<(try reader.count()) { wanted.append(try reader.id()) }
            step = .difference(state, wanted: wanted)
        case 5: step = .rest(try reader.state())
        default: throw .malformed
        }
        guard reader.isAtEnd else { throw .oversized }
        return step
    }

    private static func rows(from reader: inout ByteReader) throws(Failure) -> [ExchangeStep.Row] {
        var rows: [ExchangeStep.Row] = []
        for _ in 0..<(try reader.count()) {
            let id = try reader.id()
            let incarnation = try reader.variable()
            guard let status = MemberStatus(rawValue: try reader.byte()) else { throw .malformed }
            let check = try reader.integer(UInt32.self)
            rows.append(ExchangeStep.Row(id: id, incarnation: incarnation, status: status, check: check))
        }
        return rows
    }
}
