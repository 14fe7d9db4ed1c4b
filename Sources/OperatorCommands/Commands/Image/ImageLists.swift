internal import Appliance
internal import ArgumentParser
internal import ImageStore

/// `rondo image list`.
struct ImageList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the images of this machine, and what they take of its disk.",
        discussion: """
            rondo image list
            rondo image list --output json
            """)

    @OptionGroup var options: ImageOptions

    func run() async throws {
        try await options.run { store, isJSON in
            let images = try store.list()
            if isJSON { return try ImageText.printJSON(images.map { try ImageText.Document($0, store) }) }
            Console.out(ImageText.table(images, try store.usage()))
        }
    }
}

/// `rondo image inspect`.
struct ImageInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what an image is and how it runs.",
        discussion: """
            rondo image inspect nginx
            rondo image inspect 3f2a9c --output json
            """)

    @Argument(help: "The image's name or the first digits of its digest.") var image: String
    @Flag(help: "Only the directories of its layers, the topmost first, as overlay's lowerdir has them.") var layers =
        false
    @OptionGroup var options: ImageOptions

    func run() async throws {
        try await options.run { store, isJSON in
            let image = try store.find(image)
            if layers {
                let paths = try await store.layers(of: image)
                return isJSON ? try ImageText.printJSON(paths) : Console.out(paths.joined(separator: "\n"))
            }
            if isJSON { return try ImageText.printJSON(ImageText.Document(image, store)) }
            Console.out(ImageText.details(image, try store.users(of: image)))
        }
    }
}

/// `rondo image build-from-rootfs`.
struct ImageBuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build-from-rootfs",
        abstract: "Make an image of one layer of a root file system.",
        discussion: """
            Sockets, devices and what is mounted below a directory are left out. The same files give the same image.

              mmdebstrap --include=nginx stable root.tar
              rondo image build-from-rootfs root.tar --as nginx:own --cmd nginx --cmd "-g" --cmd "daemon off;" \\
                --expose 80/tcp --stop-signal SIGQUIT
            """)

    @Argument(help: "A directory, or a tar archive, compressed or not.") var path: String
    @Option(name: .customLong("as"), help: ArgumentHelp("The image's name.", valueName: "name")) var name: String
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A word of the entrypoint; may come several times.", valueName: "word"))
    var entrypoint: [String] = []
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A word of the command; may come several times.", valueName: "word"))
    var cmd: [String] = []
    @Option(help: ArgumentHelp("A variable; may come several times.", valueName: "NAME=VALUE")) var env: [String] = []
    @Option(help: ArgumentHelp("Who runs it. (default: root)", valueName: "user[:group]")) var user: String = ""
    @Option(help: ArgumentHelp("Where it starts. (default: /)", valueName: "directory")) var workdir: String = ""
    @Option(help: ArgumentHelp("A port that it listens on; may come several times.", valueName: "port/tcp")) var expose:
        [String] = []
    @Option(
        help: ArgumentHelp("A path whose data should outlive the container; may come several times.", valueName: "path")
    )
    var volume: [String] = []
    @Option(help: ArgumentHelp("A remark; may come several times.", valueName: "key=value")) var label: [String] = []
    @Option(help: ArgumentHelp("What ends it. (default: SIGTERM)", valueName: "signal")) var stopSignal: String?
    @Option(help: ArgumentHelp("What it is made for. (default: this machine's)", valueName: "os/arch")) var platform:
        String?
    @OptionGroup var options: ImageOptions

    func run() async throws {
        let reference = try ImageOptions.reference(name)
        let config = try config()
        try await options.run { store, isJSON in
            let image = try await store.build(fromRoot: path, config: config, as: reference)
            if isJSON { return try ImageText.printJSON(ImageText.Document(image, store)) }
            Console.out(ImageText.line(image))
        }
    }

    private func config() throws -> ImageConfig {
        var config = ImageConfig()
        config.entrypoint = entrypoint
        config.cmd = cmd
        config.user = user
        config.exposedPorts = expose.sorted()
        config.volumes = volume.sorted()
        config.stopSignal = stopSignal
        config.platform = try ImageOptions.platform(platform)
        guard env.allSatisfy({ $0.contains("=") && !$0.hasPrefix("=") }) else {
            throw ValidationError("a variable is NAME=VALUE")
        }
        config.env = env
        guard workdir.isEmpty || workdir.hasPrefix("/") else {
            throw ValidationError("the directory of --workdir is an absolute path")
        }
        config.workingDirectory = workdir
        for text in label {
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw ValidationError("a label is key=value")
            }
            config.labels[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return config
    }
}
