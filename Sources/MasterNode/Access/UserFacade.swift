internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Identity

/// `/rondo/v1/users`: users, what they may do, their passwords, keys and tokens.
struct UserFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    struct NewUser: Decodable {
        var name: String
        var kind: User.Kind?
        var description: String?
        var roles: [String]?
        var rules: [String]?
        var password: String?
        var publicKey: String?
    }

    struct Change: Decodable {
        var description: String?
        var roles: [String]?
        var rules: [String]?
        var password: String?
        var currentPassword: String?
        var publicKey: String?
    }

    private struct NewToken: Decodable {
        var description: String?
        var lifetimeSeconds: Double?
    }

    func respond(_ route: RondoRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch (route, request.method) {
        case (.users, .post): return try await create(request)
        case (.users, _):
            return .json { json in
                json.listField("users") { json in
                    for user in node.accounts.all() { json.object { $0.user(user) } }
                }
            }
        case (.user(let name), .patch):
            let change = try await RondoFacade.body(Change.self, of: request)
            return try await self.change(name, change)
        case (.user(let name), .delete):
            try await delete(name)
            return .complete(.noContent)
        case (.user(let name), _):
            let user = try found(name)
            return .json { $0.user(user) }
        case (.userTokens(let name), .post): return try await makeToken(name, request)
        case (.userTokens(let name), _):
            let tokens = try found(name).tokens
            return .json { json in
                json.listField("tokens") { json in
                    for token in tokens { json.object { $0.token(token) } }
                }
            }
        case (.userToken(let name, let id), _):
            visitor.noteChange("token.revoke", name + "/" + id)
            try await node.accounts.change(name) { user in
                let count = user.tokens.count
                user.tokens.removeAll { $0.id == id }
                if user.tokens.count == count { throw GatewayError(.notFound, "the user has no token '\(id)'") }
            }
            return .complete(.noContent)
        default: throw GatewayError(.notFound, "there is nothing at \(request.path.prefix(200))")
        }
    }

    private func found(_ name: String) throws -> StoredUser {
        guard let user = node.accounts.user(name) else { throw Accounts.missing(name) }
        return user
    }

    // MARK: users

    private func create(_ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(NewUser.self, of: request)
        let user = User(
            name: wanted.name, kind: wanted.kind ?? (wanted.publicKey == nil ? .person : .service),
            summary: wanted.description ?? "", grants: try Self.grants(wanted.roles, wanted.rules))
        let made = try await create(user, password: wanted.password, publicKey: wanted.publicKey)
        return .json(.created) { $0.user(made) }
    }

    /// Makes a user for either interface.
    func create(_ user: User, password: String?, publicKey: String?) async throws -> StoredUser {
        visitor.noteChange("user.create", user.name + Self.words(user.grants))
        if let defect = user.defect { throw GatewayError(.badRequest, defect) }
        let now = node.clock.now().wall
        var record = StoredUser(user: user, version: Int(now.nanoseconds / 1_000_000), createdAt: now)
        if let publicKey { record.publicKey = try Self.checked(publicKey) }
        if let password { record.password = try await node.authentication.passwords.derive(password) }
        try await node.accounts.create(record)
        return record
    }

    /// Users may change their own password when they know the one they have; everything else is an administrator's.
    func change(_ name: String, _ change: Change) async throws -> GatewayResponse {
        visitor.noteChange("user.change", name + Self.words(change))
        let user = try found(name)
        if change.description != nil || change.roles != nil || change.rules != nil || change.publicKey != nil {
            try visitor.require(.manageUsers)
        }
        let desk = node.authentication.passwords
        if change.password != nil, visitor.caller == .user(name), !visitor.may(.manageUsers) {
            guard let current = change.currentPassword,
                try await desk.check(name, current, source: visitor.source, in: node.accounts) != nil
            else { throw GatewayError(.forbidden, "field 'currentPassword' is missing or wrong") }
        }
        let grants = try Self.grants(change.roles, change.rules)
        let key = try change.publicKey.map { try Self.checked($0) }
        var password: String?
        if let new = change.password { password = try await desk.derive(new) }
        let changed = try await node.accounts.change(user.user.name) { record in
            if let description = change.description { record.user.summary = description }
            if change.roles != nil { record.user.grants.roles = grants.roles }
            if change.rules != nil { record.user.grants.rules = grants.rules }
            if let key { record.publicKey = key }
            if let password { record.password = password }
            if key != nil || password != nil { record.version += 1 }
        }
        return .json { $0.user(changed) }
    }

    func delete(_ name: String) async throws {
        visitor.noteChange("user.delete", name)
        try await node.accounts.delete(name)
    }

    // MARK: tokens

    private func makeToken(_ name: String, _ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(NewToken.self, of: request)
        visitor.noteChange("token.create", name)
        let seconds = wanted.lifetimeSeconds
        if let seconds, !(seconds.isFinite && seconds >= 1 && seconds <= 315_360_000) {
            throw GatewayError(.badRequest, "field 'lifetimeSeconds' must be from 1 to 315360000")
        }
        let lifetime = seconds.map { Duration.clamped(seconds: $0) }
        let made = try await node.makeToken(for: name, lifetime: lifetime, summary: wanted.description ?? "")
        visitor.noteChange("token.create", name + "/" + made.record.id)
        var response = GatewayResponse.json(.created) { json in
            json.token(made.record)
            json.field("token", made.text)
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }

    // MARK: bodies

    private static func grants(_ roles: [String]?, _ rules: [String]?) throws -> Grants {
        guard (roles?.count ?? 0) <= Grants.limit, (rules?.count ?? 0) <= Grants.limit else {
            throw GatewayError(.badRequest, "a user has at most \(Grants.limit) roles and \(Grants.limit) rules")
        }
        do {
            return Grants(
                roles: Set(try (roles ?? []).map { try UserRole($0) }),
                rules: Set(try (rules ?? []).map { try AccessRule($0) }))
        } catch { throw GatewayError(.badRequest, "\(error)") }
    }

    private static func checked(_ pem: String) throws -> String {
        do { _ = try ServiceAccountKey(pem: pem) } catch { throw GatewayError(.badRequest, "\(error)") }
        return pem
    }

    private static func words(_ grants: Grants) -> String {
        let words = grants.roles.sorted().map(\.description) + grants.rules.sorted().map(\.description)
        return words.isEmpty ? "" : " (" + words.joined(separator: ", ") + ")"
    }

    /// What is changed, without any value that is secret.
    private static func words(_ change: Change) -> String {
        var words: [String] = []
        if change.password != nil { words.append("password") }
        if change.publicKey != nil { words.append("public key") }
        if change.description != nil { words.append("description") }
        if let roles = change.roles { words.append("roles \(roles.prefix(Grants.limit).joined(separator: " "))") }
        if let rules = change.rules { words.append("rules \(rules.prefix(Grants.limit).joined(separator: " "))") }
        return " (" + words.joined(separator: ", ") + ")"
    }
}

