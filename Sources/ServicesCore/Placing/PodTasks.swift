internal import ClusterModel
internal import Deployments

/// What a pod's tasks are beside their commands: the network that they share, containers, volumes and health checks.
extension PodDefinition {
    /// What the group has of a network, by the ports of each container's endpoints; nil for the agent's own.
    func groupContainer(_ hostPorts: [[Int?]]) -> ContainerInfo? {
        var info = ContainerInfo(kind: .mesos)
        switch networks.first?.mode {
        case .bridge: info.network = .bridge
        case .container: info.network = .named(networks.first?.name ?? "")
        case .host, nil: return nil
        }
        for (container, ports) in zip(containers, hostPorts) {
            for (endpoint, port) in zip(container.endpoints, ports) {
                guard let hostPort = port.flatMap({ UInt16(exactly: $0) }), hostPort > 0 else { continue }
                let inside = UInt16(exactly: endpoint.containerPort ?? 0).flatMap { $0 == 0 ? nil : $0 } ?? hostPort
                for transport in endpoint.networkProtocols.isEmpty ? ["tcp"] : endpoint.networkProtocols {
                    info.portMappings.append(
                        ContainerInfo.PortMapping(hostPort: hostPort, containerPort: inside, transport: transport))
                }
            }
        }
        return info
    }
}

extension PodContainer {
    /// The container as agents know it; nil where the task runs in the files of its agent, without a terminal.
    func taskContainer(in pod: PodDefinition) -> ContainerInfo? {
        guard image != nil || tty == true else { return nil }
        var info = ContainerInfo(kind: .mesos, image: image?.reference)
        info.hasTerminal = tty == true
        info.pullsAlways = image?.forcePull == true
        info.pullSecret = image?.pullSecret.map { TaskSecret(name: pod.secrets[$0] ?? $0) }
        info.volumes = volumeMounts.compactMap { mount in
            guard let source = pod.volumes.first(where: { $0.name == mount.name })?.source else { return nil }
            let place: ContainerVolume.Source
            switch source {
            case .ephemeral: place = .group(mount.name)
            case .host(let path): place = path.hasPrefix("/") ? .host(path) : .group(path)
            case .secret, .persistent: return nil
            }
            return ContainerVolume(
                containerPath: mount.mountPath, isReadOnly: mount.isReadOnly == true, source: place)
        }
        return info
    }

    /// Secrets that it finds in files.
    func secretFiles(in pod: PodDefinition) -> [SecretFile]? {
        let files = volumeMounts.compactMap { mount -> SecretFile? in
            guard case .secret(let name)? = pod.volumes.first(where: { $0.name == mount.name })?.source,
                let source = pod.secrets[name]
            else { return nil }
            return SecretFile(path: mount.mountPath, secret: TaskSecret(name: source))
        }
        return files.isEmpty ? nil : files
    }

    /// The health check as agents know it: it asks at the loopback address of the pod's network.
    func taskHealthCheck(
        _ hostPorts: [Int?], _ environment: [CommandInfo.Variable]
    ) -> ClusterModel.HealthCheck? {
        guard let check = healthCheck, let kind = kind(of: check.probe, hostPorts, environment) else { return nil }
        return ClusterModel.HealthCheck(
            TaskProbe(
                kind, delay: .seconds(check.delaySeconds), interval: .seconds(check.intervalSeconds),
                timeout: .seconds(check.timeoutSeconds)),
            grace: .seconds(check.gracePeriodSeconds),
            consecutiveFailures: UInt32(clamping: check.maxConsecutiveFailures))
    }

    /// The check as agents know it, whose result is only told.
    func taskCheck(_ hostPorts: [Int?], _ environment: [CommandInfo.Variable]) -> TaskProbe? {
        guard let check, let kind = kind(of: check.probe, hostPorts, environment) else { return nil }
        return TaskProbe(
            kind, delay: .seconds(check.delaySeconds), interval: .seconds(check.intervalSeconds),
            timeout: .seconds(check.timeoutSeconds))
    }

    private func kind(
        of probe: PodProbe, _ hostPorts: [Int?], _ environment: [CommandInfo.Variable]
    ) -> TaskProbe.Kind? {
        if let http = probe.http {
            guard let port = port(of: http.endpoint, hostPorts) else { return nil }
            return .http(
                scheme: http.scheme.lowercased(), port: port, path: http.path ?? "/", statuses: [], version: .v4)
        }
        if let endpoint = probe.tcpEndpoint {
            return port(of: endpoint, hostPorts).map { .tcp(port: $0, version: .v4) }
        }
        return probe.command?.probe(environment)
    }

    /// The port of an endpoint as the container sees it.
    private func port(of endpoint: String, _ hostPorts: [Int?]) -> UInt16? {
        guard let index = endpoints.firstIndex(where: { $0.name == endpoint }) else { return nil }
        let hostPort = index < hostPorts.count ? hostPorts[index] : nil
        let number = endpoints[index].containerPort.flatMap { $0 == 0 ? nil : $0 } ?? hostPort
        return number.flatMap { UInt16(exactly: $0) }
    }
}
