/// Reads a status of `wait(2)` as Linux lays it out, without the C macros that Swift cannot import.
enum WaitStatus: Hashable {
    case exited(Int32)
    case signaled(Int32, dumpedCore: Bool)

    init(_ raw: Int32) {
        let signal = raw & 0x7f
        self = signal == 0 ? .exited((raw >> 8) & 0xff) : .signaled(signal, dumpedCore: raw & 0x80 != 0)
    }

    /// The words that Mesos' command executor uses (`WSTRINGIFY`); people search for them.
    var text: String {
        switch self {
        case .exited(let code): "exited with status \(code)"
        case .signaled(let signal, let dumpedCore):
            "terminated with signal \(Self.signalName(signal))" + (dumpedCore ? " (core dumped)" : "")
        }
    }

    private static func signalName(_ signal: Int32) -> String {
        names.indices.contains(Int(signal) - 1) ? names[Int(signal) - 1] : "Unknown signal \(signal)"
    }

    // strsignal(3), which a pure module cannot call.
    private static let names = [
        "Hangup", "Interrupt", "Quit", "Illegal instruction", "Trace/breakpoint trap", "Aborted", "Bus error",
        "Floating point exception", "Killed", "User defined signal 1", "Segmentation fault", "User defined signal 2",
        "Broken pipe", "Alarm clock", "Terminated", "Stack fault", "Child exited", "Continued", "Stopped (signal)",
        "Stopped", "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition", "CPU time limit exceeded",
        "File size limit exceeded", "Virtual timer expired", "Profiling timer expired", "Window changed",
        "I/O possible", "Power failure", "Bad system call",
    ]
}
