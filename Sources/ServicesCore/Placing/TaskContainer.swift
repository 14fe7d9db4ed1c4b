internal import ClusterModel
internal import Deployments

/// What an app's task is beside its command: its container, and the checks that its agent does.
extension ServiceDefinition {
    /// The container as agents know it; nil where the task runs in the files of its agent, without a terminal. The agent's ports are in the
    /// order of the mappings.
    func taskContainer(_ hostPorts: [Int?]) -> ContainerInfo? {
        guard let container, let image = container.image else {
            if tty != true { return nil }
            var info = ContainerInfo(kind: .mesos)
            info.hasTerminal = true
            return info
        }
        var info = ContainerInfo(kind: container.kind == .docker ? .docker : .mesos, image: image.reference)
        info.pullsAlways = image.forcePull
        info.pullSecret = image.pullSecret.map { TaskSecret(name: secrets[$0] ?? $0) }
        info.isPrivileged = image.isPrivileged
        info.parameters = image.parameters.map { ContainerInfo.Parameter(key: $0.key, value: $0.value) }
        info.volumes = container.volumes.compactMap { volume in
            guard case .host(let path) = volume.source else { return nil }
            return ContainerVolume(
                containerPath: volume.containerPath, isReadOnly: volume.mode == .readOnly,
                source: path.hasPrefix("/") ? .host(path) : .work(path))
        }
        info.hasTerminal = tty == true
        switch networks.first?.mode {
        case .bridge: info.network = .bridge
        case .container: info.network = .named(networks.first?.name ?? "")
        case .host, nil: return info
        }
        for (mapping, hostPort) in zip(container.portMappings ?? [], hostPorts) {
            guard let hostPort = hostPort.flatMap({ UInt16(exactly: $0) }) else { continue }
            let containerPort = UInt16(exactly: mapping.containerPort).flatMap { $0 == 0 ? nil : $0 } ?? hostPort
            for transport in mapping.networkProtocol.split(separator: ",") {
                info.portMappings.append(
                    ContainerInfo.PortMapping(
                        hostPort: hostPort, containerPort: containerPort, transport: String(transport)))
            }
        }
        return info
    }

    /// The health checks as agents know them: they ask at the loopback address of the task's own network.
    func taskHealthChecks(_ hostPorts: [Int?], _ environment: [CommandInfo.Variable]) -> [ClusterModel.HealthCheck] {
        healthChecks.compactMap { taskHealthCheck($0, hostPorts, environment) }
    }

    /// The check as agents know it, whose result is only told.
    func taskCheck(_ hostPorts: [Int?], _ environment: [CommandInfo.Variable]) -> TaskProbe? {
        guard let check else { return nil }
        let kind: TaskProbe.Kind
        switch check.kind {
        case .command(let command): kind = command.probe(environment)
        case .http(let number, let index, let path, let scheme):
            guard let port = taskPort(number, index, hostPorts) else { return nil }
            kind = .http(scheme: scheme.lowercased(), port: port, path: path ?? "/", statuses: [], version: .v4)
        case .tcp(let number, let index):
            guard let port = taskPort(number, index, hostPorts) else { return nil }
            kind = .tcp(port: port, version: .v4)
        }
        return TaskProbe(
            kind, delay: .seconds(check.delaySeconds), interval: .seconds(check.intervalSeconds),
            timeout: .seconds(check.timeoutSeconds))
    }

    private func taskHealthCheck(
        _ check: Deployments.HealthCheck, _ hostPorts: [Int?], _ environment: [CommandInfo.Variable]
    ) -> ClusterModel.HealthCheck? {
        let version: TaskProbe.IPVersion = check.ipProtocol == "IPv6" ? .v6 : .v4
        let kind: TaskProbe.Kind
        switch check.kind {
        case .command:
            guard let command = check.command else { return nil }
            kind = command.probe(environment)
        case .http, .https, .mesosHTTP, .mesosHTTPS:
            guard let port = taskPort(check.port, check.portIndex, hostPorts) else { return nil }
            let isSecure = check.kind == .https || check.kind == .mesosHTTPS
            kind = .http(
                scheme: isSecure ? "https" : "http", port: port, path: check.path ?? "/", statuses: [],
                version: version)
        case .tcp, .mesosTCP:
            guard let port = taskPort(check.port, check.portIndex, hostPorts) else { return nil }
            kind = .tcp(port: port, version: version)
        }
        return ClusterModel.HealthCheck(
            TaskProbe(
                kind, delay: .seconds(check.delaySeconds), interval: .seconds(check.intervalSeconds),
                timeout: .seconds(check.timeoutSeconds)),
            grace: .seconds(check.gracePeriodSeconds),
            consecutiveFailures: UInt32(clamping: check.maxConsecutiveFailures))
    }

    /// The readiness check as agents know it. Marathon asks from where it runs; agents also reach what only they can.
    func taskReadinessCheck(_ hostPorts: [Int?]) -> TaskReadinessCheck? {
        guard let check = readinessChecks.first,
            let index = taskPorts.firstIndex(where: { $0.name == check.portName }),
            let port = taskPort(index, hostPorts)
        else { return nil }
        let kind = TaskProbe.Kind.http(
            scheme: check.isHTTPS ? "https" : "http", port: port, path: check.path,
            statuses: check.httpStatusCodesForReady.compactMap { UInt16(exactly: $0) }, version: .v4)
        return TaskReadinessCheck(
            TaskProbe(
                kind, delay: .zero, interval: .seconds(check.intervalSeconds), timeout: .seconds(check.timeoutSeconds)),
            keepsAnswer: check.preservesLastResponse)
    }

    /// The port that a check means, as the task itself sees it.
    private func taskPort(_ number: Int?, _ index: Int?, _ hostPorts: [Int?]) -> UInt16? {
        if let number { return UInt16(exactly: number) }
        return taskPort(index ?? 0, hostPorts)
    }

    private func taskPort(_ index: Int, _ hostPorts: [Int?]) -> UInt16? {
        let ports = taskPorts
        guard ports.indices.contains(index) else { return nil }
        let hostPort = index < hostPorts.count ? hostPorts[index] : nil
        // With the agent's own network, the number in the definition is the load balancers'.
        let isHost = networks.allSatisfy { $0.mode == .host }
        let number = isHost || ports[index].number == 0 ? hostPort : ports[index].number
        return number.flatMap { UInt16(exactly: $0) }
    }
}

extension ResourceLimits {
    /// What a task may use beyond its resources, as agents know it.
    var taskLimits: TaskLimits {
        func thousandths(_ limit: ResourceLimit?) -> Int64? {
            switch limit {
            case nil: nil
            case .unlimited: .max
            case .amount(let amount): Quantity(amount)?.thousandths
            }
        }
        return TaskLimits(cpus: thousandths(cpus), mem: thousandths(mem))
    }
}

extension CheckCommand {
    /// The command as agents run it.
    func probe(_ environment: [CommandInfo.Variable]) -> TaskProbe.Kind {
        switch self {
        case .shell(let line): .command(CommandInfo(value: line, environment: environment))
        case .arguments(let list):
            .command(CommandInfo(isShell: false, value: list.first, arguments: list, environment: environment))
        }
    }
}
