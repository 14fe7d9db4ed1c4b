internal import Glibc

/// The OCI runtime: `rondo oci`, which takes runc's place.
public enum ContainerRuntime {
    /// The version of the runtime-spec that is kept.
    static let specVersion = "1.3.0"
    static let version = "0.1.0"

    /// Runs one command to its end; called before anything else has happened in the process, which has one thread.
    ///
    /// - Parameters:
    ///   - arguments: without the program's name and without `oci`.
    ///   - invocation: the words that lead here when the program is executed with them and the arguments again.
    /// - Returns: the status to exit with: 0, 1 for failures, a container's own for a foreground `run` and `exec`.
    public static func run(_ arguments: [String], invokedAs invocation: [String]) -> Int32 {
        var log = RuntimeLog()
        let program = name(of: invocation)
        do throws(RuntimeFailure) {
            let global = try FlagParser.parse(arguments, flags: GlobalOptions.flags, interspersed: false)
            if global.flag("version") { return try Output.write(versionText(program)) }
            guard let name = global.argument(0), !(global.wantsHelp && name == "help") else {
                return try Output.write(help(program))
            }
            if name == "help" || name == "h" { return try help(of: global.argument(1), program) }
            guard let command = CommandTable.command(name) else { throw unknown(name, program) }
            if global.wantsHelp { return try Output.write(command.help(program: program)) }
            log = try GlobalOptions.log(global)
            let flags: ParsedFlags
            do throws(RuntimeFailure) {
                let words = global.arguments.dropFirst()
                flags = try FlagParser.parse(
                    command.ignoresFlags ? words.filter { $0 == "--help" || $0 == "-h" } : Array(words),
                    flags: command.flags, interspersed: command.interspersed)
                if flags.wantsHelp { return try Output.write(command.help(program: program)) }
                try command.check(flags.arguments)
            } catch {
                throw RuntimeFailure("\(error.message) (see \(program) \(name) --help)", status: error.status)
            }
            return try command.run(
                CommandContext(
                    command: command, flags: flags, global: try GlobalOptions(global), log: log, program: program,
                    invocation: invocation + arguments))
        } catch {
            log.fatal(error.message)
            return error.status
        }
    }

    /// The name the program goes by: runc's when it was started as such.
    private static func name(of invocation: [String]) -> String {
        let file = invocation.first?.split(separator: "/").last ?? ""
        return file == "runc" || file == "rondo-oci" ? String(file) : "rondo oci"
    }

    static func versionText(_ program: String) -> String {
        "\(program) version \(version)\ncommit: none\nspec: \(specVersion)\n"
    }

    static func help(_ program: String) -> String {
        var text = "NAME:\n   \(program) - Open Container Initiative runtime\n\n"
        text += "USAGE:\n   \(program) [global flags] COMMAND [flags] [arguments]\n\nCOMMANDS:\n"
        let width = CommandTable.all.map { $0.name.utf8.count }.max() ?? 0
        for command in CommandTable.all {
            let gap = String(repeating: " ", count: width - command.name.utf8.count + 2)
            text += "   \(command.name)\(gap)\(command.summary)\n"
        }
        text += "\nEXAMPLES:\n"
        text += "   # a container out of the bundle /bundle, made, started, and removed\n"
        for line in ["create --bundle /bundle web", "start web", "delete --force web"] {
            text += "   \(program) \(line)\n"
        }
        return text + "\n" + RuntimeCommand.options(GlobalOptions.flags)
    }

    private static func help(of name: String?, _ program: String) throws(RuntimeFailure) -> Int32 {
        guard let name else { return try Output.write(help(program)) }
        guard let command = CommandTable.command(name) else { throw unknown(name, program) }
        return try Output.write(command.help(program: program))
    }

    /// As runc words it, and with its status.
    private static func unknown(_ name: String, _ program: String) -> RuntimeFailure {
        RuntimeFailure("No help topic for '\(name)': there is no such command; see \(program) --help", status: 3)
    }
}

/// Standard output.
enum Output {
    /// - Returns: 0, the status of a command that said all it had to.
    @discardableResult
    static func write(_ text: String) throws(RuntimeFailure) -> Int32 {
        guard RuntimeFiles.writeAll(1, Array(text.utf8)) else {
            throw RuntimeFailure("write to standard output", errno: errno)
        }
        return 0
    }
}
