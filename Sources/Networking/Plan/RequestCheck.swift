/// What can be said about a request without asking the kernel.
enum RequestCheck {
    static let longestContainer = 200
    static let mostMappings = 1000

    /// A container's id becomes the name of a file.
    static func container(_ id: String) throws(NetworkError) {
        let allowed = id.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45
                || byte == 46 || byte == 95
        }
        guard allowed, (1...longestContainer).contains(id.utf8.count), id.utf8.first != UInt8(ascii: ".") else {
            throw NetworkError(
                .invalidRequest,
                "cannot connect a container called \"\(id.prefix(longestContainer))\": an id has letters, digits, "
                    + "'-', '_' and '.', and does not begin with '.'")
        }
    }

    /// Each port of the host once, and none that another container has: `taken` says who has which.
    static func mappings(
        _ mappings: [PortMapping], of container: String, taken: [PortMapping: String]
    ) throws(NetworkError) {
        guard mappings.count <= mostMappings else {
            throw NetworkError(.invalidRequest, "cannot publish \(mappings.count) ports; at most \(mostMappings)")
        }
        var seen: Set<PortMapping> = []
        for mapping in mappings {
            guard mapping.hostPort > 0, mapping.containerPort > 0 else {
                throw NetworkError(
                    .invalidRequest,
                    "cannot publish port \(mapping.containerPort) as \(mapping.hostPort): 0 is not a port")
            }
            guard seen.insert(mapping.key).inserted else {
                throw NetworkError(
                    .invalidRequest, "cannot publish \(mapping.transport) port \(mapping.hostPort) twice")
            }
            if let owner = taken[mapping.key], owner != container {
                throw NetworkError(
                    .portTaken,
                    "cannot publish \(mapping.transport) port \(mapping.hostPort): container \(owner) has it; "
                        + "choose another port of the host")
            }
        }
    }
}

extension PortMapping {
    /// The port of the host alone, whatever it leads to.
    var key: PortMapping { PortMapping(hostPort: hostPort, containerPort: 0, transport: transport) }
}
