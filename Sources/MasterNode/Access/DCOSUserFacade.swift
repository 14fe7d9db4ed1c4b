internal import Access
internal import HTTPGateway
internal import HTTPTypes

/// `/acs/api/v1/users`: the same users in the shapes of DC/OS, where a user is a `uid` and services are told from people
/// by their public key. Users made here have no rights until an administrator gives them some.
struct DCOSUserFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    private struct NewUser: Decodable {
        var description: String?
        var password: String?
        var publicKey: String?

        enum CodingKeys: String, CodingKey {
            case description, password
            case publicKey = "public_key"
        }
    }

    func respond(_ name: String?, _ request: GatewayRequest) async throws -> GatewayResponse {
        guard let name else { return list(request.query["type"]) }
        let users = UserFacade(node: node, visitor: visitor)
        switch request.method {
        case .put:
            let wanted = try await RondoFacade.body(NewUser.self, of: request)
            let user = User(
                name: name, kind: wanted.publicKey == nil ? .person : .service, summary: wanted.description ?? "")
            _ = try await users.create(user, password: wanted.password, publicKey: wanted.publicKey)
            return .complete(.created)
        case .patch:
            let wanted = try await RondoFacade.body(NewUser.self, of: request)
            _ = try await users.change(
                name,
                UserFacade.Change(
                    description: wanted.description, password: wanted.password, publicKey: wanted.publicKey))
            return .complete(.noContent)
        case .delete:
            try await users.delete(name)
            return .complete(.noContent)
        default:
            guard let user = node.accounts.user(name) else { throw Accounts.missing(name) }
            return .json { $0.dcosUser(user) }
        }
    }

    private func list(_ type: String?) -> GatewayResponse {
        let kind: User.Kind? = type == "service" ? .service : type == "user" ? .person : nil
        return .json { json in
            json.listField("array") { json in
                for user in node.accounts.all() where kind == nil || user.user.kind == kind {
                    json.object { $0.dcosUser(user) }
                }
            }
        }
    }

    /// A refusal as services of DC/OS' identity manager write it.
    static func failure(_ error: GatewayError) -> GatewayResponse {
        let (title, code) =
            switch error.status.code {
            case 400: ("Bad Request", "ERR_INVALID_DATA")
            case 401: ("Unauthorized", "ERR_INVALID_CREDENTIALS")
            case 403: ("Forbidden", "ERR_FORBIDDEN")
            case 404: ("Not Found", "ERR_UNKNOWN_USER_ID")
            case 409: ("Conflict", "ERR_USER_EXISTS")
            default: (error.status.reasonPhrase, "ERR_\(error.status.code)")
            }
        var response = GatewayResponse.json(error.status) { json in
            json.field("title", title)
            json.field("description", error.message)
            json.field("code", code)
        }
        for field in error.headers { response.headers.append(field) }
        return response
    }
}

extension JSONWriter {
    fileprivate mutating func dcosUser(_ record: StoredUser) {
        field("uid", record.user.name)
        field("url", "/acs/api/v1/users/" + record.user.name)
        field("description", record.user.summary)
        field("is_remote", false)
        field("is_service", record.user.kind == .service)
        field("provider_type", "internal" as StaticString)
        field("provider_id", "" as StaticString)
        field("public_key", record.publicKey)
    }
}
