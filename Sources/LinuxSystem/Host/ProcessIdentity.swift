import Glibc

/// A process that stays recognisable when its number is used again: the number and the moment it started.
public struct ProcessIdentity: Hashable, Sendable {
    /// Number in this process's pid namespace; positive.
    public let pid: Int32
    /// Start time in clock ticks after boot (`proc_pid_stat(5)`, field 22).
    public let startTicks: UInt64

    /// Names a process that was seen earlier.
    public init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// The process that has this number now.
    ///
    /// - Returns: nil when there is none.
    public static func current(pid: Int32) -> ProcessIdentity? {
        ProcessStatistics.read(pid: pid).map { ProcessIdentity(pid: pid, startTicks: $0.startTicks) }
    }

    /// Whether this very process still runs; a zombie does not.
    public var isAlive: Bool {
        guard let now = ProcessStatistics.read(pid: pid) else { return false }
        return now.startTicks == startTicks && now.state != "Z" && now.state != "X"
    }

    /// Sends a signal to this very process.
    ///
    /// The descriptor is opened first and the start time compared afterwards, so a number used again is never hit.
    /// - Returns: whether it was sent.
    @discardableResult
    public func send(signal: Int32) -> Bool {
        guard pid > 0 else { return false }
        let raw = openPidDescriptor(pid)
        guard raw >= 0 else { return false }
        let descriptor = FileDescriptor(owning: raw)
        guard isAlive else { return false }
        return sendSignal(descriptor.raw, signal)
    }
}

/// What `/proc/PID/stat` says of a process.
public struct ProcessStatistics: Equatable, Sendable {
    /// `R`, `S`, `D`, `Z`, … as in `proc_pid_stat(5)`.
    public let state: Character
    /// Parent's number.
    public let parent: Int32
    /// Session's number.
    public let session: Int32
    /// Start in clock ticks after boot.
    public let startTicks: UInt64

    /// Reads one process.
    ///
    /// - Returns: nil when there is no such process.
    public static func read(pid: Int32) -> ProcessStatistics? {
        guard let content = try? readFile("/proc/\(pid)/stat", limit: 4096) else { return nil }
        return parse(content)
    }

    /// The command name, in parentheses, may hold anything, also parentheses: fields count from the last one.
    static func parse(_ content: [UInt8]) -> ProcessStatistics? {
        guard let end = content.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = content[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count >= 20, let state = fields[0].first,
            let parent = Int32(text(fields[1])), let session = Int32(text(fields[3])),
            let start = UInt64(text(fields[19]))
        else { return nil }
        return ProcessStatistics(
            state: Character(Unicode.Scalar(state)), parent: parent, session: session, startTicks: start)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
