public import Packages

/// What an app takes and does, in words, read from its definition.
public struct AppSummary: Sendable {
    /// Its path.
    public var id: String
    /// Names and values, in the order in which they are shown.
    public private(set) var facts: [(name: String, values: [String])] = []
    /// How many instances there shall be.
    public var instances: Int

    private static let limit = 50

    /// Reads a definition.
    ///
    /// - Parameter app: as `POST /v2/apps` takes it.
    public init(_ app: JSONObject) {
        id = app["id"]?.text ?? ""
        instances = app["instances"]?.integer ?? 1
        let number = { (name: String) -> Double in
            if case .number(let number)? = app[name] { number.double } else { 0 }
        }
        add("Instances", [String(instances)])
        for (name, field) in [("Processors", "cpus"), ("Memory", "mem"), ("Disk", "disk"), ("GPUs", "gpus")] {
            let each = number(field)
            guard each > 0 else { continue }
            let isSize = field == "mem" || field == "disk"
            let show = { (value: Double) in isSize ? Numbers.memory(value) : Numbers.short(value) }
            let all = each * Double(max(0, min(instances, 1_000_000)))
            add(name, [instances == 1 ? show(each) : "\(show(each)) each, \(show(all)) in all"])
        }
        let container = app["container"]?.object
        add("Image", [container?["docker"]?["image"]?.text])
        add("Command", [app["cmd"]?.text.map { String($0.prefix(300)) }])
        add("Runs as", [app["user"]?.text])
        if container?["docker"]?["privileged"] == .flag(true) {
            add("Privileged", ["yes: it can do all that root can"])
        }
        add("Isolation", [app["isolation"]?.text])
        add(
            "Network",
            (app["networks"]?.list ?? []).map { network in
                let name = network["name"]?.text.map { " " + $0 } ?? ""
                return (network["mode"]?.text ?? "container") + name
            })
        let mappings = container?["portMappings"]?.list ?? container?["docker"]?["portMappings"]?.list ?? []
        let ports = mappings.isEmpty ? app["portDefinitions"]?.list ?? [] : mappings
        add("Ports", ports.map(Self.port))
        add("Volumes", (container?["volumes"]?.list ?? []).map(Self.volume) + Self.parameters(container))
        add("Secrets", (app["secrets"]?.object?.values ?? []).compactMap { $0["source"]?.text })
        add(
            "Placed",
            (app["constraints"]?.list ?? []).map { rule in
                (rule.list ?? []).compactMap(\.text).joined(separator: " ")
            })
        add("Checked by", (app["healthChecks"]?.list ?? []).map(Self.check))
        add("Fetches", (app["fetch"]?.list ?? []).compactMap { $0["uri"]?.text } + Self.texts(app["uris"]))
    }

    private mutating func add(_ name: String, _ values: [String?]) {
        let values = values.compactMap(\.self).filter { !$0.isEmpty }
        guard !values.isEmpty else { return }
        let shown = values.prefix(Self.limit).map { String($0.prefix(500)) }
        let rest = values.count - shown.count
        facts.append((name, shown + (rest > 0 ? ["and \(rest) more"] : [])))
    }

    private static func texts(_ json: JSON?) -> [String] { json?.list?.compactMap(\.text) ?? [] }

    private static func port(_ port: JSON) -> String {
        let name = port["name"]?.text.map { $0 + ": " } ?? ""
        let kind = port["protocol"]?.text ?? "tcp"
        let host = (port["hostPort"] ?? port["port"])?.integer
        let outside = host.map { $0 == 0 ? "any free port of the node" : "port \($0) of the node" }
        guard let inside = port["containerPort"]?.integer else { return "\(name)\(outside ?? "a port")/\(kind)" }
        return "\(name)\(inside)/\(kind)" + (outside.map { " at \($0)" } ?? "")
    }

    private static func volume(_ volume: JSON) -> String {
        let inside = volume["containerPath"]?.text ?? "?"
        let mode = volume["mode"]?.text == "RO" ? ", read only" : ""
        if let host = volume["hostPath"]?.text { return "\(inside): \(host) of the node\(mode)" }
        if let size = volume["persistent"]?["size"]?.integer {
            return "\(inside): \(Numbers.memory(Double(size))) that outlive an instance\(mode)"
        }
        if let secret = volume["secret"]?.text { return "\(inside): the secret \(secret)" }
        return inside + mode
    }

    private static func parameters(_ container: JSONObject?) -> [String] {
        (container?["docker"]?["parameters"]?.list ?? []).compactMap { parameter in
            guard parameter["key"]?.text == "volume", let value = parameter["value"]?.text else { return nil }
            let parts = value.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return value }
            return "\(parts[1]): \(parts[0].hasPrefix("/") ? "\(parts[0]) of the node" : "the volume \(parts[0])")"
        }
    }

    private static func check(_ check: JSON) -> String {
        let kind = check["protocol"]?.text ?? "HTTP"
        if let command = check["command"]?["value"]?.text { return "\(kind): \(command)" }
        return kind + (check["path"]?.text.map { " " + $0 } ?? "")
    }
}
