internal import ClusterModel
import FoundationEssentials

extension TaskSecret {
    /// Reads a secret by reference or by value.
    init(_ wire: WireSecret) throws(WireError) {
        switch wire.type {
        case .reference:
            guard wire.hasReference else { throw .missingField(path: "reference") }
            guard !wire.reference.hasKey else {
                throw .invalidField(path: "reference.key", problem: "is not supported; name the secret by its path")
            }
            // Both forms are in use; the path itself has no slash in front.
            let name =
                wire.reference.name.hasPrefix("/") ? String(wire.reference.name.dropFirst()) : wire.reference.name
            if let defect = SecretPath.defect(of: name) { throw .invalidField(path: "reference.name", problem: defect) }
            self.init(name: name)
        case .value:
            guard wire.hasValue else { throw .missingField(path: "value") }
            self.init(value: [UInt8](wire.value.data))
        case .unknown: throw .invalidField(path: "type", problem: "must be REFERENCE or VALUE")
        }
    }
}

extension WireSecret {
    /// Makes the message for a secret; the value, where there is one, is on its way to the master.
    init(_ secret: TaskSecret) {
        self.init()
        if let name = secret.name {
            type = .reference
            reference.name = name
        } else {
            type = .value
            if let value = secret.value { self.value.data = Data(value) }
        }
    }
}

extension CommandInfo.Variable {
    /// Reads a variable of a command.
    init(_ wire: WireEnvironment.Variable) throws(WireError) {
        guard wire.type == .secret else {
            self.init(name: wire.name, value: wire.value)
            return
        }
        guard wire.hasSecret else { throw .missingField(path: "secret") }
        let secret = try within("secret") { () throws(WireError) in try TaskSecret(wire.secret) }
        guard !wire.name.isEmpty, !wire.name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") }) else {
            throw .invalidField(path: "name", problem: "must not be empty, and must not contain '='")
        }
        self.init(name: wire.name, secret: secret)
    }
}

extension WireEnvironment.Variable {
    /// Makes the message for a variable.
    init(_ variable: CommandInfo.Variable) {
        self.init()
        name = variable.name
        if let secret = variable.secret {
            type = .secret
            self.secret = WireSecret(secret)
        } else {
            value = variable.value
        }
    }
}

extension SecretFile {
    /// Reads the volumes of a container that hold secrets.
    static func files(_ wire: WireContainerInfo) throws(WireError) -> [SecretFile]? {
        var files: [SecretFile] = []
        for (index, volume) in wire.volumes.enumerated() where volume.source.type == .secret {
            let file = try within("volumes[\(index)]") { () throws(WireError) in try SecretFile(volume) }
            if files.contains(where: { $0.path == file.path }) {
                throw .invalidField(path: "volumes[\(index)].container_path", problem: "comes twice")
            }
            files.append(file)
        }
        return files.isEmpty ? nil : files
    }

    private init(_ wire: WireVolume) throws(WireError) {
        guard wire.source.hasSecret else { throw .missingField(path: "source.secret") }
        if let defect = Self.defect(ofPath: wire.containerPath) {
            throw .invalidField(path: "container_path", problem: defect)
        }
        let secret = try within("source.secret") { () throws(WireError) in try TaskSecret(wire.source.secret) }
        self.init(path: wire.containerPath, secret: secret)
    }

    /// Whether a container has nothing but secrets: no image, no other volumes, the host's network.
    static func isAll(_ wire: WireContainerInfo) -> Bool {
        wire.type == .mesos && !wire.hasDocker && !wire.mesos.hasImage && !wire.hasHostname && wire.networkInfos.isEmpty
            && !wire.hasLinuxInfo && !wire.hasRlimitInfo && !wire.hasTtyInfo
            && wire.volumes.allSatisfy { volume in
                volume.source.type == .secret && volume.source.hasSecret && !volume.hasHostPath && !volume.hasImage
            }
    }
}

extension WireContainerInfo {
    /// Makes the message for a container that holds secrets.
    init(_ files: [SecretFile]) {
        self.init()
        type = .mesos
        volumes = files.map { file in
            var volume = WireVolume()
            volume.containerPath = file.path
            volume.mode = .ro
            volume.source.type = .secret
            volume.source.secret = WireSecret(file.secret)
            return volume
        }
    }
}
