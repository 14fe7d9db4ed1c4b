/// What `rondo run` was asked for.
struct RunOrder: Equatable, Sendable {
    /// A property that a node must have.
    struct Constraint: Equatable, Sendable {
        var name: String
        var value: String

        /// Reads `name:value`.
        init?(_ text: String) {
            guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return nil }
            name = String(text[..<colon])
            value = String(text[text.index(after: colon)...])
            if value.isEmpty { return nil }
        }

        /// Whether an attribute of an offer is this one; text as it is, numbers by value, ranges by containment.
        func isMet(by attributes: [JSONValue]) -> Bool {
            attributes.contains { attribute in
                guard attribute["name"]?.text == name else { return false }
                if let text = attribute["text"]?["value"]?.text { return text == value }
                guard let number = Double(value) else { return false }
                if let scalar = attribute["scalar"]?["value"]?.double { return scalar == number }
                return (attribute["ranges"]?["range"]?.list ?? []).contains {
                    guard let begin = $0["begin"]?.double, let end = $0["end"]?.double else { return false }
                    return begin <= number && number <= end
                }
            }
        }
    }

    /// A port of a container that others reach at one of its host.
    struct Published: Equatable, Sendable {
        /// Nil takes one that is offered.
        var hostPort: Int64?
        var containerPort: Int64
        var transport = "tcp"

        /// Reads `HOST:CONTAINER` or `CONTAINER`, with `/udp` or `/tcp` behind it.
        init?(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count > 1 { transport = parts[1].lowercased() }
            let numbers = parts[0].split(separator: ":", omittingEmptySubsequences: false).map { UInt16($0) }
            guard ["tcp", "udp"].contains(transport), (1...2).contains(numbers.count), !numbers.contains(nil),
                !numbers.contains(0), let last = numbers.last, let last
            else { return nil }
            containerPort = Int64(last)
            if numbers.count == 2, let first = numbers.first, let first { hostPort = Int64(first) }
        }
    }

    var name: String
    var command: [String]
    var instances = 1
    var cpus = 0.1
    var memory = 32.0
    var disk = 0.0
    var ports = 0
    var role = "*"
    var user: String?
    var constraints: [Constraint] = []
    var environment: [(name: String, value: String)] = []
    var uris: [String] = []
    /// The image of the container; nil for the host's own root.
    var image: String?
    /// The network of the container: `bridge`, the name of another, or nil for the host's.
    var network: String?
    /// Ports of the container that others reach.
    var published: [Published] = []
    /// Whether the registry is asked although the image is there.
    var isPulled = false

    static func == (left: Self, right: Self) -> Bool {
        left.name == right.name && left.command == right.command && left.instances == right.instances
            && left.cpus == right.cpus && left.memory == right.memory && left.disk == right.disk
            && left.ports == right.ports && left.role == right.role && left.user == right.user
            && left.constraints == right.constraints && left.uris == right.uris
            && left.network == right.network && left.published == right.published && left.image == right.image
            && left.isPulled == right.isPulled
            && left.environment.map(\.name) == right.environment.map(\.name)
            && left.environment.map(\.value) == right.environment.map(\.value)
    }
}
