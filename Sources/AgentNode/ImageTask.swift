public import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// An image as a machine has it, ready for a container.
public struct ProvidedImage: Sendable {
    /// Directories of its layers, the topmost first.
    public var layers: [String]
    /// What is executed, before the command's own arguments.
    public var entrypoint: [String]
    /// What is executed after the entry point when the task says nothing.
    public var command: [String]
    /// `NAME=VALUE` each.
    public var environment: [String]
    /// A name or number, with a group behind a colon; empty for root.
    public var user: String
    /// Where the command starts; empty for the root.
    public var workingDirectory: String

    /// Describes an image.
    public init(
        layers: [String], entrypoint: [String] = [], command: [String] = [], environment: [String] = [],
        user: String = "", workingDirectory: String = ""
    ) {
        self.layers = layers
        self.entrypoint = entrypoint
        self.command = command
        self.environment = environment
        self.user = user
        self.workingDirectory = workingDirectory
    }
}

/// Where an agent has images from.
public protocol ImageProvider: Sendable {
    /// Has an image on this machine, and keeps it there until the container is released.
    ///
    /// - Parameters:
    ///   - reference: its name.
    ///   - isFresh: whether the registry is asked although an image of that name is here.
    ///   - container: who needs it.
    /// - Returns: the image.
    /// - Throws: why it cannot be had, in words for people.
    func provide(_ reference: String, isFresh: Bool, for container: ContainerID) async throws -> ProvidedImage

    /// Forgets that a container needs its image.
    func release(_ container: ContainerID)
}

/// The images that were provided for containers which have not started yet.
final class ProvidedImages: Sendable {
    private let images = Mutex<[ContainerID: ProvidedImage]>([:])

    func put(_ image: ProvidedImage, for container: ContainerID) { images.withLock { $0[container] = image } }
    func take(_ container: ContainerID) -> ProvidedImage? { images.withLock { $0.removeValue(forKey: container) } }
}

/// Turns what a task says of its container, and what its image says, into a root and a command.
struct ImageTask {
    /// Where a container sees the task's work directory, as in Mesos.
    static let workPlace = "/mnt/mesos/sandbox"
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    let task: StoredTaskFacts
    let container: ContainerInfo
    let image: ProvidedImage
    /// Of the container alone; goes with the task's files.
    let directory: String
    /// Where the agent keeps volumes that have names.
    let volumeRoot: String
    let hostRoot: AccountDatabase

    /// What of a stored task is used here.
    struct StoredTaskFacts {
        var command: CommandInfo
        var launchUser: String
        var workDirectory: String
        var containerID: String
    }

    /// A word behind an option of docker's command line.
    private func parameters(_ key: String) -> [String] { container.parameters.filter { $0.key == key }.map(\.value) }

    // MARK: the command

    /// The argument vector: docker puts the command's arguments behind the image's entry point, Mesos replaces it.
    func arguments() throws(TaskError) -> [String] {
        let command = task.command
        if command.isShell, let line = command.value, !line.isEmpty { return ["/bin/sh", "-c", line] }
        var entrypoint = image.entrypoint
        if let own = parameters("entrypoint").last { entrypoint = own.isEmpty ? [] : [own] }
        if let program = command.value, !program.isEmpty {
            // `arguments` begins with the program's own name.
            let rest = Array(command.arguments.dropFirst())
            return container.kind == .docker && !entrypoint.isEmpty && command.arguments.isEmpty
                ? entrypoint + [program] : [program] + rest
        }
        let given = command.arguments.isEmpty ? image.command : command.arguments
        guard !(entrypoint + given).isEmpty else {
            throw TaskError("neither the task nor the image \(container.image ?? "") names a command")
        }
        return entrypoint + given
    }

