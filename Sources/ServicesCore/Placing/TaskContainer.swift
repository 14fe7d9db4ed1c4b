internal import ClusterModel
internal import Deployments

/// What an app's task is beside its command: its container, and the health check that its agent does.
extension ServiceDefinition {
    /// The container as agents know it; nil where the task runs in the files of its agent. The agent's ports are in the
    /// order of the mappings.
    func taskContainer(_ hostPorts: [Int?]) -> ContainerInfo? {
        guard let container, let image = container.image else { return nil }
        var info = ContainerInfo(kind: container.kind == .docker ? .docker : .mesos, image: image.reference)
        info.pullsAlways = image.forcePull
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

    /// The first health check as agents know it: they ask at the loopback address of the task's own network.
    func taskHealthCheck(_ hostPorts: [Int?], _ environment: [CommandInfo.Variable]) -> ClusterModel.HealthCheck? {
        guard let check = healthChecks.first else { return nil }
        let version: TaskProbe.IPVersion = check.ipProtocol == "IPv6" ? .v6 : .v4
        let kind: TaskProbe.Kind
        switch check.kind {
        case .command:
            switch check.command {
            case .shell(let line)?: kind = .command(CommandInfo(value: line, environment: environment))
            case .arguments(let list)?:
                kind = .command(
                    CommandInfo(isShell: false, value: list.first, arguments: list, environment: environment))
            case nil: return nil
            }
        case .http, .https, .mesosHTTP, .mesosHTTPS:
            guard let port = taskPort(of: check, hostPorts) else { return nil }
            let isSecure = check.kind == .https || check.kind == .mesosHTTPS
            kind = .http(
                scheme: isSecure ? "https" : "http", port: port, path: check.path ?? "/", statuses: [],
                version: version)
        case .tcp, .mesosTCP:
            guard let port = taskPort(of: check, hostPorts) else { return nil }
            kind = .tcp(port: port, version: version)
        }
        return ClusterModel.HealthCheck(
            TaskProbe(
                kind, delay: .seconds(check.delaySeconds), interval: .seconds(check.intervalSeconds),
                timeout: .seconds(check.timeoutSeconds)),
            grace: .seconds(check.gracePeriodSeconds),
            consecutiveFailures: UInt32(clamping: check.maxConsecutiveFailures))
    }

    /// The port that a check means, as the task itself sees it.
    private func taskPort(of check: Deployments.HealthCheck, _ hostPorts: [Int?]) -> UInt16? {
        if let port = check.port { return UInt16(exactly: port) }
        let index = check.portIndex ?? 0
        let ports = taskPorts
        guard ports.indices.contains(index) else { return nil }
        let hostPort = index < hostPorts.count ? hostPorts[index] : nil
        // With the agent's own network, the number in the definition is the load balancers'.
        let isHost = networks.allSatisfy { $0.mode == .host }
        let number = isHost || ports[index].number == 0 ? hostPort : ports[index].number
        return number.flatMap { UInt16(exactly: $0) }
    }
}
