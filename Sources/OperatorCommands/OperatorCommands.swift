internal import Appliance
internal import ArgumentParser
internal import Glibc

/// The command line.
///
/// The main thread only takes signals; commands run in a detached task, so that the program needs no async entry and
/// nothing starts before the signals are blocked.
public enum OperatorCommands {
    /// Runs what the command line says and ends the process with an ``Appliance/ExitCode``, or a task's code.
    ///
    /// - Parameter arguments: all of them, the program's name first.
    public static func run(arguments: [String]) -> Never {
        let words = CommandLineWords.normalized(arguments)
        if words == ["--version"] {
            Console.out(Program.version)
            exit(0)
        }
        StopSignals.block()
        Task.detached { await execute(words) }
        StopSignals.wait()
    }

    private static func execute(_ words: [String]) async -> Never {
        var command: any ParsableCommand
        do { command = try RondoCommand.parseAsRoot(words) } catch { RondoCommand.exit(withError: error) }
        do {
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Glibc.exit(0)
        } catch let code as ArgumentParser.ExitCode {
            Glibc.exit(code.rawValue)
        } catch  where String(reflecting: type(of: error)).hasPrefix("ArgumentParser.") {
            // Requests for help, and what validation finds; some of these types have no public name.
            RondoCommand.exit(withError: error)
        } catch {
            Console.note("rondo: \(error)")
            Glibc.exit(Appliance.ExitCode(error).rawValue)
        }
    }
}

/// Puts the command line into the form that the parser reads.
enum CommandLineWords {
    /// Without the program's name; started through a link named `cluster`, the file takes `cluster`'s subcommands.
    static func normalized(_ arguments: [String]) -> [String] {
        let rest = Array(arguments.dropFirst())
        let name = arguments.first?.split(separator: "/").last
        guard name == "cluster" else { return rest }
        if rest == ["--version"] { return rest }
        return ["cluster"] + rest
    }
}
