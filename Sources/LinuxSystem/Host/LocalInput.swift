import CLinux
import Glibc
import Synchronization

/// What a person types, and the terminal that it comes from, if it is one.
///
/// In raw mode every key is a byte for somebody else, Ctrl-C among them; the terminal is put back when the process ends
/// in whatever way it can hear of.
public final class LocalInput: Sendable {
    /// What happened.
    public enum Event: Equatable, Sendable {
        /// Bytes were read.
        case bytes([UInt8])
        /// There will be no more bytes.
        case end
        /// The terminal has another size.
        case resized(TerminalSize)
        /// ``stop()`` was called.
        case stopped
    }

    private static let saved = Mutex<termios?>(nil)

    private let wake: Pipe
    private let signals: FileDescriptor

    /// Prepares to read standard input.
    ///
    /// - Throws: the call that failed.
    public init() throws(SystemError) {
        wake = try FileDescriptor.pipe()
        let watched = [SIGWINCH]
        let descriptor = clinux_signal_descriptor(watched, watched.count)
        guard descriptor >= 0 else { throw .last("signalfd") }
        signals = FileDescriptor(owning: descriptor)
    }

    /// Whether standard input is a terminal.
    public static var isTerminal: Bool { isatty(0) == 1 }

    /// Sends every key on as it is, until ``restore()``.
    ///
    /// - Returns: false when standard input is no terminal.
    public func makeRaw() -> Bool {
        var before = termios()
        guard Self.isTerminal, tcgetattr(0, &before) == 0 else { return false }
        var raw = before
        cfmakeraw(&raw)
        Self.saved.withLock { $0 = before }
        atexit { LocalInput.putBack() }
        return tcsetattr(0, TCSANOW, &raw) == 0
    }

    /// Puts the terminal back as it was.
    public func restore() { Self.putBack() }

    private static func putBack() {
        guard var before = saved.withLock({ $0.take() }) else { return }
        tcsetattr(0, TCSADRAIN, &before)
    }

    /// Waits for the next thing that happens; blocks.
    ///
    /// - Parameter readsInput: whether bytes are asked for; otherwise only the rest is waited for.
    /// - Returns: what happened.
    public func next(readsInput: Bool = true) -> Event {
        while true {
            var waiting = [readsInput ? 0 : -1, wake.reading.raw, signals.raw].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&waiting, nfds_t(waiting.count), -1) >= 0 else { continue }
            if waiting[1].revents != 0 { return .stopped }
            if waiting[2].revents != 0 {
                _ = clinux_drain_signals(signals.raw)
                if let size = TerminalSize(of: 0) { return .resized(size) }
            }
            guard waiting[0].revents != 0 else { continue }
            var bytes = [UInt8](repeating: 0, count: 4_096)
            let count = bytes.withUnsafeMutableBytes { read(0, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            return count > 0 ? .bytes(Array(bytes.prefix(count))) : .end
        }
    }

    /// Wakes whoever waits, now and later.
    public func stop() { _ = try? wake.writing.writeAll([0]) }
}
