internal import Access
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// `/secrets/v1`: secrets as DC/OS' secret service has them, with one store, `default`.
///
/// A text is `{"value": …}` in either direction; `application/octet-stream` is a value of any bytes, as it is.
struct SecretFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    /// The only store.
    static let store = "default"
    /// The longest body: every character of a value may be an escape.
    private static let bodyLimit = 6 * SecretKeeper.valueLimit + 4_096
    private static let octets = "application/octet-stream"

    private struct Body: Decodable {
        var value: String
    }

    /// What the store can do now. Its key is there when the master is, so it is never sealed by somebody.
    func sealStatus(_ store: String) throws -> GatewayResponse {
        try Self.check(store)
        return .json { json in
            json.field("sealed", node.secrets == nil)
            json.field("threshold", 1)
            json.field("shares", 1)
            json.field("progress", 0)
        }
    }

    func respond(
        _ store: String, _ path: String, lists: Bool, _ request: GatewayRequest
    ) async throws -> GatewayResponse {
        try Self.check(store)
        let keeper = try keeper()
        if lists { return try list(keeper, path) }
        if let defect = SecretPath.defect(of: path) {
            throw GatewayError(.badRequest, "the path of the secret \(defect); write it as web/database/password")
        }
        let now = node.clock.now().wall
        switch request.method {
        case .put:
            visitor.noteChange("secret.create", path)
            try await keeper.create(path, try await value(of: request), now: now)
            return .complete(.created)
        case .patch:
            visitor.noteChange("secret.change", path)
            try await keeper.change(path, try await value(of: request), now: now)
            return .complete(.noContent)
        case .delete:
            visitor.noteChange("secret.delete", path)
            try await keeper.delete(path)
            return .complete(.noContent)
        default:
            visitor.noteChange(.secret(.read, path: path))
            guard let value = try await keeper.value(path) else { throw SecretKeeper.missing(path) }
            return Self.response(value, accept: request.headers[.accept])
        }
    }

    private static func check(_ store: String) throws {
        guard store == Self.store else {
            throw GatewayError(.notFound, "there is no secret store '\(store.prefix(64))'; the only one is 'default'")
        }
    }

    private func keeper() throws -> SecretKeeper {
        guard let keeper = node.secrets else { throw Self.unkept }
        return keeper
    }

    /// The answer of a master that has no key: a value in the store would be readable there.
    static let unkept = GatewayError(
        .notImplemented,
        "this master has no key to keep secrets with, as it is of no secured cluster; make one with `rondo cluster init`"
    )

    /// Everybody sees what that one may see.
    private func list(_ keeper: SecretKeeper, _ path: String) throws -> GatewayResponse {
        guard visitor.isKnown else { throw Visitor.unknown }
        if !path.isEmpty, let defect = SecretPath.defect(of: path) {
            throw GatewayError(.badRequest, "the path \(defect)")
        }
        let paths = keeper.paths(below: path).filter {
            visitor.may(.secret(.list, path: $0)) || visitor.may(.secret(.read, path: $0))
        }
        return .json { json in
            json.listField("array") { json in
                // Relative to what was asked for, as in DC/OS.
                for found in paths where found != path {
                    json.string(path.isEmpty ? found : String(found.dropFirst(path.count + 1)))
                }
            }
        }
    }

    private func value(of request: GatewayRequest) async throws -> SecretKeeper.Value {
        let media = (request.headers[.contentType] ?? "application/json").lowercased()
        let body = try await request.body.collect(upTo: Self.bodyLimit)
        let value: SecretKeeper.Value
        if media.hasPrefix(Self.octets) {
            value = SecretKeeper.Value(bytes: Array(body.readableBytesView), isBinary: true)
        } else if media.hasPrefix("application/json") {
            // What is wrong with the body is not said: the words would hold parts of the value.
            guard let read = try? JSONDecoder().decode(Body.self, from: Data(body.readableBytesView)) else {
                throw GatewayError(.badRequest, "the body is not JSON with a text in field 'value'")
            }
            value = SecretKeeper.Value(bytes: Array(read.value.utf8), isBinary: false)
        } else {
            throw GatewayError(
                .unsupportedMediaType,
                "the Content-Type '\(media.prefix(80))' is not supported; send application/json or \(Self.octets)")
        }
        guard !value.bytes.isEmpty else { throw GatewayError(.badRequest, "a secret must not be empty") }
        guard value.bytes.count <= SecretKeeper.valueLimit else {
            throw GatewayError(.contentTooLarge, "a secret has at most \(SecretKeeper.valueLimit) bytes")
        }
        return value
    }

    private static func response(_ value: SecretKeeper.Value, accept: String?) -> GatewayResponse {
        var response: GatewayResponse
        if value.isBinary || accept?.lowercased().hasPrefix(octets) == true {
            response = .complete(.ok, headers: [.contentType: octets], bytes: ByteBuffer(bytes: value.bytes))
        } else {
            response = .json { $0.field("value", String(decoding: value.bytes, as: UTF8.self)) }
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
