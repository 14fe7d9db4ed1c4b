/// The own root of a task's container, when it does not run in the host's.
///
/// The root is made of an image's layers, which containers share and none can write to, below a directory that takes
/// what this one changes. It is put together in the container's own table of mounts: the host never sees it, and it
/// goes with the container.
public struct ImageRoot: Equatable, Sendable {
    /// At most so many layers or mounts.
    public static let listLimit = 256

    /// What is mounted besides the usual.
    public struct Mount: Equatable, Sendable {
        /// Where it comes from.
        public enum Source: Equatable, Sendable {
            /// A directory or file of the host, by its absolute path.
            case path(String)
            /// Memory, at most so many bytes.
            case memory(bytes: UInt64)
        }

        /// An absolute path in the container.
        public var destination: String
        /// Where it comes from.
        public var source: Source
        /// Whether the container may not write to it.
        public var isReadOnly: Bool

        /// Makes a mount.
        public init(destination: String, source: Source, isReadOnly: Bool = false) {
            self.destination = destination
            self.source = source
            self.isReadOnly = isReadOnly
        }
    }

    /// Directories of the layers, the topmost first.
    public var layers: [String]
    /// A directory of the container's own with `upper` and `work` in it.
    public var changes: String
    /// Whether the root may not be written to.
    public var isReadOnly = false
    /// Mounted in this order, after the usual ones.
    public var mounts: [Mount] = []
    /// The name that the container sees of its machine; nil for the host's.
    public var hostname: String?
    /// Whether it has a network of its own, with loopback alone until the agent adds to it.
    public var hasOwnNetwork = false
    /// Capabilities at most and at the start, as bits; nil for the usual ones.
    public var capabilities: Capabilities?
    /// Whether it has all capabilities and devices, and no path is hidden.
    public var isPrivileged = false
    /// Whether there is a filter of system calls.
    public var isFiltered = true
    /// Bytes of `/dev/shm`.
    public var sharedMemoryBytes: UInt64 = 64 << 20

    /// Sets of capabilities.
    public struct Capabilities: Equatable, Sendable {
        /// What processes may have at most.
        public var bounding: UInt64
        /// What the first process has.
        public var effective: UInt64

        /// Two sets, one bit for each of the kernel's numbers.
        public init(bounding: UInt64, effective: UInt64) {
            self.bounding = bounding
            self.effective = effective
        }
    }

    /// A root of layers.
    public init(layers: [String], changes: String) {
        self.layers = layers
        self.changes = changes
    }
}

extension ImageRoot {
    func encode(to writer: inout BinaryWriter) {
        writer.put(layers) { $0.put($1) }
        writer.put(changes)
        writer.put(isReadOnly)
        writer.put(mounts) {
            $0.put($1.destination)
            switch $1.source {
            case .path(let path):
                $0.put(UInt8(1))
                $0.put(path)
            case .memory(let bytes):
                $0.put(UInt8(2))
                $0.put(bytes)
            }
            $0.put($1.isReadOnly)
        }
        writer.put(hostname) { $0.put($1) }
        writer.put(hasOwnNetwork)
        writer.put(capabilities) {
            $0.put($1.bounding)
            $0.put($1.effective)
        }
        writer.put(isPrivileged)
        writer.put(isFiltered)
        writer.put(sharedMemoryBytes)
    }

    init(reading reader: inout BinaryReader) throws(FormatError) {
        layers = try reader.list("layers", limit: Self.listLimit) { reader throws(FormatError) in
            try MonitorSpec.path(&reader, "layer")
        }
        guard !layers.isEmpty else { throw .invalid(field: "layers") }
        changes = try MonitorSpec.path(&reader, "changes")
        // The options of overlayfs part names with these.
        guard (layers + [changes]).allSatisfy({ !$0.contains(where: { ":,\\".contains($0) }) }) else {
            throw .invalid(field: "layers")
        }
        isReadOnly = try reader.flag("read-only root")
        mounts = try reader.list("mounts", limit: Self.listLimit) { reader throws(FormatError) in
            let destination = try MonitorSpec.path(&reader, "destination")
            let source: Mount.Source
            switch try reader.integer("source", as: UInt8.self) {
            case 1: source = .path(try MonitorSpec.path(&reader, "source"))
            case 2: source = .memory(bytes: try reader.integer("size"))
            default: throw .invalid(field: "source")
            }
            return Mount(destination: destination, source: source, isReadOnly: try reader.flag("read-only"))
        }
        hostname = try reader.optional("hostname") { reader throws(FormatError) in
            try reader.text("hostname", limit: 64)
        }
        hasOwnNetwork = try reader.flag("own network")
        capabilities = try reader.optional("capabilities") { reader throws(FormatError) in
            Capabilities(bounding: try reader.integer("bounding"), effective: try reader.integer("effective"))
        }
        isPrivileged = try reader.flag("privileged")
        isFiltered = try reader.flag("filtered")
        sharedMemoryBytes = try reader.integer("shared memory")
    }
}
