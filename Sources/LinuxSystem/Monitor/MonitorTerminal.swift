import CLinux
import Glibc

/// The terminal of a task's command, from its monitor: whoever has its controlling end can type and resize.
///
/// What the command writes is not read here; the monitor does, and it keeps it as standard output.
public enum MonitorTerminal {
    /// What came of asking.
    public enum Answer: Equatable, Sendable {
        /// The controlling end, which does not block; the caller owns it.
        case terminal(Int32)
        /// Nothing at present.
        case nothing
        /// There is no terminal, or no monitor any more.
        case over
    }

    /// Asks a monitor for the terminal of its command.
    ///
    /// - Parameter directory: the monitor's.
    /// - Returns: a socket that does not block and gets the answer; the caller owns it.
    /// - Throws: why the monitor cannot be asked.
    public static func ask(_ directory: MonitorDirectory) throws(SystemError) -> Int32 {
        let opened = clinux_open_directory_path(directory.path)
        guard opened >= 0 else { throw .last("open", directory.path) }
        let place = FileDescriptor(owning: opened)
        // The name by way of the descriptor is short enough for a socket address whatever the directory's is.
        let socket = clinux_connect_unix("/proc/self/fd/\(place.raw)/\(MonitorDirectory.socketName)")
        guard socket >= 0 else { throw .last("connect", directory.socketPath) }
        let question = MonitorFrames.frame(MonitorCommand.terminal.encoded())
        let sent = question.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == question.count else {
            let failure = SystemError.last("send", directory.socketPath)
            close(socket)
            throw failure
        }
        return socket
    }

    /// Takes what has come in answer. What a monitor says of its task to everybody is passed over.
    ///
    /// - Parameter socket: from ``ask(_:)``.
    /// - Returns: the answer.
    public static func take(from socket: Int32) -> Answer {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while true {
            var descriptor: Int32 = -1
            let count = clinux_receive_descriptor(socket, &bytes, bytes.count, &descriptor)
            if descriptor >= 0 {
                _ = clinux_set_nonblocking(descriptor)
                return .terminal(descriptor)
            }
            if count == -Int(EAGAIN) || count == -Int(EINTR) { return .nothing }
            guard count > 0 else { return .over }
        }
    }

    /// Sends the controlling end in answer; the monitor's side.
    ///
    /// - Parameters:
    ///   - terminal: the controlling end, which stays the caller's.
    ///   - socket: who has asked.
    /// - Returns: false when nobody is there any more.
    public static func give(_ terminal: Int32, to socket: Int32) -> Bool {
        let mark: [UInt8] = [0]
        return mark.withUnsafeBytes { clinux_send_descriptor(socket, $0.baseAddress, $0.count, terminal) } == 0
    }

    /// Makes a terminal of this machine's, for a command in its root.
    ///
    /// - Parameters:
    ///   - size: how many characters fit on it.
    ///   - owner: the user of the command.
    /// - Returns: both ends.
    /// - Throws: the call that failed.
    public static func open(_ size: TerminalSize, owner: UInt32?) throws(SystemError) -> TerminalEnds {
        let control = try FileDescriptor.open("/dev/ptmx", flags: O_RDWR | O_NOCTTY)
        var unlocked: Int32 = 0
        var number: UInt32 = 0
        // TIOCSPTLCK and TIOCGPTN.
        for (request, result) in [
            ("TIOCSPTLCK", clinux_ioctl(control.raw, 0x4004_5431, &unlocked)),
            ("TIOCGPTN", clinux_ioctl(control.raw, 0x8004_5430, &number)),
        ] where result != 0 { throw SystemError(call: "ioctl \(request)", path: "/dev/ptmx", errno: -result) }
        let command = try FileDescriptor.open("/dev/pts/\(number)", flags: O_RDWR | O_NOCTTY)
        if let owner, owner != geteuid() { _ = fchown(command.raw, owner, .max) }
        size.apply(to: control.raw)
        return TerminalEnds(control: control, command: command)
    }
}

/// The two ends of a pseudo terminal.
public struct TerminalEnds: ~Copyable, Sendable {
    /// The end of whoever types.
    public let control: FileDescriptor
    /// The end of the command.
    public let command: FileDescriptor

    /// The controlling end; the other is closed.
    public consuming func takeControl() -> Int32 { control.release() }
}
