/// The container of a service.
public struct Container: Hashable, Sendable {
    /// Which containerizer's rules apply.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case mesos = "MESOS"
        case docker = "DOCKER"
    }

    /// A parameter of `docker run`.
    public struct Parameter: Hashable, Sendable {
        /// The option's name.
        public var key: String
        /// Its value.
        public var value: String

        /// Makes a parameter.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// An image and what Docker knows beside it.
    public struct Image: Hashable, Sendable {
        /// Its reference.
        public var reference: String
        /// Whether the registry is asked even when the image is there.
        public var forcePull = false
        /// Whether the container is as good as none.
        public var isPrivileged = false
        /// Parameters of `docker run`.
        public var parameters: [Parameter] = []
        /// The name in `secrets` of the credentials for the registry.
        public var pullSecret: String?

        /// Makes an image.
        public init(reference: String) { self.reference = reference }
    }

    /// Which containerizer's rules apply.
    public var kind: Kind
    /// The image; without one, the agent's own files.
    public var image: Image?
    /// Seccomp and shared memory.
    public var linux: LinuxSettings?
    /// What is mounted.
    public var volumes: [Volume] = []
    /// Ports of the container; nil when nothing was said.
    public var portMappings: [PortMapping]?

    /// Makes a container.
    public init(kind: Kind, image: Image? = nil) {
        self.kind = kind
        self.image = image
    }
}

/// Something mounted into a container.
public struct Volume: Hashable, Sendable {
    /// Whether it can be written to.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        case readOnly = "RO"
        case readWrite = "RW"
    }

    /// A volume that outlives its instance; refused until there are such volumes.
    public struct Persistent: Hashable, Sendable {
        /// `root`, `path` or `mount`.
        public var type: String?
        /// MiB.
        public var size: Int
        /// MiB at most, for `mount`.
        public var maxSize: Int?
        /// The profile of the disk.
        public var profileName: String?
        /// Where it may be made: `path` with LIKE or UNLIKE.
        public var constraints: [[String]]

        /// Makes it.
        public init(
            type: String? = nil, size: Int, maxSize: Int? = nil, profileName: String? = nil,
            constraints: [[String]] = []
        ) {
            self.type = type
            self.size = size
            self.maxSize = maxSize
            self.profileName = profileName
            self.constraints = constraints
        }
    }

    /// A volume that somebody else provides; refused until there are such volumes.
    public struct External: Hashable, Sendable {
        /// Its name.
        public var name: String?
        /// Who provides it.
        public var provider: String?
        /// GiB.
        public var size: Int?
        /// For the provider.
        public var options: [String: String]
        /// Whether several instances may use it.
        public var isShared: Bool

        /// Makes it.
        public init(
            name: String? = nil, provider: String? = nil, size: Int? = nil, options: [String: String] = [:],
            isShared: Bool = false
        ) {
            self.name = name
            self.provider = provider
            self.size = size
            self.options = options
            self.isShared = isShared
        }
    }

    /// Where it comes from.
    public enum Source: Hashable, Sendable {
        /// A path of the agent, or relative to the work directory.
        case host(String)
        /// A name of the definition's `secrets`.
        case secret(String)
        /// Outlives the instance.
        case persistent(Persistent)
        /// Somebody else's.
        case external(External)
    }

    /// Where it appears.
    public var containerPath: String
    /// Where it comes from.
    public var source: Source
    /// Whether it can be written to; nil when nothing was said.
    public var mode: Mode?

    /// Makes a volume.
    public init(containerPath: String, source: Source, mode: Mode? = nil) {
        self.containerPath = containerPath
        self.source = source
        self.mode = mode
    }
}
