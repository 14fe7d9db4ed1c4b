/// Everything that can be set. Each has a key in the file, an environment variable and a flag, all of the same name:
/// `plain_listen`, `RONDO_PLAIN_LISTEN`, `--plain-listen`. A dot in a key is a mapping in the file,
/// `_` in the variable, and is left out of the flag with what stands before it, except where two would be alike.
public enum ConfigurationKey: String, CaseIterable, Sendable {
    /// Where a node keeps everything.
    case data
    /// Where the socket for local commands is, when ``data`` is the usual directory.
    case runtime
    /// The cluster's name for people.
    case name
    /// What a node is.
    case role
    /// The address that others are told.
    case advertise
    /// Where a master also listens without TLS.
    case plainListen = "plain_listen"
    /// Whether ``plainListen`` may be another address than loopback.
    case plainInsecure = "plain_insecure"
    /// Where other nodes may be, when every address that is remembered is stale.
    case seed
    /// Whether other nodes can open no connection to this one.
    case behindNAT = "behind_nat"
    /// The port of the gossip.
    case gossipPort = "gossip_port"
    /// The file with the key that secrets are sealed with.
    case keyFile = "key_file"
    /// How long a node's certificate lasts.
    case certificateLifetime = "certificate_lifetime"
    /// The port of a master.
    case masterPort = "master_port"
    /// The port of an agent.
    case agentPort = "agent_port"
    /// The master that commands speak to.
    case master
    /// The cluster that commands speak to, by the name that the command line knows it by.
    case context
    /// The token that a node joins with, or the credential of a command.
    case token
    /// The name of this machine for people.
    case hostname
    /// What an agent offers.
    case resources
    /// Properties of an agent.
    case attributes
    /// The region that an agent stands in.
    case region
    /// The zone of the region.
    case zone
    /// The least severe messages that are logged.
    case logLevel = "log_level"
    /// How results are written.
    case output
    /// Silence after which a master gives an agent up.
    case unreachableAfter = "agent.unreachable_after"
    /// How long a restarted master waits for its agents.
    case recoveryWindow = "agent.recovery_window"
    /// Whether the master serves jobs, by a framework of its own.
    case jobs = "frameworks.jobs"
    /// Whether the master serves services, by a framework of its own.
    case services = "frameworks.services"
    /// How long services' instances that serve are only said to be on their way to their end.
    case drain = "frameworks.drain"
    /// Whether tasks get no more processor time than their share.
    case limitProcessor = "agent.limit_cpu"
    /// Bytes of a task's output file before it is rotated.
    case logBytes = "agent.log_bytes"
    /// Files that are kept of a task's output.
    case logFiles = "agent.log_files"
    /// Where an agent answers questions for names.
    case namesListen = "names.listen"
    /// Agents of `rondo dev`.
    case devAgents = "dev.agents"
    /// Where `rondo dev` listens.
    case devListen = "dev.listen"
    /// Instances of `rondo run`.
    case runInstances = "run.instances"
    /// Processors of each instance.
    case runCPUs = "run.cpus"
    /// Memory of each instance in MiB.
    case runMemory = "run.mem"
    /// Disk of each instance in MiB.
    case runDisk = "run.disk"
    /// Ports of each instance.
    case runPorts = "run.ports"
    /// The role in which `rondo run` takes offers.
    case runRole = "run.role"
    /// The user that the instances run as.
    case runUser = "run.user"
    /// When `rondo run` gives up.
    case runTimeout = "run.timeout"

    /// The variable that sets it.
    public var environment: String {
        "RONDO_" + rawValue.uppercased().replacing(".", with: "_")
    }

    /// The flag that sets it, with its dashes.
    public var flag: String {
        // Nodes listen in more than one way.
        if self == .namesListen { return "--names-listen" }
        let last = rawValue.split(separator: ".").last.map(String.init) ?? rawValue
        return "--" + last.replacing("_", with: "-")
    }

    /// What its value must look like.
    public var kind: ValueKind {
        switch self {
        case .data, .runtime, .keyFile: .path
        case .name, .context, .hostname, .region, .zone, .runUser: .text
        case .token: .secret
        case .role: .choice(["combined", "master", "agent"])
        case .advertise: .address
        case .plainInsecure, .limitProcessor, .behindNAT, .jobs, .services: .flag
        case .masterPort, .agentPort, .gossipPort: .port
        case .master, .devListen, .plainListen, .seed: .endpoint
        case .namesListen: .endpointOr(["auto", "off"])
        case .resources: .resources
        case .attributes: .attributes
        case .logLevel: .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"])
        case .output: .choice(["table", "json"])
        case .unreachableAfter, .recoveryWindow, .drain, .runTimeout, .certificateLifetime: .duration
        case .logBytes: .integer(4_096...(1 << 40))
        case .logFiles: .integer(1...100)
        case .devAgents: .integer(1...64)
        case .runInstances: .integer(1...10_000)
        case .runCPUs: .number(0.001...100_000)
        case .runMemory: .number(1...1_000_000_000)
        case .runDisk: .number(0...1_000_000_000_000)
        case .runPorts: .integer(0...1_000)
        case .runRole: .role
        }
    }

    /// What it is when nobody sets it; nil when it then has no value.
    public var defaultText: String? {
        switch self {
        case .data: "/var/lib/rondo"
        case .runtime: "/run/rondo"
        case .name: "rondo"
        case .plainInsecure, .limitProcessor: "false"
        case .jobs, .services: "true"
        case .gossipPort: "7946"
        case .certificateLifetime: "1d"
        case .masterPort: "5050"
        case .agentPort: "5051"
        case .logLevel: "notice"
        case .output: "table"
        case .unreachableAfter: "15s"
        case .recoveryWindow: "30s"
        case .drain: "4s"
        case .logBytes: "10485760"
        case .logFiles: "3"
        case .namesListen: "auto"
        case .devAgents: "1"
        case .devListen: "127.0.0.1:5050"
        case .runInstances: "1"
        case .runCPUs: "0.1"
        case .runMemory: "32"
        case .runDisk, .runPorts: "0"
        case .runRole: "*"
        case .role, .advertise, .master, .token, .hostname, .resources, .attributes, .region, .zone, .runUser,
            .runTimeout, .plainListen, .seed, .behindNAT, .keyFile, .context:
            nil
        }
    }
}

extension String {
    fileprivate func replacing(_ old: Character, with new: Character) -> String {
        String(map { $0 == old ? new : $0 })
    }
}
