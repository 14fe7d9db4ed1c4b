/// Cuts a byte stream into the frames of ttrpc: four bytes of length, four of stream number, a kind and flags.
struct TTRPCFrames {
    enum Frame: Equatable {
        case message(stream: UInt32, kind: UInt8, payload: [UInt8])
        /// One that is longer than the protocol allows; its content is skipped.
        case tooLong(stream: UInt32)
    }

    static let request: UInt8 = 1
    static let response: UInt8 = 2
    /// The protocol's own limit of one message.
    static let limit = 4 << 20
    private static let headerSize = 10

    private var buffer: [UInt8] = []
    private var start = 0
    private var skipped = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer.SubSequence) {
        let dropped = min(skipped, bytes.count)
        skipped -= dropped
        buffer.append(contentsOf: bytes.dropFirst(dropped))
    }

    /// The next whole frame; nil when more bytes must come first.
    mutating func next() -> Frame? {
        guard buffer.count - start >= Self.headerSize else { return settle() }
        let length = Int(number(at: start))
        let stream = number(at: start + 4)
        let content = start + Self.headerSize
        guard length <= Self.limit else {
            let present = min(length, buffer.count - content)
            start = content + present
            skipped = length - present
            return .tooLong(stream: stream)
        }
        guard buffer.count - content >= length else { return settle() }
        start = content + length
        return .message(stream: stream, kind: buffer[content - 2], payload: Array(buffer[content..<start]))
    }

    private func number(at index: Int) -> UInt32 {
        buffer[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Gives back the memory of frames that are done.
    private mutating func settle() -> Frame? {
        if start == buffer.count {
            buffer = []
        } else {
            buffer.removeSubrange(..<start)
        }
        start = 0
        return nil
    }

    static func frame(stream: UInt32, kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerSize + payload.count)
        for value in [UInt32(truncatingIfNeeded: payload.count), stream] {
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
        bytes += [kind, 0]
        bytes += payload
        return bytes
    }
}
