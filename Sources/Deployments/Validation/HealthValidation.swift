extension ServiceDefinition {
    func checkHealth(_ found: inout Violations) {
        found.atMost(healthChecks.count, DefinitionLimits.checks, "/healthChecks")
        for (index, check) in healthChecks.enumerated() {
            let path = "/healthChecks(\(index))"
            found.add(check.violations, below: path)
            found.check(
                hasPort(for: check), path,
                "Health check port indices must address an element of the ports array or container port mappings.")
            let mayBeIPv6 = container?.kind == .docker && check.kind.isMesos && check.kind != .command
            found.check(
                check.ipProtocol != "IPv6" || mayBeIPv6, path,
                "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
        }
        found.unique(healthChecks, "/healthChecks", "Elements must be unique.")
        // Commands beside them were allowed once, and stay so.
        let others = healthChecks.count { $0.kind.isMesos && $0.kind != .command }
        found.check(others <= 1, "/", "AppDefinition can contain at most one Mesos health check")
        if let check { checkStatusCheck(check, &found) }
    }

    private func hasPort(for check: HealthCheck) -> Bool {
        if check.kind == .command { return true }
        if let index = check.portIndex { return (0..<portCount).contains(index) }
        if check.kind.isMesos { return check.port != nil || portCount > 0 }
        return check.port != nil || portCount == 1
    }

    private func checkStatusCheck(_ check: StatusCheck, _ found: inout Violations) {
        found.check(
            container?.kind != .docker, "/", "AppDefinition must not use 'checks' if using docker")
        found.atLeast(check.intervalSeconds, 0, "/check/intervalSeconds")
        found.atLeast(check.timeoutSeconds, 0, "/check/timeoutSeconds")
        found.atLeast(check.delaySeconds, 0, "/check/delaySeconds")
        let port: Int?
        let portIndex: Int?
        switch check.kind {
        case .command(let command):
            found.add(command.violations(shell: "/shell"), below: "/check/exec/command")
            return
        case .http(let number, let index, _, _): (port, portIndex) = (number, index)
        case .tcp(let number, let index): (port, portIndex) = (number, index)
        }
        let isFit = portIndex.map { (0..<portCount).contains($0) } ?? (port != nil || portCount == 1)
        found.check(
            isFit, "/check",
            "check port index must address an element of the ports array or container port mappings.")
    }
}

extension HealthCheck {
    var violations: [Violation] {
        var found = Violations()
        found.atLeast(gracePeriodSeconds, 0, "/gracePeriodSeconds")
        found.atLeast(intervalSeconds, 1, "/intervalSeconds")
        found.atLeast(timeoutSeconds, 1, "/timeoutSeconds")
        found.atLeast(delaySeconds, 0, "/delaySeconds")
        found.atLeast(maxConsecutiveFailures, 0, "/maxConsecutiveFailures")
        found.port(port, "/port")
        found.check(["IPv4", "IPv6"].contains(ipProtocol), "/ipProtocol", "is not one of (IPv4,IPv6)")
        if let path { found.length(path, 0...DefinitionLimits.text, "/path") }
        if kind == .command {
            if let command {
                found.add(command.violations(shell: "/value"), below: "/command")
            } else {
                found.add("/command", "not defined")
            }
        } else {
            found.check(command == nil, "/command", "is only for checks of protocol COMMAND")
        }
        found.check(
            port == nil || portIndex == nil, "/", "port and portIndex must not both be set")
        return found.found
    }
}

extension CheckCommand {
    /// What is wrong; `shell` is the name of the field that holds a line for the shell.
    func violations(shell: String) -> [Violation] {
        var found = Violations()
        switch self {
        case .shell(let line): found.check(!line.isEmpty, shell, "must not be empty")
        case .arguments(let arguments):
            found.check(!arguments.isEmpty, "/argv", "must not be empty")
            found.atMost(arguments.count, DefinitionLimits.texts, "/argv")
        }
        return found.found
    }
}
