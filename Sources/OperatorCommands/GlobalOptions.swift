internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import Transport

/// Where the file of settings is.
struct ConfigOption: ParsableArguments {
    @Option(help: ArgumentHelp("The file of settings. (default: /etc/rondo/config.yaml)", valueName: "file"))
    var config: String?

    /// All settings, with the flags of a command above everything.
    func load(_ flags: [ConfigurationKey: String?]) throws -> Configuration {
        try Configuration(
            flags: flags.compactMapValues { $0 }, environment: ProcessEnvironment.variables(), file: config)
    }
}

/// What every command that asks a cluster takes.
struct ClientOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The master, ADDRESS:PORT or unix:PATH. (default: this machine's node, else 127.0.0.1:5050)",
            valueName: "address"))
    var master: String?
    @Option(help: ArgumentHelp("A cluster of `rondo context list`. (default: the current one)", valueName: "name"))
    var context: String?
    @Option(help: ArgumentHelp("How results are written: table or json. (default: table)", valueName: "form"))
    var output: String?
    @Option(
        help: ArgumentHelp("The directory of this machine's node. (default: /var/lib/rondo)", valueName: "directory"))
    var data: String?
    @OptionGroup var file: ConfigOption

    func load(_ more: [ConfigurationKey: String?] = [:]) throws -> Configuration {
        let own: [ConfigurationKey: String?] = [
            .master: master, .context: context, .output: output, .data: data,
        ]
        return try file.load(own.merging(more) { $1 })
    }

    /// A client for the master, closed after its use.
    func withClient<Result>(_ body: (ClusterClient) async throws -> Result) async throws -> Result {
        let client = try ClusterClient(load())
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }
}

/// The variables of this process.
enum ProcessEnvironment {
    static func variables() -> [String: String] {
        var found: [String: String] = [:]
        var entry: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                found[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return found
    }
}
