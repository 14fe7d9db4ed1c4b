internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo package install`.
struct PackageInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Install a package: it becomes a service.",
        discussion: """
            Waits until the service runs and says what it waits for.

              rondo package install redis
              rondo package install redis --set service.name=cache --set redis.max_memory=512
              rondo package install postgresql --options options.json --app-id /shop/db
              rondo package install redis --dry-run           the app that it would become
            """)

    @Argument(help: "The package.") var package: String
    @Option(help: ArgumentHelp("A version. (default: the newest)", valueName: "version")) var packageVersion: String?
    @Option(help: ArgumentHelp("What the service is called. (default: as the package says)", valueName: "id"))
    var appId: String?
    @OptionGroup var options: PackageOptionsGiven
    @Flag(help: "Only show the app that it would become.") var dryRun = false
    @Flag(name: .shortAndLong, help: "Do not wait until it runs.") var detach = false
    @OptionGroup var client: ClientOptions

    func run() async throws {
        var body = PackageDescribe.wanted(package, packageVersion)
        if let options = try options.read() { body["options"] = options }
        if let appId { body["appId"] = .text(ServiceClient.full(appId)) }
        let wanted = body
        try await client.withClient { client in
            let catalog = CatalogClient(client)
            if dryRun {
                let bytes = try await catalog.ask("package.render", wanted)
                let app = try JSONValue(parsing: bytes)["marathonJson"] ?? .null
                return Console.out(String(decoding: try app.encoded(), as: UTF8.self))
            }
            if !client.isJSON { try await announce(catalog) }
            let bytes = try await catalog.ask("package.install", wanted, version: 2)
            let installed = try catalog.decode(PackageInstalled.self, bytes)
            if let id = installed.appId, !detach { try await follow(client, id) }
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            if let notes = installed.postInstallNotes { Console.note(PackageDescribe.lines(notes)) }
            Console.out(installed.appId ?? installed.packageName)
        }
    }

    private func announce(_ catalog: CatalogClient) async throws {
        let found = try await catalog.read(
            PackageDescribed.self, "package.describe", PackageDescribe.wanted(package, packageVersion), version: 3
        ).package
        Console.note(TextTable.clean("installing \(found.name) \(found.version)"))
        if let notes = found.preInstallNotes { Console.note(PackageDescribe.lines(notes)) }
    }

    private func follow(_ client: ClusterClient, _ id: String) async throws {
        let services = ServiceClient(client)
        let deployment = try await services.service(id).service.deployments?.first?.id ?? ""
        var watch = DeploymentWatch(services: services, id: deployment, names: [id])
        try await watch.end()
    }
}

/// `rondo package update`.
struct PackageUpdate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change the version or the options of an installed package.",
        discussion: """
            Options that are not given stay as they were installed; --replace goes back to the defaults for them.

              rondo package update /redis --package-version 7.0.16
              rondo package update /redis --set redis.max_memory=1024
            """)

    @Argument(help: "The service, as `rondo package list` shows it.") var service: String
    @Option(help: ArgumentHelp("The version to go to. (default: the present one)", valueName: "version"))
    var packageVersion: String?
    @OptionGroup var options: PackageOptionsGiven
    @Flag(help: "Forget the options that it was installed with.") var replace = false
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        var body: [String: JSONValue] = ["appId": .text(ServiceClient.full(service)), "replace": .bool(replace)]
        if let packageVersion { body["packageVersion"] = .text(packageVersion) }
        let given = try options.read()
        if let given { body["options"] = given }
        guard packageVersion != nil || given != nil || replace else {
            throw ValidationError("say what shall change: --package-version, --set, --options or --replace")
        }
        let wanted = body
        try await client.withClient { client in
            let updated = try await CatalogClient(client).read(PackageUpdated.self, "service.update", wanted)
            try await deployment.follow(
                ServiceClient(client), DeploymentBegun(deploymentId: updated.marathonDeploymentId),
                [ServiceClient.full(service)])
        }
    }
}
