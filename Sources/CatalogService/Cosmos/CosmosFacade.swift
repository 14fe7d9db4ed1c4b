internal import ClusterModel
public import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Packages
public import ServicesFramework

extension CatalogService {
    /// Whether a path, given by its segments from the root, is one of Cosmos' interface.
    public static func serves(_ path: [String]) -> Bool { CosmosRoute(path) != nil }

    /// Whether a call, given by its path's segments from the root, changes something.
    public static func isChange(_ path: [String]) -> Bool { CosmosRoute(path)?.isChange == true }

    /// Answers one call of Cosmos' interface.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - path: the segments from the root.
    ///   - visitor: who asks.
    /// - Returns: the answer; refusals of this interface are answers, too.
    /// - Throws: ``GatewayError`` for what is refused before it gets here: bodies that are too long, missing rights.
    public func respond(
        to request: GatewayRequest, path: [String], visitor: any ServicesVisitor
    ) async throws -> GatewayResponse {
        guard let route = CosmosRoute(path) else { throw GatewayError(.notFound, "there is nothing here") }
        do {
            return try await CosmosFacade(catalog: self, visitor: visitor, request: request).respond(route)
        } catch let problem as CatalogProblem {
            return CosmosFacade.answer(problem)
        }
    }
}

/// One call of Cosmos' interface.
struct CosmosFacade: Sendable {
    let catalog: CatalogService
    let visitor: any ServicesVisitor
    let request: GatewayRequest

    /// The longest body: options are the longest part of it.
    private static let bodyLimit = 2 << 20

    func respond(_ route: CosmosRoute) async throws -> GatewayResponse {
        let type = request.headers[.contentType]
        guard route.request.isContent(of: type) else {
            throw CatalogProblem.contentType(type, expected: route.request.text)
        }
        guard let media = route.responses.first(where: { $0.isAccepted(by: request.headers[.accept]) }) else {
            throw CatalogProblem.notAcceptable(route.responses.map(\.text))
        }
        let fields = CosmosFields(try await body(), type: route.request.text)
        let answer = try await answer(route, media.version, fields)
        return Self.json(.ok, media, .object(answer))
    }

    private func answer(
        _ route: CosmosRoute, _ version: Int, _ fields: CosmosFields
    ) async throws -> JSONObject {
        switch route {
        case .search: return search(try fields.text("query"))
        case .describe: return try describe(fields, version)
        case .listVersions: return try versions(fields)
        case .render: return try render(fields)
        case .install: return try await install(fields, version)
        case .list: return try await list(fields)
        case .uninstall: return try await uninstall(fields)
        case .repositories: return repositories()
        case .addRepository: return try await addRepository(fields)
        case .deleteRepository: return try await deleteRepository(fields)
        case .describeService: return try await describeService(fields)
        case .updateService: return try await updateService(fields)
        }
    }

    private func body() async throws -> JSONObject {
        let bytes = Array(try await request.body.collect(upTo: Self.bodyLimit).readableBytesView)
        let json: JSON
        do throws(JSONFault) {
            json = try JSON(parsing: bytes, limits: PackageLimits.options)
        } catch { throw CatalogProblem.unreadable(error.description) }
        guard let object = json.object else { throw CatalogProblem.undecodable("JsonObject", "it is a \(json.kind)") }
        return object
    }

    // MARK: answers

    static func json(_ status: HTTPResponse.Status, _ media: CosmosMedia, _ json: JSON) -> GatewayResponse {
        .complete(status, headers: [.contentType: media.text], bytes: ByteBuffer(bytes: json.bytes))
    }

    static func answer(_ problem: CatalogProblem) -> GatewayResponse {
        var fields = JSONObject(["type": .text(problem.type), "message": .text(problem.message)])
        if !problem.data.isEmpty { fields["data"] = .object(problem.data) }
        return json(problem.status, .error, .object(fields))
    }
}

/// The fields of a call's body. What nobody here knows is passed over, as Cosmos does.
struct CosmosFields {
    private let object: JSONObject
    private let type: String

    init(_ object: JSONObject, type: String) {
        self.object = object
        self.type = type
    }

    private func value(_ name: String) -> JSON? { object[name] == .null ? nil : object[name] }

    private func wrong(_ name: String, _ expected: String, _ found: JSON) -> CatalogProblem {
        .undecodable(type, "/\(name) is a \(found.kind), expected is a \(expected)")
    }

    func text(_ name: String) throws(CatalogProblem) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text else { throw wrong(name, "string", value) }
        return text
    }

    func required(_ name: String) throws(CatalogProblem) -> String {
        guard let text = try text(name) else { throw .undecodable(type, "/\(name) is missing") }
        return text
    }

    func flag(_ name: String) throws(CatalogProblem) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.flag else { throw wrong(name, "boolean", value) }
        return flag
    }

    func integer(_ name: String) throws(CatalogProblem) -> Int? {
        guard let value = value(name) else { return nil }
        // DC/OS' command line sends numbers as texts.
        guard let integer = value.integer ?? value.text.flatMap({ Int($0) }) else {
            throw wrong(name, "integer", value)
        }
        return integer
    }

    func object(_ name: String) throws(CatalogProblem) -> JSONObject? {
        guard let value = value(name) else { return nil }
        guard let object = value.object else { throw wrong(name, "object", value) }
        return object
    }

    /// An app's id, with the slash in front that may be left out.
    func appID(_ name: String = "appId") throws(CatalogProblem) -> String? {
        try text(name).map { $0.hasPrefix("/") ? $0 : "/" + $0 }
    }
}
