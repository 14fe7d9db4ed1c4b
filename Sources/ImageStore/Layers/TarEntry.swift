/// One entry of a tar archive, with everything that its headers said of it.
struct TarEntry {
    enum Kind: Equatable {
        case file
        case directory
        case symbolicLink
        case hardLink
        case fifo
        /// A block or character device.
        case device
    }

    var kind: Kind
    /// Bytes as they are in the archive: names need not be UTF-8.
    var path: [UInt8]
    /// What a link leads to.
    var target: [UInt8]
    var size: Int64
    var mode: UInt32
    var user: UInt32
    var group: UInt32
    var seconds: Int64
    var nanoseconds: Int
    var attributes: [(name: [UInt8], value: [UInt8])]

    /// The path for people.
    var name: String { Self.shown(path) }

    /// A path in a message: short, and without what would steer a terminal.
    static func shown(_ path: [UInt8]) -> String {
        let text = String(decoding: path.prefix(200), as: UTF8.self)
        return String(
            text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0) })
    }
}

/// One header block of a tar archive: POSIX ustar, GNU, or the one before both.
struct TarHeader {
    private let block: [UInt8]

    static let size = 512

    /// Of 512 bytes that are not all zero.
    init(_ block: [UInt8]) throws(ImageError) {
        self.block = block
        // The sum is of unsigned bytes; some old programs summed signed ones.
        var unsigned = 0
        var signed = 0
        for (index, byte) in block.enumerated() {
            let value = (148..<156).contains(index) ? UInt8(ascii: " ") : byte
            unsigned += Int(value)
            signed += Int(Int8(bitPattern: value))
        }
        let sum = try number(148..<156, "checksum")
        guard sum == unsigned || sum == signed else {
            throw ImageError(.invalidContent, "the archive is damaged: a header has the wrong checksum")
        }
    }

    var type: UInt8 { block[156] }

    private var isPOSIX: Bool { block[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0]) }

    var name: [UInt8] {
        let short = text(0..<100)
        // GNU's headers have other things there.
        guard isPOSIX else { return short }
        let prefix = text(345..<500)
        return prefix.isEmpty ? short : prefix + [UInt8(ascii: "/")] + short
    }

    var link: [UInt8] { text(157..<257) }

    func mode() throws(ImageError) -> UInt32 { UInt32(truncatingIfNeeded: try number(100..<108, "mode")) & 0o7777 }
    func user() throws(ImageError) -> Int64 { try number(108..<116, "owner") }
    func group() throws(ImageError) -> Int64 { try number(116..<124, "group") }
    func size() throws(ImageError) -> Int64 { try number(124..<136, "size") }
    func time() throws(ImageError) -> Int64 { try number(136..<148, "time") }

    private func text(_ range: Range<Int>) -> [UInt8] { Array(block[range].prefix { $0 != 0 }) }

    /// Octal digits, or with the highest bit set a signed number of base 256.
    private func number(_ range: Range<Int>, _ field: String) throws(ImageError) -> Int64 {
        let bytes = block[range]
        if block[range.lowerBound] & 0x80 != 0 { return try binary(bytes, field) }
        let padding: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0 }
        let digits = bytes.drop(while: padding).prefix { !padding($0) }
        let rest = bytes[digits.endIndex...]
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x37).contains(digit) else { throw Self.bad(field) }
            value = value << 3 | Int64(digit - 0x30)
        }
        guard rest.allSatisfy(padding) else { throw Self.bad(field) }
        return value
    }

    private func binary(_ bytes: ArraySlice<UInt8>, _ field: String) throws(ImageError) -> Int64 {
        let isNegative = block[bytes.startIndex] & 0x40 != 0
        let first = isNegative ? block[bytes.startIndex] | 0x80 : block[bytes.startIndex] & 0x3F
        let all = [first] + bytes.dropFirst()
        let high = all.dropLast(8)
        guard high.allSatisfy({ $0 == (isNegative ? 0xFF : 0) }) else { throw Self.bad(field) }
        var value: UInt64 = isNegative ? .max : 0
        for byte in all.suffix(8) { value = value << 8 | UInt64(byte) }
        let result = Int64(bitPattern: value)
        guard (result < 0) == isNegative else { throw Self.bad(field) }
        return result
    }

    private static func bad(_ field: String) -> ImageError {
        ImageError(.invalidContent, "the archive is damaged: the \(field) of a header is no number")
    }
}
