import ContainerRuntime
import Glibc
import OperatorCommands
import TaskMonitor

/// The program: one file, whose first word says what this process is.
///
/// `main` is synchronous. An async entry costs milliseconds in a static binary, and the monitor must stay
/// single-threaded: no thread, event loop or coder may start before the monitor's path has been taken.
@main
enum Rondo {
    static func main() {
        if let (words, count) = StartStack.words { TaskInit.runIfAsked(words, count: count) }
        var arguments = CommandLine.arguments
        if arguments.isEmpty { arguments = StartStack.arguments() }
        if arguments.dropFirst().first == "monitor" {
            exit(TaskMonitor.run(Array(arguments.dropFirst(2)), runtime: runtime))
        }
        if arguments.dropFirst().first == "session" {
            exit(SessionKeeper.run(Array(arguments.dropFirst(2)), runtime: runtime))
        }
        // In runc's place the program goes by runc's name and command line.
        let file = arguments.first?.split(separator: "/").last
        if let file, file == ContainerdShim.programName {
            exit(ContainerdShim.run(Array(arguments.dropFirst()), runtime: runtime))
        }
        if file == "runc" || file == "rondo-oci" {
            exit(ContainerRuntime.run(Array(arguments.dropFirst()), invokedAs: Array(arguments.prefix(1))))
        }
        if arguments.dropFirst().first == "oci" { exit(runtime(Array(arguments.dropFirst(2)))) }
        OperatorCommands.run(arguments: arguments)
    }

    private static func runtime(_ arguments: [String]) -> Int32 {
        ContainerRuntime.run(arguments, invokedAs: ["rondo", "oci"])
    }
}
