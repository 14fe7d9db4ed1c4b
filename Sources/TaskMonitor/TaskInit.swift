internal import CLinux
import Glibc
internal import LinuxSystem

/// `rondo task-init`: the first process of a task's container.
///
/// A command that was never written to be the first process of a pid namespace would ignore SIGTERM there and leave
/// zombies; so this reaps, passes signals on, and tells the monitor how the command fares. The container runtime has
/// given it the task's user, limits, directory and environment already.
public enum TaskInit {
    /// Runs the command to its end when the command line says so, and then never returns; returns at once where this
    /// process is no task's init.
    ///
    /// Works on the command line as the kernel gave it: there is one such process per task, and without a single Swift
    /// value it keeps only a few pages of its own.
    /// - Parameters:
    ///   - arguments: the program's name, `task-init`, the number of the descriptor that reports go to and, behind a
    ///     comma, that of the one that holds secrets, the directory, the program to run, and its arguments, `argv[0]`
    ///     included.
    ///   - count: how many there are.
    public static func runIfAsked(_ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, count: Int) {
        guard count > 5, let asked = arguments[1], strcmp(asked, "task-init") == 0, let number = arguments[2],
            let directory = arguments[3], let executable = arguments[4]
        else { return }
        var secrets: Int32 = -1
        if let comma = strchr(number, 0x2c) { secrets = atoi(comma + 1) }
        clinux_run_init(atoi(number), secrets, directory, executable, arguments + 5)
        _exit(127)
    }

    /// The command line that leads to ``runIfAsked(_:count:)``.
    static func commandLine(program: String, report: Int32, secrets: Int32?, spec: MonitorSpec) -> [String] {
        [program, "task-init", "\(report)" + (secrets.map { ",\($0)" } ?? ""), spec.workingDirectory, spec.executable]
            + spec.arguments
    }
}
