extension PodDefinition {
    /// What is wrong with this definition, which has been `normalized`; empty when it may be deployed.
    public func violations(_ rules: ValidationRules = ValidationRules()) -> [Violation] {
        var found = Violations()
        found.check(!id.isRoot, "/id", "Path must contain at least one path element")
        for defect in id.defects { found.add("/id", defect) }
        found.atLeast(instances, 0, "/scaling/instances")
        found.check(
            instances <= DefinitionLimits.instances, "/scaling/instances",
            "got \(instances), expected \(DefinitionLimits.instances) or less")
        found.check(user.map { !$0.isEmpty } ?? true, "/user", "must not be empty")
        found.add(environment.violations(secrets: secrets), below: "/environment")
        found.add(labels.drainViolations, below: "/labels")
        found.add(secrets.secretViolations, below: "/secrets")
        found.add(networks.violations(defaultName: rules.defaultNetworkName), below: "/networks")
        checkVolumes(&found)
        checkContainers(&found)
        checkScheduling(rules, &found)
        checkFeatures(rules, &found)
        return found.found
    }

    private func checkScheduling(_ rules: ValidationRules, _ found: inout Violations) {
        let path = "/scheduling"
        found.add(constraints.violations, below: path + "/placement/constraints")
        found.add(
            acceptedResourceRoles.roleViolations(role: role), below: path + "/placement/acceptedResourceRoles")
        found.add(
            backoff.violations(names: ("/backoff", "/backoffFactor", "/maxLaunchDelay")), below: path + "/backoff")
        if let upgradeStrategy { found.add(upgradeStrategy.violations(isSingle: false), below: path + "/upgrade") }
        if let unreachableStrategy {
            found.add(unreachableStrategy.violations, below: path + "/unreachableStrategy")
        }
        if let role { found.check(rules.roles.contains(role), "/role", rules.refusal(of: role)) }
        found.add(isolation.violations(rules), below: "/isolation")
    }

    private func checkVolumes(_ found: inout Violations) {
        found.atMost(volumes.count, DefinitionLimits.volumes, "/volumes")
        found.unique(volumes.map(\.name), "/volumes", "volume names must be unique")
        let mounted = Set(containers.flatMap { $0.volumeMounts.map(\.name) })
        for (index, volume) in volumes.enumerated() {
            let path = "/volumes(\(index))"
            found.check(
                mounted.contains(volume.name), path, "volume must be referenced by at least one container")
            found.check(isFitName(volume.name, bytesMax: 63), path + "/name", nameRule)
            switch volume.source {
            case .ephemeral: break
            case .host(let host): found.check(!host.isEmpty, path + "/host", "must not be empty")
            case .secret(let name):
                found.check(
                    secrets[name] != nil, path + "/secret", "volume.secret must refer to an existing secret")
            case .persistent:
                found.add(path + "/persistent", "persistent volumes are not supported yet; use a host path")
            }
        }
    }

    private func checkContainers(_ found: inout Violations) {
        found.check(!containers.isEmpty, "/containers", "must not be empty")
        found.atMost(containers.count, DefinitionLimits.containers, "/containers")
        found.unique(containers.map(\.name), "/containers", "container names must be unique")
        let endpoints = containers.flatMap(\.endpoints)
        found.atMost(endpoints.count, DefinitionLimits.ports, "/containers")
        found.unique(endpoints.map(\.name), "/", "endpoint names nust be unique across all containers")
        found.unique(
            endpoints.compactMap(\.containerPort).filter { $0 != 0 }, "/",
            "container ports must be unique across all containers")
        found.unique(
            endpoints.compactMap(\.hostPort).filter { $0 != 0 }, "/",
            "host ports must be unique across all containers")
        for (index, container) in containers.enumerated() {
            found.add(container.violations(in: self), below: "/containers(\(index))")
        }
    }
}

extension PodContainer {
    func violations(in pod: PodDefinition) -> [Violation] {
        var found = Violations()
        found.check(isFitName(name, bytesMax: 63), "/name", nameRule)
        found.atLeast(cpus, 0.001, "/resources/cpus")
        found.atLeast(mem, 0.001, "/resources/mem")
        found.atLeast(disk, 0, "/resources/disk")
        found.atLeast(gpus, 0, "/resources/gpus")
        if let resourceLimits {
            found.add(resourceLimits.violations(cpus: cpus, mem: mem), below: "/resourceLimits")
            found.check(
                pod.legacySharedCgroups != true, "/resourceLimits",
                "resourceLimits cannot be defined if legacySharedCgroups is enabled")
        }
        if let command { found.add(command.violations(shell: "/shell"), below: "/exec/command") }
        if case .shell? = command {
            found.check(
                overridesEntrypoint != false, "/exec/overrideEntrypoint",
                "must not be false beside a shell command, which always takes the entry point's place")
        }
        if command == nil { found.check(image != nil, "/", "a container needs an exec command or an image") }
        found.add(environment.violations(secrets: pod.secrets), below: "/environment")
        found.add(artifacts.violations, below: "/artifacts")
        if let image {
            found.length(image.reference, 1...DefinitionLimits.text, "/image/id")
            if let secret = image.pullSecret {
                found.check(
                    pod.secrets[secret] != nil, "/image/pullConfig",
                    "pullConfig.secret must refer to an existing secret")
            }
        }
        checkEndpoints(pod.networks, &found)
        checkMounts(pod.volumes, &found)
        checkHealth(&found)
        if let grace = killGracePeriodSeconds { found.atLeast(grace, 0, "/lifecycle/killGracePeriodSeconds") }
        return found.found
    }

