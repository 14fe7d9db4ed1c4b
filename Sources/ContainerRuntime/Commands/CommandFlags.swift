/// A flag of a command.
struct Flag: Sendable {
    enum Kind: Sendable {
        /// Takes no value, unless written `--flag=false`.
        case switched
        case text
        case integer
        /// May be given several times.
        case list
        case integers
    }

    /// The long name first; written with one or two dashes, as Go's programs allow.
    let names: [String]
    let kind: Kind
    let help: String
    /// Accepted, but not shown.
    let isHidden: Bool

    init(_ names: String..., kind: Kind = .text, hidden: Bool = false, help: String) {
        self.names = names
        self.kind = kind
        self.help = help
        isHidden = hidden
    }

    /// `--bundle value, -b value`
    var usage: String {
        names.map { name in
            (name.utf8.count == 1 ? "-" : "--") + name + (kind == .switched ? "" : " value")
        }.joined(separator: ", ")
    }
}

/// What was given on the command line.
struct ParsedFlags: Equatable {
    /// A flag that was given, by its first name, with its values in the order of the command line.
    struct Given: Equatable {
        let name: String
        var values: [String]
    }

    private(set) var given: [Given] = []
    fileprivate(set) var arguments: [String] = []
    fileprivate(set) var wantsHelp = false

    fileprivate mutating func add(_ value: String, to flag: Flag) {
        guard let index = given.firstIndex(where: { $0.name == flag.names[0] }) else {
            given.append(Given(name: flag.names[0], values: [value]))
            return
        }
        switch flag.kind {
        case .list, .integers: given[index].values.append(value)
        case .switched, .text, .integer: given[index].values = [value]
        }
    }

    private func last(_ name: String) -> String? { list(name).last }

    func isSet(_ name: String) -> Bool { given.contains { $0.name == name } }
    func flag(_ name: String) -> Bool { last(name) == "true" }
    func list(_ name: String) -> [String] { given.first { $0.name == name }?.values ?? [] }

    /// nil when not given, or given empty.
    func text(_ name: String) -> String? {
        guard let value = last(name), !value.isEmpty else { return nil }
        return value
    }

    /// Checked when it was parsed.
    func integer(_ name: String) -> Int { last(name).flatMap { Int($0) } ?? 0 }

    /// The argument at a place, or nothing.
    func argument(_ index: Int) -> String? { index < arguments.count ? arguments[index] : nil }
}

/// Reads flags the way Go's flag package and runc's command line library do: `--flag value`, `--flag=value`, `-flag`,
/// `--` ends the flags; flags may follow arguments, except where the arguments are another program's.
enum FlagParser {
    /// Where `interspersed`, known flags count behind the first argument too.
    static func parse(
        _ arguments: some Sequence<String>, flags: [Flag], interspersed: Bool
    ) throws(RuntimeFailure) -> ParsedFlags {
        var parsed = ParsedFlags()
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                parsed.arguments += rest
                break
            }
            guard argument.utf8.first == UInt8(ascii: "-"), argument != "-" else {
                parsed.arguments.append(argument)
                if interspersed { continue }
                parsed.arguments += rest
                break
            }
            let (name, inline) = try split(argument)
            guard let flag = flags.first(where: { $0.names.contains(name) }) else {
                if name == "help" || name == "h" {
                    parsed.wantsHelp = true
                } else if parsed.arguments.isEmpty {
                    throw RuntimeFailure("flag provided but not defined: -\(name)")
                } else {
                    parsed.arguments.append(argument)
                }
                continue
            }
            if flag.kind == .switched {
                parsed.add(try truth(inline ?? "true", name) ? "true" : "false", to: flag)
            } else if let value = inline ?? rest.popFirst() {
                try check(value, flag, name)
                parsed.add(value, to: flag)
            } else {
                throw RuntimeFailure("flag needs an argument: -\(name)")
            }
        }
        return parsed
    }

    /// `--name=value` or `-name`.
    private static func split(_ argument: String) throws(RuntimeFailure) -> (name: String, value: String?) {
        let word = argument.hasPrefix("--") ? argument.dropFirst(2) : argument.dropFirst()
        guard let first = word.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "=") else {
            throw RuntimeFailure("bad flag syntax: \(argument)")
        }
        guard let equals = word.firstIndex(of: "=") else { return (String(word), nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    /// What Go takes for a truth value.
    private static func truth(_ text: String, _ name: String) throws(RuntimeFailure) -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: throw RuntimeFailure("invalid boolean value \"\(text)\" for -\(name): use true or false")
        }
    }

    private static func check(_ value: String, _ flag: Flag, _ name: String) throws(RuntimeFailure) {
        guard flag.kind == .integer || flag.kind == .integers else { return }
        guard Int(value) != nil else {
            throw RuntimeFailure("invalid value \"\(value)\" for flag -\(name): a whole number is needed")
        }
    }
}
