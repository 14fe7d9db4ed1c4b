internal import Glibc

/// What the program says to people and programs: results on standard output, everything else on standard error.
public enum Console {
    /// Writes a result and a line feed to standard output.
    ///
    /// - Parameter text: without the last line feed.
    public static func out(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    /// Writes a remark and a line feed to standard error.
    ///
    /// - Parameter text: without the last line feed.
    public static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Writes bytes as they are, whole.
    ///
    /// - Parameters:
    ///   - bytes: what to write.
    ///   - descriptor: standard output or standard error.
    /// - Returns: false when nobody reads any more.
    @discardableResult
    public static func write(bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Whether the output goes to systemd's journal (systemd.exec(5), `$JOURNAL_STREAM`).
    static var isJournal: Bool { getenv("JOURNAL_STREAM") != nil && !isTerminal(STDOUT_FILENO) }

    /// Whether a descriptor is a terminal.
    ///
    /// - Parameter descriptor: standard output or standard error.
    /// - Returns: false for files and pipes.
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    private static func write(_ text: String, to descriptor: Int32) {
        write(bytes: Array(text.utf8), to: descriptor)
    }
}
