public import ClusterModel

/// The text of a container's /etc/resolv.conf. The host's own file is only read.
public enum ResolverFile {
    private static let mostSearchBytes = 256

    /// Names this node's server, and searches where the host searches.
    ///
    /// - Parameters:
    ///   - servers: where the name server listens for this container.
    ///   - host: the text of the host's file.
    /// - Returns: the container's text.
    public static func text(servers: [NetworkAddress], host: String) -> String {
        var lines = servers.prefix(3).map { "nameserver \($0)" }
        var search: [Substring] = []
        for line in host.split(whereSeparator: \.isNewline).prefix(1000) {
            let words = line.split { $0 == " " || $0 == "\t" }
            // Of several lines the last one counts (resolv.conf(5)).
            if words.first == "search" || words.first == "domain" { search = Array(words.dropFirst()) }
        }
        let names = search.filter { DomainName($0)?.key != nil }.prefix(6)
        let text = names.joined(separator: " ")
        if !names.isEmpty, text.utf8.count <= mostSearchBytes { lines.append("search \(text)") }
        lines.append("options timeout:3 attempts:2")
        return lines.joined(separator: "\n") + "\n"
    }
}
