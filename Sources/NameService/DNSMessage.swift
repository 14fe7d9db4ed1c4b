/// The first twelve bytes of a message (RFC 1035, 4.1.1).
struct DNSHeader: Equatable {
    static let size = 12
    static let isAnswer: UInt16 = 0x8000
    static let isAuthoritative: UInt16 = 0x0400
    static let isTruncated: UInt16 = 0x0200
    static let wantsRecursion: UInt16 = 0x0100
    static let offersRecursion: UInt16 = 0x0080

    var id: UInt16 = 0
    var flags: UInt16 = 0
    /// Questions, answers, authority, additional.
    var counts: [UInt16] = [0, 0, 0, 0]

    var operation: UInt16 { flags >> 11 & 15 }
    var code: UInt16 { flags & 15 }
}

/// Kinds of records and of questions.
enum RecordKind {
    static let a: UInt16 = 1
    static let ns: UInt16 = 2
    static let soa: UInt16 = 6
    static let aaaa: UInt16 = 28
    static let srv: UInt16 = 33
    static let opt: UInt16 = 41
    static let ixfr: UInt16 = 251
    static let axfr: UInt16 = 252
    static let any: UInt16 = 255
}

/// How a question went.
enum ResponseCode: UInt16 {
    case noError = 0
    case formatError = 1
    case serverFailure = 2
    case noSuchName = 3
    case notImplemented = 4
    case refused = 5
    /// A version of EDNS that is not 0; its upper bits are in the OPT record.
    case badVersion = 16
}

/// A question of a message.
struct DNSQuestion: Equatable {
    var name: DomainName
    var kind: UInt16
    var group: UInt16
}

/// A record of a message; its data as it came.
struct DNSRecord: Equatable {
    var name: DomainName
    var kind: UInt16
    var group: UInt16
    var lifetime: UInt32
    var data: [UInt8]
}

/// A message, read strictly: counts that do not agree with the bytes, and bytes after the end, are errors.
struct DNSMessage: Equatable {
    var header: DNSHeader
    var questions: [DNSQuestion] = []
    var answers: [DNSRecord] = []
    var authority: [DNSRecord] = []
    var additional: [DNSRecord] = []
    /// Where the questions end.
    var endOfQuestions = DNSHeader.size

    /// The header alone; nil when there are not so many bytes.
    static func header(_ bytes: [UInt8]) -> DNSHeader? {
        guard bytes.count >= DNSHeader.size else { return nil }
        let numbers = (0..<6).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        return DNSHeader(id: numbers[0], flags: numbers[1], counts: Array(numbers[2...]))
    }

    init(header: DNSHeader) { self.header = header }

    init(parsing bytes: [UInt8]) throws(DNSError) {
        guard bytes.count <= 65535, let header = Self.header(bytes) else { throw .truncated }
        self.header = header
        var at = DNSHeader.size
        // A question has at least five bytes, a record eleven: so many as cannot be there are not tried.
        guard Int(header.counts[0]) * 5 <= bytes.count,
            header.counts[1...].reduce(0, { $0 + Int($1) }) * 11 <= bytes.count
        else { throw .truncated }
        for _ in 0..<header.counts[0] {
            let name = try DomainName.read(bytes, at: &at)
            let kind = try Self.number(bytes, &at)
            questions.append(DNSQuestion(name: name, kind: kind, group: try Self.number(bytes, &at)))
        }
        endOfQuestions = at
        answers = try Self.records(bytes, &at, header.counts[1])
        authority = try Self.records(bytes, &at, header.counts[2])
        additional = try Self.records(bytes, &at, header.counts[3])
        guard at == bytes.count else { throw .invalid }
    }

    private static func records(_ bytes: [UInt8], _ at: inout Int, _ count: UInt16) throws(DNSError) -> [DNSRecord] {
        var records: [DNSRecord] = []
        for _ in 0..<count {
            let name = try DomainName.read(bytes, at: &at)
            let kind = try number(bytes, &at)
            let group = try number(bytes, &at)
            let upper = try number(bytes, &at)
            let lifetime = UInt32(upper) << 16 | UInt32(try number(bytes, &at))
            let length = Int(try number(bytes, &at))
            guard at + length <= bytes.count else { throw .truncated }
            let data = Array(bytes[at..<(at + length)])
            records.append(DNSRecord(name: name, kind: kind, group: group, lifetime: lifetime, data: data))
            at += length
        }
        return records
    }

    private static func number(_ bytes: [UInt8], _ at: inout Int) throws(DNSError) -> UInt16 {
        guard at + 2 <= bytes.count else { throw .truncated }
        defer { at += 2 }
        return UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])
    }
}

/// Writes a message of at most so many bytes. A record that does not fit is left out whole.
struct DNSWriter {
    private(set) var bytes: [UInt8]
    private let limit: Int
    /// Where names begin that can be pointed to.
    private var places: [String: Int] = [:]

    /// Begins with the question as it came.
    init(answering question: [UInt8], limit: Int) {
        bytes = [UInt8](repeating: 0, count: DNSHeader.size) + question
        self.limit = limit
        var at = DNSHeader.size
        // Names that answers repeat are those of the question and of its zone.
        guard let name = try? DomainName.read(bytes, at: &at) else { return }
        var place = DNSHeader.size
        for (number, label) in name.labels.enumerated() {
            if let key = DomainName(labels: Array(name.labels[number...])).key { places[key] = place }
            place += 1 + label.count
        }
    }

    mutating func setHeader(_ header: DNSHeader) {
        let numbers = [header.id, header.flags] + header.counts
        for (place, number) in numbers.prefix(6).enumerated() {
            bytes[2 * place] = UInt8(number >> 8)
            bytes[2 * place + 1] = UInt8(number & 0xff)
        }
    }

    /// Appends a record; false, and nothing appended, when it does not fit.
    mutating func append(
        _ name: String, _ kind: UInt16, group: UInt16 = 1, lifetime: UInt32, reserved: Int = 0,
        _ data: (inout DNSWriter) -> Void
    ) -> Bool {
        let before = (bytes.count, places)
        put(name)
        put(kind)
        put(group)
        put(UInt16(lifetime >> 16))
        put(UInt16(lifetime & 0xffff))
        let length = bytes.count
        put(UInt16(0))
        data(&self)
        let size = bytes.count - length - 2
        guard bytes.count + reserved <= limit, size <= 65535 else {
            bytes.removeLast(bytes.count - before.0)
            places = before.1
            return false
        }
        bytes[length] = UInt8(size >> 8)
        bytes[length + 1] = UInt8(size & 0xff)
        return true
    }

    mutating func put(_ number: UInt16) { bytes += [UInt8(number >> 8), UInt8(number & 0xff)] }

    mutating func put(_ data: [UInt8]) { bytes += data }

    mutating func put(_ number: UInt32) {
        put(UInt16(number >> 16))
        put(UInt16(number & 0xffff))
    }

    /// A name with a pointer to the part of it that is there already; in lower case.
    mutating func put(_ name: String, compressed: Bool = true) {
        var rest = name[...]
        while !rest.isEmpty {
            if compressed, let place = places[String(rest)] {
                put(0xc000 | UInt16(place))
                return
            }
            if bytes.count < 0x4000 { places[String(rest)] = bytes.count }
            let label = rest.prefix { $0 != "." }
            bytes.append(UInt8(truncatingIfNeeded: label.utf8.count))
            bytes += Array(label.utf8)
            rest = rest.dropFirst(label.count + 1)
        }
        bytes.append(0)
    }
}
