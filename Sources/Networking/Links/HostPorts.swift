internal import Glibc

/// Ports of the host that a process listens on. Publishing one would take it away from that process.
enum HostPorts {
    /// Tries to bind it and lets go at once.
    static func isFree(_ mapping: PortMapping) -> Bool {
        isFree(mapping, family: AF_INET6) ?? isFree(mapping, family: AF_INET) ?? true
    }

    /// Nil where the host does not have the family. A socket of IPv6 stands for both.
    private static func isFree(_ mapping: PortMapping, family: Int32) -> Bool? {
        let (stream, datagram, closeOnExec): (Int32, Int32, Int32) = (1, 2, 0o2_000_000)
        let isStream = mapping.transport == .tcp
        let raw = socket(family, (isStream ? stream : datagram) | closeOnExec, 0)
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        var yes: Int32 = 1
        var no: Int32 = 0
        let size = socklen_t(MemoryLayout<Int32>.size)
        // With it only a listener is in the way, not what is left of connections.
        if isStream { setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, size) }
        if family == AF_INET6 { setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, size) }
        // Family, port, and nothing more: any address.
        var address = [UInt8](repeating: 0, count: 28)
        withUnsafeBytes(of: sa_family_t(family)) { address.replaceSubrange(0..<2, with: $0) }
        withUnsafeBytes(of: mapping.hostPort.bigEndian) { address.replaceSubrange(2..<4, with: $0) }
        let length = socklen_t(family == AF_INET6 ? 28 : 16)
        let result = address.withUnsafeBytes { bytes in
            bytes.baseAddress.map { bind(raw, $0.assumingMemoryBound(to: sockaddr.self), length) } ?? 0
        }
        if result == 0 { return true }
        return errno == EADDRINUSE ? false : nil
    }
}
