internal import Appliance
internal import ArgumentParser
internal import FoundationEssentials
internal import Transport

/// `rondo cluster`.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Make a cluster, join one, look at it, leave it.",
        discussion: """
            rondo cluster init
            rondo cluster join 10.0.0.1:5050 --token …
            rondo cluster status
            rondo cluster leave --purge

            Where systemd runs, init and join make the service rondo.service, for root and with the usual directories;
            otherwise, and with --foreground, they run the node themselves.

            Through a link named `cluster`, the same file takes `cluster init` and so on.
            """,
        subcommands: [Init.self, Join.self, Start.self, Status.self, Leave.self, Token.self])

    /// What init and join take alike.
    struct NodeOptions: ParsableArguments {
        @Option(
            help: ArgumentHelp("Where this node keeps everything. (default: /var/lib/rondo)", valueName: "directory"))
        var data: String?
        @Option(
            help: ArgumentHelp("Where the socket for local commands is. (default: /run/rondo)", valueName: "directory"))
        var runtime: String?
        @Option(
            help: ArgumentHelp(
                "The address that others reach this machine at; a loopback address keeps it to this machine. (default: "
                    + "the one towards the outside)", valueName: "ip"))
        var advertise: String?
        @Option(help: ArgumentHelp("The gossip's port. (default: 7946, or the next that is free)", valueName: "port"))
        var gossipPort: String?
        @Option(
            help: ArgumentHelp(
                "Where another node may be when all remembered addresses are stale.", valueName: "address"))
        var seed: String?
        @Option(help: ArgumentHelp("The agent's port. (default: 5051, or the next that is free)", valueName: "port"))
        var agentPort: String?
        @Option(help: ArgumentHelp("This machine's name for people.", valueName: "name")) var hostname: String?
        @Option(help: ArgumentHelp("What the agent offers. (default: what the machine has)", valueName: "resources"))
        var resources: String?
        @Option(help: ArgumentHelp("Properties of the agent, such as rack:a;disk:ssd.", valueName: "attributes"))
        var attributes: String?
        @Option(help: ArgumentHelp("The region that this machine stands in.", valueName: "name")) var region: String?
        @Option(help: ArgumentHelp("The zone of the region.", valueName: "name")) var zone: String?
        @Flag(help: "Give tasks no more processor time than their share.") var limitCpu = false
        @Option(help: ArgumentHelp("Bytes of a task's output file before it is rotated.", valueName: "bytes"))
        var logBytes: String?
        @Option(help: ArgumentHelp("Files kept of a task's output.", valueName: "number")) var logFiles: String?
        @Option(
            help: ArgumentHelp(
                "Where names of the cluster are answered: auto, off or an address with port. (default: auto)",
                valueName: "address"))
        var namesListen: String?
        @Option(help: ArgumentHelp("The least severe messages to log. (default: notice)", valueName: "level"))
        var logLevel: String?
        @Flag(help: "Run the node in this process, also where systemd runs.") var foreground = false
        @OptionGroup var file: ConfigOption

        func load(_ more: [ConfigurationKey: String?]) throws -> Configuration {
            let own: [ConfigurationKey: String?] = [
                .data: data, .runtime: runtime, .advertise: advertise, .gossipPort: gossipPort, .seed: seed,
                .agentPort: agentPort, .hostname: hostname,
                .resources: resources, .attributes: attributes, .region: region, .zone: zone,
                .limitProcessor: limitCpu ? "true" : nil, .logBytes: logBytes, .logFiles: logFiles,
                .namesListen: namesListen, .logLevel: logLevel,
            ]
            return try file.load(own.merging(more) { $1 })
        }
    }

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a cluster on this machine, or start the one that is there, and run it.",
            discussion: """
                Where systemd runs, the node becomes the service rondo.service, which starts with the machine, and the
                command returns when it runs. It stays in the foreground with --foreground, --data or --runtime, without
                root, and where systemd does not run or has started the command itself. What is wrong is said here, in
                both cases. Prints the address to look at and the line that adds a machine.

                  rondo cluster init
                  rondo cluster init --foreground
                  rondo cluster init --advertise 10.0.0.1
                  rondo cluster init --role master --data /srv/rondo --name laboratory
                """)

        @Option(help: ArgumentHelp("combined (master and agent) or master. (default: combined)", valueName: "role"))
        var role: String?
        @Option(help: ArgumentHelp("The cluster's name for people. (default: rondo)", valueName: "name"))
        var name: String?
        @Option(help: ArgumentHelp("The master's port. (default: 5050)", valueName: "port")) var masterPort: String?
        @Option(help: ArgumentHelp("Silence after which an agent is unreachable. (default: 15s)", valueName: "time"))
        var unreachableAfter: String?
        @Option(
            help: ArgumentHelp("How long a restarted master waits for its agents. (default: 30s)", valueName: "time"))
        var recoveryWindow: String?
        @Flag(
            inversion: .prefixedNo,
            help: "Serve jobs, by Metronome's interface under /service/metronome. (default: --jobs)")
        var jobs: Bool?
        @Flag(
            inversion: .prefixedNo,
            help: "Serve services, by Marathon's interface under /service/marathon. (default: --services)")
        var services: Bool?
        @Option(
            help: ArgumentHelp(
                "Listen here without TLS as well, for clients that have none, such as 127.0.0.1:5055.",
                valueName: "address"))
        var plainListen: String?
        @Flag(help: "Let --plain-listen be an address that others can reach, unencrypted.") var plainInsecure = false
        @Option(
            help: ArgumentHelp(
                "The file with the key that secrets are sealed with, 32 bytes in hexadecimal. (default: master.key in "
                    + "the data directory)", valueName: "file"))
        var keyFile: String?
        @Option(
            help: ArgumentHelp(
                "How long a node's certificate lasts before it is renewed. (default: 1d)", valueName: "time"))
        var certificateLifetime: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            let configuration = try node.load([
                .role: role, .name: name, .masterPort: masterPort, .unreachableAfter: unreachableAfter,
                .recoveryWindow: recoveryWindow, .jobs: jobs.map { $0 ? "true" : "false" },
                .services: services.map { $0 ? "true" : "false" }, .plainListen: plainListen,
                .plainInsecure: plainInsecure ? "true" : nil, .keyFile: keyFile,
                .certificateLifetime: certificateLifetime,
            ])
            let cluster = try ClusterInit(configuration)
            if NodeService.isWanted(configuration, foreground: node.foreground) { return try await cluster.serve() }
            try await cluster.run(until: StopSignals.listen())
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make this machine an agent of a cluster, or start it again, and run it.",
            discussion: """
                The line to paste is printed by `rondo cluster init` and `rondo cluster token create`. A machine that has
                joined keeps its own key and needs no token, and no address, the next time.

                Where systemd runs, the agent becomes the service rondo.service, as with `rondo cluster init`; the token is
                used here and gets into no file. Everybody on this machine can see arguments: RONDO_TOKEN hides it.

                  rondo cluster join 10.0.0.1:5050 --token …
                  rondo cluster join 10.0.0.1:5050 --token … --foreground
                  rondo cluster join
                  rondo cluster join 192.0.2.1:5050 --token … --behind-nat
                """)

        @Argument(help: ArgumentHelp("The master, ADDRESS or ADDRESS:PORT.", valueName: "address")) var master: String?
        @Option(help: ArgumentHelp("The token that lets this machine in.", valueName: "token")) var token: String?
        @Option(help: ArgumentHelp("agent; a cluster has one master. (default: agent)", valueName: "role"))
        var role: String?
        @Flag(
            inversion: .prefixedNo,
            help: ArgumentHelp(
                "Other nodes can open no connection to this one: it opens all of them. (default: so when the master sees "
                    + "this machine at an address that is none of its own; kept for later starts)"))
        var behindNat: Bool?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            let configuration = try node.load([
                .token: token, .role: role, .behindNAT: behindNat.map { $0 ? "true" : "false" },
            ])
            let agent = try ClusterJoin(configuration, master: master)
            if NodeService.isWanted(configuration, foreground: node.foreground) { return try await agent.serve() }
            try await agent.run(until: StopSignals.listen())
        }
    }

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run what this machine is, in the foreground.",
            discussion: """
                Runs the node that `rondo cluster init` or `join` has made: master, agent or both. This is what
                rondo.service does. Where there is no node, it ends with 69.

                  rondo cluster start
                  rondo cluster start --data /srv/rondo
                """)

        @Option(help: ArgumentHelp("The node's directory. (default: /var/lib/rondo)", valueName: "directory"))
        var data: String?
        @Option(
            help: ArgumentHelp("Where the socket for local commands is. (default: /run/rondo)", valueName: "directory"))
        var runtime: String?
        @Option(help: ArgumentHelp("The least severe messages to log. (default: notice)", valueName: "level"))
        var logLevel: String?
        @OptionGroup var file: ConfigOption

        func run() async throws {
            let configuration = try file.load([.data: data, .runtime: runtime, .logLevel: logLevel])
            try await ClusterStart(configuration).run(until: StopSignals.listen())
        }
    }

    struct Leave: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End this machine's tasks and take it out of the cluster.",
            discussion: """
                Waits until the node's process is gone. Its files stay for the next start unless --purge is given. A
                service that ran it is not started again; --purge also removes what init or join made for it.

                  rondo cluster leave
                  rondo cluster leave --purge --data /srv/rondo
                """)

        @Flag(help: "Remove the node's files too.") var purge = false
        @Flag(help: "End the cluster although other nodes need this master.") var force = false
        @Option(help: ArgumentHelp("The node's directory. (default: /var/lib/rondo)", valueName: "directory"))
        var data: String?
        @Option(
            help: ArgumentHelp("Where the socket for local commands is. (default: /run/rondo)", valueName: "directory"))
        var runtime: String?
        @OptionGroup var file: ConfigOption

        func run() async throws {
            let configuration = try file.load([.data: data, .runtime: runtime])
            let transport = Transport(threads: 1)
            do {
                try await ClusterLeave(configuration, purge: purge, force: force).run(transport)
            } catch {
                await transport.shutDown()
                throw error
            }
            await transport.shutDown()
            Console.out("rondo: this machine has left the cluster" + (purge ? ", and its files are removed" : ""))
        }
    }
}
