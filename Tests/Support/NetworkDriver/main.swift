// Calls the network manager as an agent does, for Tests/System/network.py: one command a line on standard input, one
// answer a line on standard output, "ok …" or "error …".
import ClusterModel
import Glibc
import NameService
import Networking

func value(_ name: String) -> String? {
    guard let place = CommandLine.arguments.firstIndex(of: name), place + 1 < CommandLine.arguments.count
    else { return nil }
    return CommandLine.arguments[place + 1]
}

func mapping(_ text: some StringProtocol) -> PortMapping? {
    let parts = text.split(separator: ":")
    guard parts.count == 3, let host = UInt16(parts[0]), let inside = UInt16(parts[1]),
        let transport = PortProtocol(rawValue: String(parts[2]))
    else { return nil }
    return PortMapping(hostPort: host, containerPort: inside, transport: transport)
}

func mode(_ text: some StringProtocol) -> NetworkMode {
    switch text {
    case "host": .host
    case "bridge": .bridge
    case "none": .none
    default: .named(String(text))
    }
}

func words(_ attachment: Attachment) -> String {
    let parts = [
        attachment.interface ?? "-", attachment.addresses.map(\.description).joined(separator: ","),
        attachment.gateways.map(\.description).joined(separator: ","),
        attachment.dns.map(\.description).joined(separator: ","),
    ]
    return parts.map { $0.isEmpty ? "-" : $0 }.joined(separator: " ")
}

/// The name server, when one was started.
nonisolated(unsafe) var names: NameServer?

func source(_ line: ArraySlice<Substring>) -> NameSource {
    var source = NameSource(leader: "m")
    for word in line {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        let addresses = parts.dropFirst().flatMap { $0.split(separator: ",") }.compactMap { NetworkAddress($0) }
        switch parts.first {
        case "master": source.masters = [.init(id: "m", addresses: addresses, port: 5050)]
        case "agent": source.agents = [.init(id: "a", addresses: addresses, port: 5051)]
        default:
            let port = NameSource.Port(name: "http", number: 80)
            source.tasks.append(
                .init(
                    id: String(word), name: parts.first ?? "", framework: "marathon", agent: "a", addresses: addresses,
                    ports: [port]))
        }
    }
    return source
}

func answer(_ manager: NetworkManager, _ line: [Substring]) throws -> String {
    switch (line.first ?? "", line.count) {
    case ("attach", 4...):
        let request = NetworkRequest(mode: mode(line[3]), portMappings: line[4...].compactMap(mapping))
        return words(
            try manager.attach(container: String(line[1]), namespacePath: String(line[2]), request: request))
    case ("detach", 2):
        try manager.detach(container: String(line[1]))
        return ""
    case ("namespace", 2): return try manager.makeNamespace(container: String(line[1]))
    case ("drop", 2):
        try manager.removeNamespace(container: String(line[1]))
        return ""
    case ("prepare", 1): return try manager.prepareBridge().map(\.description).joined(separator: " ")
    case ("reconcile", _):
        let running = line.dropFirst().map { word in
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            return RunningContainer(id: parts[0], namespacePath: parts.count > 1 ? parts[1] : "")
        }
        let report = manager.reconcile(running: running)
        return "repairs=\(report.repairs) problems=\(report.problems)"
    case ("serve", 5):
        // Addresses, clients, the host's resolv.conf, the port of its resolvers.
        names?.stop()
        let settings = NameServerSettings(
            addresses: line[1].split(separator: ",").compactMap { NetworkAddress($0) },
            clients: line[2].split(separator: ",").compactMap { NetworkPrefix($0) }, resolverFile: String(line[3]),
            resolverPort: UInt16(line[4]) ?? 53, patience: .milliseconds(400))
        names = try NameServer(settings)
        return "\(names?.port ?? 0)"
    case ("table", _):
        names?.update(NameTable(source(line.dropFirst())))
        return ""
    case ("purge", 1): return "\(manager.purge())"
    default: return "?"
    }
}

let settings = NetworkSettings(
    directory: value("--directory") ?? "/nonexistent", runDirectory: value("--run") ?? "/nonexistent",
    nodeID: value("--node") ?? "node", bridge: value("--bridge"), pool4: value("--pool4").flatMap { NetworkPrefix($0) },
    pluginConfigurations: value("--cni") ?? "/nonexistent",
    pluginDirectories: value("--plugins").map { [$0] } ?? ["/usr/lib/cni"], pluginPatience: .seconds(5))
do {
    let manager = try NetworkManager(settings)
    print("ok ready")
    fflush(nil)
    while let line = readLine() {
        do {
            print("ok", try answer(manager, line.split(separator: " ")))
        } catch {
            print("error", "\(error)".split(whereSeparator: \.isNewline).joined(separator: " "))
        }
        fflush(nil)
    }
} catch {
    print("error", error)
}
