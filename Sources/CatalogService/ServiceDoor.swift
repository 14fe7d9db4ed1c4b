internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Packages
internal import ServicesFramework

/// What the catalog asks of the services framework: what anybody could ask over HTTP, with the rights of whoever asked
/// the catalog.
struct ServiceDoor: Sendable {
    let services: ServicesFramework
    let visitor: any ServicesVisitor

    /// A service that a package became.
    struct Installed: Sendable {
        var id: String
        var labels: [String: String]

        var package: String { labels[PackageLabels.name] ?? "" }
        var version: String? { labels[PackageLabels.version] }
        var options: JSONObject? { PackageLabels.readOptions(labels) }
        /// As it was when it was installed, whatever its repository has now.
        var definition: PackageDefinition? {
            PackageLabels.readDefinition(labels) { Gzip.expanded($0, limit: $1) }
        }
    }

    func installed() async throws -> [Installed] {
        try await services.services(labelled: PackageLabels.name).map { Installed(id: $0.id, labels: $0.labels) }
    }

    /// Makes a service.
    ///
    /// - Returns: its id.
    func create(_ app: JSONObject) async throws -> String {
        let answer = try await call(.post, ["v2", "apps"], body: .object(app))
        if answer.status == .conflict { throw CatalogProblem.alreadyInstalled }
        return try Self.accepted(answer)["id"]?.text ?? ""
    }

    /// Replaces a service's definition.
    ///
    /// - Returns: the deployment.
    func replace(_ id: String, by app: JSONObject) async throws -> String {
        let answer = try await call(.put, path(id), query: "?partialUpdate=false", body: .object(app))
        return try Self.accepted(answer)["deploymentId"]?.text ?? ""
    }

    /// Ends a service, also while something else is deployed.
    func remove(_ id: String) async throws {
        let answer = try await call(.delete, path(id), query: "?force=true")
        // Whoever was faster has done the same.
        if answer.status != .notFound { _ = try Self.accepted(answer) }
    }

    private func path(_ id: String) -> [String] { ["v2", "apps"] + id.split(separator: "/").map(String.init) }

    private struct Answer {
        var status: HTTPResponse.Status
        var json: JSON
    }

    private func call(
        _ method: HTTPRequest.Method, _ path: [String], query: String = "", body: JSON? = nil
    ) async throws -> Answer {
        let target = try RequestTarget(parsing: "/" + path.joined(separator: "/") + query)
        var request = GatewayRequest(method: method, target: target)
        if let body { request.body = GatewayBody(ByteBuffer(bytes: body.bytes)) }
        let response = try await services.respond(to: request, path: path, visitor: visitor)
        guard case .bytes(let bytes) = response.content else { return Answer(status: response.status, json: .null) }
        let json = try? JSON(parsing: Array(bytes.readableBytesView), limits: PackageLimits.package)
        return Answer(status: response.status, json: json ?? .null)
    }

    private static func accepted(_ answer: Answer) throws(CatalogProblem) -> JSON {
        guard answer.status.kind != .successful else { return answer.json }
        let message = answer.json["message"]?.text ?? "the service was refused with status \(answer.status.code)"
        let details = (answer.json["details"]?.list ?? []).map { detail -> JSON in
            var fields = detail.object ?? JSONObject()
            // Older clients read one text, newer ones the list.
            let words = (fields["errors"]?.list ?? []).compactMap(\.text).joined(separator: ", ")
            fields["error"] = .text("\(fields["path"]?.text ?? "/"): \(words)")
            return .object(fields)
        }
        throw .refusedService(
            answer.status.code < 500 && answer.status != .conflict ? .badRequest : answer.status, message,
            details.isEmpty ? nil : .list(details))
    }
}
