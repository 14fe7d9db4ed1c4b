internal import Appliance
internal import ArgumentParser

/// `rondo package`.
struct PackageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package",
        abstract: "Find packages, and install, update and uninstall them as services.",
        discussion: """
            rondo package search
            rondo package describe redis
            rondo package options redis
            rondo package install redis --set service.name=cache --set redis.max_memory=512
            rondo package list
            rondo package uninstall redis

            Packages are in the format of DC/OS' Universe; `rondo catalog` says where they come from.
            """,
        subcommands: [
            PackageSearch.self, PackageDescribe.self, PackageOptionsCommand.self, PackageInstall.self,
            PackageList.self, PackageUpdate.self, PackageUninstall.self,
        ])
}

/// `rondo package search`.
struct PackageSearch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find packages by name, tag or description.",
        discussion: """
            rondo package search                 all of them
            rondo package search database
            rondo package search 'post*'
            """)

    @Argument(help: "A word, or a pattern with *.") var query: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let catalog = CatalogClient(client)
            let bytes = try await catalog.ask("package.search", query.map { ["query": .text($0)] } ?? [:])
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let found = try catalog.decode(PackagesFound.self, bytes).packages
            guard !found.isEmpty else {
                throw ApplianceError(
                    .failure, "no package matches '\(query ?? "")'; `rondo package search` shows all of them")
            }
            var table = TextTable("PACKAGE", "VERSION", "DESCRIPTION")
            for package in found { table.add(package.name, package.currentVersion, Self.short(package.description)) }
            Console.out(table.text)
        }
    }

    /// The first sentence, and not more than fits beside the rest.
    static func short(_ text: String) -> String {
        let line = text.split(separator: "\n").first.map(String.init) ?? ""
        let sentence = line.firstRange(of: ". ").map { String(line[..<$0.lowerBound]) } ?? line
        return sentence.count <= 80 ? sentence : sentence.prefix(79) + "…"
    }
}

/// `rondo package describe`.
struct PackageDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Show what a package is, and which versions of it there are.",
        discussion: """
            rondo package describe redis
            rondo package describe redis --package-version 7.0.15
            rondo package describe redis --output json
            """)

    @Argument(help: "The package.") var package: String
    @Option(help: ArgumentHelp("A version. (default: the newest)", valueName: "version")) var packageVersion: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let catalog = CatalogClient(client)
            let bytes = try await catalog.ask("package.describe", Self.wanted(package, packageVersion), version: 3)
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let found = try catalog.decode(PackageDescribed.self, bytes).package
            let versions = try await catalog.read(
                PackageVersions.self, "package.list-versions",
                ["packageName": .text(package), "includePackageVersions": true])
            Console.out(Self.details(found, versions.ordered))
        }
    }

    static func wanted(_ package: String, _ version: String?) -> [String: JSONValue] {
        var body: [String: JSONValue] = ["packageName": .text(package)]
        if let version { body["packageVersion"] = .text(version) }
        return body
    }

    static func details(_ package: PackageDocument, _ versions: [String]) -> String {
        var facts = TextFacts()
        facts.add("package", package.name)
        facts.add("version", package.version)
        facts.add("others", versions.filter { $0 != package.version }.joined(separator: ", "))
        facts.add("maintainer", package.maintainer)
        facts.add("website", package.website)
        facts.add("licenses", (package.licenses ?? []).map(\.name).joined(separator: ", "))
        facts.add("tags", (package.tags ?? []).joined(separator: ", "))
        facts.add("images", package.images.joined(separator: ", "))
        var text = facts.text + "\n\n" + lines(package.description)
        if let notes = package.preInstallNotes { text += "\n\nbefore it is installed:\n" + lines(notes) }
        let options = PackageOptionList(package.config).options
        let missing = options.filter(\.isRequired).map(\.path)
        if !missing.isEmpty { text += "\n\nmust be given: " + TextTable.clean(missing.joined(separator: ", ")) }
        if !options.isEmpty { text += "\n\n\(options.count) options: rondo package options \(package.name)" }
        return text
    }

    /// Text of a package, line by line, without what would move the cursor.
    static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { TextTable.clean(String($0)) }
            .joined(separator: "\n")
    }
}

/// `rondo package options`.
struct PackageOptionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "options", abstract: "List the options of a package with their defaults.",
        discussion: """
            rondo package options redis
            rondo package options redis --output json     the schema
            """)

    @Argument(help: "The package.") var package: String
    @Option(help: ArgumentHelp("A version. (default: the newest)", valueName: "version")) var packageVersion: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let found = try await CatalogClient(client).read(
                PackageDescribed.self, "package.describe", PackageDescribe.wanted(package, packageVersion), version: 3
            ).package
            if client.isJSON {
                return Console.out(String(decoding: try (found.config ?? [:]).encoded(), as: UTF8.self))
            }
            let options = PackageOptionList(found.config).options
            guard !options.isEmpty else { return Console.out("package '\(package)' has no options") }
            var table = TextTable("OPTION", "TYPE", "DEFAULT", "MEANING")
            for option in options {
                table.add(
                    option.path, option.type, option.isRequired ? "(must be given)" : option.fallback,
                    PackageSearch.short(option.description))
            }
            Console.out(table.text)
        }
    }
}

/// `rondo package list`.
struct PackageList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what is installed.",
        discussion: """
            rondo package list
            rondo package list redis
            """)

    @Argument(help: "Only this package.") var package: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let catalog = CatalogClient(client)
            let bytes = try await catalog.ask("package.list", package.map { ["packageName": .text($0)] } ?? [:])
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let services = try await ServiceClient(client).document(
                ServicesDocument.self, "/v2/apps?embed=apps.counts&embed=apps.deployments"
            ).apps
            var table = TextTable("SERVICE", "PACKAGE", "VERSION", "RUNNING#", "STATE")
            for installed in try catalog.decode(PackagesInstalled.self, bytes).packages {
                let service = services.first { $0.id == installed.appId }
                let package = installed.packageInformation.packageDefinition
                table.add(
                    installed.appId, package.name, package.version,
                    service.map { "\($0.tasksRunning ?? 0)/\($0.instances)" }, service.map(ServiceList.state))
            }
            Console.out(table.text)
        }
    }
}
