internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import ImageStore
internal import Synchronization

/// `rondo image pull`.
struct ImagePull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Pull images from registries.",
        discussion: """
            A name without a registry is Docker Hub's. A pull that was broken off goes on where it stopped.

              rondo image pull nginx:1.25 registry.example.org/web/app@sha256:…
              rondo image pull --mirror docker.io=mirror.example.org:5000 nginx
              rondo image pull --user robot --password-stdin registry.example.org/web/app < token

            Registries are spoken to by TLS with the authorities that this machine knows; those on this machine itself \
            without. Credentials are also read from $REGISTRY_AUTH_FILE, and from ~/.docker/config.json.
            """)

    @Argument(help: "Names of images.") var names: [String]
    @Option(help: ArgumentHelp("For what platform. (default: this machine's)", valueName: "os/arch")) var platform:
        String?
    @Option(help: ArgumentHelp("Who to be on the registry.", valueName: "user")) var user: String?
    @Flag(help: "Read the user's password or token from standard input.") var passwordStdin = false
    @Option(help: ArgumentHelp("Credentials in the form of docker's config.json.", valueName: "file")) var authFile:
        String?
    @Option(
        help: ArgumentHelp(
            "A registry to try first, in place of another; may come several times.", valueName: "registry=host"))
    var mirror: [String] = []
    @Option(help: ArgumentHelp("Authorities in PEM to trust in place of this machine's.", valueName: "file"))
    var caFile: String?
    @Flag(help: "Speak to these registries without TLS. Everybody on the way can read and change what is pulled.")
    var plainHttp = false
    @Option(help: ArgumentHelp("How long a registry may be silent, in seconds. (default: 30)", valueName: "seconds"))
    var timeout: Int = 30
    @Flag(help: "Ask no registry for what is here already.") var missing = false
    @OptionGroup var options: ImageOptions

    func run() async throws {
        let references = try names.map(ImageOptions.reference)
        var pull = PullOptions()
        pull.platform = try ImageOptions.platform(platform)
        pull.onlyMissing = missing
        guard (1...3_600).contains(timeout) else { throw ValidationError("the timeout is from 1 to 3600 seconds") }
        pull.registry.timeout = .seconds(timeout)
        pull.registry.isPlainAllowed = plainHttp
        pull.registry.authorities = caFile
        for text in mirror {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ValidationError("a mirror is REGISTRY=HOST, such as docker.io=mirror:5000")
            }
            pull.registry.mirrors[parts[0], default: []].append(parts[1])
        }
        if plainHttp { for mirrors in pull.registry.mirrors.values { pull.registry.plain.formUnion(mirrors) } }
        let given = try credential()
        try await options.run { store, isJSON in
            let kept = try RegistryOptions.credentials(authFile)
            var images: [StoredImage] = []
            for reference in references {
                var pull = pull
                pull.registry.credentials = given.map { RegistryCredentials(reference.registry, $0) } ?? kept
                let progress = PullLine(reference.description, isShown: !isJSON && Console.isTerminal(STDERR_FILENO))
                defer { progress.end() }
                let image = try await store.pull(reference, options: pull) { progress.take($0) }
                progress.end()
                if !isJSON { Console.out(ImageText.line(image)) }
                images.append(image)
            }
            if isJSON { try ImageText.printJSON(images.map { try ImageText.Document($0, store) }) }
        }
    }

    private func credential() throws -> RegistryCredential? {
        guard let user else {
            guard !passwordStdin else { throw ValidationError("--password-stdin needs --user") }
            return nil
        }
        guard passwordStdin else { throw ValidationError("--user needs --password-stdin: everybody sees arguments") }
        guard !user.contains(":"), let password = readLine(strippingNewline: true), !password.isEmpty else {
            throw ValidationError("the user has no colon and the password is not empty")
        }
        return RegistryCredential(user: user, password: password)
    }

}

/// How a command speaks to registries.
struct RegistryOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Credentials in the form of docker's config.json.", valueName: "file"))
    var authFile: String?
    @Option(help: ArgumentHelp("Authorities in PEM to trust in place of this machine's.", valueName: "file"))
    var caFile: String?
    @Option(
        name: .customLong("plain-http"),
        help: ArgumentHelp("A registry to speak to without TLS; may come several times.", valueName: "host"))
    var plain: [String] = []

    /// The settings that they make.
    func settings() throws -> RegistrySettings {
        var settings = RegistrySettings()
        do { settings.credentials = try Self.credentials(authFile) } catch let error as ImageError {
            throw ApplianceError(.usage, error.message)
        }
        settings.authorities = caFile
        settings.plain = Set(plain)
        return settings
    }

    /// The credentials of a file, of the one that the environment names, or of docker's.
    static func credentials(_ file: String?) throws -> RegistryCredentials {
        let variables = ProcessEnvironment.variables()
        if let path = file ?? variables["REGISTRY_AUTH_FILE"] { return try RegistryCredentials(file: path) }
        guard let home = variables["HOME"], access(home + "/.docker/config.json", R_OK) == 0 else {
            return RegistryCredentials()
        }
        return try RegistryCredentials(file: home + "/.docker/config.json")
    }
}

/// One line of a terminal that shows how far a pull is.
private final class PullLine: Sendable {
    private struct State {
        var layers = 0
        var unpacked = 0
        var total: Int64 = 0
        var received: Int64 = 0
        var shown = ContinuousClock.now - .seconds(1)
        var isDrawn = false
    }

    private let state = Mutex(State())
    private let name: String
    private let isShown: Bool

    init(_ name: String, isShown: Bool) {
        self.name = name
        self.isShown = isShown
    }

    func take(_ progress: PullProgress) {
        guard isShown else { return }
        let line = state.withLock { state -> String? in
            switch progress {
            case .found(let layers, let bytes): (state.layers, state.total) = (layers, bytes)
            case .received(let bytes): state.received += bytes
            case .unpacked: state.unpacked += 1
            }
            // Ten times a second is as much as anybody sees.
            guard ContinuousClock.now - state.shown >= .milliseconds(100) else { return nil }
            state.shown = .now
            state.isDrawn = true
            let share = state.total > 0 ? Double(min(state.received, state.total)) / Double(state.total) : 1
            let filled = Int((share * 20).rounded())
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
            let amounts = "\(ImageText.bytes(state.received)) of \(ImageText.bytes(state.total))"
            return "\(name) [\(bar)] \(amounts), \(state.unpacked) of \(state.layers) layers unpacked"
        }
        if let line { Console.write(bytes: Array("\r\u{1B}[K\(TextTable.clean(line))".utf8), to: STDERR_FILENO) }
    }

    func end() {
        let wasDrawn = state.withLock { state in
            defer { state.isDrawn = false }
            return state.isDrawn
        }
        if wasDrawn { Console.write(bytes: Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
    }
}
