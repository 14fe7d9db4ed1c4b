internal import Deployments
internal import FrameworkRuntime

/// Checks of apps.
enum CheckReading {
    static func health(_ reader: inout FieldReader) -> Deployments.HealthCheck? {
        let kind = reader.has("protocol") ? reader.choice("protocol", Deployments.HealthCheck.Kind.self) : .http
        var check = Deployments.HealthCheck(kind: kind ?? .http)
        check.command = reader.one("command") { command(&$0, shell: "value") }
        reader.read("path", into: &check.path)
        reader.read("port", into: &check.port)
        reader.read("portIndex", into: &check.portIndex)
        reader.read("ipProtocol", into: &check.ipProtocol)
        reader.read("gracePeriodSeconds", into: &check.gracePeriodSeconds)
        reader.read("intervalSeconds", into: &check.intervalSeconds)
        reader.read("timeoutSeconds", into: &check.timeoutSeconds)
        reader.read("delaySeconds", into: &check.delaySeconds)
        reader.read("maxConsecutiveFailures", into: &check.maxConsecutiveFailures)
        if let flag = reader.flag("ignoreHttp1xx") { check.ignoreHttp1xx = flag }
        return kind == nil ? nil : check
    }

    /// A line for the shell under a name, or `argv`.
    static func command(_ reader: inout FieldReader, shell: String) -> CheckCommand? {
        let line = reader.text(shell)
        let arguments = reader.strings("argv")
        switch (line, arguments) {
        case (let line?, nil): return .shell(line)
        case (nil, let arguments?): return .arguments(arguments)
        default:
            reader.note("", "must have exactly one of \(shell) and argv")
            return nil
        }
    }

    static func status(_ reader: inout FieldReader) -> StatusCheck? {
        var kinds: [StatusCheck.Kind] = []
        let http = reader.one("http") { reader -> StatusCheck.Kind? in
            .http(
                port: reader.integer("port"), portIndex: reader.integer("portIndex"), path: reader.text("path"),
                scheme: reader.text("scheme") ?? "HTTP")
        }
        let tcp = reader.one("tcp") { reader -> StatusCheck.Kind? in
            .tcp(port: reader.integer("port"), portIndex: reader.integer("portIndex"))
        }
        let exec = reader.one("exec") { reader -> StatusCheck.Kind? in
            reader.require("command")
            return reader.one("command") { command(&$0, shell: "shell") }.map(StatusCheck.Kind.command)
        }
        for kind in [http, tcp, exec] { if let kind { kinds.append(kind) } }
        guard kinds.count == 1, let kind = kinds.first else {
            reader.note("", "must have exactly one of http, tcp and exec")
            return nil
        }
        var check = StatusCheck(kind: kind)
        reader.read("intervalSeconds", into: &check.intervalSeconds)
        reader.read("timeoutSeconds", into: &check.timeoutSeconds)
        reader.read("delaySeconds", into: &check.delaySeconds)
        return check
    }

    static func readiness(_ reader: inout FieldReader) -> ReadinessCheck? {
        var check = ReadinessCheck()
        reader.read("name", into: &check.name)
        switch reader.text("protocol") {
        case nil, "HTTP"?: check.isHTTPS = false
        case "HTTPS"?: check.isHTTPS = true
        case let other?: reader.note("protocol", "'\(other.prefix(64))' is not one of HTTP, HTTPS")
        }
        reader.read("path", into: &check.path)
        reader.read("portName", into: &check.portName)
        reader.read("intervalSeconds", into: &check.intervalSeconds)
        reader.read("timeoutSeconds", into: &check.timeoutSeconds)
        if let list = reader.list("httpStatusCodesForReady") {
            check.httpStatusCodesForReady = PartReading.numbers(list, "httpStatusCodesForReady", &reader)
        }
        reader.read("preserveLastResponse", into: &check.preservesLastResponse)
        return check
    }
}
