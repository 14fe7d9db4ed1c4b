internal import ClusterModel

extension ContainerInfo {
    /// Reads a container. What it asks for and cannot be had yet is named by ``unsupported(in:)``.
    ///
    /// - Parameter wire: the message.
    /// - Returns: nil for a container that has nothing but volumes of secrets, which is none.
    /// - Throws: `.missingField` or `.invalidField`.
    static func read(_ wire: WireContainerInfo) throws(WireError) -> ContainerInfo? {
        if SecretFile.isAll(wire) { return nil }
        var container = ContainerInfo(kind: wire.type == .docker ? .docker : .mesos)
        try container.readImage(wire)
        for (index, volume) in wire.volumes.enumerated() where volume.source.type != .secret {
            container.volumes.append(
                try within("volumes[\(index)]") { () throws(WireError) in try ContainerVolume(volume) })
        }
        try container.readNetwork(wire)
        if wire.hasHostname { container.hostname = wire.hostname }
        for (index, limit) in wire.rlimitInfo.rlimits.enumerated() {
            container.limits.append(
                try within("rlimit_info.rlimits[\(index)]") { () throws(WireError) in try ProcessLimit(limit) })
        }
        container.readRights(wire.linuxInfo)
        container.hasTerminal = wire.hasTtyInfo
        if wire.ttyInfo.hasWindowSize {
            let size = wire.ttyInfo.windowSize
            guard let rows = UInt16(exactly: size.rows), let columns = UInt16(exactly: size.columns) else {
                throw .invalidField(path: "tty_info.window_size", problem: "must be less than 65536 each way")
            }
            container.terminalSize = ContainerInfo.TerminalSize(rows: rows, columns: columns)
        }
        return container
    }

    private mutating func readImage(_ wire: WireContainerInfo) throws(WireError) {
        if kind == .docker {
            guard wire.hasDocker else { throw .missingField(path: "docker") }
            guard !wire.docker.image.isEmpty else { throw .missingField(path: "docker.image") }
            image = wire.docker.image
            pullsAlways = wire.docker.forcePullImage
            isPrivileged = wire.docker.privileged
            parameters = wire.docker.parameters.map { Parameter(key: $0.key, value: $0.value) }
        } else if wire.mesos.hasImage {
            guard wire.mesos.image.type == .docker, !wire.mesos.image.docker.name.isEmpty else {
                throw .invalidField(path: "mesos.image", problem: "must be of type DOCKER and have a name")
            }
            image = wire.mesos.image.docker.name
            if wire.mesos.image.docker.hasConfig {
                pullSecret = try within("mesos.image.docker.config") { () throws(WireError) in
                    try TaskSecret(wire.mesos.image.docker.config)
                }
            }
            pullsAlways = !wire.mesos.image.cached
        }
    }

    private mutating func readNetwork(_ wire: WireContainerInfo) throws(WireError) {
        var mappings: [(UInt32, UInt32, String)] = wire.docker.portMappings.map {
            ($0.hostPort, $0.containerPort, $0.protocol)
        }
        if let info = wire.networkInfos.first {
            mappings += info.portMappings.map { ($0.hostPort, $0.containerPort, $0.protocol) }
        }
        let name = wire.networkInfos.first.flatMap { $0.hasName && !$0.name.isEmpty ? $0.name : nil }
        if kind == .docker {
            switch wire.docker.hasNetwork ? wire.docker.network : .host {
            case .host: network = .host
            case .bridge: network = .bridge
            case .none: network = .none
            case .user:
                guard let name else { throw .missingField(path: "network_infos[0].name") }
                network = .named(name)
            }
        } else if let name {
            network = name == "bridge" ? .bridge : .named(name)
        } else {
            network = wire.networkInfos.isEmpty ? .host : .bridge
        }
        for (host, inside, transport) in mappings {
            guard let host = UInt16(exactly: host), let inside = UInt16(exactly: inside), host > 0, inside > 0 else {
                throw .invalidField(path: "port_mappings", problem: "must have ports from 1 to 65535")
            }
            let transport = transport.isEmpty ? "tcp" : transport.lowercased()
            guard transport == "tcp" || transport == "udp" else {
                throw .invalidField(path: "port_mappings.protocol", problem: "must be tcp or udp")
            }
            portMappings.append(PortMapping(hostPort: host, containerPort: inside, transport: transport))
        }
    }

