internal import Appliance
internal import FoundationEssentials
internal import HTTPTypes

/// A service as Marathon's interface shows an app, as far as people look at it.
struct ServiceDocument: Decodable {
    struct Container: Decodable {
        struct Image: Decodable { var image: String? }
        struct Mapping: Decodable {
            var containerPort: Int
            var hostPort: Int?
        }

        var docker: Image?
        var portMappings: [Mapping]?
    }

    struct Deployment: Decodable { var id: String }

    struct Failure: Decodable {
        var message: String?
        var state: String?
        var host: String?
        var taskId: String?
        var timestamp: String?
    }

    var id: String
    var cmd: String?
    var args: [String]?
    var instances: Int
    var cpus: Double
    var mem: Double
    var disk: Double?
    var container: Container?
    var labels: [String: String]?
    var version: String?
    var tasksStaged: Int?
    var tasksRunning: Int?
    var tasksHealthy: Int?
    var tasksUnhealthy: Int?
    var healthChecks: [JSONValue]?
    var deployments: [Deployment]?
    var tasks: [ServiceTaskDocument]?
    var lastTaskFailure: Failure?

    /// What it runs, in a few words.
    var work: String? {
        container?.docker?.image ?? cmd ?? args.flatMap { $0.isEmpty ? nil : $0.joined(separator: " ") }
    }
}

struct ServiceTaskDocument: Decodable {
    struct Health: Decodable { var alive: Bool }
    struct Address: Decodable { var ipAddress: String? }

    var id: String
    var host: String
    var state: String?
    var ports: [Int]?
    var ipAddresses: [Address]?
    var startedAt: String?
    var version: String?
    var healthCheckResults: [Health]?
}

struct ServicesDocument: Decodable { var apps: [ServiceDocument] }

struct OneServiceDocument: Decodable { var app: ServiceDocument }

struct ServiceVersionsDocument: Decodable { var versions: [String] }

/// What a change answers with.
struct DeploymentBegun: Decodable {
    var deploymentId: String
    var version: String?
}

struct DeploymentDocument: Decodable {
    struct Action: Decodable {
        var action: String
        var app: String?
        var pod: String?
        var waitsFor: String?
    }

    var id: String
    var currentActions: [Action]
    var currentStep: Int
    var totalSteps: Int
}

struct LaunchQueueDocument: Decodable {
    struct Delay: Decodable {
        var timeLeftSeconds: Int
        var overdue: Bool
    }

    struct Named: Decodable { var id: String }

    struct Reject: Decodable {
        var reason: String
        var declined: Int
        var processed: Int
    }

    struct Summary: Decodable { var rejectSummaryLastOffers: [Reject]? }

    struct Item: Decodable {
        var app: Named?
        var pod: Named?
        var count: Int
        var delay: Delay
        var processedOffersSummary: Summary?
    }

    var queue: [Item]
}

/// Asks for services.
struct ServiceClient: Sendable {
    static let service = "/service/marathon"

    let client: ClusterClient

    init(_ client: ClusterClient) { self.client = client }

    /// The path of a service: its name may begin with a slash, and may have several parts.
    static func path(_ name: String, _ rest: String = "") -> String {
        "/v2/apps/" + name.split(separator: "/").map { PathText.escaped(String($0)) }.joined(separator: "/") + rest
    }

    /// A service's name with its slash in front.
    static func full(_ name: String) -> String { name.hasPrefix("/") ? name : "/" + name }

    /// Makes a request.
    ///
    /// - Returns: nil when there is no such service.
    func ask(_ method: HTTPRequest.Method, _ path: String, body: JSONValue? = nil) async throws -> [UInt8]? {
        let answer = try await client.exchange(
            method, Self.service + path, try body?.encoded(), type: body == nil ? nil : "application/json")
        if (200..<300).contains(answer.status) { return answer.bytes }
        let refusal = ClusterClient.refusal(answer.status, answer.bytes)
        if answer.status == 404, refusal.description.hasSuffix("does not exist") { return nil }
        if answer.status == 409, refusal.description.contains("locked") {
            throw ApplianceError(.failure, "\(refusal); wait until it is over, or put this one in its place by --force")
        }
        throw refusal
    }

    /// As ``ask(_:_:body:)`` for what must be there.
    func ask(_ method: HTTPRequest.Method, service name: String, _ rest: String = "", body: JSONValue? = nil)
        async throws
        -> [UInt8]
    {
        guard let answer = try await ask(method, Self.path(name, rest), body: body) else { throw Self.missing(name) }
        return answer
    }

    func read<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw ApplianceError(
                .failure,
                "\(client.endpoint) does not answer as a master of release \(Program.version) does; check --master")
        }
    }

    func document<Document: Decodable>(_ type: Document.Type, _ path: String) async throws -> Document {
        guard let bytes = try await ask(.get, path) else {
            throw ApplianceError(.failure, "the master has nothing at \(path)")
        }
        return try read(type, bytes)
    }

    /// A service with all that belongs to it; nil when there is none.
    func find(_ name: String) async throws -> (service: ServiceDocument, bytes: [UInt8])? {
        guard let bytes = try await ask(.get, Self.path(name)) else { return nil }
        return (try read(OneServiceDocument.self, bytes).app, bytes)
    }

    func service(_ name: String) async throws -> (service: ServiceDocument, bytes: [UInt8]) {
        guard let found = try await find(name) else { throw Self.missing(name) }
        return found
    }

    static func missing(_ name: String) -> ApplianceError {
        ApplianceError(.failure, "there is no service '\(name)'; `rondo service list` shows those there are")
    }
}
