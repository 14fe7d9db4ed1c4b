import CLinux
import Glibc

/// How many characters fit on a terminal (ioctl_tty(2)).
public struct TerminalSize: Equatable, Sendable {
    /// Lines.
    public var rows: UInt16
    /// Characters of a line.
    public var columns: UInt16

    /// A size.
    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }

    /// The size of a terminal; nil when the descriptor is none.
    public init?(of descriptor: Int32) {
        let getWindowSize: UInt = 0x5413
        var size = winsize()
        guard clinux_ioctl(descriptor, getWindowSize, &size) == 0 else { return nil }
        self.init(rows: size.ws_row, columns: size.ws_col)
    }

    /// Gives a terminal this size; the kernel tells its programs.
    public func apply(to descriptor: Int32) {
        let setWindowSize: UInt = 0x5414
        var size = winsize()
        size.ws_row = rows
        size.ws_col = columns
        _ = clinux_ioctl(descriptor, setWindowSize, &size)
    }
}
