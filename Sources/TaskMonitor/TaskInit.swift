internal import CLinux
internal import Glibc
internal import LinuxSystem

/// `rondo task-init`: the first process of a task's container.
///
/// A command that was never written to be the first process of a pid namespace would ignore SIGTERM there and leave
/// zombies; so this reaps, passes signals on, and tells the monitor how the command fares. The container runtime has
/// given it the task's user, limits, directory and environment already.
public enum TaskInit {
    /// The word that leads here.
    public static let word = "task-init"

    /// Runs the command to its end.
    ///
    /// - Parameter arguments: what follows `task-init`: the number of the descriptor that reports go to, the directory,
    ///   the program, and its arguments, `argv[0]` included.
    /// - Returns: 64 for wrong arguments; else not at all, the process ends with the command.
    public static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 4, let report = Int32(arguments[0]), report > 2 else { return 64 }
        let vector = CStringVector(Array(arguments[3...]))
        arguments[1].withCString { directory in
            arguments[2].withCString { clinux_run_init(report, directory, $0, vector.pointers) }
        }
        return 127
    }

    /// The command line that leads to ``run(_:)``.
    static func commandLine(program: String, report: Int32, spec: MonitorSpec) -> [String] {
        [program, word, String(report), spec.workingDirectory, spec.executable] + spec.arguments
    }
}
