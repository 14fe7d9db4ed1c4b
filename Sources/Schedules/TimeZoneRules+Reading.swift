extension TimeZoneRules {
    /// The longest file that is read. The largest of the tz database has under 4 KiB.
    public static let fileLimit = 64 << 10

    /// Reads a TZif file of version 1 to 4 (RFC 8536 and its successor RFC 9636).
    ///
    /// Of version 1 the 32-bit block is read, of later ones the 64-bit block and the rule at the end. Files with leap
    /// seconds (the `right/` tree) are brought to the scale of `UnixTime`, which has none.
    ///
    /// - Parameter tzif: the whole file.
    /// - Throws: ``TimeZoneError``.
    public init(tzif: [UInt8]) throws(TimeZoneError) {
        guard tzif.count <= Self.fileLimit else { throw .malformed("it is longer than \(Self.fileLimit) bytes") }
        var reader = TZifReader(bytes: tzif)
        let head = try reader.header()
        guard head.version > 1 else {
            let block = try reader.block(head, width: 4)
            self.init(first: block.first, table: block.table, rule: nil)
            return
        }
        try reader.skip(head.length(width: 4))
        let second = try reader.header()
        guard second.version == head.version else { throw .malformed("its two headers have different versions") }
        let block = try reader.block(second, width: 8)
        let rule = try reader.footer()
        self.init(first: block.first, table: block.table, rule: rule)
    }
}

/// Walks through the bytes of a TZif file; every step is checked against what is there.
private struct TZifReader {
    let bytes: [UInt8]
    var index = 0

    struct Header {
        var version: Int
        var utIndicators: Int
        var standardIndicators: Int
        var leaps: Int
        var times: Int
        var types: Int
        var characters: Int

        /// The length of its block; the counts are bounded, so this cannot overflow.
        func length(width: Int) -> Int {
            times * (width + 1) + types * 6 + characters + leaps * (width + 4) + standardIndicators + utIndicators
        }
    }

    struct Block {
        var first: Int
        var table: [TimeZoneRules.Transition]
    }

    mutating func skip(_ count: Int) throws(TimeZoneError) {
        guard bytes.count - index >= count else { throw .malformed("it ends too soon") }
        index += count
    }

    /// A signed number, most significant byte first.
    private mutating func number(_ width: Int) throws(TimeZoneError) -> Int64 {
        let begin = index
        try skip(width)
        var value: UInt64 = bytes[begin] >= 0x80 ? .max : 0
        for byte in bytes[begin..<index] { value = value << 8 | UInt64(byte) }
        return Int64(bitPattern: value)
    }

    private mutating func byte() throws(TimeZoneError) -> UInt8 {
        try skip(1)
        return bytes[index - 1]
    }

    private mutating func count(_ limit: Int, _ what: String) throws(TimeZoneError) -> Int {
        let value = try number(4)
        guard value >= 0, value <= limit else { throw .malformed("it has too many \(what)") }
        return Int(value)
    }

    mutating func header() throws(TimeZoneError) -> Header {
        let begin = index
        try skip(20)
        guard bytes[begin..<begin + 4].elementsEqual("TZif".utf8) else {
            throw .malformed("it does not begin with TZif")
        }
        let version: Int
        switch bytes[begin + 4] {
        case 0: version = 1
        case UInt8(ascii: "2"), UInt8(ascii: "3"), UInt8(ascii: "4"): version = Int(bytes[begin + 4] - 0x30)
        default: throw .malformed("its version is not known")
        }
        let header = Header(
            version: version, utIndicators: try count(256, "indicators"),
            standardIndicators: try count(256, "indicators"), leaps: try count(1_000, "leap seconds"),
            times: try count(10_000, "transitions"), types: try count(256, "types"),
            characters: try count(4_096, "characters"))
        guard header.types > 0, header.characters > 0 else { throw .malformed("it has no type of local time") }
        guard header.utIndicators == 0 || header.utIndicators == header.types,
            header.standardIndicators == 0 || header.standardIndicators == header.types
        else { throw .malformed("it has not one indicator for each type") }
        guard bytes.count - index >= header.length(width: 4) else { throw .malformed("it ends too soon") }
        return header
    }

    mutating func block(_ header: Header, width: Int) throws(TimeZoneError) -> Block {
        var times: [Int64] = []
        times.reserveCapacity(header.times)
        for _ in 0..<header.times {
            let time = try number(width)
            if let last = times.last, last >= time { throw .malformed("its transitions are not in order") }
            times.append(time)
        }
        let begin = index
        try skip(header.times)
        let indices = bytes[begin..<index]
        let offsets = try types(header)
        let leaps = try self.leaps(header, width)
        for _ in 0..<header.standardIndicators + header.utIndicators {
            guard try byte() <= 1 else { throw .malformed("an indicator is neither 0 nor 1") }
        }
        var table: [TimeZoneRules.Transition] = []
        table.reserveCapacity(header.times)
        for (time, type) in zip(times, indices) {
            guard Int(type) < offsets.count else { throw .malformed("a transition leads to a type that is not there") }
            let correction = leaps.last { $0.at <= time }?.correction ?? 0
            let (at, overflow) = time.subtractingReportingOverflow(correction)
            if overflow { throw .malformed("a transition is out of range") }
            table.append(.init(at: at, offset: offsets[Int(type)]))
        }
        return Block(first: offsets[0], table: table)
    }

    /// The offset of each type.
    private mutating func types(_ header: Header) throws(TimeZoneError) -> [Int] {
        var offsets: [Int] = []
        var names: [Int] = []
        for _ in 0..<header.types {
            let offset = try number(4)
            guard abs(offset) <= TimeZoneRules.offsetLimit else { throw .malformed("an offset is too large") }
            guard try byte() <= 1 else { throw .malformed("a type is neither summer time nor not") }
            offsets.append(Int(offset))
            names.append(Int(try byte()))
        }
        let begin = index
        try skip(header.characters)
        for name in names {
            guard name < header.characters, bytes[(begin + name)..<index].contains(0) else {
                throw .malformed("an abbreviation has no end")
            }
        }
        return offsets
    }

    private mutating func leaps(
        _ header: Header, _ width: Int
    ) throws(TimeZoneError) -> [(at: Int64, correction: Int64)] {
        var leaps: [(at: Int64, correction: Int64)] = []
        for _ in 0..<header.leaps {
            let at = try number(width)
            if let last = leaps.last?.at, last >= at { throw .malformed("its leap seconds are not in order") }
            let correction = try number(4)
            leaps.append((at, correction))
        }
        return leaps
    }

    /// The rule between line feeds; nil when it is empty.
    mutating func footer() throws(TimeZoneError) -> PosixRule? {
        guard try byte() == UInt8(ascii: "\n") else { throw .malformed("its footer does not begin with a line feed") }
        guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw .malformed("its footer has no end")
        }
        let text = Array(bytes[index..<end])
        return text.isEmpty ? nil : try PosixRule(text)
    }
}
