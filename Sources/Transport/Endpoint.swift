internal import Glibc

/// Where a listener binds or a caller connects: an IP literal with a port, or a unix domain socket.
///
/// Names are not resolved: the shipped program is statically linked and has no name service, and members of a cluster
/// know each other by address. The one exception is `localhost`, which is read as 127.0.0.1.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A TCP address. Port 0 asks the kernel for a free port when listening and is refused when connecting.
    case tcp(IPAddress, port: UInt16)
    /// The path of a unix domain socket, at most ``Endpoint/unixPathLimit`` bytes.
    case unix(path: String)

    /// The longest path of a unix socket in bytes: `sun_path` without its final zero (unix(7)).
    public static let unixPathLimit = 107

    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
    ///
    /// - Parameter text: what a person wrote after a flag or into the configuration.
    /// - Throws: ``EndpointError`` naming what is wrong with `text`.
    public init(parsing text: String) throws(EndpointError) {
        if text.hasPrefix("unix:") {
            try self.init(unixPath: String(text.dropFirst("unix:".count)))
            return
        }
        let host: Substring
        let port: Substring
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { throw .missingBracket(text) }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.hasPrefix(":") else { throw .missingPort(text) }
            port = rest.dropFirst()
            guard host.contains(":") else { throw .notAnAddress(String(host)) }
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw .missingPort(text) }
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw .bareIPv6(text) }
        }
        self = .tcp(try IPAddress(parsing: String(host)), port: try Self.port(port, in: text))
    }

    /// Checks the path of a unix socket.
    ///
    /// - Parameter unixPath: an absolute or relative path without NUL bytes.
    /// - Throws: ``EndpointError/badUnixPath(_:)`` when the kernel could not take it.
    public init(unixPath: String) throws(EndpointError) {
        guard !unixPath.isEmpty, unixPath.utf8.count <= Self.unixPathLimit, !unixPath.utf8.contains(0) else {
            throw .badUnixPath(unixPath)
        }
        self = .unix(path: unixPath)
    }

    /// Decimal digits only: `Int.init` alone would also take a sign.
    private static func port(_ digits: Substring, in text: String) throws(EndpointError) -> UInt16 {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
            throw .badPort(text)
        }
        return port
    }

    /// Whether only this machine can reach it: a loopback address or a unix socket.
    public var isLoopback: Bool {
        switch self {
        case .tcp(let address, _): address.isLoopback
        case .unix: true
        }
    }

    /// The TCP port, `nil` for a unix socket.
    public var port: UInt16? {
        switch self {
        case .tcp(_, let port): port
        case .unix: nil
        }
    }

    /// The form that ``init(parsing:)`` reads.
    public var description: String {
        switch self {
        case .tcp(.v4(let text), let port): "\(text):\(port)"
        case .tcp(.v6(let text), let port): "[\(text)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// An IP address as the kernel understands it, kept in its canonical text form.
public enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four decimal numbers (RFC 791).
    case v4(String)
    /// The canonical text of RFC 5952, without brackets and zone.
    case v6(String)

    /// 127.0.0.1.
    public static let loopback = IPAddress.v4("127.0.0.1")

    /// Reads an IPv4 or IPv6 literal; `localhost` is 127.0.0.1.
    ///
    /// - Parameter text: the literal without brackets or port.
    /// - Throws: ``EndpointError/notAnAddress(_:)`` for anything else, names included.
    public init(parsing text: String) throws(EndpointError) {
        if text == "localhost" {
            self = .loopback
            return
        }
        guard !text.utf8.contains(0) else { throw .notAnAddress(text) }
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(text)
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            guard inet_ntop(AF_INET6, &six, &buffer, socklen_t(buffer.count)) != nil else { throw .notAnAddress(text) }
            let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            self = .v6(String(decoding: bytes, as: UTF8.self))
        } else {
            throw .notAnAddress(text)
        }
    }

    /// Whether it is in 127.0.0.0/8, is ::1, or is the IPv4-mapped form of the former.
    public var isLoopback: Bool {
        switch self {
        case .v4(let text): text.hasPrefix("127.")
        case .v6(let text): text == "::1" || text.hasPrefix("::ffff:127.")
        }
    }

    /// The literal, without brackets.
    public var description: String {
        switch self {
        case .v4(let text), .v6(let text): text
        }
    }
}

/// Why a text is not an ``Endpoint``.
public enum EndpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No `:PORT` at the end.
    case missingPort(String)
    /// `[` without `]`.
    case missingBracket(String)
    /// An IPv6 literal without brackets, whose port cannot be told from its last group.
    case bareIPv6(String)
    /// The port is not a number from 0 to 65535.
    case badPort(String)
    /// The host is not an IP literal.
    case notAnAddress(String)
    /// The path is empty, too long, or has a NUL byte.
    case badUnixPath(String)

    /// One sentence for people: what is wrong and what would be right.
    public var description: String {
        switch self {
        case .missingPort(let text): "address \"\(text)\" has no port; write HOST:PORT, such as 127.0.0.1:5050"
        case .missingBracket(let text): "address \"\(text)\" has no closing bracket; write [::1]:5050"
        case .bareIPv6(let text):
            "address \"\(text)\" is ambiguous; put the IPv6 address into brackets, such as [::1]:5050"
        case .badPort(let text): "address \"\(text)\" has no valid port; a port is a number from 0 to 65535"
        case .notAnAddress(let text): "\"\(text)\" is not an IP address; names are not resolved, write an IP literal"
        case .badUnixPath(let text):
            "\"\(text)\" cannot be the path of a unix socket; it must have 1 to \(Endpoint.unixPathLimit) bytes"
        }
    }
}
