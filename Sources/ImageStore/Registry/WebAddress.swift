internal import Dispatch
internal import Glibc
internal import Transport

/// An absolute http or https URL, taken apart.
struct WebAddress: Equatable, Sendable {
    var isSecure: Bool
    /// Name or address, lower case, without brackets.
    var host: String
    var port: UInt16
    /// Path and query, escaped.
    var target: String

    static let lengthLimit = 16 << 10

    /// Reads a URL strictly.
    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthLimit,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }),
            let mark = text.firstRange(of: "://")
        else { return nil }
        switch text[..<mark.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: return nil
        }
        let rest = text[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        // Credentials in a URL end up in logs; nobody needs them here.
        guard !authority.contains("@"), let (host, port) = Self.split(authority) else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        let tail = rest[authority.endIndex...].prefix { $0 != "#" }
        target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    }

    init(isSecure: Bool, authority: String, target: String) throws(ImageError) {
        guard let (host, port) = Self.split(authority[...]) else {
            throw ImageError(.invalidName, "\"\(authority.prefix(80))\" is no host and port of a registry")
        }
        self.isSecure = isSecure
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        self.target = target
    }

    /// What stands for the cluster where registries have an address.
    init(cluster target: String) {
        isSecure = true
        host = ClusterSource.name
        port = 443
        self.target = target
    }

    private static func split(_ authority: Substring) -> (String, UInt16?)? {
        guard ImageReference.isHost(authority) else { return nil }
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("["), let bracket = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<bracket]
            rest = authority[authority.index(after: bracket)...]
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority[host.endIndex...]
        }
        guard !rest.isEmpty else { return (host.lowercased(), nil) }
        guard let port = UInt16(rest.dropFirst()) else { return nil }
        return (host.lowercased(), port)
    }

    /// Where a redirect leads.
    func following(_ location: String) -> WebAddress? {
        if location.contains("://") { return WebAddress(location) }
        guard location.hasPrefix("/"), !location.hasPrefix("//") else { return nil }
        return WebAddress("\(isSecure ? "https" : "http")://\(authority)\(location)")
    }

    /// Whether it is the same place for the purpose of credentials.
    func isSameOrigin(as other: WebAddress) -> Bool {
        host == other.host && port == other.port && (isSecure || !other.isSecure)
    }

    /// Host and port as the Host header has them.
    var authority: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? shown : "\(shown):\(port)"
    }

    var isLoopback: Bool {
        host == "localhost" || host.hasSuffix(".localhost") || ((try? IPAddress(parsing: host))?.isLoopback ?? false)
    }

    private static let resolver = DispatchQueue(label: "rondo.images.resolve", attributes: .concurrent)

    /// The addresses of the host, by the system's files and DNS.
    func resolve() async throws(ImageError) -> [Endpoint] {
        if let address = try? IPAddress(parsing: host) { return [.tcp(address, port: port)] }
        let (host, port) = (host, port)
        let addresses = await withCheckedContinuation { waiting in
            Self.resolver.async { waiting.resume(returning: Self.lookUp(host)) }
        }
        let found = addresses.compactMap { text in (try? IPAddress(parsing: text)).map { Endpoint.tcp($0, port: port) }
        }
        guard !found.isEmpty else {
            throw ImageError(
                .unreachable, "the name \(host) cannot be resolved; is it right, and does this machine's DNS work?",
                isPassing: true)
        }
        return found
    }

    private static func lookUp(_ host: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var next = list
        while let entry = next, found.count < 16 {
            var text = [CChar](repeating: 0, count: 64)
            if getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                == 0
            {
                found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            next = entry.pointee.ai_next
        }
        return found
    }
}
