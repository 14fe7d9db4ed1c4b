internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// Turns what a task says of its container, and what its image says, into a command and a root.
struct ImageTask {
    /// Where a container sees the task's work directory, as in Mesos.
    static let workPlace = "/mnt/mesos/sandbox"
    /// Where a container sees its secrets, in memory.
    static let secretPlace = "/mnt/mesos/secrets"
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    let command: CommandInfo
    /// The framework's user.
    let launchUser: String
    /// The task's, on the host.
    let workDirectory: String
    /// What it shares with other tasks, on the host.
    var groupDirectory: String?
    let containerID: ContainerID
    let container: ContainerInfo
    let image: ProvidedImage
    /// Of the container alone; goes with the task's files.
    let directory: String
    /// Where the agent keeps volumes that have names.
    let volumeRoot: String
    let hostAccounts: AccountDatabase

    /// The words behind an option of docker's command line.
    func parameters(_ key: String) -> [String] { container.parameters.filter { $0.key == key }.map(\.value) }

    // MARK: the command

    /// The program and its argument vector, by the rules of Mesos' two containerizers.
    func program() throws(TaskError) -> (executable: String, arguments: [String]) {
        if command.isShell, let line = command.value, !line.isEmpty { return ("/bin/sh", ["/bin/sh", "-c", line]) }
        let value = command.value.flatMap { $0.isEmpty ? nil : $0 }
        let all = container.kind == .docker ? dockerArguments(value) : mesosArguments(value)
        guard let first = all.first, !first.isEmpty else {
            throw TaskError("neither the task nor the image \(container.image ?? "") names a command")
        }
        // Only here an argument vector may begin with another name than the program's.
        return (container.kind == .mesos ? value ?? first : first, all)
    }

    /// As `docker run`: what the task says are arguments of the image's entry point.
    private func dockerArguments(_ value: String?) -> [String] {
        let given = (value.map { [$0] } ?? []) + command.arguments
        // With another entry point docker forgets the image's arguments.
        if let own = parameters("entrypoint").last { return (own.isEmpty ? [] : [own]) + given }
        return image.entrypoint + (given.isEmpty ? image.command : given)
    }

    /// As Mesos' own: a program in the task replaces the image's, arguments alone are added to it.
    private func mesosArguments(_ value: String?) -> [String] {
        if let value { return command.arguments.isEmpty ? [value] : command.arguments }
        // Where the image names nothing, Mesos refuses; here the arguments are the command.
        if image.entrypoint.isEmpty { return image.command + command.arguments }
        return image.entrypoint + (command.arguments.isEmpty ? image.command : command.arguments)
    }

    /// The image's variables, then Mesos' own, then those of the task's command.
    ///
    /// - Parameters:
    ///   - mesos: what a task in the host's root would get.
    ///   - home: the user's, by the image.
    ///   - hostname: of the container, if it has one of its own.
    /// - Returns: each name once.
    func environment(
        _ mesos: [(name: String, value: String)], home: String?, hostname: String?
    ) -> [(name: String, value: String)] {
        var all: [(name: String, value: String)] = [("PATH", Self.path)]
        func put(_ name: String, _ value: String) {
            if let index = all.firstIndex(where: { $0.name == name }) {
                all[index].value = value
            } else {
                all.append((name, value))
            }
        }
        if let hostname { put("HOSTNAME", hostname) }
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
        for variable in command.environment where variable.secret == nil { put(variable.name, variable.value) }
        return all
    }

    /// Where the command starts.
    var workingDirectory: String {
        if let own = parameters("workdir").last, own.hasPrefix("/") { return own }
        if image.workingDirectory.hasPrefix("/") { return image.workingDirectory }
        return container.kind == .mesos ? Self.workPlace : "/"
    }

    // MARK: the user

    /// Whether the framework may run tasks as root, which the master has looked at.
    var mayBeRoot: Bool { ["root", "0"].contains(launchUser) || ["root", "0"].contains(command.user ?? "") }

    /// Who runs the command: the task's user by the image's accounts, else by this machine's; without one the image's
    /// where the framework may be root, else the framework's.
    func account() throws(TaskError) -> (credentials: MonitorSpec.Credentials, home: String?) {
        let inside = imageAccounts()
        if let wanted = parameters("user").last ?? command.user { return try account(wanted, [inside, hostAccounts]) }
        if ["root", "0"].contains(launchUser) {
            return try account(image.user.isEmpty ? "0" : image.user, [inside], mayBeRoot: true)
        }
        return try account(launchUser, [hostAccounts, inside])
    }

    private func account(
        _ text: String, _ databases: [AccountDatabase], mayBeRoot: Bool = false
    ) throws(TaskError) -> (credentials: MonitorSpec.Credentials, home: String?) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.first, !name.isEmpty else { throw TaskError("the user '\(text)' has no name") }
        let known = databases.first { $0.user(name) != nil } ?? databases[0]
        var credentials: MonitorSpec.Credentials
        do throws(AccountDatabase.LookupError) { credentials = try known.credentials(of: name) } catch {
            throw TaskError("user '\(name)' is not in the image's /etc/passwd; give a numeric user id")
        }
        // Who may run tasks as somebody may not become root because an image says that this is the same.
        guard credentials.uid != 0 || mayBeRoot || name == "root" || name == "0" else {
            throw TaskError("user '\(name)' is root in the image; name the user root if that is meant")
        }
        if parts.count > 1 {
            guard let gid = known.groups.first(where: { $0.name == parts[1] })?.gid ?? UInt32(parts[1]), gid != .max
            else { throw TaskError("group '\(parts[1])' is not in the image's /etc/group; give a number") }
            credentials.gid = gid
            credentials.groups = [gid]
        }
        return (credentials, databases[0].user(name)?.home)
    }

    /// The image's accounts: each file from the topmost layer that has it. What is in a layer leads nowhere: a link is
    /// not followed.
    private func imageAccounts() -> AccountDatabase {
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
}
