internal import FoundationEssentials
internal import LinuxSystem

/// A network as a file describes it: plugins that are called one after the other (CNI specification 1.0, section 1).
struct PluginConfiguration: Equatable {
    struct Plugin: Equatable {
        /// The name of its program.
        var type: String
        /// All of its part of the file.
        var members: [String: JSONValue]

        func takes(_ capability: String) -> Bool { members["capabilities"]?[capability]?.flag == true }
    }

    var name: String
    var version: String
    var plugins: [Plugin]
    var mayBeChecked: Bool
    /// As it was read.
    var bytes: [UInt8]

    static let versions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0"]
    private static let largestFile = 1 << 20
    private static let mostPlugins = 32

    init(parsing bytes: [UInt8], file: String) throws(NetworkError) {
        func wrong(_ what: String) -> NetworkError {
            NetworkError(.plugin, "\(file) does not describe a network: \(what)")
        }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)), let members = value.members
        else { throw wrong("it is not a JSON object") }
        guard let name = value["name"]?.text, Self.isName(name) else {
            throw wrong("\"name\" must have letters, digits, '-', '_' and '.' and begin with a letter or digit")
        }
        let version = value["cniVersion"]?.text ?? "0.3.0"
        guard Self.versions.contains(version) else {
            throw wrong("cniVersion \(version) is not one of \(Self.versions.joined(separator: ", "))")
        }
        // A file of one plugin alone is a list of one.
        let list = value["plugins"]?.list ?? [.object(members)]
        guard (1...Self.mostPlugins).contains(list.count) else {
            throw wrong("\"plugins\" must have 1 to \(Self.mostPlugins) entries")
        }
        var plugins: [Plugin] = []
        for plugin in list {
            guard let members = plugin.members, let type = members["type"]?.text, !type.isEmpty, !type.contains("/"),
                !type.utf8.contains(0), type != ".", type != ".."
            else { throw wrong("each plugin needs a \"type\", which is the name of its program") }
            plugins.append(Plugin(type: type, members: members))
        }
        self.name = name
        self.version = version
        self.plugins = plugins
        self.bytes = bytes
        mayBeChecked = value["disableCheck"]?.flag != true && version != "0.3.0" && version != "0.3.1"
    }

    private static func isName(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        return (1...200).contains(name.utf8.count) && name.utf8.first.map(isAlphanumeric) == true
            && name.utf8.allSatisfy { isAlphanumeric($0) || [45, 46, 95].contains($0) }
    }

    /// The network of that name in a directory; of several files the first by name counts.
    static func find(_ name: String, in directory: String) throws(NetworkError) -> PluginConfiguration {
        let files = (try? listDirectory(directory)) ?? []
        var problems: [String] = []
        for file in files where [".conflist", ".conf", ".json"].contains(where: file.hasSuffix) {
            let path = "\(directory)/\(file)"
            guard let bytes = try? readFile(path, limit: largestFile) else { continue }
            do throws(NetworkError) {
                let configuration = try PluginConfiguration(parsing: bytes, file: path)
                if configuration.name == name { return configuration }
            } catch {
                problems.append(error.description)
            }
        }
        let others = problems.isEmpty ? "" : " (\(problems.joined(separator: "; ")))"
        throw NetworkError(
            .unknownNetwork, "no network is called \(name): no file in \(directory) describes it\(others)")
    }

    /// What one plugin reads: its part of the file with what belongs to all of them and to this call.
    func input(
        of plugin: Plugin, previous: JSONValue?, mappings: [PortMapping]
    ) -> [UInt8] {
        var members = plugin.members
        members["name"] = .string(name)
        members["cniVersion"] = .string(version)
        members["plugins"] = nil
        if let previous { members["prevResult"] = previous }
        if plugin.takes("portMappings"), !mappings.isEmpty {
            members["runtimeConfig"] = .object([
                "portMappings": .array(
                    mappings.map {
                        .object([
                            "hostPort": .integer(Int64($0.hostPort)),
                            "containerPort": .integer(Int64($0.containerPort)),
                            "protocol": .string($0.transport.rawValue),
                        ])
                    })
            ])
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(JSONValue.object(members))).map { Array($0) } ?? []
    }
}
