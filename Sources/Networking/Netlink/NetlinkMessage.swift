/// A message to or from the kernel, without its length and sequence number, which belong to the conversation.
struct NetlinkMessage: Equatable {
    static let isRequest: UInt16 = 0x1
    static let acknowledge: UInt16 = 0x4
    /// In an answer to a dump: what was listed has changed meanwhile, so that entries may be missing.
    static let wasInterrupted: UInt16 = 0x10
    static let replace: UInt16 = 0x100
    static let exclusive: UInt16 = 0x200
    static let dump: UInt16 = 0x300
    static let create: UInt16 = 0x400
    static let append: UInt16 = 0x800

    static let errorKind: UInt16 = 2
    static let doneKind: UInt16 = 3

    var kind: UInt16
    var flags: UInt16
    var body: [UInt8]

    init(kind: UInt16, flags: UInt16 = 0, _ body: [UInt8]) {
        self.kind = kind
        self.flags = flags
        self.body = body
    }

    /// As it is sent.
    func encoded(sequence: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 + body.count)
        bytes.append(number: UInt32(clamping: 16 + body.count))
        bytes.append(number: kind)
        bytes.append(number: flags | Self.isRequest)
        bytes.append(number: sequence)
        bytes.append(number: UInt32(0))
        bytes += body
        while bytes.count % 4 != 0 { bytes.append(0) }
        return bytes
    }

    /// The messages in one answer of the kernel; nil when lengths do not add up.
    static func parse(_ bytes: ArraySlice<UInt8>) -> [(sequence: UInt32, message: NetlinkMessage)]? {
        var found: [(sequence: UInt32, message: NetlinkMessage)] = []
        var rest = bytes
        while !rest.isEmpty {
            guard let length: UInt32 = rest.number(), let kind: UInt16 = rest.number(at: 4),
                let flags: UInt16 = rest.number(at: 6), let sequence: UInt32 = rest.number(at: 8),
                length >= 16, Int(length) <= rest.count
            else { return nil }
            let body = Array(rest.dropFirst(16).prefix(Int(length) - 16))
            found.append((sequence, NetlinkMessage(kind: kind, flags: flags, body)))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return found
    }

    /// The error number of an answer of the error kind, 0 for an acknowledgement; nil for other messages.
    var errorNumber: Int32? {
        guard kind == Self.errorKind else { return nil }
        guard let code: Int32 = body[...].number() else { return Int32.max }
        // A number that cannot be negated is not the kernel's.
        return code == .min ? Int32.max : -code
    }
}