    private mutating func readRights(_ wire: WireLinuxInfo) {
        if wire.hasBoundingCapabilities { boundingCapabilities = Self.numbers(wire.boundingCapabilities) }
        if wire.hasEffectiveCapabilities {
            effectiveCapabilities = Self.numbers(wire.effectiveCapabilities)
        } else if wire.hasCapabilityInfo {
            effectiveCapabilities = Self.numbers(wire.capabilityInfo)
        }
        if wire.hasShmSize { sharedMemory = wire.shmSize }
        isUnfiltered = wire.seccomp.unconfined
        sharesProcesses = wire.sharePidNamespace
    }

    private static func numbers(_ wire: WireCapabilityInfo) -> [UInt8] {
        wire.capabilities.compactMap { UInt8(exactly: $0.rawValue - 1_000) }
    }

    /// The parts of a container that this release cannot give.
    static func unsupported(in wire: WireContainerInfo) -> [String] {
        var names: [String] = []
        if wire.networkInfos.count > 1 { names.append("container.network_infos[1]") }
        if wire.networkInfos.contains(where: { !$0.groups.isEmpty }) { names.append("container.network_infos.groups") }
        if wire.linuxInfo.seccomp.hasProfileName { names.append("container.linux_info.seccomp.profile_name") }
        if wire.linuxInfo.ipcMode == .shareParent { names.append("container.linux_info.ipc_mode") }
        for (index, volume) in wire.volumes.enumerated() {
            let place = "container.volumes[\(index)]"
            if volume.hasImage { names.append(place + ".image") }
            if volume.source.type == .csiVolume { names.append(place + ".source.csi_volume") }
            let volumeDriver = volume.source.dockerVolume.driver
            if !["", "local"].contains(volumeDriver) { names.append(place + ".source.docker_volume.driver") }
            switch volume.source.hostPath.mountPropagation.mode {
            case .bidirectional: names.append(place + ".source.host_path.mount_propagation")
            default: break
            }
        }
        return names
    }
}

extension ContainerInfo.ProcessLimit {
    private static let names = [
        "", "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS",
        "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
    ]

    fileprivate init(_ wire: WireRLimitInfo.RLimit) throws(WireError) {
        let number = wire.type.rawValue
        guard number > 0, number < Self.names.count else {
            throw .invalidField(path: "type", problem: "must be one of RLMT_AS to RLMT_STACK")
        }
        guard wire.hasSoft == wire.hasHard else {
            throw .invalidField(path: "soft", problem: "and 'hard' come together or not at all")
        }
        guard !wire.hasSoft || wire.soft <= wire.hard else {
            throw .invalidField(path: "soft", problem: "must not be more than 'hard'")
        }
        self.init(
            name: Self.names[number], soft: wire.hasSoft ? wire.soft : nil, hard: wire.hasHard ? wire.hard : nil)
    }

    fileprivate var wire: WireRLimitInfo.RLimit {
        var limit = WireRLimitInfo.RLimit()
        if let index = Self.names.firstIndex(of: name), let type = WireRLimitInfo.RLimit.TypeEnum(rawValue: index) {
            limit.type = type
        }
        if let soft { limit.soft = soft }
        if let hard { limit.hard = hard }
        return limit
    }
}

extension ContainerVolume {
    fileprivate init(_ wire: WireVolume) throws(WireError) {
        guard !wire.containerPath.isEmpty, !wire.containerPath.contains("\0"), wire.containerPath.utf8.count <= 4_096
        else { throw .invalidField(path: "container_path", problem: "must be a path of 1 to 4096 bytes") }
        let isReadOnly = wire.mode == .ro
        let source: Source
        switch wire.source.type {
        case .hostPath: source = .host(wire.source.hostPath.path)
        case .sandboxPath:
            let path = wire.source.sandboxPath
            source = path.type == .parent ? .group(path.path) : .work(path.path)
        case .dockerVolume: source = .named(wire.source.dockerVolume.name)
        case .csiVolume: source = .named(wire.source.csiVolume.pluginName)
        case .secret, .unknown:
            guard wire.hasHostPath else { throw .missingField(path: "source") }
            // Without a slash in front it is one of the work directory, as Mesos has it.
            source = wire.hostPath.hasPrefix("/") ? .host(wire.hostPath) : .work(wire.hostPath)
        }
        if let defect = Self.defect(of: source) { throw .invalidField(path: "source", problem: defect) }
        self.init(containerPath: wire.containerPath, isReadOnly: isReadOnly, source: source)
    }

