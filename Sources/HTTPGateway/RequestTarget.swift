internal import HTTPTypes

/// What a request asks for: path and parameters, decoded and checked.
public struct RequestTarget: Hashable, Sendable {
    /// The target as it was sent, without scheme and authority: what a relay forwards.
    public let raw: String
    /// The path as it was sent, percent escapes and double slashes included.
    public let rawPath: String
    /// The decoded segments. Empty segments are dropped, so double and trailing slashes do not matter; a segment may
    /// contain a slash that was sent as `%2F`.
    public let segments: [String]
    /// The parameters after `?`.
    public let query: QueryParameters

    /// The longest target in bytes.
    public static let lengthLimit = 16 << 10

    /// The decoded path without trailing and double slashes; `/` for the root.
    public var path: String { "/" + segments.joined(separator: "/") }

    /// Reads the target of a request line (RFC 9112 §3.2): a path, a whole URL, or `*`.
    ///
    /// Refused are bytes that a URL cannot have, wrong percent escapes, escapes that are not UTF-8, NUL, and the
    /// segments `.` and `..`, escaped or not: clients resolve those before they send, and a relative path must not
    /// reach anything that opens files.
    ///
    /// - Parameter text: the target as sent.
    /// - Throws: ``GatewayError`` with status 400 or 414.
    public init(parsing text: String) throws(GatewayError) {
        guard text.utf8.count <= Self.lengthLimit else {
            throw GatewayError(.uriTooLong, "request target is longer than \(Self.lengthLimit) bytes")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw GatewayError(.badRequest, "request target has characters that must be percent-encoded")
        }
        let origin = try Self.withoutAuthority(text)
        guard origin.hasPrefix("/") || origin == "*" else {
            throw GatewayError(.badRequest, "request target does not start with a slash")
        }
        let question = origin.firstIndex(of: "?")
        let path = origin[..<(question ?? origin.endIndex)]
        var segments: [String] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            let segment = try percentDecode(part.utf8, plusIsSpace: false)
            guard segment != ".", segment != ".." else {
                throw GatewayError(.badRequest, "request path has the segment \"\(segment)\"")
            }
            segments.append(segment)
        }
        raw = origin
        rawPath = String(path)
        self.segments = segments
        query = try QueryParameters(parsing: question.map { origin[origin.index(after: $0)...] } ?? "")
    }

    private static func withoutAuthority(_ text: String) throws(GatewayError) -> String {
        for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            let start = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard start != rest.startIndex else { throw GatewayError(.badRequest, "request target has no host") }
            let origin = rest[start...]
            return origin.hasPrefix("/") ? String(origin) : "/" + origin
        }
        return text
    }
}

/// The parameters of a query, in the order they were sent; a name may come several times.
public struct QueryParameters: Hashable, Sendable {
    /// One `name=value`.
    public struct Item: Hashable, Sendable {
        /// The decoded name.
        public var name: String
        /// The decoded value, empty when there was no `=`.
        public var value: String
    }

    /// All parameters in order.
    public let items: [Item]

    /// The most parameters in one query.
    public static let countLimit = 1000

    /// Reads `a=1&b=2`; `+` is a space.
    ///
    /// - Parameter text: what follows `?`.
    /// - Throws: ``GatewayError`` with status 400 for wrong escapes or too many parameters.
    public init(parsing text: some StringProtocol) throws(GatewayError) {
        var items: [Item] = []
        for part in text.utf8.split(separator: UInt8(ascii: "&")) {
            guard items.count < Self.countLimit else {
                throw GatewayError(.badRequest, "query has more than \(Self.countLimit) parameters")
            }
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let name = try percentDecode(part[..<equals], plusIsSpace: true)
            let value = try percentDecode(part[equals...].dropFirst(), plusIsSpace: true)
            items.append(Item(name: name, value: value))
        }
        self.items = items
    }

    /// The first value of a parameter, `nil` when it is absent.
    public subscript(name: String) -> String? {
        items.first { $0.name == name }?.value
    }

    /// All values of a parameter, in order.
    ///
    /// - Parameter name: the parameter's name, case included.
    /// - Returns: the values; empty when the parameter is absent.
    public func values(of name: String) -> [String] {
        items.filter { $0.name == name }.map(\.value)
    }
}

/// Decodes `%XX`, strictly: two hexadecimal digits each, the result UTF-8 without NUL.
private func percentDecode(_ text: some Collection<UInt8>, plusIsSpace: Bool) throws(GatewayError) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var rest = text.makeIterator()
    while let byte = rest.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
                throw GatewayError(.badRequest, "request target has an incomplete percent escape")
            }
            bytes.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
        default: bytes.append(byte)
        }
    }
    guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
        throw GatewayError(.badRequest, "request target does not decode to UTF-8 text")
    }
    return decoded
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
