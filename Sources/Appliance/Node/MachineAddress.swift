internal import Glibc
internal import Transport

/// What this machine's network looks like from the outside.
enum MachineAddress {
    /// The address that packets to another machine leave with, from the routing table; nothing is sent.
    static func towards(_ endpoint: Endpoint) -> IPAddress? {
        guard case .tcp(let address, let port) = endpoint else { return nil }
        switch address {
        case .v4(let text):
            var to = sockaddr_in()
            to.sin_family = sa_family_t(AF_INET)
            to.sin_port = max(port, 1).bigEndian
            guard inet_pton(AF_INET, text, &to.sin_addr) == 1 else { return nil }
            var from = sockaddr_in()
            guard source(of: &to, &from, AF_INET) else { return nil }
            var buffer = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
            guard inet_ntop(AF_INET, &from.sin_addr, &buffer, socklen_t(buffer.count)) != nil else { return nil }
            return parsed(buffer)
        case .v6(let text):
            var to = sockaddr_in6()
            to.sin6_family = sa_family_t(AF_INET6)
            to.sin6_port = max(port, 1).bigEndian
            guard inet_pton(AF_INET6, text, &to.sin6_addr) == 1 else { return nil }
            var from = sockaddr_in6()
            guard source(of: &to, &from, AF_INET6) else { return nil }
            var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            guard inet_ntop(AF_INET6, &from.sin6_addr, &buffer, socklen_t(buffer.count)) != nil else { return nil }
            return parsed(buffer)
        }
    }

    /// All addresses of interfaces that are up, loopback first, then IPv4; those that mean something only together with
    /// an interface are left out.
    static func all() -> [IPAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [.loopback] }
        defer { freeifaddrs(first) }
        var found: [IPAddress] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr, entry.ifa_flags & UInt32(IFF_UP) != 0 else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6 else { continue }
            var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            let offset = family == AF_INET ? 4 : 8
            let bytes = UnsafeRawPointer(address) + offset
            guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil, let text = parsed(buffer) else {
                continue
            }
            let isLinkLocal = family == AF_INET ? text.description.hasPrefix("169.254.") : text.isLinkLocal
            if !isLinkLocal, !found.contains(text) { found.append(text) }
        }
        return found.enumerated().sorted { left, right in
            (left.element.rank, left.offset) < (right.element.rank, right.offset)
        }.map(\.element)
    }

    /// The address that others most likely reach this machine at: of the way to the outside, else any; else loopback.
    static func main() -> IPAddress {
        let all = all()
        // Never sent to; 192.0.2.0/24 and 2001:db8::/32 are for documents (RFC 5737, RFC 3849).
        for outside in [IPAddress.v4("192.0.2.1"), .v6("2001:db8::1")] {
            if let found = towards(.tcp(outside, port: 9)), all.contains(found) { return found }
        }
        return all.first { !$0.isLoopback } ?? .loopback
    }

    /// An address of this machine as another one sees it; nil when it says nothing about the way between them.
    static func seen(_ text: String) -> IPAddress? {
        // A socket for both families sees addresses of version 4 in the form of version 6.
        let plain = text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
        guard let address = try? IPAddress(parsing: plain), !address.isLoopback, !address.isLinkLocal else {
            return nil
        }
        return address
    }

    private static func parsed(_ buffer: [CChar]) -> IPAddress? {
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return try? IPAddress(parsing: String(decoding: bytes, as: UTF8.self))
    }

    private static func source<Address>(of to: inout Address, _ from: inout Address, _ family: Int32) -> Bool {
        let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var length = socklen_t(MemoryLayout<Address>.size)
        let connected = withUnsafePointer(to: &to) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard connected == 0 else { return false }
        return withUnsafeMutablePointer(to: &from) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        } == 0
    }

    /// Whether nothing listens on a port of an IPv4 address. Somebody may take it right afterwards.
    static func isFree(_ address: IPAddress, port: UInt16, type: __socket_type = SOCK_STREAM) -> Bool {
        guard case .v4(let text) = address else { return true }
        let descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var reuse: Int32 = type == SOCK_STREAM ? 1 : 0
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var at = sockaddr_in()
        at.sin_family = sa_family_t(AF_INET)
        at.sin_port = port.bigEndian
        guard inet_pton(AF_INET, text, &at.sin_addr) == 1 else { return false }
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: &at) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        } == 0
    }

    /// The first free ports from one on; 0, which takes any, where there are none.
    static func freePorts(
        _ count: Int, from first: UInt16, on address: IPAddress, alsoForPackets: Bool = false
    ) -> [UInt16] {
        var found: [UInt16] = []
        var port = first
        for _ in 0..<(count + 200) where found.count < count {
            if isFree(address, port: port), !alsoForPackets || isFree(address, port: port, type: SOCK_DGRAM) {
                found.append(port)
            }
            guard port < .max else { break }
            port += 1
        }
        return found + Array(repeating: 0, count: count - found.count)
    }

    /// All addresses, now and later.
    static var everywhere: IPAddress { hasIPv6 ? .v6("::") : .v4("0.0.0.0") }

    /// Whether sockets of IPv6, which take IPv4 as well, can be had.
    static var hasIPv6: Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    /// Lets the process hold as many files and sockets as its hard limit allows.
    static func raiseFileLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}

extension IPAddress {
    fileprivate var isLinkLocal: Bool {
        if case .v6(let text) = self {
            text.hasPrefix("fe8") || text.hasPrefix("fe9") || text.hasPrefix("fea")
                || text.hasPrefix("feb")
        } else {
            false
        }
    }

    fileprivate var rank: Int {
        if isLoopback { return 0 }
        if case .v4 = self { return 1 }
        return 2
    }
}
