/// A message of D-Bus (D-Bus Specification, "Message Format"). Its body stays as it is on the wire until somebody who
/// knows what to expect asks for it.
struct BusMessage: Equatable, Sendable {
    enum Kind {
        static let call: UInt8 = 1
        static let reply: UInt8 = 2
        static let error: UInt8 = 3
        static let signal: UInt8 = 4
    }

    /// Codes of the header's fields.
    enum Field: UInt8 {
        case path = 1
        case interface, member, errorName, replySerial, destination, sender, signature
    }

    /// systemd's own messages are some kilobytes at the most.
    static let limit = 4 << 20
    /// What is needed to tell a message's size.
    static let prefix = 16

    var kind: UInt8
    var serial: UInt32
    private(set) var fields: [(code: UInt8, value: BusValue)] = []
    private(set) var body: [UInt8] = []
    private(set) var isBig = false

    static func == (left: Self, right: Self) -> Bool {
        left.kind == right.kind && left.serial == right.serial && left.body == right.body
            && left.fields.elementsEqual(right.fields, by: ==)
    }

    /// A message to send.
    init(
        kind: UInt8 = Kind.call, serial: UInt32, _ texts: [(Field, String)], replyTo: UInt32? = nil,
        body values: [BusValue] = [], isBig: Bool = false
    ) {
        self.kind = kind
        self.serial = serial
        self.isBig = isBig
        for (field, text) in texts where !text.isEmpty {
            fields.append((field.rawValue, .text(UInt8(ascii: field == .path ? "o" : "s"), text)))
        }
        if let replyTo { fields.append((Field.replySerial.rawValue, .uint32(replyTo))) }
        guard !values.isEmpty else { return }
        let signature = values.map(\.signature).joined()
        fields.append((Field.signature.rawValue, .text(UInt8(ascii: "g"), signature)))
        var encoder = BusEncoder(isBig: isBig)
        for value in values { encoder.append(value) }
        body = encoder.bytes
    }

    var bytes: [UInt8] {
        var encoder = BusEncoder(isBig: isBig)
        for byte in [UInt8(ascii: isBig ? "B" : "l"), kind, 0, 1] { encoder.number(UInt64(byte), size: 1) }
        encoder.number(UInt64(body.count), size: 4)
        encoder.number(UInt64(serial), size: 4)
        encoder.append(
            .array("(yv)", fields.map { .structure([.fixed(UInt8(ascii: "y"), UInt64($0.code)), .variant($0.value)]) }))
        encoder.align(8)
        return encoder.bytes + body
    }

    /// How long the message is that begins with these bytes, at least ``prefix`` of them.
    static func size(_ bytes: some Collection<UInt8>) throws(RuntimeFailure) -> Int {
        let start = Array(bytes.prefix(prefix))
        guard start.count == prefix, start[0] == UInt8(ascii: "l") || start[0] == UInt8(ascii: "B"), start[3] == 1
        else {
            throw BusDecoder.damaged("a header of another protocol")
        }
        func length(_ offset: Int) -> Int {
            let part = start[offset..<offset + 4]
            func number(_ part: some Collection<UInt8>) -> Int { part.reduce(0) { $0 << 8 | Int($1) } }
            return start[0] == UInt8(ascii: "B") ? number(part) : number(part.reversed())
        }
        let header = length(12)
        let body = length(4)
        guard header <= limit, body <= limit else { throw BusDecoder.damaged("a length beyond all measure") }
        return prefix + (header + 7) / 8 * 8 + body
    }

    /// Reads a whole message, of the ``size(_:)`` that its beginning says.
    init(_ bytes: [UInt8]) throws(RuntimeFailure) {
        guard try Self.size(bytes) == bytes.count else { throw BusDecoder.damaged("another length than it says") }
        isBig = bytes[0] == UInt8(ascii: "B")
        kind = bytes[1]
        var decoder = BusDecoder(bytes, isBig: isBig, offset: 8)
        let types = Array("ua(yv)".utf8)
        var index = 0
        guard case .fixed(_, let serial) = try decoder.value(types, &index, 0), serial != 0,
            case .array(_, let list) = try decoder.value(types, &index, 0)
        else { throw BusDecoder.damaged("no serial number") }
        self.serial = UInt32(truncatingIfNeeded: serial)
        for entry in list {
            guard case .structure(let pair) = entry, pair.count == 2, case .fixed(_, let code) = pair[0],
                case .variant(let value) = pair[1]
            else { continue }
            fields.append((UInt8(truncatingIfNeeded: code), value))
        }
        try decoder.align(8)
        body = Array(bytes[decoder.offset...])
    }

    /// A text of the header; empty when it is not there.
    subscript(field: Field) -> String { value(field)?.text ?? "" }

    /// The serial number of the call that this answers.
    var replySerial: UInt32? {
        guard case .fixed(UInt8(ascii: "u"), let serial)? = value(.replySerial) else { return nil }
        return UInt32(truncatingIfNeeded: serial)
    }

    private func value(_ field: Field) -> BusValue? { fields.first { $0.code == field.rawValue }?.value }

    /// The body, which must be of the types expected.
    func values(_ expected: String) throws(RuntimeFailure) -> [BusValue] {
        guard self[.signature] == expected else { throw BusDecoder.damaged("other types than expected") }
        var decoder = BusDecoder(body, isBig: isBig)
        return try decoder.values(expected)
    }
}
