internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo service run`.
struct ServiceRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Start a service from an image, or from a command.",
        discussion: """
            rondo service run nginx --publish 8080:80
            rondo service run registry.example.org/web:3 --name shop/web --instances 3 --publish 80 \\
              --env STAGE=live --volume /srv/data:/data:ro --health-http /health
            rondo service run --name clock --cmd 'while date; do sleep 1; done'
            rondo service run tools:3 --name import -- --all --verbose

            Its name is the image's when none is given. The words after -- are the arguments of the image's entrypoint, or
            the command where it has none. Nodes offer ports 80, 443 and 1024 to 32000, unless their resources say otherwise.
            """)

    @Argument(help: "The container image.") var image: String?
    @Option(help: ArgumentHelp("Its name; parts of groups with slashes between them.", valueName: "name"))
    var name: String?
    @OptionGroup var options: ServiceOptions
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions
    @Argument(parsing: .postTerminator, help: "After --: arguments.") var arguments: [String] = []

    func run() async throws {
        let body = try body()
        try await client.withClient { client in
            let services = ServiceClient(client)
            let answer = try await services.client.exchange(
                .post, ServiceClient.service + "/v2/apps" + deployment.query, try body.encoded(),
                type: "application/json")
            let name = body["id"]?.text ?? ""
            if answer.status == 409 {
                let taken = try await services.find(name) != nil
                if taken {
                    throw ApplianceError(
                        .failure,
                        "there is a service '\(name)' already; `rondo service update` changes it, and --name "
                            + "gives this one another name")
                }
            }
            guard (200..<300).contains(answer.status) else { throw ClusterClient.refusal(answer.status, answer.bytes) }
            let made = try services.read(ServiceDocument.self, answer.bytes)
            guard let id = made.deployments?.first?.id else { return }
            let begun = DeploymentBegun(deploymentId: id, version: made.version)
            try await deployment.follow(services, begun, [made.id])
        }
    }

    /// The app in Marathon's form.
    func body() throws -> JSONValue {
        guard image != nil || options.cmd != nil else {
            throw ValidationError("name an image, or say with --cmd what the service runs")
        }
        guard arguments.isEmpty || options.cmd == nil else {
            throw ValidationError("either --cmd or words after --, but not both")
        }
        guard arguments.isEmpty || image != nil else {
            throw ValidationError("words after -- are arguments of an image's entrypoint; name an image, or use --cmd")
        }
        guard let name = name ?? image.map(Self.name) else {
            throw ValidationError("give the service a name with --name")
        }
        var fields = try options.apply(to: [:], image: image, arguments: arguments)
        let defaults: [String: JSONValue] = ["instances": 1, "cpus": .number(0.1), "mem": .number(64), "disk": 0]
        fields.merge(defaults) { given, _ in given }
        fields["id"] = .text(ServiceClient.full(name))
        if fields["upgradeStrategy"] == nil, options.takesFixedPorts(image), fields["instances"] == 1 {
            // Its successor could never start beside it.
            fields["upgradeStrategy"] = ServiceOptions.stopsFirst(1)
        }
        return .object(fields)
    }

    /// `registry.example.org:5000/web/shop:3` as `shop`.
    static func name(of image: String) -> String {
        let last = image.split(separator: "/").last ?? ""
        let plain = last.prefix { $0 != ":" && $0 != "@" }.lowercased()
        return String(plain.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" })
    }
}

/// `rondo service update`.
struct ServiceUpdate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Change a service: its instances are replaced as its upgrade strategy says.",
        discussion: """
            What is not said stays. Variables and labels are added to those there are; ports, volumes, constraints and \
            health checks take the place of those there were.

              rondo service update web --image registry.example.org/web:4
              rondo service update web --env STAGE=live --mem 256
              rondo service update web --health-http /health --detach
            """)

    @Argument(help: "The service.") var service: String
    @Option(help: ArgumentHelp("The container image.", valueName: "image")) var image: String?
    @OptionGroup var options: ServiceOptions
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions
    @Argument(parsing: .postTerminator, help: "After --: arguments.") var arguments: [String] = []

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let present = try JSONValue(parsing: try await services.service(service).bytes)["app"] ?? [:]
            let fields = try options.apply(to: present, image: image, arguments: arguments)
            guard !fields.isEmpty else {
                throw ValidationError("say what to change, such as --image; `rondo service update --help` lists it all")
            }
            let answer = try await services.ask(.put, service: service, deployment.query, body: .object(fields))
            try await deployment.follow(services, answer, [ServiceClient.full(service)])
        }
    }
}
