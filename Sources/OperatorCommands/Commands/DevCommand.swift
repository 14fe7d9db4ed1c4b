internal import Appliance
internal import ArgumentParser

/// `rondo dev`.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run a cluster on this machine until Ctrl-C, then remove all of it.",
        discussion: """
            A master and some agents in one process, plain HTTP on loopback, in a temporary directory. The machine's
            processors, memory and ports are divided between the agents.

              rondo dev
              rondo dev --agents 3 --listen 127.0.0.1:6000
              rondo dev --agents 2 --resources 'cpus:8;mem:4096;ports:[31000-31999]'
            """)

    @Option(help: ArgumentHelp("How many agents. (default: 1)", valueName: "number")) var agents: String?
    @Option(
        help: ArgumentHelp("Where the master listens; loopback only. (default: 127.0.0.1:5050)", valueName: "address"))
    var listen: String?
    @Option(help: ArgumentHelp("The first port of the agents. (default: 5051)", valueName: "port"))
    var agentPort: String?
    @Option(
        help: ArgumentHelp("What the agents offer together. (default: what the machine has)", valueName: "resources"))
    var resources: String?
    @Option(help: ArgumentHelp("Properties of all agents, such as rack:a;disk:ssd.", valueName: "attributes"))
    var attributes: String?
    @Flag(
        inversion: .prefixedNo,
        help: "Serve jobs, by Metronome's interface under /service/metronome. (default: --jobs)")
    var jobs: Bool?
    @Option(
        help: ArgumentHelp(
            "Where names of the cluster are answered: auto, off or an address with port. (default: auto)",
            valueName: "address"))
    var namesListen: String?
    @Flag(
        inversion: .prefixedNo,
        help: "Serve services, by Marathon's interface under /service/marathon. (default: --services)")
    var services: Bool?
    @Option(help: ArgumentHelp("The least severe messages to log. (default: warning)", valueName: "level"))
    var logLevel: String?
    @OptionGroup var file: ConfigOption

    func run() async throws {
        let configuration = try file.load([
            .devAgents: agents, .devListen: listen, .agentPort: agentPort, .resources: resources,
            .attributes: attributes, .jobs: jobs.map { $0 ? "true" : "false" },
            .services: services.map { $0 ? "true" : "false" }, .namesListen: namesListen, .logLevel: logLevel,
        ])
        let cluster = try DevCluster(configuration)
        try await cluster.run(until: StopSignals.listen())
    }
}
