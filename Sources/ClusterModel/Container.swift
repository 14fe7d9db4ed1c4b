/// What a task's container is beside its command: its image, volumes, networks and rights.
///
/// A task without it runs in the host's own root. Both of Mesos' types mean the same here; they differ in how a command
/// and an image's own entry point go together (see ``Kind``).
public struct ContainerInfo: Hashable, Sendable, Codable {
    /// How the container was described.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// The command is run in the image; without a command the image's entry point and arguments are.
        case mesos = "MESOS"
        /// As `docker run`: a command without a shell gives arguments to the image's entry point.
        case docker = "DOCKER"
    }

    /// Where the network of a container comes from.
    public enum NetworkMode: Hashable, Sendable, Codable {
        /// The host's own network.
        case host
        /// The agent's bridge: an address per container, ports mapped as wanted.
        case bridge
        /// Loopback alone.
        case none
        /// A network of this name, by a CNI configuration of the agent.
        case named(String)
    }

    /// A port of the host that leads to one of the container.
    public struct PortMapping: Hashable, Sendable, Codable {
        /// The host's port; must be among the task's resources.
        public var hostPort: UInt16
        /// The container's port.
        public var containerPort: UInt16
        /// `tcp` or `udp`.
        public var transport: String

        /// Maps a port.
        public init(hostPort: UInt16, containerPort: UInt16, transport: String = "tcp") {
            self.hostPort = hostPort
            self.containerPort = containerPort
            self.transport = transport
        }
    }

    /// A limit of the processes in the container, as setrlimit(2) has it.
    public struct ProcessLimit: Hashable, Sendable, Codable {
        /// The kernel's name without `RLIMIT_`, such as `NOFILE`.
        public var name: String
        /// The soft limit; nil for none.
        public var soft: UInt64?
        /// The hard limit; nil for none.
        public var hard: UInt64?

        /// Limits one resource.
        public init(name: String, soft: UInt64?, hard: UInt64?) {
            self.name = name
            self.soft = soft
            self.hard = hard
        }
    }

    /// A further word for docker's command line, such as `hostname` with a value.
    public struct Parameter: Hashable, Sendable, Codable {
        /// The option without dashes.
        public var key: String
        /// Its value.
        public var value: String

        /// Makes a parameter.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// How the container was described.
    public var kind: Kind
    /// The image, as `registry/repository:tag` or by digest; nil for the host's own root.
    public var image: String?
    /// A secret with a `config.json` as docker keeps it, for the registry; the cluster's own credentials when nil.
    public var pullSecret: TaskSecret?
    /// Whether the registry is asked for a newer image although one of that name is here.
    public var pullsAlways: Bool
    /// What is mounted into the container.
    public var volumes: [ContainerVolume]
    /// Where its network comes from.
    public var network: NetworkMode
    /// Ports of the host that lead into the container; not with the host's network.
    public var portMappings: [PortMapping]
    /// The name that the container sees of its machine.
    public var hostname: String?
    /// Whether it has nearly all that root of the host has; takes a permission.
    public var isPrivileged: Bool
    /// Further words of docker's command line.
    public var parameters: [Parameter]
    /// Limits of its processes.
    public var limits: [ProcessLimit]
    /// The capabilities that its processes may have at most, by the kernel's numbers; nil for the usual ones.
    public var boundingCapabilities: [UInt8]?
    /// The capabilities that its first process has; nil for all of the bounding ones.
    public var effectiveCapabilities: [UInt8]?
    /// Megabytes of `/dev/shm`.
    public var sharedMemory: UInt32?
    /// Whether no filter of system calls is put around it; takes a permission.
    public var isUnfiltered: Bool
    /// Whether it sees the processes of the container that it is nested in.
    public var sharesProcesses: Bool
    /// Whether its command has a terminal.
    public var hasTerminal: Bool
    /// How many characters fit on its terminal at first; nil for what is usual.
    public var terminalSize: TerminalSize?

    /// How many characters fit on a terminal.
    public struct TerminalSize: Hashable, Sendable, Codable {
        /// Lines.
        public var rows: UInt16
        /// Characters of a line.
        public var columns: UInt16

        /// A size.
        public init(rows: UInt16, columns: UInt16) {
            self.rows = rows
            self.columns = columns
        }
    }

    /// Makes a container with what is usual.
    public init(kind: Kind, image: String? = nil) {
        self.kind = kind
        self.image = image
        pullsAlways = false
        volumes = []
        network = .host
        portMappings = []
        isPrivileged = false
        parameters = []
        limits = []
        isUnfiltered = false
        sharesProcesses = false
        hasTerminal = false
    }
}

/// A directory or file that is mounted into a container.
public struct ContainerVolume: Hashable, Sendable, Codable {
    /// What is mounted.
    public enum Source: Hashable, Sendable, Codable {
        /// A path of the host; takes a permission.
        case host(String)
        /// A path below the task's work directory, made when it is missing.
        case work(String)
        /// A path below the work directory of the task group.
        case group(String)
        /// A volume of the agent by name, which outlives the container.
        case named(String)
        /// Memory, at most this many bytes when they are given.
        case memory(bytes: UInt64?)
    }

    /// Where the container sees it; a relative path is one in the work directory.
    public var containerPath: String
    /// Whether the container may not write to it.
    public var isReadOnly: Bool
    /// What is mounted.
    public var source: Source

    /// Makes a volume.
    public init(containerPath: String, isReadOnly: Bool, source: Source) {
        self.containerPath = containerPath
        self.isReadOnly = isReadOnly
        self.source = source
    }
}
