/// HELLO: what the guest says of itself when it is up.
public struct GuestHello: Equatable, Sendable {
    /// The version of the protocol that it speaks.
    public var version: UInt16
    /// Milliseconds since its kernel started.
    public var uptime: UInt64
    /// Its wall clock, in nanoseconds since 1970.
    public var clock: UInt64
    /// Its kernel's release; at most 64 bytes.
    public var release: [UInt8]

    /// Makes a greeting.
    public init(version: UInt16 = ChannelLimits.version, uptime: UInt64, clock: UInt64, release: [UInt8]) {
        self.version = version
        self.uptime = uptime
        self.clock = clock
        self.release = Array(release.prefix(64))
    }

    /// The frame.
    public var frame: Frame {
        var writer = ByteWriter()
        writer.u16(version)
        writer.u64(uptime)
        writer.u64(clock)
        writer.text(release)
        return Frame(.hello, writer.bytes)
    }

    /// Reads a frame.
    /// - Throws: when the version is another, or the rest cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        version = try reader.u16()
        // What follows a version that is not known cannot be judged.
        guard version == ChannelLimits.version else { throw .version(theirs: version) }
        uptime = try reader.u64()
        clock = try reader.u64()
        release = try reader.text(atMost: 64)
        try reader.end()
    }
}

/// A disk that the guest mounts. It is found by its serial: the order of devices says nothing.
public struct GuestDisk: Equatable, Sendable {
    /// What is on it.
    public enum FileSystem: UInt8, CaseIterable, Sendable {
        /// Read-only images.
        case erofs = 1
        /// What is written.
        case ext4 = 2
    }

    /// The serial of its virtio-blk device; at most 20 bytes, which is what a device has room for.
    public var serial: [UInt8]
    /// Where it goes, absolute.
    public var path: [UInt8]
    /// What is on it.
    public var fileSystem: FileSystem
    /// Whether nothing may be written.
    public var isReadOnly: Bool

    /// Describes a disk.
    public init(serial: [UInt8], path: [UInt8], fileSystem: FileSystem, isReadOnly: Bool) {
        self.serial = serial
        self.path = path
        self.fileSystem = fileSystem
        self.isReadOnly = isReadOnly
    }
}

/// The time and chance of the host: what a machine that was restored must not take from its template.
public struct GuestRenewal: Equatable, Sendable {
    /// The host's wall clock, in nanoseconds since 1970.
    public var clock: UInt64
    /// Bytes that nobody else gets; at most 512.
    public var entropy: [UInt8]

    /// Makes a renewal; entropy beyond 512 bytes is left out.
    public init(clock: UInt64, entropy: [UInt8]) {
        self.clock = min(clock, UInt64(Int64.max))
        self.entropy = Array(entropy.prefix(ChannelLimits.entropyBytes))
    }

    /// CLOCK.
    public var frame: Frame {
        var writer = ByteWriter()
        write(to: &writer)
        return Frame(.clock, writer.bytes)
    }

    /// Reads CLOCK.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        try self.init(&reader)
        try reader.end()
    }

    init(_ reader: inout ByteReader) throws(ChannelFault) {
        clock = try reader.u64()
        // Later than the year 2262 is no time that a kernel takes.
        guard clock <= UInt64(Int64.max) else { throw reader.malformed }
        entropy = try reader.text(atMost: ChannelLimits.entropyBytes)
    }

    func write(to writer: inout ByteWriter) {
        writer.u64(clock)
        writer.text(entropy)
    }
}

/// CONFIG: what a machine shall be.
public struct GuestConfiguration: Equatable, Sendable {
    /// Its name; at most 64 bytes.
    public var hostname: [UInt8]
    /// Time and entropy.
    public var renewal: GuestRenewal
    /// What is mounted, in this order.
    public var disks: [GuestDisk]

    /// Makes a configuration.
    public init(hostname: [UInt8], renewal: GuestRenewal, disks: [GuestDisk]) {
        self.hostname = hostname
        self.renewal = renewal
        self.disks = disks
    }

    /// The frame; nil when no guest would take it.
    public var frame: Frame? {
        guard hostname.count <= 64, disks.count <= ChannelLimits.disks,
            disks.allSatisfy({ $0.serial.count <= 20 && $0.path.count <= ChannelLimits.pathBytes })
        else { return nil }
        var writer = ByteWriter()
        writer.text(hostname)
        renewal.write(to: &writer)
        writer.u8(UInt8(disks.count))
        for disk in disks {
            writer.text(disk.serial)
            writer.text(disk.path)
            writer.u8(disk.fileSystem.rawValue)
            writer.u8(disk.isReadOnly ? 1 : 0)
        }
        let frame = Frame(.config, writer.bytes)
        return (try? GuestConfiguration(frame)) == nil ? nil : frame
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        hostname = try reader.withoutNUL(reader.text(atMost: 64))
        renewal = try GuestRenewal(&reader)
        disks = []
        let count = Int(try reader.u8())
        guard count <= ChannelLimits.disks else { throw reader.malformed }
        for _ in 0..<count {
            let serial = try reader.withoutNUL(reader.text(atMost: 20))
            // It is compared with what a file of sysfs says: a name, not a path or a line.
            for byte in serial where byte <= 0x20 || byte >= 0x7f || byte == UInt8(ascii: "/") {
                throw reader.malformed
            }
            guard !serial.isEmpty else { throw reader.malformed }
            let path = try reader.path()
            guard let fileSystem = GuestDisk.FileSystem(rawValue: try reader.u8()) else { throw reader.malformed }
            disks.append(
                GuestDisk(serial: serial, path: path, fileSystem: fileSystem, isReadOnly: try reader.flag()))
        }
        try reader.end()
    }
}
