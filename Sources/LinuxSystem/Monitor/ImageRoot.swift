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

    /// What a container sees of networks.
    public enum Network: Equatable, Sendable {
        /// All that the host sees.
        case host
        /// A new one with loopback alone.
        case own
        /// One that was made before, by the path of its file.
        case made(path: String)
    }

    /// A device of the host in the container.
    public struct Device: Equatable, Sendable {
        /// The kind as in `mknod`: `c` or `b`.
        public var kind: String
        /// Where the container sees it.
        public var path: String
        /// The number of the driver.
        public var major: UInt64
        /// The number of the device.
        public var minor: UInt64
        /// Permissions of the file.
        public var mode: UInt64
        /// Who has it.
        public var uid: UInt32
        /// What group has it.
        public var gid: UInt32
        /// Any of `r`, `w` and `m`.
        public var access: String

        /// Describes a device.
        public init(
            kind: String, path: String, major: UInt64, minor: UInt64, mode: UInt64, uid: UInt32, gid: UInt32,
            access: String
        ) {
            self.kind = kind
            self.path = path
            self.major = major
            self.minor = minor
            self.mode = mode
            self.uid = uid
            self.gid = gid
            self.access = access
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
    /// What it sees of networks.
    public var network = Network.host
    /// Devices beside the usual ones.
    public var devices: [Device] = []
    /// The signal that asks the command to end.
    public var stopSignal: UInt8 = 15
    /// Capabilities at most and at the start, as bits; nil for the usual ones.
    public var capabilities: Capabilities?
    /// Whether programs with the set-user-ID bit and capabilities of files take effect.
    public var mayGainRights = true
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
        switch network {
        case .host: writer.put(UInt8(1))
        case .own: writer.put(UInt8(2))
        case .made(let path):
            writer.put(UInt8(3))
            writer.put(path)
        }
        writer.put(devices) { $1.encode(to: &$0) }
        writer.put(stopSignal)
        writer.put(capabilities) {
            $0.put($1.bounding)
            $0.put($1.effective)
        }
        writer.put(mayGainRights)
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
        switch try reader.integer("network", as: UInt8.self) {
        case 1: network = .host
        case 2: network = .own
        case 3: network = .made(path: try MonitorSpec.path(&reader, "network"))
        default: throw .invalid(field: "network")
        }
        devices = try reader.list("devices", limit: Self.listLimit) { reader throws(FormatError) in
            try Device(reading: &reader)
        }
        stopSignal = try reader.integer("stop signal", as: UInt8.self)
        guard (1...64).contains(stopSignal) else { throw .invalid(field: "stop signal") }
        capabilities = try reader.optional("capabilities") { reader throws(FormatError) in
            Capabilities(bounding: try reader.integer("bounding"), effective: try reader.integer("effective"))
        }
        mayGainRights = try reader.flag("gains rights")
        isPrivileged = try reader.flag("privileged")
        isFiltered = try reader.flag("filtered")
        sharedMemoryBytes = try reader.integer("shared memory")
    }
}

extension ImageRoot.Device {
    fileprivate func encode(to writer: inout BinaryWriter) {
        writer.put(kind)
        writer.put(path)
        writer.put(major)
        writer.put(minor)
        writer.put(mode)
        writer.put(uid)
        writer.put(gid)
        writer.put(access)
    }

    fileprivate init(reading reader: inout BinaryReader) throws(FormatError) {
        kind = try reader.text("device", limit: 1)
        path = try MonitorSpec.path(&reader, "device")
        major = try reader.integer("device")
        minor = try reader.integer("device")
        mode = try reader.integer("device")
        uid = try reader.integer("device")
        gid = try reader.integer("device")
        access = try reader.text("device", limit: 3)
        guard kind == "c" || kind == "b", access.allSatisfy({ "rwm".contains($0) }) else {
            throw .invalid(field: "device")
        }
    }
}
