internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import ImageStore

/// `rondo image`.
struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Get, make and look at container images on this machine.",
        discussion: """
            Works on the store of this machine's node (its directory's `images`), also while the node runs, and needs \
            no cluster and no network but for pull. login, logout, logins and cluster are about the cluster: who its \
            agents are at registries, and which images it keeps for them.

              rondo image pull nginx
              rondo image import saved.tar
              rondo image build-from-rootfs --as app:1 --entrypoint /bin/app ./root
              rondo image list
              rondo image prune
            """,
        subcommands: [
            ImagePull.self, ImageImport.self, ImageExport.self, ImageList.self, ImageInspect.self, ImageRemove.self,
            ImagePrune.self, ImageBuild.self, ImageLogin.self, ImageLogout.self, ImageLogins.self, ImageCluster.self,
        ])
}

/// Where the store is, and how results are written.
struct ImageOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The directory of this machine's node. (default: /var/lib/rondo)", valueName: "directory"))
    var data: String?
    @Option(help: ArgumentHelp("How results are written: table or json. (default: table)", valueName: "form"))
    var output: String?
    @OptionGroup var file: ConfigOption

    /// Runs a command on the store; its errors get exit codes.
    func run(_ body: (ImageStore, _ isJSON: Bool) async throws -> Void) async throws {
        try await Self.run(file.load([.data: data, .output: output]), body)
    }

    /// As ``run(_:)``, with settings that are read.
    static func run(
        _ configuration: Configuration, _ body: (ImageStore, _ isJSON: Bool) async throws -> Void
    ) async throws {
        do {
            let store = try ImageStore(root: configuration.path(.data) + "/images")
            try await body(store, configuration.text(.output) == "json")
        } catch let error as ImageError {
            throw ApplianceError(Self.exitCode(error.code), error.message)
        }
    }

    static func exitCode(_ code: ImageError.Code) -> Appliance.ExitCode {
        switch code {
        case .invalidName: .usage
        case .unauthorized: .notPermitted
        case .unreachable: .unavailable
        case .cancelled: .interrupted
        case .invalidContent, .unsupported, .digestMismatch, .hostileLayer, .tooLarge, .notFound, .registry, .inUse,
            .diskFull, .system:
            .failure
        }
    }

    /// A name from the command line.
    static func reference(_ text: String) throws -> ImageReference {
        do throws(ImageError) { return try ImageReference(parsing: text) } catch {
            throw ApplianceError(.usage, error.message)
        }
    }

    static func platform(_ text: String?) throws -> Platform {
        guard let text else { return .own }
        do throws(ImageError) { return try Platform(parsing: text) } catch {
            throw ApplianceError(.usage, error.message)
        }
    }
}

/// `rondo image import`.
struct ImageImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take in images that others have exported.",
        discussion: """
            Reads a directory in OCI's layout, an archive of one, and what `docker save` and `podman save` write, \
            compressed or not.

              rondo image import saved.tar
              rondo image import --as web/app:2 ./layout
              rondo image import --cluster saved.tar

            With --cluster the archive goes to the master, which keeps its images for all nodes of the cluster: they ask
            it before any registry. `rondo image cluster` shows what it keeps.
            """)

    @Argument(help: "A directory or an archive.") var path: String
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("The image's name, when it has none or gets another.", valueName: "name"))
    var name: String?
    @Option(
        help: ArgumentHelp(
            "Which one of an image for several platforms. (default: this machine's)", valueName: "os/arch"))
    var platform: String?
    @Flag(help: "Give the images to the cluster instead of this machine.") var cluster = false
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let reference = try name.map(ImageOptions.reference)
        if cluster {
            guard CatalogUpload.isFile(path) else {
                throw ValidationError("--cluster takes an archive; make one with tar, or with `rondo image export`")
            }
            let query = reference.map { "?as=\(PathText.escaped($0.description))" } ?? ""
            return try await client.withClient { client in
                let bytes = try await CatalogUpload.send(client, "/rondo/v1/catalog/images" + query, path)
                try ImageCluster.show(client, bytes)
            }
        }
        let platform = try ImageOptions.platform(platform)
        try await ImageOptions.run(client.load()) { store, isJSON in
            let images = try await store.importImages(path, as: reference, platform: platform)
            if isJSON { return try ImageText.printJSON(images.map { try ImageText.Document($0, store) }) }
            for image in images { Console.out(ImageText.line(image)) }
        }
    }
}

/// `rondo image export`.
struct ImageExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write an image for others.",
        discussion: """
            rondo image export nginx nginx.tar
            rondo image export nginx --format oci-dir ./layout
            rondo image export nginx --format docker-archive - | docker load
            """)

    @Argument(help: "The image's name or the first digits of its digest.") var image: String
    @Argument(help: "A new file or directory; - is standard output.") var path: String
    @Option(
        help: ArgumentHelp(
            "\(ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")). (default: oci-archive)",
            valueName: "format"))
    var format: String = ExportFormat.ociArchive.rawValue
    @OptionGroup var options: ImageOptions

    func run() async throws {
        guard let format = ExportFormat(rawValue: format) else {
            throw ValidationError(
                "there are the formats \(ExportFormat.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard path != "-" || !Console.isTerminal(STDOUT_FILENO) else {
            throw ValidationError("an archive on a terminal helps nobody; write to a file or a pipe")
        }
        try await options.run { store, _ in
            try await store.export(store.find(image), to: path, format: format)
        }
    }
}

/// `rondo image rm`.
struct ImageRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Take images' names away, and from the disk what only they need.",
        discussion: """
            rondo image rm nginx:1.25 web/app:1
            """)

    @Argument(help: "Names of images.") var names: [String]
    @Flag(help: "Also the name of an image that is used; it stays on the disk for its users.") var force = false
    @OptionGroup var options: ImageOptions

    func run() async throws {
        let references = try names.map(ImageOptions.reference)
        try await options.run { store, isJSON in
            var all = Removed()
            for reference in references {
                let removed = try store.remove(reference, force: force)
                all.blobs += removed.blobs
                all.layers += removed.layers
                all.bytes += removed.bytes
            }
            try ImageText.show(all, isJSON)
        }
    }
}

/// `rondo image prune`.
struct ImagePrune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove from the disk what no image needs, and downloads that broke off.",
        discussion: """
            What runs is never removed.

              rondo image prune
            """)

    @OptionGroup var options: ImageOptions

    func run() async throws {
        try await options.run { store, isJSON in try ImageText.show(store.prune(), isJSON) }
    }
}
