/// The most that a layer may take of a machine; what real images need is far below.
public struct LayerLimits: Sendable, Equatable {
    /// Entries of the archive, headers of headers included; the largest images have about 300,000.
    public var entries = 600_000
    /// Bytes after decompression.
    public var bytes: Int64 = 64 << 30
    /// A layer may become this many bytes whatever its compressed size.
    public var freeBytes: Int64 = 1 << 30
    /// Beyond ``freeBytes``, how many bytes one compressed byte may become; ordinary layers have 2 to 5.
    public var ratio: Int64 = 200
    /// Bytes of a path, and of what a link leads to.
    public var pathBytes = 4_095
    /// Directories inside of each other.
    public var depth = 100
    /// Bytes of the headers that describe one entry: long names, extended attributes.
    public var headerBytes = 1 << 20
    /// Extended attributes of one entry.
    public var attributes = 64
    /// Bytes of extended attributes of a whole layer.
    public var attributeBytes: Int64 = 64 << 20

    /// The usual ones.
    public init() {}
}
