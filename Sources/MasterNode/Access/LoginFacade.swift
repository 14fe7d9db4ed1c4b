internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import NIOCore

/// What clients of DC/OS ask before they are anybody: how to log in, logging in, which version, which certificate.
struct LoginFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    /// The release of DC/OS whose interfaces the command line of DC/OS is to expect.
    static let dcosVersion = "2.1.0"

    private struct Login: Decodable {
        var uid: String?
        var password: String?
        var token: String?
    }

    /// `POST /acs/api/v1/auth/login`: `{uid, password}`, `{uid, token}` with a token that a service signed with its
    /// key, or `{token}` with one that a user made. All that is wrong gets the same answer.
    func login(_ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(Login.self, of: request)
        let name = wanted.uid ?? ""
        visitor.note.set(
            AuditNote.Content(action: "login", object: "", who: "user:" + name.prefix(96), isWork: false))
        guard let user = try await user(wanted, name) else {
            throw GatewayError(
                .unauthorized, "the user, the password or the token is wrong", headers: [.wwwAuthenticate: "acsjwt"])
        }
        visitor.note.set(
            AuditNote.Content(action: "login", object: "", who: "user:" + user.user.name, isWork: false))
        let now = node.clock.now().wall
        let lifetime = node.settings.accessSettings.sessionLifetime
        let session = SessionToken(user: user.user.name, version: user.version, expiresAt: now + lifetime)
        let text = session.signed(with: node.accounts.sessionKeys, now: now)
        var response = GatewayResponse.json { $0.field("token", text) }
        response.headers[.setCookie] =
            "\(Authentication.cookieName)=\(text); Path=/; Max-Age=\(Int(lifetime.inSeconds)); HttpOnly; Secure; "
            + "SameSite=Strict"
        response.headers[.cacheControl] = "no-store"
        return response
    }

    private func user(_ wanted: Login, _ name: String) async throws -> StoredUser? {
        let desk = node.authentication.passwords
        switch (wanted.uid, wanted.password, wanted.token) {
        case (_?, let password?, nil):
            return try await desk.check(name, password, source: visitor.source, in: node.accounts)
        case (_?, nil, let token?):
            try desk.admit(name, source: visitor.source)
            guard let user = node.accounts.user(name), let pem = user.publicKey,
                let key = try? ServiceAccountKey(pem: pem),
                (try? key.verify(token, of: name, now: node.clock.now().wall)) != nil
            else { return nil }
            desk.succeeded(name, source: visitor.source)
            return user
        case (nil, nil, let token?):
            try desk.admit("", source: visitor.source)
            guard let owner = node.accounts.owner(ofToken: token, now: node.clock.now().wall) else { return nil }
            desk.succeeded("", source: visitor.source)
            return owner.user
        default:
            throw GatewayError(.badRequest, "send {\"uid\",\"password\"}, {\"uid\",\"token\"} or {\"token\"}")
        }
    }

    /// `GET /acs/api/v1/auth/providers`
    func providers() -> GatewayResponse {
        let providers: [(id: StaticString, kind: StaticString, method: StaticString, about: StaticString)] = [
            (
                "dcos-users", "dcos-uid-password", "dcos-usercredential-post-receive-authtoken",
                "Log in with a user name and a password"
            ),
            (
                "dcos-services", "dcos-uid-servicekey", "dcos-servicecredential-post-receive-authtoken",
                "Log in with the private key of a service account"
            ),
        ]
        return .json { json in
            for provider in providers {
                json.objectField("\(provider.id)") { json in
                    json.field("authentication-type", provider.kind)
                    json.field("client-method", provider.method)
                    json.objectField("config") { $0.field("start_flow_url", "/acs/api/v1/auth/login" as StaticString) }
                    json.field("description", provider.about)
                }
            }
        }
    }

    /// `GET /ca/dcos-ca.crt`
    func certificate() throws -> GatewayResponse {
        guard let pem = node.settings.accessSettings.clusterCertificate else {
            throw GatewayError(.notFound, "this cluster has no certificate authority")
        }
        return .text(.ok, pem, type: "application/x-x509-ca-cert")
    }

    /// `GET /metadata`
    func metadata() -> GatewayResponse {
        .json { json in
            json.field("CLUSTER_ID", node.cluster.id)
            json.field("PUBLIC_IPV4", node.master.address)
        }
    }

    /// `GET /capabilities`: only what is served here, because the command line of DC/OS uses all that it finds.
    func capabilities() -> GatewayResponse {
        var response = GatewayResponse.json { json in
            json.listField("capabilities") { json in
                if node.settings.servesJobs { json.object { $0.field("name", "METRONOME" as StaticString) } }
                if node.builtIns?.catalog != nil {
                    json.object { $0.field("name", "PACKAGE_MANAGEMENT" as StaticString) }
                }
            }
        }
        // Letter by letter: clients look for the type that they asked for in the one that comes.
        response.headers[.contentType] = "application/vnd.dcos.capabilities+json;charset=utf-8;version=v1"
        return response
    }

    /// `GET /dcos-metadata/dcos-version.json`
    func version() -> GatewayResponse {
        .json { json in
            json.field("version", Self.dcosVersion)
            json.field("dcos-image-commit", node.settings.version)
            json.field("bootstrap-id", node.settings.version)
            json.field("dcos-variant", "open" as StaticString)
        }
    }
}
