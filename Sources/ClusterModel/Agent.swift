/// A property of an agent that frameworks select by.
public struct Attribute: Hashable, Sendable, Codable {
    /// The kinds of value that Mesos has for attributes.
    public enum Value: Hashable, Sendable, Codable {
        /// Text such as `rack-2`.
        case text(String)
        /// A number.
        case scalar(Double)
        /// Ranges of numbers.
        case ranges(RangeSet)
    }

    /// Its name, such as `rack`.
    public var name: String
    /// Its value.
    public var value: Value

    /// Makes an attribute.
    public init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}

extension Attribute {
    /// Reads `name:value`: a number becomes a scalar, `[1-3,5-5]` ranges, anything else text. Nil when there is no
    /// colon, or the name is empty or has white space.
    public init?(text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = String(text[..<colon])
        let rest = String(text[text.index(after: colon)...])
        guard !name.isEmpty, !rest.isEmpty, name.allSatisfy({ !$0.isWhitespace }) else { return nil }
        self.name = name
        if let ranges = RangeSet(text: rest) {
            value = .ranges(ranges)
        } else if let number = Double(rest), number.isFinite {
            value = .scalar(number)
        } else {
            value = .text(rest)
        }
    }
}

extension RangeSet {
    /// Reads `[1-3, 5-5]`; nil for anything else.
    public init?(text: String) {
        guard text.hasPrefix("["), text.hasSuffix("]"), text.utf8.count >= 2 else { return nil }
        var read: [Range] = []
        let list = text.dropFirst().dropLast()
        let parts = list.allSatisfy { $0 == " " } ? [] : list.split(separator: ",", omittingEmptySubsequences: false)
        for part in parts {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { end in
                UInt64(String(end.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
            }
            guard ends.count == 2, let begin = ends[0], let end = ends[1], let range = Range(begin: begin, end: end)
            else { return nil }
            read.append(range)
        }
        self.init(read)
    }
}

/// Where an agent or a master stands: what can fail together.
public struct Domain: Hashable, Sendable, Codable {
    /// A region, such as a city.
    public var region: String
    /// A zone of the region, such as a rack.
    public var zone: String

    /// Makes a domain.
    public init(region: String, zone: String) {
        self.region = region
        self.zone = zone
    }
}

/// An agent as it describes itself.
public struct AgentInfo: Hashable, Sendable, Codable {
    /// Given by the master; absent in the first registration.
    public var id: AgentID?
    /// For people and for links.
    public var hostname: String
    /// Where its own endpoint listens.
    public var address: String
    /// Port of its own endpoint.
    public var port: UInt16
    /// All that it has.
    public var resources: Resources
    /// Properties that frameworks select by.
    public var attributes: [Attribute]
    /// What it can fail together with.
    public var domain: Domain?
    /// The release it runs.
    public var version: String

    /// Makes a description.
    public init(
        id: AgentID? = nil, hostname: String, address: String, port: UInt16, resources: Resources,
        attributes: [Attribute] = [], domain: Domain? = nil, version: String
    ) {
        self.id = id
        self.hostname = hostname
        self.address = address
        self.port = port
        self.resources = resources
        self.attributes = attributes
        self.domain = domain
        self.version = version
    }
}
