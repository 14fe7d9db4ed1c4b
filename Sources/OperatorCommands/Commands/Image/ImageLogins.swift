internal import Appliance
internal import ArgumentParser
internal import ClusterModel
internal import HTTPTypes
internal import ImageStore

/// `rondo image login`.
struct ImageLogin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Keep a user and a password for a registry, for all agents of the cluster.",
        discussion: """
            An agent gets them with a task whose image is of that registry, and keeps them in memory until it has the \
            image. They are a secret of the cluster, registries/REGISTRY with _ for a colon, and take the rights of \
            one. Commands of this machine, such as `rondo image pull`, have flags of their own.

              rondo image login registry.example.org --user robot --password-stdin < token
              rondo image login docker.io --user robot --password-stdin < token
            """)

    @Argument(help: "The registry as names of images have it, with its port.") var registry: String
    @Option(help: ArgumentHelp("Who to be there.", valueName: "user")) var user: String
    @Flag(help: "Read the password or token from standard input; also without it, but unseen on a terminal.")
    var passwordStdin = false
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let registry = try RegistryName.checked(registry)
        guard !user.isEmpty, !user.contains(":") else { throw ValidationError("the user has a name without a colon") }
        let password = String(validating: SecretCommand.Put.typed(), as: UTF8.self)
        guard let password, !password.isEmpty else {
            throw ApplianceError(.usage, "the password is empty or not text; there is nothing to keep")
        }
        let entry: JSONValue = ["auth": .text(RegistryCredential(user: user, password: password).encoded)]
        let document: JSONValue = ["auths": .object([registry: entry])]
        let text = String(decoding: try document.encoded(), as: UTF8.self)
        try await client.withClient { client in
            try await SecretCommand.put(RegistryLogin.path(of: registry), Array(text.utf8), client)
        }
    }
}

/// `rondo image logout`.
struct ImageLogout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Forget who the cluster's agents are at a registry.",
        discussion: "rondo image logout registry.example.org")

    @Argument(help: "The registry.") var registry: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let path = RegistryLogin.path(of: try RegistryName.checked(registry))
        try await client.withClient { client in
            _ = try await client.request(.delete, SecretCommand.target(path))
        }
    }
}

/// `rondo image logins`.
struct ImageLogins: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logins",
        abstract: "List the registries for which the cluster has a user and a password.",
        discussion: "rondo image logins")

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let target = SecretCommand.target(RegistryLogin.directory) + "?list=true"
            try await client.show(SecretCommand.ListDocument.self, target) { document in
                var table = TextTable("REGISTRY")
                for name in document.array { table.add(RegistryLogin.registry(of: name)) }
                return table.text
            }
        }
    }
}

/// Names of registries from the command line.
private enum RegistryName {
    /// The name as names of images have it.
    static func checked(_ text: String) throws -> String {
        let name = ["index.docker.io", "registry-1.docker.io"].contains(text) ? "docker.io" : text
        guard try ImageOptions.reference(name + "/any/image").registry == name else {
            throw ApplianceError(.usage, "'\(text)' names no registry; write it as names of images have it")
        }
        return name
    }
}
