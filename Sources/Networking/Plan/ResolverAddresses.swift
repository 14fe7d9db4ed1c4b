internal import ClusterModel
internal import LinuxSystem

/// Whom the host asks for names.
enum ResolverAddresses {
    static let path = "/etc/resolv.conf"

    static func read() -> [NetworkAddress] {
        guard let bytes = try? readFile(path, limit: 1 << 16) else { return [] }
        return parse(String(decoding: bytes, as: UTF8.self))
    }

    /// The addresses of lines with `nameserver`; what cannot be read is left out.
    static func parse(_ text: String) -> [NetworkAddress] {
        text.split(whereSeparator: \.isNewline).prefix(1000).compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count >= 2, words[0] == "nameserver" else { return nil }
            return NetworkAddress(words[1])
        }
    }
}
