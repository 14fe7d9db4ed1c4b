/// How a task ended, as an exit code of a shell.
enum TaskEnd {
    /// States after which nothing more comes.
    static let terminal: Set<String> = [
        "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
        "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN",
    ]
    /// States in which the task has never run, so that it may be launched again.
    static let neverRan: Set<String> = ["TASK_DROPPED"]

    /// The command's own code, 128 plus the signal that ended it, or 1 when neither is known.
    ///
    /// - Parameters:
    ///   - state: of the last status.
    ///   - message: of the last status, in the words of Mesos' command executor.
    /// - Returns: 0 to 255.
    static func exitCode(state: String, message: String?) -> Int32 {
        if state == "TASK_FINISHED" { return 0 }
        let message = message ?? ""
        if let code = number(after: "exited with status ", in: message) { return code == 0 ? 1 : code }
        if let range = message.firstRange(of: "terminated with signal ") {
            let rest = message[range.upperBound...]
            // The longest name first: "Stopped (tty input)" begins with "Stopped".
            let named = names.enumerated().filter { rest.hasPrefix($0.element) }.max {
                $0.element.count < $1.element.count
            }
            if let named { return 129 + Int32(named.offset) }
            if let code = number(after: "Unknown signal ", in: String(rest)) { return 128 + min(code, 127) }
        }
        return 1
    }

    private static func number(after words: String, in text: String) -> Int32? {
        guard let range = text.firstRange(of: words) else { return nil }
        return Int32(text[range.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }

    // strsignal(3) of Linux, from 1 on.
    private static let names = [
        "Hangup", "Interrupt", "Quit", "Illegal instruction", "Trace/breakpoint trap", "Aborted", "Bus error",
        "Floating point exception", "Killed", "User defined signal 1", "Segmentation fault", "User defined signal 2",
        "Broken pipe", "Alarm clock", "Terminated", "Stack fault", "Child exited", "Continued", "Stopped (signal)",
        "Stopped", "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition", "CPU time limit exceeded",
        "File size limit exceeded", "Virtual timer expired", "Profiling timer expired", "Window changed",
        "I/O possible", "Power failure", "Bad system call",
    ]
}
