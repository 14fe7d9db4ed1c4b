/// Writes a tar archive: ustar headers, and pax's before them where those have no room.
///
/// The same entries give the same bytes: nothing of this machine's time or accounts is added.
final class TarWriter {
    typealias Sink = (UnsafeRawBufferPointer) throws(ImageError) -> Void

    private let sink: Sink
    private var left: Int64 = 0
    private var padding = 0

    init(_ sink: @escaping Sink) { self.sink = sink }

    /// Begins an entry; as many bytes as its size says follow by ``write(_:)``.
    func begin(_ entry: TarEntry) throws(ImageError) {
        guard left == 0 else { throw ImageError(.system, "a file became shorter while it was read") }
        try fill()
        var records: [UInt8] = []
        func record(_ key: String, _ value: [UInt8]) {
            let body = Array(" \(key)=".utf8) + value + [0x0A]
            // The length counts its own digits.
            var length = body.count + 1
            while String(length).utf8.count + body.count != length { length = String(length).utf8.count + body.count }
            records += Array(String(length).utf8) + body
        }
        let limit = 1 << 21
        if entry.path.count > 100 || !isPlain(entry.path) { record("path", entry.path) }
        if entry.target.count > 100 || !isPlain(entry.target) { record("linkpath", entry.target) }
        if entry.size >= 1 << 33 { record("size", Array(String(entry.size).utf8)) }
        if entry.user >= limit { record("uid", Array(String(entry.user).utf8)) }
        if entry.group >= limit { record("gid", Array(String(entry.group).utf8)) }
        if entry.seconds < 0 || entry.seconds >= 1 << 33 { record("mtime", Array(String(entry.seconds).utf8)) }
        for (name, value) in entry.attributes {
            record("SCHILY.xattr." + String(decoding: name, as: UTF8.self), value)
        }
        if !records.isEmpty {
            var header = entry
            header.size = Int64(records.count)
            try put(Self.header(header, type: UInt8(ascii: "x"), path: Array("././@PaxHeader".utf8), target: []))
            try put(records)
            try put([UInt8](repeating: 0, count: (512 - records.count % 512) % 512))
        }
        try put(Self.header(entry, type: Self.type(entry.kind), path: entry.path, target: entry.target))
        left = entry.kind == .file ? entry.size : 0
        padding = Int((512 - left % 512) % 512)
    }

    /// Appends to the content of the entry.
    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        guard Int64(bytes.count) <= left else {
            throw ImageError(.system, "a file became longer while it was read")
        }
        try sink(bytes)
        left -= Int64(bytes.count)
    }

    /// A file whose content is there.
    func add(_ path: String, _ bytes: [UInt8]) throws(ImageError) {
        try begin(Self.file(path, Int64(bytes.count)))
        left = 0
        try put(bytes)
    }

    /// Ends the archive.
    func finish() throws(ImageError) {
        guard left == 0 else { throw ImageError(.system, "a file became shorter while it was read") }
        try fill()
        try put([UInt8](repeating: 0, count: 1_024))
    }

    /// A plain file of nobody in particular.
    static func file(_ path: String, _ size: Int64) -> TarEntry {
        TarEntry(
            kind: .file, path: Array(path.utf8), target: [], size: size, mode: 0o644, user: 0, group: 0, seconds: 0,
            nanoseconds: 0, attributes: [])
    }

    private func fill() throws(ImageError) {
        try put([UInt8](repeating: 0, count: padding))
        padding = 0
    }

    private func put(_ bytes: [UInt8]) throws(ImageError) {
        guard !bytes.isEmpty else { return }
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(ImageError) in try sink(bytes) } }
        try result.get()
    }

    /// pax's headers are UTF-8; other bytes go into the plain one, where nobody asks.
    private func isPlain(_ path: [UInt8]) -> Bool {
        path.allSatisfy { $0 < 0x80 } || String(validating: path, as: UTF8.self) == nil
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .device: UInt8(ascii: "3")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    private static func header(_ entry: TarEntry, type: UInt8, path: [UInt8], target: [UInt8]) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Collection<UInt8>, at offset: Int, _ room: Int) {
            for (index, byte) in bytes.prefix(room).enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int64, at offset: Int, _ room: Int) {
            let largest = (Int64(1) << (3 * Int64(room - 1))) - 1
            let digits = String(max(0, min(value, largest)), radix: 8)
            put(
                Array((String(repeating: "0", count: room - 1 - digits.utf8.count) + digits).utf8), at: offset, room - 1
            )
        }
        put(path, at: 0, 100)
        octal(Int64(entry.mode), at: 100, 8)
        octal(Int64(entry.user), at: 108, 8)
        octal(Int64(entry.group), at: 116, 8)
        octal(entry.size, at: 124, 12)
        octal(entry.seconds, at: 136, 12)
        block[156] = type
        put(target, at: 157, 100)
        put(Array("ustar".utf8), at: 257, 6)
        put(Array("00".utf8), at: 263, 2)
        for index in 148..<156 { block[index] = 0x20 }
        let sum = block.reduce(0) { $0 + Int($1) }
        octal(Int64(sum), at: 148, 7)
        block[154] = 0
        return block
    }
}
