internal import Appliance
internal import ArgumentParser

/// `rondo config`.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show every setting, its value and where that comes from.",
        discussion: """
            A flag wins over an environment variable, that over /etc/rondo/config.yaml, that over the default. An unknown
            key in the file is an error.

              rondo config
              rondo config --config ./config.yaml --output json
            """)

    @Option(help: ArgumentHelp("table or json. (default: table)", valueName: "form")) var output: String?
    @OptionGroup var file: ConfigOption

    func run() throws {
        let configuration = try file.load([.output: output])
        if configuration.text(.output) == "json" {
            Console.out(String(decoding: try Self.document(configuration).encoded(), as: UTF8.self))
        } else {
            Console.out(Self.table(configuration))
        }
    }

    private static func shown(_ key: ConfigurationKey, _ configuration: Configuration) -> String? {
        configuration.value(key).map { key.kind == .secret ? "(hidden)" : $0.text }
    }

    static func table(_ configuration: Configuration) -> String {
        var table = TextTable("KEY", "VALUE", "FROM", "FLAG", "ENVIRONMENT")
        for key in ConfigurationKey.allCases {
            table.add(
                key.rawValue, shown(key, configuration), configuration.value(key)?.source.description, key.flag,
                key.environment)
        }
        return table.text
    }

    static func document(_ configuration: Configuration) -> JSONValue {
        var fields: [String: JSONValue] = [:]
        for key in ConfigurationKey.allCases {
            guard let value = configuration.value(key), let text = shown(key, configuration) else { continue }
            fields[key.rawValue] = ["value": .text(text), "from": .text("\(value.source)")]
        }
        return .object(fields)
    }
}
