/// STATS: what a guest uses.
public struct GuestFigures: Equatable, Sendable {
    /// Milliseconds since its kernel started.
    public var uptime: UInt64
    /// Microseconds of its processors that were not idle.
    public var busy: UInt64
    /// Bytes of memory that its kernel has.
    public var memory: UInt64
    /// Bytes of it that could be had.
    public var memoryAvailable: UInt64
    /// Processes and threads.
    public var processes: UInt32

    /// Makes figures.
    public init(uptime: UInt64, busy: UInt64, memory: UInt64, memoryAvailable: UInt64, processes: UInt32) {
        self.uptime = uptime
        self.busy = busy
        self.memory = memory
        self.memoryAvailable = memoryAvailable
        self.processes = processes
    }

    /// The frame.
    public var frame: Frame {
        var writer = ByteWriter()
        for value in [uptime, busy, memory, memoryAvailable] { writer.u64(value) }
        writer.u32(processes)
        return Frame(.stats, writer.bytes)
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        uptime = try reader.u64()
        busy = try reader.u64()
        memory = try reader.u64()
        memoryAvailable = try reader.u64()
        processes = try reader.u32()
        try reader.end()
    }
}

/// FILE: a piece of a file that the guest keeps in memory: settings and secrets, which are on no disk.
public struct GuestFilePiece: Equatable, Sendable {
    /// Which file it is; the answer names it.
    public var number: UInt32
    /// Whether it goes to the end of what came before; otherwise the file begins.
    public var isContinued: Bool
    /// Whether the file is whole with it; until then nobody sees it under its path.
    public var isLast: Bool
    /// Bits of its mode, at most 0o7777.
    public var mode: UInt16
    /// Where it goes, absolute.
    public var path: [UInt8]
    /// Its bytes.
    public var content: [UInt8]

    /// Makes a piece.
    public init(
        number: UInt32, isContinued: Bool = false, isLast: Bool = true, mode: UInt16, path: [UInt8], content: [UInt8]
    ) {
        self.number = number
        self.isContinued = isContinued
        self.isLast = isLast
        self.mode = mode
        self.path = path
        self.content = content
    }

    /// The frame; nil when no guest would take it.
    public var frame: Frame? {
        guard path.count <= ChannelLimits.pathBytes, mode <= 0o7777, path.first == UInt8(ascii: "/"),
            !path.contains(0), path.count + content.count + 10 <= ChannelLimits.payloadBytes
        else { return nil }
        var writer = ByteWriter(capacity: content.count + path.count + 16)
        writer.u32(number)
        writer.u8(isContinued ? 1 : 0)
        writer.u8(isLast ? 1 : 0)
        writer.u16(mode)
        writer.text(path)
        writer.raw(content)
        return Frame(.file, writer.bytes)
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        number = try reader.u32()
        isContinued = try reader.flag()
        isLast = try reader.flag()
        mode = try reader.u16()
        guard mode <= 0o7777 else { throw reader.malformed }
        path = try reader.path()
        content = reader.rest()
    }
}

/// What went wrong in the guest, as FAULT says it: a number (of an error of the kernel, or of a `ChannelFault`) and a
/// reason that is shown and never interpreted.
public struct GuestFault: Equatable, Sendable {
    /// The number.
    public var code: UInt16
    /// What it was about; at most 1,024 bytes.
    public var reason: [UInt8]

    /// Makes a fault.
    public init(code: UInt16, reason: [UInt8]) {
        self.code = code
        self.reason = Array(reason.prefix(ChannelLimits.reasonBytes))
    }

    /// The frame.
    public func frame(stream: UInt32 = 0) -> Frame {
        var writer = ByteWriter()
        writer.u16(code)
        writer.text(reason)
        return Frame(.fault, stream: stream, writer.bytes)
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        code = try reader.u16()
        reason = try reader.text(atMost: ChannelLimits.reasonBytes)
        try reader.end()
    }
}