    /// The image's variables, then Mesos' own, then those of the task's command.
    func environment(_ mesos: [(name: String, value: String)], home: String?) -> [(name: String, value: String)] {
        var all: [(name: String, value: String)] = [("PATH", Self.path)]
        func put(_ name: String, _ value: String) {
            all.removeAll { $0.name == name }
            all.append((name, value))
        }
        for pair in image.environment + parameters("env") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if let name = parts.first, !name.isEmpty { put(String(name), parts.count > 1 ? String(parts[1]) : "") }
        }
        if let home, !all.contains(where: { $0.name == "HOME" }) { put("HOME", home) }
        for variable in mesos where !["PATH", "HOME", "USER", "LOGNAME", "PWD"].contains(variable.name) {
            put(variable.name, variable.value)
        }
        put("MESOS_SANDBOX", Self.workPlace)
        put("MESOS_DIRECTORY", Self.workPlace)
        for variable in task.command.environment where variable.secret == nil { put(variable.name, variable.value) }
        return all
    }

    var workingDirectory: String {
        if let own = parameters("workdir").last, own.hasPrefix("/") { return own }
        if image.workingDirectory.hasPrefix("/") { return image.workingDirectory }
        return container.kind == .mesos ? Self.workPlace : "/"
    }

    // MARK: the user

    /// Who runs the command: the task's user by the image's own accounts; else, where the framework may be root, the
    /// image's user; else the framework's user by this machine's accounts.
    func account() throws(TaskError) -> (credentials: MonitorSpec.Credentials, home: String?) {
        let inside = accounts()
        if let wanted = parameters("user").last ?? task.command.user { return try account(wanted, inside) }
        if task.launchUser == "root" || task.launchUser == "0" || task.launchUser.isEmpty {
            return try account(image.user.isEmpty ? "0" : image.user, inside)
        }
        do throws(AccountDatabase.LookupError) {
            return (try hostRoot.credentials(of: task.launchUser), nil)
        } catch { throw TaskError(error.description) }
    }

    private func account(
        _ text: String, _ inside: AccountDatabase
    ) throws(TaskError) -> (credentials: MonitorSpec.Credentials, home: String?) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let name = parts.first else { throw TaskError("the user '\(text)' has no name") }
        var credentials: MonitorSpec.Credentials
        do throws(AccountDatabase.LookupError) { credentials = try inside.credentials(of: name) } catch {
            throw TaskError("user '\(name)' is not in the image's /etc/passwd; give a numeric user id")
        }
        if parts.count > 1 {
            guard let gid = inside.groups.first(where: { $0.name == parts[1] })?.gid ?? UInt32(parts[1]) else {
                throw TaskError("group '\(parts[1])' is not in the image's /etc/group; give a number")
            }
            credentials.gid = gid
            credentials.groups = [gid]
        }
        return (credentials, inside.user(name)?.home)
    }

    /// The image's accounts: each file from the topmost layer that has it. What is in a layer leads nowhere: a link is
    /// not followed.
    private func accounts() -> AccountDatabase {
        func text(_ name: String) -> String {
            for layer in image.layers {
                guard
                    let directory = try? FileDescriptor.open(
                        "\(layer)/etc", flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
                    let file = try? directory.open(at: name, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                else { continue }
                var facts = stat()
                guard fstat(file.raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return "" }
                var bytes = [UInt8](repeating: 0, count: min(Int(facts.st_size), 1 << 20))
                let count = read(file.raw, &bytes, bytes.count)
                return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
            }
            return ""
        }
        return AccountDatabase(passwd: text("passwd"), group: text("group"))
    }

    // MARK: the root

    func root() throws(TaskError) -> ImageRoot {
        var root = ImageRoot(layers: image.layers, changes: "\(directory)/root")
        root.isReadOnly = parameters("read-only").contains { $0 != "false" }
        root.isPrivileged = container.isPrivileged || parameters("privileged").contains("true")
        root.isFiltered = !container.isUnfiltered
        root.hasOwnNetwork = container.network != .host
        root.hostname =
            parameters("hostname").last ?? container.hostname
            ?? (root.hasOwnNetwork ? String(task.containerID.prefix(12)) : nil)
        root.capabilities = capabilities()
        if let megabytes = container.sharedMemory { root.sharedMemoryBytes = UInt64(megabytes) << 20 }
        root.mounts = [
            ImageRoot.Mount(destination: Self.workPlace, source: .path(task.workDirectory))
        ]
        if !root.hasOwnNetwork {
            // What it sees of the network is the host's, so it finds names as the host does.
            for file in ["/etc/resolv.conf", "/etc/hosts"] where access(file, R_OK) == 0 {
                root.mounts.append(ImageRoot.Mount(destination: file, source: .path(file), isReadOnly: true))
            }
        }
        for volume in container.volumes { root.mounts.append(try mount(volume)) }
        for text in parameters("tmpfs") {
            let place = String(text.prefix { $0 != ":" })
            guard place.hasPrefix("/") else { throw TaskError("the parameter tmpfs must be an absolute path") }
            root.mounts.append(ImageRoot.Mount(destination: place, source: .memory(bytes: 64 << 20)))
        }
        for text in parameters("volume") { root.mounts.append(try mount(word: text)) }
        return root
    }

    private func capabilities() -> ImageRoot.Capabilities? {
        func bits(_ numbers: some Sequence<UInt8>) -> UInt64 {
            numbers.reduce(0) { $1 < 64 ? $0 | 1 << UInt64($1) : $0 }
        }
        var bounding = container.boundingCapabilities.map { bits($0) } ?? bits(ContainerInfo.usualCapabilities)
        let effective = container.effectiveCapabilities.map { bits($0) }
        let words = parameters("cap-add") + parameters("cap-drop")
        guard container.boundingCapabilities != nil || effective != nil || !words.isEmpty else { return nil }
        for word in parameters("cap-drop") { bounding &= ~mask(word) }
        for word in parameters("cap-add") { bounding |= mask(word) }
        return ImageRoot.Capabilities(bounding: bounding | (effective ?? 0), effective: effective ?? bounding)
    }

    private func mask(_ word: String) -> UInt64 {
        let name = word.uppercased()
        if name == "ALL" { return .max }
        let full = name.hasPrefix("CAP_") ? name : "CAP_" + name
        return Capability.number(of: full).map { 1 << UInt64($0) } ?? 0
    }

    private func mount(_ volume: ContainerVolume) throws(TaskError) -> ImageRoot.Mount {
        let place =
            volume.containerPath.hasPrefix("/") ? volume.containerPath : "\(Self.workPlace)/\(volume.containerPath)"
        let source: ImageRoot.Mount.Source
        switch volume.source {
        case .host(let path): source = .path(path)
        case .work(let path), .group(let path):
            let whole = "\(task.workDirectory)/\(path)"
            try make(whole)
            source = .path(whole)
        case .named(let name):
            let whole = "\(volumeRoot)/\(name)"
            try make(whole)
            source = .path(whole)
        case .memory(let bytes): source = .memory(bytes: bytes ?? 64 << 20)
        }
        return ImageRoot.Mount(destination: place, source: source, isReadOnly: volume.isReadOnly)
    }

    /// `SOURCE:DESTINATION[:ro]`.
    private func mount(word: String) throws(TaskError) -> ImageRoot.Mount {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), parts[1].hasPrefix("/"), !parts[0].isEmpty, !parts[0].contains("..") else {
            throw TaskError("the parameter volume must be SOURCE:DESTINATION or SOURCE:DESTINATION:ro")
        }
        let source: ContainerVolume.Source = parts[0].hasPrefix("/") ? .host(parts[0]) : .named(parts[0])
        return try mount(
            ContainerVolume(
                containerPath: parts[1], isReadOnly: parts.count > 2 && parts[2].split(separator: ",").contains("ro"),
                source: source))
    }

    private func make(_ path: String) throws(TaskError) {
        do throws(SystemError) { try makeDirectories(path, mode: 0o777) } catch {
            throw TaskError("a volume's directory cannot be made: \(error)")
        }
    }
}
