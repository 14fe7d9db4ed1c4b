internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo service list`.
struct ServiceList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List services, how many of their instances run, and what they run.",
        discussion: """
            rondo service list
            rondo service list --output json
            """)

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let bytes = try await services.ask(.get, "/v2/apps?embed=apps.counts&embed=apps.deployments") ?? []
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            Console.out(Self.table(try services.read(ServicesDocument.self, bytes).apps))
        }
    }

    static func table(_ services: [ServiceDocument]) -> String {
        var table = TextTable("SERVICE", "RUNNING#", "HEALTH", "STATE", "CPUS#", "MEM#", "RUNS", "VERSION")
        for service in services.sorted(by: { $0.id < $1.id }) {
            table.add(
                service.id, "\(service.tasksRunning ?? 0)/\(service.instances)", health(service), state(service),
                Words.number(service.cpus), Words.number(service.mem), service.work, Words.time(service.version))
        }
        return table.text
    }

    static func health(_ service: ServiceDocument) -> String? {
        guard service.healthChecks?.isEmpty == false else { return nil }
        let ill = service.tasksUnhealthy ?? 0
        return "\(service.tasksHealthy ?? 0) healthy" + (ill > 0 ? ", \(ill) ill" : "")
    }

    static func state(_ service: ServiceDocument) -> String {
        if service.deployments?.isEmpty == false { return "deploying" }
        if service.instances == 0 { return "suspended" }
        return service.tasksRunning ?? 0 < service.instances ? "waiting" : "running"
    }
}

/// `rondo service inspect`.
struct ServiceInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show a service, its instances, and its versions.",
        discussion: """
            rondo service inspect web
            rondo service inspect web --output json
            """)

    @Argument(help: "The service.") var service: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let (found, bytes) = try await services.service(service)
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let more = try await services.ask(.get, service: service, "/versions")
            Console.out(Self.details(found, try services.read(ServiceVersionsDocument.self, more).versions))
        }
    }

    static func details(_ service: ServiceDocument, _ versions: [String]) -> String {
        var facts = TextFacts()
        facts.add("service", service.id)
        facts.add("state", ServiceList.state(service))
        facts.add("instances", "\(service.tasksRunning ?? 0) of \(service.instances) running")
        facts.add("health", ServiceList.health(service))
        facts.add("image", service.container?.docker?.image)
        facts.add("command", service.cmd ?? service.args?.joined(separator: " "))
        facts.add("resources", "cpus \(Words.number(service.cpus)), mem \(Words.number(service.mem))")
        let ports = (service.container?.portMappings ?? []).map { mapping in
            "\((mapping.hostPort ?? 0) == 0 ? "any" : "\(mapping.hostPort ?? 0)"):\(mapping.containerPort)"
        }
        facts.add("ports", ports.joined(separator: ", "))
        let labels = service.labels ?? [:]
        if let package = labels["DCOS_PACKAGE_NAME"] {
            facts.add("package", "\(package) \(labels["DCOS_PACKAGE_VERSION"] ?? "")")
        }
        // The other labels of packages hold whole documents.
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("DCOS_PACKAGE_") {
            facts.add("label", "\(key)=\(value.count > 200 ? value.prefix(199) + "…" : value)")
        }
        if let failure = service.lastTaskFailure {
            let words = [
                Words.time(failure.timestamp), failure.host.map { "on \($0)" }, failure.message ?? failure.state,
            ]
            facts.add("last failure", words.compactMap { $0 }.joined(separator: " "))
        }
        facts.add("version", service.version)
        for version in versions.sorted(by: >) where version != service.version { facts.add("earlier", version) }
        let tasks = service.tasks ?? []
        return tasks.isEmpty ? facts.text : facts.text + "\n\n" + instances(tasks)
    }

    private static func instances(_ tasks: [ServiceTaskDocument]) -> String {
        var table = TextTable("INSTANCE", "STATE", "HEALTH", "NODE", "ADDRESS", "PORTS", "SINCE")
        for task in tasks.sorted(by: { ($0.startedAt ?? "~", $0.id) < ($1.startedAt ?? "~", $1.id) }) {
            let checks = task.healthCheckResults ?? []
            table.add(
                task.id, Words.state(task.state ?? "TASK_STAGING"),
                checks.isEmpty ? nil : checks.allSatisfy(\.alive) ? "healthy" : "ill", task.host,
                task.ipAddresses?.first?.ipAddress, (task.ports ?? []).map(String.init).joined(separator: ","),
                Words.time(task.startedAt))
        }
        return table.text
    }
}
