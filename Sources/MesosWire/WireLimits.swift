/// Bounds on what is read from outside. They are checked before memory is spent on the content.
public struct WireLimits: Hashable, Sendable {
    /// Longest body, in bytes. Larger ones are refused unread.
    public var bytes: Int
    /// Deepest nesting of JSON values or protobuf messages. Each level costs stack.
    public var depth: Int
    /// Most JSON objects or protobuf messages in one body. An empty one is two bytes on the wire and some hundred in
    /// memory, so the length of a body alone does not bound what it costs.
    public var parts: Int

    /// Makes bounds.
    public init(bytes: Int, depth: Int = 100, parts: Int = 200_000) {
        self.bytes = bytes
        self.depth = depth
        self.parts = parts
    }

    /// For calls that a server reads: 5 MiB.
    public static let call = WireLimits(bytes: 5 << 20)

    /// For what a client reads from a master it trusts: states of large clusters, 256 MiB.
    public static let state = WireLimits(bytes: 256 << 20, parts: 20_000_000)
}
