internal import FoundationEssentials

/// How the processes of an image are to be run, and what it was made for.
public struct ImageConfig: Hashable, Sendable {
    /// The program and its first arguments; what follows is ``cmd`` or what a user gives.
    public var entrypoint: [String] = []
    /// The arguments when none are given.
    public var cmd: [String] = []
    /// Variables, each `NAME=VALUE`.
    public var env: [String] = []
    /// `USER`, `USER:GROUP`, by names of the image's own files or by numbers; empty for root.
    public var user = ""
    /// Where the program starts; empty for the root.
    public var workingDirectory = ""
    /// Ports that it listens on, such as `80/tcp`, sorted.
    public var exposedPorts: [String] = []
    /// Paths whose data should outlive the container, sorted.
    public var volumes: [String] = []
    /// Such as `SIGQUIT`; `nil` for SIGTERM.
    public var stopSignal: String?
    /// Remarks.
    public var labels: [String: String] = [:]
    /// What it was made for.
    public var platform = Platform.own
    /// The digests of the layers before compression, the lowest first.
    public var diffIDs: [Digest] = []

    /// The longest that the document may be.
    static let sizeLimit = 4 << 20

    /// An empty configuration for this machine.
    public init() {}

    /// Reads a configuration strictly.
    ///
    /// - Parameter bytes: the document.
    /// - Throws: ``ImageError`` of code `image.invalid-content`.
    init(parsing bytes: [UInt8]) throws(ImageError) {
        guard bytes.count <= Self.sizeLimit else {
            throw ImageError(.tooLarge, "the image's configuration has more than \(Self.sizeLimit) bytes")
        }
        let document = try parseJSON(Document.self, bytes, "the image's configuration")
        guard document.rootfs.type == "layers" else { throw Self.invalid("its root is not of layers") }
        guard document.rootfs.diffIDs.count <= ImageDocument.layerLimit else {
            throw Self.invalid("it has too many layers")
        }
        let inner = document.config ?? Document.Config()
        entrypoint = inner.entrypoint ?? []
        cmd = inner.cmd ?? []
        env = inner.env ?? []
        user = inner.user ?? ""
        workingDirectory = inner.workingDir ?? ""
        exposedPorts = (inner.exposedPorts ?? [:]).keys.sorted()
        volumes = (inner.volumes ?? [:]).keys.sorted()
        stopSignal = inner.stopSignal.flatMap { $0.isEmpty ? nil : $0 }
        labels = inner.labels ?? [:]
        platform = Platform(os: document.os, architecture: document.architecture, variant: document.variant)
        diffIDs = document.rootfs.diffIDs
        try check()
    }

    /// What would otherwise be found much later, where it is harder to say why.
    private func check() throws(ImageError) {
        let texts = entrypoint + cmd + env + volumes + [user, workingDirectory, stopSignal ?? ""]
        guard texts.allSatisfy({ !$0.utf8.contains(0) }) else { throw Self.invalid("it has a NUL byte") }
        guard env.allSatisfy({ !$0.hasPrefix("=") && !$0.isEmpty }) else {
            throw Self.invalid("a variable has no name")
        }
        guard env.count <= 4_096, volumes.count <= 1_024, exposedPorts.count <= 65_536 else {
            throw Self.invalid("it has too many variables, volumes or ports")
        }
        guard volumes.allSatisfy({ $0.hasPrefix("/") }) else { throw Self.invalid("a volume has no absolute path") }
        for port in exposedPorts {
            let parts = port.split(separator: "/", omittingEmptySubsequences: false)
            let ends = (parts.first ?? "").split(separator: "-", omittingEmptySubsequences: false)
            let isRight = ends.allSatisfy { (1...65_535).contains(Int($0) ?? 0) } && (1...2).contains(ends.count)
            guard isRight, parts.count == 1 || (parts.count == 2 && ["tcp", "udp", "sctp"].contains(parts[1])) else {
                throw Self.invalid("\"\(port.prefix(40))\" is no port")
            }
        }
    }

    private static func invalid(_ reason: String) -> ImageError {
        ImageError(.invalidContent, "the image's configuration is not valid: \(reason)")
    }

    /// The document of this configuration, in OCI's form and without times, so that the same content has the same
    /// digest.
    func encoded() throws(ImageError) -> [UInt8] {
        let inner = Document.Config(
            user: user.isEmpty ? nil : user,
            exposedPorts: exposedPorts.isEmpty
                ? nil : Dictionary(uniqueKeysWithValues: Set(exposedPorts).map { ($0, .init()) }),
            env: env.isEmpty ? nil : env,
            entrypoint: entrypoint.isEmpty ? nil : entrypoint,
            cmd: cmd.isEmpty ? nil : cmd,
            volumes: volumes.isEmpty ? nil : Dictionary(uniqueKeysWithValues: Set(volumes).map { ($0, .init()) }),
            workingDir: workingDirectory.isEmpty ? nil : workingDirectory,
            labels: labels.isEmpty ? nil : labels, stopSignal: stopSignal)
        return try writeJSON(
            Document(
                os: platform.os, architecture: platform.architecture, variant: platform.variant, config: inner,
                rootfs: .init(type: "layers", diffIDs: diffIDs)))
    }

    private struct Document: Codable {
        struct Empty: Codable {}

        struct Config: Codable {
            var user: String?
            var exposedPorts: [String: Empty]?
            var env: [String]?
            var entrypoint: [String]?
            var cmd: [String]?
            var volumes: [String: Empty]?
            var workingDir: String?
            var labels: [String: String]?
            var stopSignal: String?

            enum CodingKeys: String, CodingKey {
                case user = "User"
                case exposedPorts = "ExposedPorts"
                case env = "Env"
                case entrypoint = "Entrypoint"
                case cmd = "Cmd"
                case volumes = "Volumes"
                case workingDir = "WorkingDir"
                case labels = "Labels"
                case stopSignal = "StopSignal"
            }
        }

        struct Root: Codable {
            var type: String
            var diffIDs: [Digest]

            enum CodingKeys: String, CodingKey {
                case type
                case diffIDs = "diff_ids"
            }
        }

        var os: String
        var architecture: String
        var variant: String?
        var config: Config?
        var rootfs: Root
    }
}
