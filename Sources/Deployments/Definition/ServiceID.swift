/// The name of a service, a pod or a group: a path such as `/shop/web`, as Marathon names them. The root group is `/`.
///
/// A value is always in one form: absolute, no empty components, `.` and `..` carried out. What is between the slashes
/// may still be anything that somebody sent; `defects` says what is wrong with it.
public struct ServiceID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The path, beginning with a slash; only the root's ends with one.
    public let path: String

    /// The group that holds everything.
    public static let root = ServiceID(components: [])
    /// The longest path, so that the ids of tasks made from it, with the name of a container, fit into 255 bytes.
    public static let bytesMax = 140

    /// Reads an absolute or relative path, as tolerant of doubled and trailing slashes as Marathon is.
    public init(_ text: String, in base: ServiceID = .root) {
        var parts = text.hasPrefix("/") ? [] : base.components
        for part in text.split(separator: "/") {
            switch part {
            case ".": break
            case "..": if !parts.isEmpty { parts.removeLast() }
            default: parts.append(String(part))
            }
        }
        self.init(components: parts)
    }

    private init(components: [String]) { path = "/" + components.joined(separator: "/") }

    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(path)
    }

    /// What is between the slashes.
    public var components: [String] { path.split(separator: "/").map(String.init) }
    /// Whether it names the root group.
    public var isRoot: Bool { path == "/" }
    /// The group it is in; the root is in itself.
    public var parent: ServiceID {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return .root }
        return ServiceID(String(path[..<slash]))
    }
    /// The last component; empty for the root.
    public var name: String { components.last ?? "" }
    /// The components with underscores between them: the beginning of instance ids.
    public var safePath: String { components.joined(separator: "_") }
    /// The components from the last to the first with dots between them: the name of its tasks.
    public var hostname: String { components.reversed().joined(separator: ".") }
    /// The path itself.
    public var description: String { path }
    /// The group at the top that it is in; nil for the root and for what is directly in it.
    public var topGroup: String? {
        let parts = components
        return parts.count > 1 ? parts[0] : nil
    }

    /// Orders by path.
    public static func < (left: Self, right: Self) -> Bool { left.path < right.path }

    /// The path of something in this group.
    public func child(_ name: String) -> ServiceID { ServiceID(name, in: self) }

    /// Whether it is the other one, or somewhere in it.
    public func isWithin(_ group: ServiceID) -> Bool {
        group.isRoot || path == group.path || path.hasPrefix(group.path + "/")
    }

    /// What is wrong with the name, in Marathon's words; empty when it may be used.
    public var defects: [String] {
        var found: [String] = []
        let parts = components
        if !parts.allSatisfy(Self.isFit) {
            found.append("must fully match regular expression '\(Self.expression)'")
        }
        if let last = parts.last, Self.reserved.contains(last) {
            found.append(
                "must not end with any of the following reserved keywords: \(Self.reserved.joined(separator: ", "))")
        }
        if path.utf8.count > Self.bytesMax { found.append("must not be longer than \(Self.bytesMax) bytes") }
        return found
    }

    /// Marathon's rule for one component, as it appears in its messages.
    static let expression =
        #"^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$"#
    static let reserved = ["restart", "tasks", "versions", ".", ".."]

    /// Labels of lower-case letters, digits and dashes with dots between them; no label begins or ends with a dash.
    private static func isFit(_ component: String) -> Bool {
        component.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            let dash = UInt8(ascii: "-")
            return first != dash && last != dash
                && label.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == dash }
        }
    }
}
