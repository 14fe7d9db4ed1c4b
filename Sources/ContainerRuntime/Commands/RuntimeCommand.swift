/// A command of `rondo oci`: its words, its flags and what it does.
struct RuntimeCommand: Sendable {
    /// How many arguments there must be.
    enum Arity: Sendable {
        case exactly(Int)
        case atLeast(Int)
        case between(Int, Int)
    }

    let name: String
    /// One line.
    let summary: String
    /// What follows the flags, for people.
    let arguments: String
    let arity: Arity
    let flags: [Flag]
    /// Lines without the program's name: `create -b /bundle web`, and what that does.
    let examples: [(line: String, meaning: String)]
    /// Whether flags count behind arguments too; not where the arguments are a program's.
    var interspersed = true
    /// Whether unknown flags are let pass: for what is refused anyway.
    var ignoresFlags = false
    let run: @Sendable (CommandContext) throws(RuntimeFailure) -> Int32

    /// - Throws: as runc words it.
    func check(_ arguments: [String]) throws(RuntimeFailure) {
        let count = arguments.count
        switch arity {
        case .exactly(let wanted):
            if count != wanted { throw wrongCount("exactly \(wanted) argument(s)") }
        case .atLeast(let wanted):
            if count < wanted { throw wrongCount("a minimum of \(wanted) argument(s)") }
        case .between(let least, let most):
            if count < least { throw wrongCount("a minimum of \(least) argument(s)") }
            if count > most { throw wrongCount("a maximum of \(most) argument(s)") }
        }
    }

    private func wrongCount(_ need: String) -> RuntimeFailure {
        RuntimeFailure("\"\(name)\" requires \(need): \(name) \(arguments)")
    }

    func help(program: String) -> String {
        var text = "NAME:\n   \(program) \(name) - \(summary)\n\n"
        text += "USAGE:\n   \(program) \(name) [flags] \(arguments)\n\nEXAMPLES:\n"
        for example in examples { text += "   # \(example.meaning)\n   \(program) \(example.line)\n" }
        return text + "\n" + Self.options(flags)
    }

    static func options(_ flags: [Flag]) -> String {
        let shown = (flags + [Flag("help", "h", kind: .switched, help: "show this")]).filter { !$0.isHidden }
        let width = shown.map { $0.usage.utf8.count }.max() ?? 0
        var text = "OPTIONS:\n"
        for flag in shown {
            let usage = flag.usage
            text += "   " + usage + String(repeating: " ", count: width - usage.utf8.count + 2) + flag.help + "\n"
        }
        return text
    }
}

/// All a command needs to know.
struct CommandContext {
    let command: RuntimeCommand
    let flags: ParsedFlags
    let global: GlobalOptions
    let log: RuntimeLog
    /// The name the program goes by.
    let program: String
    /// The whole command line that leads to this command again.
    let invocation: [String]

    var state: StateDirectory { StateDirectory(root: global.root) }
    /// The container's id: the first argument, there by the command's arity.
    var id: String { flags.argument(0) ?? "" }
}
