internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// `rondo run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command on the cluster, show what it writes, and end as it ends.",
        discussion: """
            A framework like any other: it subscribes, takes offers that fit, and leaves when all instances have ended.
            Ends with the first exit code that is not 0, or 128 plus the signal that ended a task. Ctrl-C ends the tasks.

              rondo run -- echo hello
              rondo run --instances 3 --cpus 0.5 --mem 64 -- sh -c 'echo $RONDO_INSTANCE; sleep 5'
              rondo run --attribute rack:a --env NAME=value --uri http://10.0.0.9/input -- ./work
              rondo run --image debian:12 -- cat /etc/os-release
              rondo run --image nginx --publish 31080:80
              rondo run --role analytics --output json --timeout 10m -- make -C /srv/job
            """)

    @Option(help: ArgumentHelp("How many times. (default: 1)", valueName: "number")) var instances: String?
    @Option(help: ArgumentHelp("Processors of each instance. (default: 0.1)", valueName: "number")) var cpus: String?
    @Option(help: ArgumentHelp("Memory of each instance in MiB. (default: 32)", valueName: "MiB")) var mem: String?
    @Option(help: ArgumentHelp("Disk of each instance in MiB. (default: 0)", valueName: "MiB")) var disk: String?
    @Option(help: ArgumentHelp("Ports of each instance, in $PORT0, $PORT1 … (default: 0)", valueName: "number"))
    var ports: String?
    @Option(help: ArgumentHelp("The role whose share is used. (default: *)", valueName: "role")) var role: String?
    @Option(help: ArgumentHelp("The tasks' name. (default: the command's)", valueName: "name")) var name: String?
    @Option(help: ArgumentHelp("A property that the node must have; may be repeated.", valueName: "name:value"))
    var attribute: [String] = []
    @Option(help: ArgumentHelp("A variable for the command; may be repeated.", valueName: "NAME=value"))
    var env: [String] = []
    @Option(help: ArgumentHelp("A file to fetch beforehand; may be repeated.", valueName: "uri")) var uri: [String] = []
    @Option(
        help: ArgumentHelp(
            "Run in a container of this image; without a command its own is run. (default: the host's root)",
            valueName: "image"))
    var image: String?
    @Flag(help: "Ask the registry for the image although it is there.") var pull = false
    @Option(
        help: ArgumentHelp(
            "The container's network: host, bridge or the name of a CNI configuration. (default: host, or bridge with "
                + "--publish)", valueName: "network"))
    var network: String?
    @Option(
        help: ArgumentHelp(
            "A port of the container that others reach at one of its node, which must be among those that the node "
                + "offers; may be repeated.", valueName: "[port:]port[/udp]"))
    var publish: [String] = []
    @Option(help: ArgumentHelp("The user that it runs as. (default: yours)", valueName: "user")) var user: String?
    @Option(help: ArgumentHelp("End everything after this time, with code 124.", valueName: "time")) var timeout:
        String?
    @OptionGroup var client: ClientOptions
    @Argument(parsing: .postTerminator, help: "After --: the command and its arguments.") var command: [String] = []

    func settings() throws -> Configuration {
        try client.load([
            .runInstances: instances, .runCPUs: cpus, .runMemory: mem, .runDisk: disk, .runPorts: ports,
            .runRole: role, .runUser: user, .runTimeout: timeout,
        ])
    }

    /// What is asked for, checked.
    func order(_ settings: Configuration) throws -> RunOrder {
        guard let program = command.first ?? image, !program.isEmpty else {
            throw ValidationError("no command; write it after --, such as: rondo run -- echo hello")
        }
        var order = RunOrder(name: try taskName(program), command: command)
        order.instances = settings.integer(.runInstances)
        order.cpus = settings.number(.runCPUs)
        order.memory = settings.number(.runMemory)
        order.disk = settings.number(.runDisk)
        order.ports = settings.integer(.runPorts)
        order.role = settings.text(.runRole) ?? "*"
        order.user = settings.text(.runUser)
        order.uris = uri
        order.image = image
        order.isPulled = pull
        order.published = try publish.map { text in
            guard let published = RunOrder.Published(text) else {
                throw ValidationError("--publish takes PORT, or PORT:PORT of node and container, not '\(text)'")
            }
            return published
        }
        order.network = network == "host" ? nil : network ?? (publish.isEmpty ? nil : "bridge")
        guard image != nil || (network == nil && publish.isEmpty) else {
            throw ValidationError("--network and --publish are for containers; name an --image")
        }
        guard order.network != nil || publish.isEmpty else {
            throw ValidationError("a container with the host's network has its ports; leave --publish out")
        }
        order.constraints = try attribute.map { text in
            guard let constraint = RunOrder.Constraint(text) else {
                throw ValidationError("--attribute takes NAME:VALUE, such as rack:a, not '\(text)'")
            }
            return constraint
        }
        order.environment = try env.map { text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("--env takes NAME=VALUE, such as LANG=C, not '\(text)'")
            }
            return (String(text[..<equals]), String(text[text.index(after: equals)...]))
        }
        return order
    }

    private func taskName(_ program: String) throws -> String {
        if let name {
            guard RunCommand.isName(name) else {
                throw ValidationError(
                    "--name takes letters, digits, '.', '_' and '-', at most 128 of them, not '\(name)'")
            }
            return name
        }
        var last = program.split(separator: "/").last.map(String.init) ?? "task"
        if command.isEmpty { last = String(last.prefix { $0 != ":" && $0 != "@" }) }
        return RunCommand.isName(last) ? last : "task"
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128 && text != "." && text != ".."
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || [0x2d, 0x2e, 0x5f].contains(byte)
            }
    }

    func run() async throws {
        let settings = try settings()
        let order = try order(settings)
        let signals = StopSignals.listen()
        let client = try ClusterClient(settings)
        let output = RunOutput(isPrefixed: order.instances > 1, isForPrograms: client.isJSON)
        let account = try? AccountDatabase().user("\(geteuid())")
        var session = RunSession(order, client: client, output: output, user: account?.name ?? "root")
        let result: (code: Int32, summary: JSONValue)
        do {
            result = try await session.run(signals: signals, timeout: settings.duration(.runTimeout))
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        if client.isJSON { Console.out(String(decoding: try result.summary.encoded(), as: UTF8.self)) }
        if result.code != 0 { throw ArgumentParser.ExitCode(result.code) }
    }
}