    private static func defect(of source: Source) -> String? {
        switch source {
        case .host(let path):
            path.hasPrefix("/") && !path.contains("\0") && path.utf8.count <= 4_096
                ? nil : "must be an absolute path of at most 4096 bytes"
        case .work(let path), .group(let path):
            SecretFile.defect(ofPath: path)
        case .named(let name):
            SecretFile.defect(ofPath: name) == nil && !name.contains("/") && !name.hasPrefix(".")
                ? nil : "must be a name without slashes"
        case .memory: nil
        }
    }

    fileprivate var wire: WireVolume {
        var volume = WireVolume()
        volume.containerPath = containerPath
        volume.mode = isReadOnly ? .ro : .rw
        switch source {
        case .host(let path):
            volume.source.type = .hostPath
            volume.source.hostPath.path = path
        case .work(let path):
            volume.source.type = .sandboxPath
            volume.source.sandboxPath.type = .self_
            volume.source.sandboxPath.path = path
        case .group(let path):
            volume.source.type = .sandboxPath
            volume.source.sandboxPath.type = .parent
            volume.source.sandboxPath.path = path
        case .named(let name):
            volume.source.type = .dockerVolume
            volume.source.dockerVolume.name = name
        case .memory: volume.source.type = .unknown
        }
        return volume
    }
}

extension WireContainerInfo {
    /// Makes the message for a container and for secrets in files.
    init(_ container: ContainerInfo, secrets files: [SecretFile]) {
        self.init(files)
        type = container.kind == .docker ? .docker : .mesos
        writeImage(container)
        volumes += container.volumes.map(\.wire)
        writeNetwork(container)
        if let hostname = container.hostname { self.hostname = hostname }
        if !container.limits.isEmpty { rlimitInfo.rlimits = container.limits.map(\.wire) }
        if let numbers = container.boundingCapabilities { linuxInfo.boundingCapabilities = WireCapabilityInfo(numbers) }
        if let numbers = container.effectiveCapabilities {
            linuxInfo.effectiveCapabilities = WireCapabilityInfo(numbers)
        }
        if let size = container.sharedMemory { linuxInfo.shmSize = size }
        if container.isUnfiltered { linuxInfo.seccomp.unconfined = true }
        if container.sharesProcesses { linuxInfo.sharePidNamespace = true }
        if container.hasTerminal {
            ttyInfo = WireTTYInfo()
            if let size = container.terminalSize {
                (ttyInfo.windowSize.rows, ttyInfo.windowSize.columns) = (UInt32(size.rows), UInt32(size.columns))
            }
        }
    }

    private mutating func writeImage(_ container: ContainerInfo) {
        guard let image = container.image else { return }
        if container.kind == .docker {
            docker.image = image
            if container.pullsAlways { docker.forcePullImage = true }
            if container.isPrivileged { docker.privileged = true }
            docker.parameters = container.parameters.map { parameter in
                var wire = WireParameter()
                wire.key = parameter.key
                wire.value = parameter.value
                return wire
            }
        } else {
            mesos.image.type = .docker
            mesos.image.docker.name = image
            if container.pullsAlways { mesos.image.cached = false }
            if let secret = container.pullSecret { mesos.image.docker.config = WireSecret(secret) }
        }
    }

    private mutating func writeNetwork(_ container: ContainerInfo) {
        var info = WireNetworkInfo()
        switch container.network {
        case .host:
            if container.kind == .docker { docker.network = .host }
            return
        case .bridge: if container.kind == .docker { docker.network = .bridge } else { info.name = "bridge" }
        case .none: if container.kind == .docker { docker.network = .none }
        case .named(let name):
            if container.kind == .docker { docker.network = .user }
            info.name = name
        }
        if container.kind == .docker {
            docker.portMappings = container.portMappings.map { mapping in
                var wire = DockerInfo.PortMapping()
                wire.hostPort = UInt32(mapping.hostPort)
                wire.containerPort = UInt32(mapping.containerPort)
                wire.protocol = mapping.transport
                return wire
            }
        } else {
            info.portMappings = container.portMappings.map { mapping in
                var wire = WireNetworkInfo.PortMapping()
                wire.hostPort = UInt32(mapping.hostPort)
                wire.containerPort = UInt32(mapping.containerPort)
                wire.protocol = mapping.transport
                return wire
            }
        }
        if container.kind == .mesos || info.hasName { networkInfos = [info] }
    }
}

extension WireCapabilityInfo {
    fileprivate init(_ numbers: [UInt8]) {
        self.init()
        capabilities = numbers.compactMap { Capability(rawValue: 1_000 + Int($0)) }
    }
}
