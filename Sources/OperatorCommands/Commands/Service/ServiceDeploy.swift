internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo service deploy`.
struct ServiceDeploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy",
        abstract: "Make services, or change them, as a file says.",
        discussion: """
            The file has an app, a list of apps, or a group in the form of Marathon, in JSON or in YAML. What is there is \
            replaced by it: fields that the file does not have get their defaults.

              rondo service deploy web.json
              rondo service deploy shop.yaml --detach
              make-app | rondo service deploy -
            """)

    @Argument(help: "A file; - is standard input.") var file: String
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let order = try Self.order(DescriptionFile.read(file), file)
        try await client.withClient { client in
            let services = ServiceClient(client)
            let query = (order.query + (deployment.force ? ["force=true"] : [])).joined(separator: "&")
            let path = order.path + (query.isEmpty ? "" : "?" + query)
            guard let answer = try await services.ask(.put, path, body: order.body) else {
                throw ApplianceError(.failure, "the master cannot make what \(file) says")
            }
            let begun: DeploymentBegun
            if let known = try? services.read(DeploymentBegun.self, answer) {
                begun = known
            } else {
                // An app that is new is answered with itself.
                let made = try services.read(ServiceDocument.self, answer)
                begun = DeploymentBegun(deploymentId: made.deployments?.first?.id ?? "", version: made.version)
            }
            try await deployment.follow(services, begun, order.names)
        }
    }

    /// What a file means.
    struct Order {
        var path: String
        var query: [String]
        var body: JSONValue
        /// The services that run afterwards.
        var names: [String]
    }

    static func order(_ value: JSONValue, _ file: String) throws -> Order {
        switch value {
        case .list(let apps):
            let names = try apps.map { try name($0, file) }
            return Order(path: "/v2/apps", query: ["partialUpdate=false"], body: value, names: names)
        case .object(let fields) where fields["apps"] != nil || fields["groups"] != nil || fields["pods"] != nil:
            // Without a name it would be the root, and all other services would end.
            guard let id = fields["id"]?.text, !id.isEmpty else {
                throw ApplianceError(.usage, "\(file) has a group without an 'id'; name it, or make it a list of apps")
            }
            let path = "/v2/groups" + id.split(separator: "/").map { "/" + PathText.escaped(String($0)) }.joined()
            return Order(path: path, query: [], body: value, names: members(value, in: "/"))
        case .object:
            let name = try name(value, file)
            return Order(path: ServiceClient.path(name), query: ["partialUpdate=false"], body: value, names: [name])
        default:
            throw ApplianceError(.usage, "\(file) has no app: an app is an object with the field 'id'")
        }
    }

    private static func name(_ app: JSONValue, _ file: String) throws -> String {
        guard let id = app["id"]?.text, !id.isEmpty else {
            throw ApplianceError(.usage, "\(file) has an app without an 'id'; every app needs a name")
        }
        return ServiceClient.full(id)
    }

    /// The services of a group: names without a slash in front are below it.
    private static func members(_ group: JSONValue, in parent: String) -> [String] {
        func full(_ id: String) -> String {
            id.hasPrefix("/") ? id : parent.hasSuffix("/") ? parent + id : parent + "/" + id
        }
        func inside(_ id: String, _ base: String) -> String {
            id.hasPrefix("/") ? id : base.hasSuffix("/") ? base + id : base + "/" + id
        }
        let base = full(group["id"]?.text ?? "")
        let apps = (group["apps"]?.list ?? []).compactMap { $0["id"]?.text }.map { inside($0, base) }
        return apps + (group["groups"]?.list ?? []).flatMap { members($0, in: base) }
    }
}
