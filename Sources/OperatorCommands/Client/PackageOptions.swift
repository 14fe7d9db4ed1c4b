internal import Appliance
internal import ArgumentParser

/// How the options of a package are given.
struct PackageOptionsGiven: ParsableArguments {
    @Option(
        name: [.customLong("options")],
        help: ArgumentHelp("A file with options, in JSON or YAML; - is standard input.", valueName: "file"))
    var file: String?
    @Option(
        name: [.customLong("set")],
        help: ArgumentHelp(
            "One option by its path. Numbers, true, false, lists and objects are read as JSON, the rest is text.",
            valueName: "path=value"))
    var settings: [String] = []

    /// All of them as one object; nil when none is given.
    func read() throws -> JSONValue? {
        var options: JSONValue?
        if let file {
            let value = try DescriptionFile.read(file)
            guard case .object = value else { throw ApplianceError(.usage, "\(file) has no object of options") }
            options = value
        }
        for setting in settings { options = try Self.set(setting, in: options ?? [:]) }
        return options
    }

    /// Puts `a.b=c` into an object.
    static func set(_ setting: String, in options: JSONValue) throws -> JSONValue {
        guard let mark = setting.firstIndex(of: "="), mark > setting.startIndex else {
            throw ApplianceError(.usage, "'\(setting)' is no option; write --set PATH=VALUE, such as service.name=db")
        }
        let path = setting[..<mark].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !path.contains(""), path.count <= 32 else {
            throw ApplianceError(.usage, "'\(setting[..<mark])' is no path of an option, such as service.name")
        }
        return put(value(String(setting[setting.index(after: mark)...])), at: path[...], in: options)
    }

    private static func put(_ value: JSONValue, at path: ArraySlice<String>, in options: JSONValue) -> JSONValue {
        guard let first = path.first else { return value }
        var fields: [String: JSONValue] = [:]
        if case .object(let present) = options { fields = present }
        fields[first] = put(value, at: path.dropFirst(), in: fields[first] ?? [:])
        return .object(fields)
    }

    private static func value(_ text: String) -> JSONValue {
        guard let first = text.utf8.first else { return .text("") }
        // Only what cannot be meant as a name: `1.10` and `true` are for programs, `on` and `1.2.3` are text.
        let isLiteral = ["true", "false", "null"].contains(text)
        let mayBeNumber = (0x30...0x39).contains(first) || first == 0x2d
        guard
            isLiteral || mayBeNumber || first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
                || first == UInt8(ascii: "\"")
        else { return .text(text) }
        return (try? JSONValue(parsing: Array(text.utf8))) ?? .text(text)
    }
}

/// The options of a package, one after the other, from its schema.
struct PackageOptionList {
    struct Option {
        var path: String
        var type: String
        var fallback: String?
        var isRequired: Bool
        var description: String
    }

    private(set) var options: [Option] = []

    init(_ schema: JSONValue?) {
        if let schema { add(schema, path: "", isRequired: false, depth: 0) }
    }

    private mutating func add(_ schema: JSONValue, path: String, isRequired: Bool, depth: Int) {
        if depth < 16, case .object(let properties)? = schema["properties"] {
            let required = Set((schema["required"]?.list ?? []).compactMap(\.text))
            for (name, property) in properties.sorted(by: { $0.key < $1.key }) {
                add(
                    property, path: path.isEmpty ? name : path + "." + name, isRequired: required.contains(name),
                    depth: depth + 1)
            }
            return
        }
        guard !path.isEmpty else { return }
        var type = schema["type"]?.text ?? "any"
        if let choices = schema["enum"]?.list {
            type = choices.map { $0.text ?? Self.shown($0) ?? "" }.joined(separator: "|")
        }
        let fallback = schema["default"].flatMap(Self.shown)
        options.append(
            Option(
                path: path, type: type, fallback: fallback, isRequired: isRequired && fallback == nil,
                description: schema["description"]?.text ?? ""))
    }

    private static func shown(_ value: JSONValue) -> String? {
        if case .text(let text) = value { return text.isEmpty ? "\"\"" : text }
        return (try? value.encoded()).map { String(decoding: $0, as: UTF8.self) }
    }
}
