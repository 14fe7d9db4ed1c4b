/// Writes one protocol buffer message (proto3: what has its default value is left out).
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    private mutating func putVarint(_ value: UInt64) {
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func putTag(_ field: Int, wire: UInt64) { putVarint(UInt64(field) << 3 | wire) }

    mutating func put(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        putTag(field, wire: 0)
        putVarint(value)
    }

    mutating func put(_ field: Int, _ value: Bool) { put(field, UInt64(value ? 1 : 0)) }

    /// A process number or an exit status: never negative where it is meaningful.
    mutating func put(_ field: Int, _ value: Int32) { put(field, UInt64(UInt32(bitPattern: value))) }

    mutating func put(_ field: Int, _ text: String) {
        guard !text.isEmpty else { return }
        put(field, raw: Array(text.utf8)[...])
    }

    /// A message that is there even when it is empty.
    mutating func put(_ field: Int, _ message: ProtobufWriter) { put(field, raw: message.bytes[...]) }

    /// Bytes, or a message that is encoded already.
    mutating func put(_ field: Int, raw content: ArraySlice<UInt8>) {
        putTag(field, wire: 2)
        putVarint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    /// Numbers one after the other in one field.
    mutating func put(_ field: Int, packed values: [UInt64]) {
        guard !values.isEmpty else { return }
        var content = ProtobufWriter()
        for value in values { content.putVarint(value) }
        put(field, content)
    }

    /// `google.protobuf.Any`.
    mutating func put(_ field: Int, type: String, _ content: ArraySlice<UInt8>) {
        var any = ProtobufWriter()
        any.put(1, type)
        if !content.isEmpty { any.put(2, raw: content) }
        put(field, any)
    }

    /// `google.protobuf.Timestamp`.
    mutating func put(_ field: Int, _ time: ShimTime?) {
        guard let time else { return }
        var stamp = ProtobufWriter()
        stamp.put(1, UInt64(bitPattern: time.seconds))
        stamp.put(2, UInt64(bitPattern: time.nanoseconds))
        put(field, stamp)
    }
}