extension MasterNode {
    /// Makes a token for a user; its text is not kept.
    func makeToken(
        for name: String, lifetime: Duration?, summary: String
    ) async throws -> (record: StoredUser.Token, text: String) {
        guard summary.utf8.count <= 255 else {
            throw GatewayError(.badRequest, "the token's description is longer than 255 bytes")
        }
        let token = StaticToken()
        let now = clock.now().wall
        let record = StoredUser.Token(
            id: token.id, summary: summary, hash: token.hash, createdAt: now, expiresAt: lifetime.map { now + $0 })
        try await accounts.change(name) { user in
            user.tokens.removeAll { $0.expiresAt.map { $0 <= now } ?? false }
            guard user.tokens.count < StoredUser.tokenLimit else {
                throw GatewayError(.conflict, "the user has \(StoredUser.tokenLimit) tokens; revoke one first")
            }
            user.tokens.append(record)
        }
        return (record, token.text)
    }
}

extension JSONWriter {
    fileprivate mutating func user(_ record: StoredUser) {
        field("name", record.user.name)
        field("kind", record.user.kind.rawValue)
        field("description", record.user.summary)
        listField("roles") { json in
            for role in record.user.grants.roles.sorted() { json.string(role.description) }
        }
        listField("rules") { json in
            for rule in record.user.grants.rules.sorted() { json.string(rule.description) }
        }
        field("hasPassword", record.password != nil)
        field("hasKey", record.publicKey != nil)
        field("tokens", record.tokens.count)
        field("createdAt", record.createdAt.text)
    }

    fileprivate mutating func token(_ token: StoredUser.Token) {
        field("id", token.id)
        field("description", token.summary)
        field("createdAt", token.createdAt.text)
        field("expiresAt", token.expiresAt?.text)
    }
}
