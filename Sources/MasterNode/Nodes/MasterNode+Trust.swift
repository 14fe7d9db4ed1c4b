public import ClusterModel
public import Identity
public import Membership

/// What the process of a master asks of it beside serving requests.
extension MasterNode {
    /// The keys of a secured cluster as they are now.
    public var clusterKeys: ClusterKeys? { admission?.board.keys }

    /// Waits until the keys are newer than a revision.
    ///
    /// - Parameter revision: what is known already.
    /// - Returns: the newer keys; nil when the master stops, or is of no secured cluster.
    public func clusterKeys(after revision: Int) async -> ClusterKeys? {
        guard let board = admission?.board else { return nil }
        while board.keys.revision <= revision {
            guard !Task.isCancelled else { return nil }
            await board.change(within: .seconds(3_600), clock) { board.keys.revision > revision }
        }
        return board.keys
    }

    /// Takes the master's own node in, or renews its certificate.
    ///
    /// - Parameters:
    ///   - request: made with the node's key.
    ///   - roles: what the node does.
    /// - Returns: its certificate.
    /// - Throws: when the store refuses, or this is no secured cluster.
    public func enrolItself(_ request: CertificateRequest, roles: NodeRoles) async throws -> IssuedCertificate {
        guard let admission else { throw MasterNodeError.stopped }
        // It is told of changes by itself, and no rotation needs to wait for it.
        admission.board.note(request.publicKey.id, knows: .max)
        return try await admission.enrol(request, roles: roles, name: settings.hostname, now: clock.now().wall)
    }

    /// Makes a join token for agents.
    ///
    /// - Parameters:
    ///   - lifetime: how long it works.
    ///   - uses: how often.
    /// - Returns: its text, which is not kept.
    /// - Throws: when the store refuses, or this is no secured cluster.
    public func makeJoinToken(lifetime: Duration, uses: Int) async throws -> String {
        guard let admission else { throw MasterNodeError.stopped }
        return try await admission.makeToken(role: .agent, lifetime: lifetime, uses: uses, now: clock.now().wall).text
    }

    /// Whether a join token, by its id, still works for a while.
    ///
    /// - Parameters:
    ///   - id: of the token.
    ///   - time: until when.
    /// - Returns: whether it does.
    /// - Throws: when the store cannot be read.
    public func joinTokenWorks(_ id: String, until time: UnixTime) async throws -> Bool {
        guard let token = try await admission?.tokens().first(where: { $0.id == id }) else { return false }
        return token.usesLeft > 0 && time < token.expiresAt
    }
}
