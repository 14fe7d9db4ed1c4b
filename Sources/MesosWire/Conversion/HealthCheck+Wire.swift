internal import ClusterModel

extension HealthCheck {
    /// Reads a health check.
    ///
    /// - Throws: `.missingField` or `.invalidField`.
    init(_ wire: WireHealthCheck) throws(WireError) {
        let kind: TaskProbe.Kind
        switch wire.type {
        case .command:
            guard wire.hasCommand else { throw .missingField(path: "command") }
            kind = .command(
                try within("command") { () throws(WireError) in try TaskProbe.command(wire.command) })
        case .http:
            guard wire.hasHTTP else { throw .missingField(path: "http") }
            kind = try within("http") { () throws(WireError) in
                try TaskProbe.page(
                    port: wire.http.port, scheme: wire.http.scheme, path: wire.http.path, statuses: wire.http.statuses,
                    wire.http.protocol)
            }
        case .tcp:
            guard wire.hasTcp else { throw .missingField(path: "tcp") }
            kind = .tcp(
                port: try within("tcp") { () throws(WireError) in try TaskProbe.port(wire.tcp.port) },
                version: wire.tcp.protocol == .ipv6 ? .v6 : .v4)
        case .unknown: throw .invalidField(path: "type", problem: "must be COMMAND, HTTP or TCP")
        }
        self.init(
            try TaskProbe(
                kind, delay: wire.delaySeconds, interval: wire.intervalSeconds, timeout: wire.timeoutSeconds),
            grace: try TaskProbe.time(wire.gracePeriodSeconds, "grace_period_seconds"),
            consecutiveFailures: wire.consecutiveFailures)
    }
}

extension TaskProbe {
    /// Reads a check.
    ///
    /// - Throws: `.missingField` or `.invalidField`.
    init(_ wire: WireCheckInfo) throws(WireError) {
        let kind: Kind
        switch wire.type {
        case .command:
            guard wire.hasCommand else { throw .missingField(path: "command") }
            kind = .command(
                try within("command.command") { () throws(WireError) in try Self.command(wire.command.command) })
        case .http:
            guard wire.hasHTTP else { throw .missingField(path: "http") }
            kind = try within("http") { () throws(WireError) in
                try Self.page(port: wire.http.port, scheme: "http", path: wire.http.path, statuses: [], .ipv4)
            }
        case .tcp:
            guard wire.hasTcp else { throw .missingField(path: "tcp") }
            kind = .tcp(
                port: try within("tcp") { () throws(WireError) in try Self.port(wire.tcp.port) }, version: .v4)
        case .unknown: throw .invalidField(path: "type", problem: "must be COMMAND, HTTP or TCP")
        }
        try self.init(kind, delay: wire.delaySeconds, interval: wire.intervalSeconds, timeout: wire.timeoutSeconds)
    }

    fileprivate init(_ kind: Kind, delay: Double, interval: Double, timeout: Double) throws(WireError) {
        self.init(
            kind, delay: try Self.time(delay, "delay_seconds"), interval: try Self.time(interval, "interval_seconds"),
            timeout: try Self.time(timeout, "timeout_seconds"))
    }

    fileprivate static func command(_ wire: WireCommandInfo) throws(WireError) -> CommandInfo {
        let command = try CommandInfo(wire)
        guard let value = command.value, !value.isEmpty else { throw .missingField(path: "value") }
        guard command.environment.allSatisfy({ $0.secret == nil }) else {
            throw .invalidField(path: "environment", problem: "must not hold secrets; the task's own are there already")
        }
        return command
    }

    fileprivate static func page(
        port: UInt32, scheme: String, path: String, statuses: [UInt32], _ version: WireNetworkInfo.ProtocolEnum
    ) throws(WireError) -> Kind {
        let scheme = scheme.isEmpty ? "http" : scheme
        guard scheme == "http" || scheme == "https" else {
            throw .invalidField(path: "scheme", problem: "must be http or https")
        }
        guard path.isEmpty || path.hasPrefix("/"), path.utf8.count <= 2_048,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { throw .invalidField(path: "path", problem: "must begin with a slash and have no spaces") }
        let numbers = statuses.compactMap { UInt16(exactly: $0) }
        guard numbers.count == statuses.count, numbers.allSatisfy({ (100...599).contains($0) }) else {
            throw .invalidField(path: "statuses", problem: "must be from 100 to 599")
        }
        return .http(
            scheme: scheme, port: try Self.port(port), path: path.isEmpty ? "/" : path, statuses: numbers,
            version: version == .ipv6 ? .v6 : .v4)
    }

    fileprivate static func port(_ number: UInt32) throws(WireError) -> UInt16 {
        guard let port = UInt16(exactly: number), port > 0 else {
            throw .invalidField(path: "port", problem: "must be from 1 to 65535")
        }
        return port
    }

    fileprivate static func time(_ seconds: Double, _ field: String) throws(WireError) -> Duration {
        guard seconds.isFinite, seconds >= 0, seconds <= 86_400 * 365 else {
            throw .invalidField(path: field, problem: "must be from 0 to a year")
        }
        return .milliseconds(Int64((seconds * 1_000).rounded()))
    }

    fileprivate var seconds: (delay: Double, interval: Double, timeout: Double) {
        (delay / .seconds(1), interval / .seconds(1), timeout / .seconds(1))
    }
}

extension WireHealthCheck {
    /// Makes the message for a health check.
    init(_ check: HealthCheck) {
        self.init()
        (delaySeconds, intervalSeconds, timeoutSeconds) = check.probe.seconds
        gracePeriodSeconds = check.grace / .seconds(1)
        consecutiveFailures = check.consecutiveFailures
        switch check.probe.kind {
        case .command(let command):
            type = .command
            self.command = WireCommandInfo(command)
        case .http(let scheme, let port, let path, let statuses, let version):
            type = .http
            http.port = UInt32(port)
            http.scheme = scheme
            http.path = path
            http.statuses = statuses.map { UInt32($0) }
            if version == .v6 { http.protocol = .ipv6 }
        case .tcp(let port, let version):
            type = .tcp
            tcp.port = UInt32(port)
            if version == .v6 { tcp.protocol = .ipv6 }
        }
    }
}

extension WireCheckInfo {
    /// Makes the message for a check.
    init(_ probe: TaskProbe) {
        self.init()
        (delaySeconds, intervalSeconds, timeoutSeconds) = probe.seconds
        switch probe.kind {
        case .command(let command):
            type = .command
            self.command.command = WireCommandInfo(command)
        case .http(_, let port, let path, _, _):
            type = .http
            http.port = UInt32(port)
            http.path = path
        case .tcp(let port, _):
            type = .tcp
            tcp.port = UInt32(port)
        }
    }
}
