internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo service`.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Work that stays up: start it, scale it, update it without downtime, roll it back.",
        discussion: """
            rondo service run nginx --publish 8080:80 --health-http / --instances 3
            rondo service deploy shop.yaml
            rondo service list
            rondo service update nginx --image nginx:1.27
            rondo service rollback nginx

            Commands that change something wait until it is carried out and say what that waits for; --detach does not \
            wait. Ctrl-C ends the waiting, not the change.
            """,
        subcommands: [
            ServiceRun.self, ServiceDeploy.self, ServiceList.self, ServiceInspect.self, ServiceScale.self,
            ServiceUpdate.self, ServiceRestart.self, ServiceRollback.self, ServiceLog.self, ServiceRemove.self,
        ])
}

/// `rondo service scale`.
struct ServiceScale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Change how many instances a service has.",
        discussion: """
            rondo service scale web 5
            rondo service scale web 0      nothing of it runs, and it is kept
            """)

    @Argument(help: "The service.") var service: String
    @Argument(help: "How many instances.") var instances: Int
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        guard instances >= 0 else { throw ValidationError("a service has 0 or more instances") }
        try await client.withClient { client in
            let services = ServiceClient(client)
            _ = try await services.service(service)
            let answer = try await services.ask(
                .put, service: service, deployment.query, body: ["instances": .integer(Int64(instances))])
            try await deployment.follow(services, answer, [ServiceClient.full(service)])
        }
    }
}

/// `rondo service restart`.
struct ServiceRestart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Replace all instances of a service, as its upgrade strategy says.",
        discussion: "rondo service restart web")

    @Argument(help: "The service.") var service: String
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let answer = try await services.ask(.post, service: service, "/restart" + deployment.query, body: [:])
            try await deployment.follow(services, answer, [ServiceClient.full(service)])
        }
    }
}

/// `rondo service rollback`.
struct ServiceRollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Go back to an earlier version of a service.",
        discussion: """
            rondo service rollback web                              to the version before the present one
            rondo service rollback web 2026-11-23T10:20:30.400Z     `rondo service inspect web` lists versions
            """)

    @Argument(help: "The service.") var service: String
    @Argument(help: "The version. (default: the one before)") var version: String?
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let wanted: String
            if let version {
                wanted = version
            } else {
                let bytes = try await services.ask(.get, service: service, "/versions")
                let versions = try services.read(ServiceVersionsDocument.self, bytes).versions.sorted(by: >)
                guard versions.count > 1 else {
                    throw ApplianceError(.failure, "service '\(service)' has no earlier version")
                }
                wanted = versions[1]
            }
            let answer = try await services.ask(
                .put, service: service, deployment.query, body: ["version": .text(wanted)])
            try await deployment.follow(services, answer, [ServiceClient.full(service)])
        }
    }
}

/// `rondo service rm`.
struct ServiceRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "End all instances of a service and forget it.", discussion: "rondo service rm web"
    )

    @Argument(help: "The service.") var service: String
    @OptionGroup var deployment: DeploymentOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let services = ServiceClient(client)
            let answer = try await services.ask(.delete, service: service, deployment.query)
            try await deployment.follow(services, answer, [])
        }
    }
}
