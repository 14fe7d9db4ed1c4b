internal import Appliance
internal import ArgumentParser

/// What a service is, in options; those that are not given stay as they are.
struct ServiceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How many instances. (default: 1)", valueName: "number")) var instances: Int?
    @Option(help: ArgumentHelp("Processors of each instance. (default: 0.1)", valueName: "number")) var cpus: Double?
    @Option(help: ArgumentHelp("Memory of each instance in MiB. (default: 64)", valueName: "MiB")) var mem: Double?
    @Option(help: ArgumentHelp("Disk of each instance in MiB. (default: 0)", valueName: "MiB")) var disk: Double?
    @Option(help: ArgumentHelp("A line for the shell.", valueName: "line")) var cmd: String?
    @Option(
        help: ArgumentHelp(
            "A port of the container, and which one of the node leads to it: 8080:80, 53:53/udp, or 80 for any free one; "
                + "without an image, a port of the node. May be repeated.", valueName: "[node:]port"))
    var publish: [String] = []
    @Option(help: ArgumentHelp("A variable for the command; may be repeated.", valueName: "NAME=value"))
    var env: [String] = []
    @Option(
        help: ArgumentHelp(
            "A directory of the node in the container; may be repeated.", valueName: "node:container[:ro]"))
    var volume: [String] = []
    @Option(help: ArgumentHelp("A remark; may be repeated.", valueName: "key=value")) var label: [String] = []
    @Option(
        help: ArgumentHelp(
            "Where an instance must be placed, such as rack:UNIQUE or hostname:LIKE:web.*; may be repeated.",
            valueName: "field:operator[:value]"))
    var constraint: [String] = []
    @Option(
        help: ArgumentHelp(
            "An instance is healthy when GET of this path on its first port, or on a port of its own in front, answers "
                + "with 200 to 399.", valueName: "[port]/path"))
    var healthHttp: String?
    @Option(help: ArgumentHelp("An instance is healthy when this line for the shell ends with 0.", valueName: "line"))
    var healthCmd: String?
    @Option(help: ArgumentHelp("The user that it runs as. (default: the cluster's)", valueName: "user")) var user:
        String?
    @Option(
        help: ArgumentHelp(
            "How long an instance that serves goes on before it hears of its end, so that nobody is sent to it any more. "
                + "(default: the cluster's, 4)", valueName: "seconds"))
    var drain: Double?
    @Flag(
        help: ArgumentHelp(
            "End instances before their successors start, which ports of nodes need that are given by number: one "
                + "instance first, of several half of them."))
    var stopFirst = false
    @Flag(
        name: .shortAndLong, inversion: .prefixedNo,
        help: "Give its command a terminal, which `rondo task attach` types on. (default: --no-tty)")
    var tty: Bool?
    @Option(help: ArgumentHelp("How it is kept apart: container, sandbox or microvm.", valueName: "level"))
    var isolation: String?

    /// What is given, as fields of an app in Marathon's form. The app as it is, empty for a new one, has what stays of
    /// fields that change in part; image and arguments are nil and empty when they do not change.
    func apply(to app: JSONValue, image: String?, arguments: [String]) throws -> [String: JSONValue] {
        var fields: [String: JSONValue] = [:]
        if let instances { fields["instances"] = .integer(Int64(instances)) }
        if let cpus { fields["cpus"] = .number(cpus) }
        if let mem { fields["mem"] = .number(mem) }
        if let disk { fields["disk"] = .number(disk) }
        if let cmd { fields["cmd"] = .text(cmd) }
        if let user { fields["user"] = .text(user) }
        if let tty { fields["tty"] = .bool(tty) }
        if let isolation { fields["isolation"] = .text(isolation) }
        if !arguments.isEmpty { fields["args"] = .list(arguments.map { .text($0) }) }
        if !env.isEmpty {
            fields["env"] = .object(Self.object(app["env"]).merging(try Self.pairs(env, "--env")) { $1 })
        }
        if !label.isEmpty || drain != nil {
            var labels = Self.object(app["labels"]).merging(try Self.pairs(label, "--label")) { $1 }
            if let drain { labels["RONDO_DRAIN_SECONDS"] = .text(Self.plain(drain)) }
            fields["labels"] = .object(labels)
        }
        if stopFirst {
            fields["upgradeStrategy"] = Self.stopsFirst(
                instances ?? app["instances"]?.double.flatMap { Int(exactly: $0) } ?? 1)
        }
        if !constraint.isEmpty { fields["constraints"] = .list(try constraint.map(Self.constraint)) }
        let hasImage = image != nil || app["container"]?["docker"]?["image"] != nil
        if image != nil || !volume.isEmpty || hasImage && !publish.isEmpty {
            fields["container"] = try container(app, image)
        }
        if hasImage, !publish.isEmpty {
            fields["networks"] = [["mode": "container/bridge"]]
        } else if !publish.isEmpty {
            // Without an image it is in the node's own network, and there is no other port that would lead to its own.
            fields["portDefinitions"] = .list(try publish.map(Self.ownPort))
            fields["requirePorts"] = true
        }
        if let checks = try checks() { fields["healthChecks"] = checks }
        return fields
    }

    /// Whether an instance takes ports of its node that are given by number.
    func takesFixedPorts(_ image: String?) -> Bool { publish.contains { image == nil || $0.contains(":") } }

    private func container(_ app: JSONValue, _ image: String?) throws -> JSONValue {
        var container = Self.object(app["container"])
        // As docker has it: what is said after the image goes to its entry point, or is the command.
        if container["type"] == nil { container["type"] = "DOCKER" }
        if let image {
            var docker = Self.object(container["docker"])
            docker["image"] = .text(image)
            container["docker"] = .object(docker)
        }
        if !publish.isEmpty { container["portMappings"] = .list(try publish.map(Self.mapping)) }
        if !volume.isEmpty { container["volumes"] = .list(try volume.map(Self.volume)) }
        return .object(container)
    }

    private func checks() throws -> JSONValue? {
        var common: [String: JSONValue] = [
            "gracePeriodSeconds": 60, "intervalSeconds": 5, "timeoutSeconds": 5, "maxConsecutiveFailures": 3,
        ]
        if let healthCmd {
            guard healthHttp == nil else { throw ValidationError("either --health-http or --health-cmd, but not both") }
            common["protocol"] = "COMMAND"
            common["command"] = ["value": .text(healthCmd)]
            return [.object(common)]
        }
        guard let healthHttp else { return nil }
        guard let slash = healthHttp.firstIndex(of: "/") else {
            throw ValidationError("--health-http takes /PATH or PORT/PATH, not '\(healthHttp)'")
        }
        common["protocol"] = "MESOS_HTTP"
        common["path"] = .text(String(healthHttp[slash...]))
        let port = healthHttp[..<slash]
        if port.isEmpty {
            common["portIndex"] = 0
        } else {
            common["port"] = .integer(Int64(try Self.port(port, "--health-http")))
        }
        return [.object(common)]
    }

    /// An upgrade strategy for instances of which two cannot be on one node.
    static func stopsFirst(_ instances: Int) -> JSONValue {
        ["minimumHealthCapacity": .number(instances > 1 ? 0.5 : 0), "maximumOverCapacity": .number(0)]
    }

    private static func plain(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }

    // MARK: texts

    private static func object(_ value: JSONValue?) -> [String: JSONValue] {
        if case .object(let fields)? = value { fields } else { [:] }
    }

    private static func pairs(_ texts: [String], _ option: String) throws -> [String: JSONValue] {
        try texts.reduce(into: [:]) { all, text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("\(option) takes NAME=VALUE, not '\(text)'")
            }
            all[String(text[..<equals])] = .text(String(text[text.index(after: equals)...]))
        }
    }

    private static func port(_ text: Substring, _ option: String) throws -> Int {
        guard let port = Int(text), (1...65_535).contains(port) else {
            throw ValidationError("\(option): '\(text)' is no port from 1 to 65535")
        }
        return port
    }

    /// `8080:80/udp`
    static func mapping(_ text: String) throws -> JSONValue {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let kind = parts.count > 1 ? String(parts[1]) : "tcp"
        guard ["tcp", "udp", "udp,tcp"].contains(kind) else {
            throw ValidationError("--publish: '\(kind)' is no protocol; write tcp or udp")
        }
        let ports = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard ports.count <= 2, let last = ports.last else {
            throw ValidationError("--publish takes PORT or NODE:CONTAINER, such as 8080:80, not '\(text)'")
        }
        let node = ports.count == 2 ? try port(ports[0], "--publish") : 0
        return [
            "containerPort": .integer(Int64(try port(last, "--publish"))), "hostPort": .integer(Int64(node)),
            "protocol": .text(kind),
        ]
    }

    /// `8080/udp`, in the network of the node.
    static func ownPort(_ text: String) throws -> JSONValue {
        guard case .object(var fields) = try mapping(text), !text.contains(":") else {
            throw ValidationError(
                "--publish takes one PORT, such as 8080, for a service without an image, not '\(text)'")
        }
        fields["port"] = fields.removeValue(forKey: "containerPort")
        fields["hostPort"] = nil
        return .object(fields)
    }

    /// `/srv/data:/data:ro`
    static func volume(_ text: String) throws -> JSONValue {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3 && ["ro", "rw"].contains(parts[2]), parts[1].hasPrefix("/"),
            parts[0].hasPrefix("/")
        else { throw ValidationError("--volume takes /NODE:/CONTAINER or /NODE:/CONTAINER:ro, not '\(text)'") }
        return [
            "hostPath": .text(parts[0]), "containerPath": .text(parts[1]),
            "mode": parts.count == 3 && parts[2] == "ro" ? "RO" : "RW",
        ]
    }

    static func constraint(_ text: String) throws -> JSONValue {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("--constraint takes FIELD:OPERATOR or FIELD:OPERATOR:VALUE, not '\(text)'")
        }
        return .list([parts[0], parts[1].uppercased()].map { .text($0) } + parts.dropFirst(2).map { .text($0) })
    }
}

extension JSONValue: ExpressibleByIntegerLiteral {
    init(integerLiteral value: Int64) { self = .integer(value) }
}
