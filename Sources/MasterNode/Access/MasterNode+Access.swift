internal import Access
internal import HTTPGateway
internal import HTTPTypes
internal import Identity

extension MasterNode {
    /// Makes the first administrator of a new cluster, with a token to log in with.
    ///
    /// - Parameters:
    ///   - name: the user's name.
    ///   - lifetime: how long the token is good; nil for good.
    /// - Returns: the token's text, which is not kept.
    /// - Throws: ``GatewayError`` 409 when the cluster has users already; ``StoreError``.
    public func makeFirstAdministrator(name: String, lifetime: Duration?) async throws -> String {
        guard accounts.count == 0 else {
            throw GatewayError(.conflict, "the cluster has users already; make others with `rondo user add`")
        }
        let visitor = Visitor(caller: .root, grants: .none, source: "local", mode: settings.access, isProven: true)
        let user = User(
            name: name, kind: .person, summary: "the first administrator", grants: Grants(roles: [.administrator]))
        _ = try await UserFacade(node: self, visitor: visitor).create(user, password: nil, publicKey: nil)
        let token = try await makeToken(for: name, lifetime: lifetime, summary: "made with the cluster")
        await trail.record(visitor, nil, status: 201)
        return token.text
    }

    /// Whether the cluster has users.
    public var hasUsers: Bool { accounts.count > 0 }
}
