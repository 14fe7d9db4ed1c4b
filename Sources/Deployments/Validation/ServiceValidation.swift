extension ServiceDefinition {
    /// What is wrong with this definition, which has been `normalized`; empty when it may be deployed.
    public func violations(_ rules: ValidationRules = ValidationRules()) -> [Violation] {
        var found = Violations()
        checkIdentity(&found)
        checkAmounts(&found)
        checkContents(&found)
        checkScheduling(rules, &found)
        if let container { found.add(container.violations(secrets: secrets, networks: networks), below: "/container") }
        found.add(networks.violations(defaultName: rules.defaultNetworkName), below: "/networks")
        checkPorts(&found)
        checkHealth(&found)
        checkReadiness(&found)
        checkStrategies(&found)
        checkFeatures(rules, &found)
        return found.found
    }

    private func checkIdentity(_ found: inout Violations) {
        found.check(!id.isRoot, "/id", "Path must contain at least one path element")
        for defect in id.defects { found.add("/id", defect) }
        for (index, dependency) in dependencies.enumerated() {
            for defect in dependency.defects { found.add("/dependencies(\(index))", defect) }
        }
        found.atMost(dependencies.count, DefinitionLimits.dependencies, "/dependencies")
        found.unique(dependencies, "/dependencies", "Elements must be unique.")
    }

    private func checkAmounts(_ found: inout Violations) {
        found.atLeast(cpus, 0, "/cpus")
        found.atLeast(mem, 0, "/mem")
        found.atLeast(disk, 0, "/disk")
        found.atLeast(gpus, 0, "/gpus")
        found.atLeast(instances, 0, "/instances")
        found.check(
            instances <= DefinitionLimits.instances, "/instances",
            "got \(instances), expected \(DefinitionLimits.instances) or less")
        for (amount, path) in [(cpus, "/cpus"), (mem, "/mem"), (disk, "/disk")] {
            found.check(amount <= 1e9, path, "is too large")
        }
        if gpus > 0, container?.kind == .docker {
            found.add("/", "GPU resources only work with the Mesos containerizer")
        }
        if let resourceLimits {
            found.add(resourceLimits.violations(cpus: cpus, mem: mem), below: "/resourceLimits")
        }
        if let grace = taskKillGracePeriodSeconds { found.atLeast(grace, 0, "/taskKillGracePeriodSeconds") }
        let hasFitExecutor = executor.isEmpty || executor == "//cmd" || ServiceID(executor).components.count > 0
        found.check(hasFitExecutor, "/executor", "must fully match regular expression '^(//cmd)|(/?[^/]+(/[^/]+)*)|$'")
    }

    private func checkContents(_ found: inout Violations) {
        let hasContainer = container.map { $0.kind == .mesos || $0.image != nil } ?? false
        let hasCommand = !(cmd ?? "").isEmpty
        found.check(
            hasCommand != !args.isEmpty || (!hasCommand && hasContainer), "/",
            "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
        found.check(cmd.map { !$0.isEmpty } ?? true, "/cmd", "must not be empty")
        found.check(user.map { !$0.isEmpty } ?? true, "/user", "must not be empty")
        found.plain(cmd, "/cmd")
        found.plain(user, "/user")
        for (index, argument) in args.enumerated() { found.plain(argument, "/args(\(index))") }
        found.atMost(args.count, DefinitionLimits.texts, "/args")
        found.atMost(labels.count, DefinitionLimits.texts, "/labels")
        found.add(fetch.violations, below: "/fetch")
        found.add(environment.violations(secrets: secrets), below: "/env")
        found.add(secrets.secretViolations, below: "/secrets")
        found.add(labels.drainViolations, below: "/labels")
        checkMigrationLabels(&found)
    }

    private func checkMigrationLabels(_ found: inout Violations) {
        guard let version = labels["DCOS_MIGRATION_API_VERSION"], !version.isEmpty else { return }
        let isComplete =
            version == "v1" && labels["DCOS_PACKAGE_FRAMEWORK_NAME"]?.isEmpty == false
            && labels["DCOS_MIGRATION_API_PATH"]?.isEmpty == false
        found.check(
            isComplete, "/",
            "DCOS_PACKAGE_FRAMEWORK_NAME and DCOS_MIGRATION_API_PATH must be defined"
                + " when using DCOS_MIGRATION_API_VERSION")
    }

    private func checkScheduling(_ rules: ValidationRules, _ found: inout Violations) {
        found.add(constraints.violations, below: "/constraints")
        if let role {
            found.check(rules.roles.contains(role), "/role", rules.refusal(of: role))
        }
        if let roles = acceptedResourceRoles {
            found.check(!roles.isEmpty, "/acceptedResourceRoles", "must not be empty")
            found.add(roles.roleViolations(role: role), below: "/acceptedResourceRoles")
        }
        found.add(isolation.violations(rules), below: "/isolation")
        found.check(
            !isResident, "/residency",
            "services with persistent volumes are not supported yet; leave out residency and persistent volumes")
        found.check(
            !isSingleInstance || instances <= 1, "/", "Single instance app may only have one instance")
    }

    private func checkPorts(_ found: inout Violations) {
        if networks.contains(where: { $0.mode == .host }), container?.portMappings?.isEmpty == false {
            found.add("/", "portMappings are not allowed with host-networking")
        }
        let definitions = portDefinitions ?? []
        if networks.contains(where: { $0.mode != .host }), !definitions.isEmpty {
            found.add("/", "portDefinitions are only allowed with host-networking")
        }
        found.atMost(definitions.count, DefinitionLimits.ports, "/portDefinitions")
        found.unique(definitions.compactMap(\.name), "/portDefinitions", "Port names must be unique.")
        found.unique(definitions.map(\.port).filter { $0 != 0 }, "/portDefinitions", "Ports must be unique.")
        for (index, definition) in definitions.enumerated() {
            let path = "/portDefinitions(\(index))"
            found.port(definition.port, path + "/port")
            found.add(portViolations(definition.name, definition.networkProtocol), below: path)
        }
        if container?.kind == .docker, networks.count(where: { $0.mode == .container }) > 1 {
            found.add("/", "may only specify a single container network when using the Docker container engine")
        }
    }

    /// The ports that health checks can name by index.
    var portCount: Int {
        if let mappings = container?.portMappings, !mappings.isEmpty { return mappings.count }
        return portDefinitions?.count ?? 0
    }

    private func checkReadiness(_ found: inout Violations) {
        found.check(
            readinessChecks.count <= 1, "/readinessChecks", "got \(readinessChecks.count), expected 1 or less")
        var names = Set((portDefinitions ?? []).compactMap(\.name))
        if let mappings = container?.portMappings { names = Set(mappings.compactMap(\.name)) }
        for (index, check) in readinessChecks.enumerated() {
            let path = "/readinessChecks(\(index))"
            found.check(!check.name.isEmpty, path + "/name", "must not be empty")
            found.check(
                names.contains(check.portName), path + "/portName",
                "No port definition reference for portName \(check.portName)")
            found.atLeast(check.timeoutSeconds, 1, path + "/timeoutSeconds")
            found.check(
                check.timeoutSeconds < check.intervalSeconds, path + "/timeoutSeconds",
                "got \(check.timeoutSeconds), expected less than \(check.intervalSeconds)")
            found.length(check.path, 1...DefinitionLimits.text, path + "/path")
            let codes = check.httpStatusCodesForReady
            found.check(!codes.isEmpty, path + "/httpStatusCodesForReady", "must not be empty")
            found.check(
                codes.allSatisfy { (100...999).contains($0) }, path + "/httpStatusCodesForReady",
                "must be between 100 and 999")
        }
    }

    private func checkStrategies(_ found: inout Violations) {
        found.add(backoff.violations(names: ("/backoffSeconds", "/backoffFactor", "/maxLaunchDelaySeconds")))
        if let upgradeStrategy {
            found.add(upgradeStrategy.violations(isSingle: isSingleInstance), below: "/upgradeStrategy")
        }
        if let unreachableStrategy { found.add(unreachableStrategy.violations, below: "/unreachableStrategy") }
    }
}

/// What is wrong with the name and the protocol of a port.
func portViolations(_ name: String?, _ networkProtocol: String) -> [Violation] {
    var found = Violations()
    if let name { found.check(isFitName(name), "/name", nameRule) }
    found.check(
        ["tcp", "udp", "udp,tcp", "tcp,udp"].contains(networkProtocol), "/protocol",
        "is not one of (tcp,udp,udp,tcp)")
    return found.found
}

/// Marathon's rule for names of ports, containers and volumes.
let nameRule = "must fully match regular expression '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'"

/// Whether a name keeps to the rule.
func isFitName(_ name: String, bytesMax: Int = 255) -> Bool {
    let dash = UInt8(ascii: "-")
    guard let first = name.utf8.first, let last = name.utf8.last, name.utf8.count <= bytesMax else { return false }
    return first != dash && last != dash
        && name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == dash }
}
