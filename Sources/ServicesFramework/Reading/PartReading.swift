internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime

/// What apps, pods and groups have in common.
enum PartReading {
    static func time(_ name: String, _ reader: inout FieldReader) -> UnixTime? {
        guard let text = reader.text(name) else { return nil }
        if let time = TimeText.parse(text) { return time }
        reader.note(name, "'\(text.prefix(64))' is no time such as 2017-03-30T15:50:16.187Z")
        return nil
    }

    static func numbers(_ list: [JSONValue], _ name: String, _ reader: inout FieldReader) -> [Int] {
        list.prefix(FieldReader.elementsMax).enumerated().compactMap { index, value in
            if case .number(let number) = value, let whole = Int(exactly: number) { return whole }
            reader.note("\(name)(\(index))", "Wrong type. Expected integer, was \(value.kind).")
            return nil
        }
    }

    static func constraints(_ list: [JSONValue], _ reader: inout FieldReader) -> [Constraint] {
        list.prefix(FieldReader.elementsMax).enumerated().compactMap { index, value in
            let path = "constraints(\(index))"
            guard case .list(let parts) = value else {
                reader.note(path, "Wrong type. Expected array, was \(value.kind).")
                return nil
            }
            var texts: [String] = []
            for (position, part) in parts.prefix(4).enumerated() {
                if case .text(let text) = part {
                    texts.append(text)
                } else {
                    reader.note(path + "(\(position))", "Wrong type. Expected string, was \(part.kind).")
                    return nil
                }
            }
            do throws(ConstraintError) { return try Constraint(texts: texts) } catch {
                reader.note(path, error.message)
                return nil
            }
        }
    }

    static func environment(
        _ fields: [String: JSONValue], _ name: String, _ reader: inout FieldReader
    ) -> [String: EnvironmentValue] {
        var environment: [String: EnvironmentValue] = [:]
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            let path = name + "/" + key.prefix(64)
            switch value {
            case .text(let text): environment[key] = .text(text)
            case .object(let object):
                if object.count == 1, case .text(let secret)? = object["secret"] {
                    environment[key] = .secret(secret)
                } else {
                    reader.note(path, "must have the text 'secret' and nothing else")
                }
            default: reader.note(path, "Wrong type. Expected string or object, was \(value.kind).")
            }
        }
        return environment
    }

    static func secrets(_ reader: inout FieldReader) -> [String: String]? {
        guard let fields = reader.object("secrets") else { return nil }
        var secrets: [String: String] = [:]
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            if case .object(let object) = value, object.count == 1, case .text(let source)? = object["source"] {
                secrets[name] = source
            } else {
                reader.note("secrets/" + name.prefix(64), "must have the text 'source' and nothing else")
            }
        }
        return secrets
    }

    static func artifact(_ reader: inout FieldReader) -> Artifact? {
        reader.require("uri")
        guard let uri = reader.text("uri") else { return nil }
        var artifact = Artifact(uri: uri)
        reader.read("extract", into: &artifact.isExtracted)
        reader.read("executable", into: &artifact.isExecutable)
        reader.read("cache", into: &artifact.isCached)
        reader.read("destPath", into: &artifact.destPath)
        return artifact
    }

    /// What Marathon unpacks of plain addresses.
    static func isArchive(_ uri: String) -> Bool {
        [".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"].contains { uri.hasSuffix($0) }
    }

    static func network(_ reader: inout FieldReader) -> Network? {
        let mode = reader.has("mode") ? reader.choice("mode", Network.Mode.self) : .container
        let network = Network(mode: mode ?? .host, name: reader.text("name"), labels: reader.texts("labels") ?? [:])
        return mode == nil ? nil : network
    }

    /// A network as Marathon had it before 1.5.
    static func address(_ reader: inout FieldReader) -> Network? {
        var network = Network(mode: .container)
        reader.read("networkName", into: &network.name)
        if let labels = reader.texts("labels") { network.labels = labels }
        if reader.list("groups")?.isEmpty == false { reader.note("groups", "are not supported; leave them out") }
        let ports = reader.one("discovery") { $0.list("ports") }
        if ports?.isEmpty == false { reader.note("discovery", "is not supported; use container.portMappings") }
        return network
    }

    static func port(_ reader: inout FieldReader) -> PortDefinition? {
        var port = PortDefinition()
        reader.read("port", into: &port.port)
        reader.read("name", into: &port.name)
        reader.read("protocol", into: &port.networkProtocol)
        if let labels = reader.texts("labels") { port.labels = labels }
        return port
    }

    static func limits(_ reader: inout FieldReader) -> ResourceLimits? {
        func limit(_ name: String) -> ResourceLimit? {
            switch reader.value(name) {
            case nil: return nil
            case .number(let number)?: return .amount(number)
            case .text("unlimited")?: return .unlimited
            default:
                reader.note(name, "must be a number or \"unlimited\"")
                return nil
            }
        }
        return ResourceLimits(cpus: limit("cpus"), mem: limit("mem"))
    }

    static func upgrade(_ reader: inout FieldReader) -> UpgradeStrategy? {
        var strategy = UpgradeStrategy()
        reader.read("minimumHealthCapacity", into: &strategy.minimumHealthCapacity)
        reader.read("maximumOverCapacity", into: &strategy.maximumOverCapacity)
        return strategy
    }

    static func unreachable(_ reader: inout FieldReader) -> UnreachableStrategy? {
        switch reader.value("unreachableStrategy") {
        case nil: return nil
        case .text("disabled")?: return .disabled
        case .object?:
            return reader.one("unreachableStrategy") { reader in
                // Marathon's client for Python knows them by their first names too, and sends those as null.
                let (oldInactive, oldExpunge) = (
                    reader.integer("unreachableInactiveAfterSeconds"), reader.integer("unreachableExpungeAfterSeconds")
                )
                let inactive = reader.integer("inactiveAfterSeconds") ?? oldInactive ?? 0
                let expunge = reader.integer("expungeAfterSeconds") ?? oldExpunge
                return .enabled(inactiveAfterSeconds: inactive, expungeAfterSeconds: expunge ?? inactive)
            }
        default:
            reader.note("unreachableStrategy", "must be an object or \"disabled\"")
            return nil
        }
    }

    static func linux(_ reader: inout FieldReader) -> LinuxSettings? {
        var settings = LinuxSettings()
        _ = reader.one("seccomp") { reader -> Bool? in
            reader.read("profileName", into: &settings.seccompProfile)
            if let flag = reader.flag("unconfined") { settings.isSeccompUnconfined = flag }
            return true
        }
        _ = reader.one("ipcInfo") { reader -> Bool? in
            reader.read("mode", into: &settings.ipcMode)
            reader.read("shmSize", into: &settings.shmSize)
            return true
        }
        return settings
    }
}
