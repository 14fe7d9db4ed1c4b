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

    /// An instance, and where it is.
    struct Instance: Sendable {
        var task: String
        var host: String
    }

    /// The instances of a service that are on nodes which the master cannot reach; none where the visitor may not look, or
    /// the service is not there.
    func unreachable(_ id: String) async -> [Instance] {
        guard let answer = try? await call(.get, path(id) + ["tasks"]) else { return [] }
        return (answer.json["tasks"]?.list ?? []).compactMap { task in
            guard task["state"]?.text == "TASK_UNREACHABLE", let id = task["id"]?.text else { return nil }
            return Instance(task: id, host: task["host"]?.text ?? "")
        }
    }

    /// Makes a service.
    ///
    /// - Returns: its id.
    func create(_ app: JSONObject) async throws -> String {
        let answer = try await call(.post, ["v2", "apps"], body: .object(app))
        if answer.status == .conflict { throw CatalogProblem.alreadyInstalled }
        return try Self.accepted(answer)["id"]?.text ?? ""
    }

    /// Replaces a service's definition, also while it is deployed: what waits for ever is put right so.
    ///
    /// - Returns: the deployment.
    func replace(_ id: String, by app: JSONObject) async throws -> String {
        let answer = try await call(.put, path(id), query: "?partialUpdate=false&force=true", body: .object(app))
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
