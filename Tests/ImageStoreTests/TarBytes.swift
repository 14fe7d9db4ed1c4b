import CZlib
import CZstd

/// A tar archive made byte by byte, apart from the writer that ships, so that every lie can be told.
struct TarBytes {
    private(set) var bytes: [UInt8] = []

    /// One header block; `change` is applied before the checksum is made.
    mutating func header(
        _ name: some Collection<UInt8>, type: Character = "0", size: Int = 0, mode: Int = 0o644, user: Int = 0,
        group: Int = 0, time: Int = 1_000_000, link: some Collection<UInt8> = [UInt8](),
        change: (inout [UInt8]) -> Void = { _ in }
    ) {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ value: some Collection<UInt8>, _ offset: Int, _ room: Int) {
            for (index, byte) in value.prefix(room).enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, _ offset: Int, _ room: Int) {
            let digits = String(value, radix: 8)
            put((String(repeating: "0", count: max(0, room - 1 - digits.count)) + digits).utf8, offset, room - 1)
        }
        put(name, 0, 100)
        octal(mode, 100, 8)
        octal(user, 108, 8)
        octal(group, 116, 8)
        octal(size, 124, 12)
        octal(time, 136, 12)
        block[156] = type.asciiValue ?? 0
        put(link, 157, 100)
        put("ustar\u{0}00".utf8, 257, 8)
        change(&block)
        for index in 148..<156 { block[index] = 0x20 }
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        put((String(repeating: "0", count: 6 - sum.count) + sum).utf8, 148, 6)
        block[154] = 0
        bytes += block
    }

    mutating func raw(_ more: [UInt8]) { bytes += more }

    mutating func content(_ more: [UInt8]) {
        bytes += more
        bytes += [UInt8](repeating: 0, count: (512 - more.count % 512) % 512)
    }

    mutating func file(_ name: String, _ text: String = "x", mode: Int = 0o644, user: Int = 0, group: Int = 0) {
        header(name.utf8, size: text.utf8.count, mode: mode, user: user, group: group)
        content(Array(text.utf8))
    }

    mutating func directory(_ name: String, mode: Int = 0o755, time: Int = 1_000_000) {
        header(name.utf8, type: "5", mode: mode, time: time)
    }

    mutating func link(_ name: String, to target: String) { header(name.utf8, type: "2", link: Array(target.utf8)) }
    mutating func hardLink(_ name: String, to target: String) { header(name.utf8, type: "1", link: Array(target.utf8)) }

    /// An extended header for the entry that follows.
    mutating func pax(_ records: [(String, [UInt8])], type: Character = "x") {
        let body = records.flatMap { Self.record($0.0, $0.1) }
        header("pax".utf8, type: type, size: body.count)
        content(body)
    }

    mutating func pax(_ records: [(String, String)], type: Character = "x") {
        pax(records.map { ($0.0, Array($0.1.utf8)) }, type: type)
    }

    static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let body = Array(" \(key)=".utf8) + value + [0x0A]
        var length = body.count + 1
        while String(length).utf8.count + body.count != length { length += 1 }
        return Array(String(length).utf8) + body
    }

    /// GNU's way to say a long name (`L`) or target (`K`).
    mutating func long(_ type: Character, _ name: some Collection<UInt8>) {
        header("././@LongLink".utf8, type: type, size: name.count + 1)
        content(Array(name) + [0])
    }

    mutating func end() { bytes += [UInt8](repeating: 0, count: 1_024) }

    /// The archive of some entries, ended.
    static func make(_ body: (inout TarBytes) -> Void) -> [UInt8] {
        var tar = TarBytes()
        body(&tar)
        tar.end()
        return tar.bytes
    }
}

/// Bytes as gzip has them.
func gzip(_ bytes: [UInt8], level: Int32 = 6) -> [UInt8] {
    var stream = z_stream()
    czlib_deflate_gzip(&stream, level)
    var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 1_024)
    var input = bytes
    let count = input.count
    input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            _ = deflate(&stream, Z_FINISH)
        }
    }
    output.removeLast(Int(stream.avail_out))
    deflateEnd(&stream)
    return output
}

/// Bytes as zstd has them.
func zstd(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 3)
    return Array(output[..<count])
}
