internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo package uninstall`.
struct PackageUninstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Uninstall a package: its service ends.",
        discussion: """
            Waits until its instances have ended, and says which could not be reached: those end when their node is back.
            What a service has kept in a volume of its node stays there.

              rondo package uninstall redis
              rondo package uninstall redis --app-id /shop/cache
              rondo package uninstall redis --all --timeout 30
            """)

    @Argument(help: "The package.") var package: String
    @Option(help: ArgumentHelp("Which one, when it is installed several times.", valueName: "id")) var appId: String?
    @Flag(help: "All that were installed from this package.") var all = false
    @Flag(name: .shortAndLong, help: "Do not wait until its instances have ended.") var detach = false
    @Option(
        help: ArgumentHelp(
            "For how long to wait, in seconds; the service goes on ending then. (default: 180)", valueName: "seconds"))
    var timeout = 180
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard (1...86_400).contains(timeout) else {
            throw ValidationError("--timeout must be between 1 and 86400 seconds")
        }
    }

    func run() async throws {
        var body: [String: JSONValue] = ["packageName": .text(package)]
        if let appId { body["appId"] = .text(ServiceClient.full(appId)) }
        if all { body["all"] = true }
        let wanted = body
        try await client.withClient { client in
            let catalog = CatalogClient(client)
            let bytes = try await catalog.ask("package.uninstall", wanted)
            let removed = try catalog.decode(PackagesRemoved.self, bytes).results
            if !client.isJSON {
                for package in removed {
                    if let notes = package.postUninstallNotes { Console.note(PackageDescribe.lines(notes)) }
                }
            }
            if !detach {
                var watch = RemovalWatch(services: ServiceClient(client), names: Set(removed.map(\.appId)))
                try await watch.end(within: .seconds(timeout))
            }
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            for package in removed { Console.out(package.appId) }
        }
    }
}

/// Waits for the end of services that are being removed, and says what keeps them.
struct RemovalWatch {
    let services: ServiceClient
    let names: Set<String>
    private var instances: [Instance] = []
    private var said = ""
    private let begin = ContinuousClock.now

    init(services: ServiceClient, names: Set<String>) {
        self.services = services
        self.names = names
    }

    private struct Instance: Decodable {
        var id: String
        var appId: String
        var slaveId: String
        var host: String
    }

    private struct Instances: Decodable { var tasks: [Instance] }
    private struct OpenDeployment: Decodable { var affectedApps: [String] }

    /// Waits until no deployment is about them any more.
    ///
    /// - Parameter limit: for how long at most.
    /// - Throws: ``ApplianceError`` that names what has not ended, when the time is over.
    mutating func end(within limit: Duration) async throws {
        while true {
            let all = try await services.document(Instances.self, "/v2/tasks").tasks
            let left = all.filter { names.contains($0.appId) }
            let open = try await services.document([OpenDeployment].self, "/v2/deployments")
            guard open.contains(where: { !names.isDisjoint(with: $0.affectedApps) }) else { break }
            if !left.isEmpty { instances = left }
            let elapsed = ContinuousClock.now - begin
            if elapsed >= limit { throw try await overdue(left, limit) }
            // What ends at once is not worth a line.
            if elapsed > .seconds(2), !left.isEmpty {
                let text = try await words(for: left)
                say("waits for \(text)")
            }
            try await Task.sleep(for: min(.seconds(1), max(.milliseconds(100), elapsed / 8)))
        }
        // What was last seen on a node that nobody reaches was given up, not ended.
        let nodes = try await states()
        let lost = instances.filter { nodes[$0.slaveId] != "connected" }
        guard !lost.isEmpty else { return }
        Console.note(
            TextTable.clean(
                "could not be cleaned up: \(Self.words(lost, nodes)). Nothing is kept about it in the cluster; if the "
                    + "node comes back, what still runs there is ended"))
    }

    private func overdue(_ left: [Instance], _ limit: Duration) async throws -> ApplianceError {
        let what = left.isEmpty ? "its deployment" : try await words(for: left)
        return ApplianceError(
            .failure,
            TextTable.clean(
                "\(names.sorted().joined(separator: ", ")) has not ended after \(limit.components.seconds) s: \(what). "
                    + "It goes on ending; `rondo service list` shows how far it is"))
    }

    private func states() async throws -> [String: String] {
        let nodes = try await services.client.document(NodesDocument.self, "/rondo/v1/nodes").0.nodes
        return Dictionary(nodes.map { ($0.id, $0.state) }) { first, _ in first }
    }

    private func words(for instances: [Instance]) async throws -> String { Self.words(instances, try await states()) }

    /// A few of them, each with its node and what that is, unless it is well.
    private static func words(_ instances: [Instance], _ nodes: [String: String]) -> String {
        let first = instances.prefix(5).map { instance in
            let state = nodes[instance.slaveId] ?? "gone"
            return "\(instance.id) on \(instance.host)" + (state == "connected" ? "" : ", which is \(state)")
        }
        let more = instances.count > 5 ? " and \(instances.count - 5) more" : ""
        return first.joined(separator: "; ") + more
    }

    private mutating func say(_ text: String) {
        guard said != text else { return }
        said = text
        Console.note(TextTable.clean(text))
    }
}
