/// What the extended header of one entry says in place of its plain one (POSIX.1-2001, pax).
struct PaxRecords {
    var path: [UInt8]?
    var target: [UInt8]?
    var size: Int64?
    var user: Int64?
    var group: Int64?
    var time: (seconds: Int64, nanoseconds: Int)?
    var attributes: [(name: [UInt8], value: [UInt8])] = []

    private static let attributePrefix = Array("SCHILY.xattr.".utf8)
    private static let sparsePrefix = Array("GNU.sparse.".utf8)

    /// Reads records, each `LENGTH KEY=VALUE` and a line feed.
    mutating func read(_ bytes: [UInt8], _ limits: LayerLimits) throws(ImageError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let space = rest.prefix(12).firstIndex(of: 0x20),
                let length = Self.decimal(rest[..<space]), length <= rest.count,
                length > space - rest.startIndex + 1
            else { throw Self.bad("a record has a wrong length") }
            let end = rest.startIndex + Int(length)
            guard rest[end - 1] == 0x0A else { throw Self.bad("a record has no line end") }
            let record = rest[(space + 1)..<(end - 1)]
            guard let equals = record.firstIndex(of: 0x3D), equals > record.startIndex else {
                throw Self.bad("a record has no key")
            }
            try take(Array(record[..<equals]), Array(record[(equals + 1)...]), limits)
            rest = rest[end...]
        }
    }

    private mutating func take(_ key: [UInt8], _ value: [UInt8], _ limits: LayerLimits) throws(ImageError) {
        if key.starts(with: Self.attributePrefix) {
            guard attributes.count < limits.attributes else {
                throw ImageError(.tooLarge, "an entry has more than \(limits.attributes) extended attributes")
            }
            let name = Array(key.dropFirst(Self.attributePrefix.count))
            guard !name.contains(0), (1...255).contains(name.count), value.count <= 64 << 10 else {
                throw Self.bad("an extended attribute cannot be one")
            }
            attributes.append((name, value))
            return
        }
        if key.starts(with: Self.sparsePrefix) {
            throw ImageError(.unsupported, "the archive has sparse files; pack it without them")
        }
        // An empty value takes back what a global header said; those are not heeded.
        guard !value.isEmpty else { return }
        switch String(decoding: key, as: UTF8.self) {
        case "path": path = value
        case "linkpath": target = value
        case "size": size = try Self.number(value)
        case "uid": user = try Self.number(value)
        case "gid": group = try Self.number(value)
        case "mtime": time = try Self.time(value)
        default: break
        }
    }

    private static func decimal(_ digits: some Collection<UInt8>) -> Int64? {
        guard (1...18).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return value
    }

    private static func number(_ value: [UInt8]) throws(ImageError) -> Int64 {
        guard let number = decimal(value) else { throw bad("a number is none") }
        return number
    }

    /// Seconds with a fraction, perhaps negative.
    private static func time(_ value: [UInt8]) throws(ImageError) -> (seconds: Int64, nanoseconds: Int) {
        let isNegative = value.first == 0x2D
        let digits = isNegative ? value[1...] : value[...]
        let whole = digits.prefix { $0 != 0x2E }
        guard let seconds = decimal(whole) else { throw bad("a time is none") }
        let fraction = digits.dropFirst(whole.count + 1)
        guard fraction.count <= 64, fraction.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw bad("a time is none")
        }
        var nanoseconds = 0
        for index in 0..<9 {
            let digit = index < fraction.count ? Int(fraction[fraction.startIndex + index] - 0x30) : 0
            nanoseconds = nanoseconds * 10 + digit
        }
        guard isNegative else { return (seconds, nanoseconds) }
        return nanoseconds == 0 ? (-seconds, 0) : (-seconds - 1, 1_000_000_000 - nanoseconds)
    }

    private static func bad(_ reason: String) -> ImageError {
        ImageError(.invalidContent, "the archive is damaged: \(reason)")
    }
}
