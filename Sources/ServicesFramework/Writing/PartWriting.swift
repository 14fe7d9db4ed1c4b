internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime

/// What apps, pods and groups have in common.
extension JSONText {
    mutating func time(_ name: String, _ time: UnixTime?) { field(name, time.map(TimeText.iso8601)) }

    mutating func environment(_ variables: [String: EnvironmentValue]) {
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            switch value {
            case .text(let text): field(name, text)
            case .secret(let secret): object(name) { $0.field("secret", secret) }
            }
        }
    }

    mutating func constraints(_ name: String, _ constraints: [Constraint]) {
        list(name) { json in
            for constraint in constraints { json.list { json in for text in constraint.texts { json.text(text) } } }
        }
    }

    mutating func artifact(_ artifact: Artifact) {
        field("uri", artifact.uri)
        field("extract", artifact.isExtracted)
        field("executable", artifact.isExecutable)
        field("cache", artifact.isCached)
        field("destPath", artifact.destPath)
    }

    mutating func networks(_ name: String, _ networks: [Network]) {
        list(name) { json in
            for network in networks {
                json.object { json in
                    json.field("mode", network.mode.rawValue)
                    json.field("name", network.name)
                    if !network.labels.isEmpty { json.texts("labels", network.labels) }
                }
            }
        }
    }

    mutating func port(_ port: PortDefinition) {
        texts("labels", port.labels)
        field("name", port.name)
        field("protocol", port.networkProtocol)
        field("port", port.port)
    }

    mutating func upgrade(_ strategy: UpgradeStrategy) {
        field("minimumHealthCapacity", strategy.minimumHealthCapacity)
        field("maximumOverCapacity", strategy.maximumOverCapacity)
    }

    mutating func unreachable(_ strategy: UnreachableStrategy?) {
        switch strategy {
        case nil: break
        case .disabled: field("unreachableStrategy", "disabled")
        case .enabled(let inactive, let expunge):
            object("unreachableStrategy") { json in
                json.field("inactiveAfterSeconds", inactive)
                json.field("expungeAfterSeconds", expunge)
            }
        }
    }

    mutating func secrets(_ secrets: [String: String]) {
        if secrets.isEmpty { return }
        object("secrets") { json in
            for (name, source) in secrets.sorted(by: { $0.key < $1.key }) {
                json.object(name) { $0.field("source", source) }
            }
        }
    }

    mutating func limits(_ limits: ResourceLimits) {
        for (name, limit) in [("cpus", limits.cpus), ("mem", limits.mem)] {
            switch limit {
            case nil: break
            case .unlimited: field(name, "unlimited")
            case .amount(let amount): field(name, amount)
            }
        }
    }

    mutating func amounts(_ resources: ExecutorResources) {
        field("cpus", resources.cpus)
        field("mem", resources.mem)
        field("disk", resources.disk)
    }

    mutating func linux(_ settings: LinuxSettings) {
        if settings.seccompProfile != nil || settings.isSeccompUnconfined != nil {
            object("seccomp") { json in
                json.field("profileName", settings.seccompProfile)
                if let isUnconfined = settings.isSeccompUnconfined { json.field("unconfined", isUnconfined) }
            }
        }
        if settings.ipcMode != nil || settings.shmSize != nil {
            object("ipcInfo") { json in
                json.field("mode", settings.ipcMode)
                json.field("shmSize", settings.shmSize)
            }
        }
    }

    mutating func persistent(_ volume: Volume.Persistent) {
        field("type", volume.type)
        field("size", volume.size)
        field("maxSize", volume.maxSize)
        field("profileName", volume.profileName)
        if volume.constraints.isEmpty { return }
        list("constraints") { json in
            for constraint in volume.constraints { json.list { json in for text in constraint { json.text(text) } } }
        }
    }
}

/// Checks.
extension JSONText {
    mutating func health(_ check: Deployments.HealthCheck) {
        field("protocol", check.kind.rawValue)
        if let command = check.command { object("command") { $0.command(command, shell: "value") } }
        field("path", check.path)
        field("port", check.port)
        field("portIndex", check.portIndex)
        if check.ipProtocol != "IPv4" { field("ipProtocol", check.ipProtocol) }
        field("gracePeriodSeconds", check.gracePeriodSeconds)
        field("intervalSeconds", check.intervalSeconds)
        field("timeoutSeconds", check.timeoutSeconds)
        field("delaySeconds", check.delaySeconds)
        field("maxConsecutiveFailures", check.maxConsecutiveFailures)
        if let flag = check.ignoreHttp1xx { field("ignoreHttp1xx", flag) }
    }

    mutating func command(_ command: CheckCommand, shell: String) {
        switch command {
        case .shell(let line): field(shell, line)
        case .arguments(let arguments): texts("argv", arguments)
        }
    }

    mutating func status(_ check: StatusCheck) {
        switch check.kind {
        case .http(let port, let portIndex, let path, let scheme):
            object("http") { json in
                json.field("port", port)
                json.field("portIndex", portIndex)
                json.field("path", path)
                json.field("scheme", scheme)
            }
        case .tcp(let port, let portIndex):
            object("tcp") { json in
                json.field("port", port)
                json.field("portIndex", portIndex)
            }
        case .command(let command):
            object("exec") { json in json.object("command") { $0.command(command, shell: "shell") } }
        }
        field("intervalSeconds", check.intervalSeconds)
        field("timeoutSeconds", check.timeoutSeconds)
        field("delaySeconds", check.delaySeconds)
    }

    mutating func readiness(_ check: ReadinessCheck) {
        field("name", check.name)
        field("protocol", check.isHTTPS ? "HTTPS" : "HTTP")
        field("path", check.path)
        field("portName", check.portName)
        field("intervalSeconds", check.intervalSeconds)
        field("timeoutSeconds", check.timeoutSeconds)
        list("httpStatusCodesForReady") { json in
            for code in check.httpStatusCodesForReady { json.number(Double(code)) }
        }
        field("preserveLastResponse", check.preservesLastResponse)
    }
}
