extension ContainerConfig {
    /// Bytes that a `config.json` may have.
    static let bytesMax = 16 << 20

    /// The configuration in the bytes of a `config.json`, read but not yet checked. `warn` is told what is let pass
    /// but not done.
    static func read(
        bytes: [UInt8], name: String = "config.json", warn: (String) -> Void = { _ in }
    ) throws(RuntimeFailure) -> ContainerConfig {
        guard bytes.count <= bytesMax else {
            throw RuntimeFailure("\(name): \(bytes.count) bytes, at most \(bytesMax) are accepted")
        }
        return try read(try JSONValue.parse(bytes, name: name), name: name, warn: warn)
    }

    /// The configuration in a JSON value: types, ranges and names are right afterwards; ``check(name:)`` judges the
    /// rest. `warn` is told what is let pass but not done.
    static func read(
        _ json: JSONValue, name: String = "config.json", warn: (String) -> Void = { _ in }
    ) throws(RuntimeFailure) -> ContainerConfig {
        let reader = try ObjectReader(json, file: name)
        var config = ContainerConfig(ociVersion: try reader.requiredString("ociVersion"))
        if let process = try reader.object("process") {
            config.process = try ProcessConfig(process, warn: warn)
        }
        if let root = try reader.object("root") {
            config.root = RootConfig(path: try root.requiredString("path"), readonly: try root.flag("readonly"))
        }
        config.hostname = try reader.filledString("hostname")
        config.domainname = try reader.filledString("domainname")
        for mount in try reader.objects("mounts") {
            config.mounts.append(try MountConfig(mount, warn: warn))
        }
        if let hooks = try reader.object("hooks") { config.hooks = try HooksConfig(hooks) }
        config.annotations = try annotations(reader)
        if let linux = try reader.object("linux") { config.linux = try LinuxConfig(linux) }
        return config
    }

    /// Annotations never reach the kernel, so any text is fine.
    private static func annotations(
        _ reader: ObjectReader
    ) throws(RuntimeFailure) -> [(name: String, value: String)] {
        var annotations: [(name: String, value: String)] = []
        for member in try reader.map("annotations") {
            guard case .string(let text) = member.value else {
                throw reader.failure(
                    "annotations[\(member.name.quoted)]", "expected a string, found \(member.value.found)")
            }
            annotations.append((name: member.name, value: text))
        }
        return annotations
    }
}

extension MountConfig {
    /// A relative destination counts from the root, as the specification has it for old tools.
    init(_ reader: ObjectReader, warn: (String) -> Void) throws(RuntimeFailure) {
        destination = try reader.requiredString("destination")
        if !destination.isEmpty, !destination.isAbsolutePath {
            let place = reader.place("destination")
            warn("\(reader.file): \(place): \(destination.quoted) is relative; it is taken from the root")
            destination = "/" + destination
        }
        type = try reader.filledString("type")
        source = try reader.filledString("source")
        options = try reader.strings("options")
        uidMappings = try IDMapping.list(reader, "uidMappings")
        gidMappings = try IDMapping.list(reader, "gidMappings")
    }
}

extension IDMapping {
    static func list(_ reader: ObjectReader, _ name: String) throws(RuntimeFailure) -> [IDMapping] {
        var mappings: [IDMapping] = []
        for mapping in try reader.objects(name) {
            mappings.append(
                IDMapping(
                    containerID: try mapping.requiredUInt32("containerID", 0...UserConfig.idMax),
                    hostID: try mapping.requiredUInt32("hostID", 0...UserConfig.idMax),
                    size: try mapping.requiredUInt32("size", 1...UInt32.max)))
        }
        return mappings
    }
}

extension HooksConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        prestart = try Self.list(reader, "prestart")
        createRuntime = try Self.list(reader, "createRuntime")
        createContainer = try Self.list(reader, "createContainer")
        startContainer = try Self.list(reader, "startContainer")
        poststart = try Self.list(reader, "poststart")
        poststop = try Self.list(reader, "poststop")
    }

    private static func list(_ reader: ObjectReader, _ name: String) throws(RuntimeFailure) -> [HookConfig] {
        var hooks: [HookConfig] = []
        for hook in try reader.objects(name) {
            let timeout = try hook.signed("timeout", Int64.min...Int64.max)
            hooks.append(
                HookConfig(
                    path: try hook.requiredString("path"), args: try hook.strings("args"),
                    env: try hook.strings("env"), timeout: timeout.map { Int($0) }))
        }
        return hooks
    }
}

extension String {
    /// Whether a path begins at the root.
    var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }
}
