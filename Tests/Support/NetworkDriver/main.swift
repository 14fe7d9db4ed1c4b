// Calls the network manager as an agent does, for Tests/System/network.py: one command a line on standard input, one
// answer a line on standard output, "ok …" or "error …".
import ClusterModel
import Glibc
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