    private func checkEndpoints(_ networks: [Network], _ found: inout Violations) {
        let names = networks.compactMap(\.name)
        let needsName = networks.count { $0.mode == .container } > 1
        for (index, endpoint) in endpoints.enumerated() {
            let path = "/endpoints(\(index))"
            found.check(isFitName(endpoint.name, bytesMax: 63), path + "/name", nameRule)
            found.port(endpoint.containerPort, path + "/containerPort")
            found.port(endpoint.hostPort, path + "/hostPort")
            if networks.contains(where: { $0.mode == .host }) {
                found.check(
                    endpoint.containerPort == nil, path + "/containerPort",
                    "is not allowed when using host-mode networking")
            }
            if networks.contains(where: { $0.mode == .container }) {
                found.check(
                    endpoint.containerPort != nil, path + "/containerPort",
                    "is required when using container-mode networking")
            }
            found.unique(
                endpoint.networkProtocols, path + "/protocol",
                "Duplicate protocols within the same endpoint are not allowed")
            if needsName {
                found.check(
                    endpoint.hostPort == nil || endpoint.networkNames.count == 1, path,
                    "networkNames must be a single item list when hostPort is specified and more than 1 "
                        + "container network is defined")
            }
            for (position, name) in endpoint.networkNames.enumerated() {
                found.check(
                    names.contains(name), path + "/networkNames(\(position))",
                    "is not one of (\(names.joined(separator: ",")))")
            }
        }
    }

    private func checkMounts(_ volumes: [PodVolume], _ found: inout Violations) {
        let known = Set(volumes.map(\.name))
        for (index, mount) in volumeMounts.enumerated() {
            let path = "/volumeMounts(\(index))"
            found.check(known.contains(mount.name), path + "/name", "Referenced Volume in VolumeMount should exist")
            found.length(mount.mountPath, 1...DefinitionLimits.text, path + "/mountPath")
        }
    }

    private func checkHealth(_ found: inout Violations) {
        if let check = healthCheck {
            found.add(check.probe.violations(endpoints), below: "/healthCheck")
            found.atLeast(check.gracePeriodSeconds, 0, "/healthCheck/gracePeriodSeconds")
            found.atLeast(check.intervalSeconds, 0, "/healthCheck/intervalSeconds")
            found.atLeast(check.timeoutSeconds, 0, "/healthCheck/timeoutSeconds")
            found.atLeast(check.delaySeconds, 0, "/healthCheck/delaySeconds")
            found.atLeast(check.maxConsecutiveFailures, 0, "/healthCheck/maxConsecutiveFailures")
            found.check(
                check.timeoutSeconds < check.intervalSeconds, "/healthCheck/timeoutSeconds",
                "got \(check.timeoutSeconds), expected less than \(check.intervalSeconds)")
        }
        if let check { found.add(check.probe.violations(endpoints), below: "/check") }
    }
}

extension PodProbe {
    func violations(_ endpoints: [Endpoint]) -> [Violation] {
        var found = Violations()
        let count = (http == nil ? 0 : 1) + (tcpEndpoint == nil ? 0 : 1) + (command == nil ? 0 : 1)
        found.check(count == 1, "/", "Only one of http, tcp, or command may be specified")
        let known = Set(endpoints.map(\.name))
        if let http {
            found.check(known.contains(http.endpoint), "/http/endpoint", "contained in the container endpoints")
            if let path = http.path { found.length(path, 1...DefinitionLimits.text, "/http/path") }
            found.check(["HTTP", "HTTPS"].contains(http.scheme), "/http/scheme", "is not one of (HTTP,HTTPS)")
        }
        if let tcpEndpoint {
            found.check(known.contains(tcpEndpoint), "/tcp/endpoint", "contained in the container endpoints")
        }
        if let command { found.add(command.violations(shell: "/shell"), below: "/exec/command") }
        return found.found
    }
}
