internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import StateStore
internal import Synchronization

/// A user as it is stored: who it is, what it may do, and how it proves itself. No secret is in it, only hashes.
struct StoredUser: Hashable, Sendable, Codable {
    /// A token that the user made.
    struct Token: Hashable, Sendable, Codable {
        var id: String
        var summary: String
        var hash: String
        var createdAt: UnixTime
        var expiresAt: UnixTime?
    }

    /// Tokens of one user.
    static let tokenLimit = 32

    var user: User
    /// ``PasswordHash/text``.
    var password: String?
    /// PEM.
    var publicKey: String?
    var tokens: [Token] = []
    /// Grows whenever the password or the key changes, which ends all sessions. It begins with the time, so that a user
    /// who is deleted and made anew does not get the sessions of before.
    var version: Int
    var createdAt: UnixTime
}

/// The users of a cluster: in the store, and all of them in memory, since every request asks for one.
///
/// This master is the only one that writes them; each write is one compare-and-set of one value.
final class Accounts: Sendable {
    /// Users of one cluster.
    static let limit = 10_000
    private static let sessionName = "session-keys"

    private struct Entry {
        var record: StoredUser
        var revision: Revision
    }

    private struct State {
        var users: [String: Entry] = [:]
        var tokenOwners: [String: String] = [:]
        var keys = SessionKeys()
        /// Sessions that were ended by those who had them.
        var ended = EndedSessions()

        mutating func put(_ record: StoredUser, _ revision: Revision) {
            remove(record.user.name)
            users[record.user.name] = Entry(record: record, revision: revision)
            for token in record.tokens { tokenOwners[token.id] = record.user.name }
        }

        mutating func remove(_ name: String) {
            for token in users.removeValue(forKey: name)?.record.tokens ?? [] { tokenOwners[token.id] = nil }
        }
    }

    private let store: any StateStore
    private let state = Mutex(State())
    /// Writes come one after the other, so that memory hears of them in the order of the store.
    private let writes = OneAtATime()

    init(store: any StateStore) { self.store = store }

    /// Reads all users and the keys of sessions, which are made when there are none.
    func load(_ sealing: AccessSettings.Sealing?) async throws {
        for entry in try await NodeRegistry(store: store).all(NodeRegistry.users) {
            let record = try NodeRegistry.decode(StoredUser.self, entry)
            state.withLock { $0.put(record, entry.modRevision) }
        }
        if let entry = try await store.get(NodeRegistry.endedSessions) {
            let ended = try NodeRegistry.decode(EndedSessions.self, entry)
            state.withLock { $0.ended = ended }
        }
        guard let sealing else { return }
        let key = NodeRegistry.sessionKeys
        if let entry = try await store.get(key) {
            let bytes = try sealing.open(try NodeRegistry.decode([UInt8].self, entry), Self.sessionName)
            let keys = try SessionKeys(encoded: bytes)
            state.withLock { $0.keys = keys }
        } else {
            let sealed = try sealing.seal(sessionKeys.encoded(), Self.sessionName)
            _ = try await store.transact(
                StoreTransaction(
                    compares: [.absent(key: key)],
                    operations: [.put(key: key, value: try NodeRegistry.encode(sealed))]))
        }
    }

    // MARK: reading

    var sessionKeys: SessionKeys { state.withLock { $0.keys } }
    var count: Int { state.withLock { $0.users.count } }
    func user(_ name: String) -> StoredUser? { state.withLock { $0.users[name]?.record } }
    func all() -> [StoredUser] {
        state.withLock { $0.users.values.map(\.record) }.sorted { $0.user.name < $1.user.name }
    }

    /// The user whose token it is, when it has not expired.
    func owner(ofToken text: String, now: UnixTime) -> (user: StoredUser, token: StoredUser.Token)? {
        guard let id = StaticToken.id(in: text),
            let user = state.withLock({ state in state.tokenOwners[id].flatMap { state.users[$0]?.record } }),
            let token = user.tokens.first(where: { $0.id == id }), StaticToken.matches(text, hash: token.hash),
            token.expiresAt.map({ now < $0 }) ?? true
        else { return nil }
        return (user, token)
    }

    /// The user whose session it is.
    func owner(ofSession text: String, now: UnixTime) -> (user: StoredUser, session: SessionToken)? {
        guard let session = try? SessionToken(verifying: text, with: sessionKeys, now: now),
            let user = user(session.user), user.version == session.version,
            !state.withLock({ $0.ended.contains(text) })
        else { return nil }
        return (user, session)
    }

    // MARK: writing

    /// Makes a user.
    ///
    /// - Throws: ``GatewayError`` 409 when there is one of that name; ``StoreError``.
    func create(_ record: StoredUser) async throws {
        let name = record.user.name
        if let defect = record.user.defect { throw GatewayError(.badRequest, defect) }
        if count >= Self.limit { throw GatewayError(.conflict, "there are \(Self.limit) users; delete some first") }
        let taken = GatewayError(.conflict, "there is a user '\(name)' already; choose another name")
        if user(name) != nil { throw taken }
        let key = NodeRegistry.users + name
        _ = await writes.enter()
        defer { writes.leave() }
        let outcome = try await store.transact(
            StoreTransaction(
                compares: [.absent(key: key)],
                operations: [.put(key: key, value: try NodeRegistry.encode(record))]))
        switch outcome {
        case .committed(let revision): state.withLock { $0.put(record, revision) }
        case .conflict: throw taken
        case .rejected(let error): throw error
        }
    }

    /// Changes a user; the closure may be called again when somebody else changed it meanwhile.
    ///
    /// - Throws: ``GatewayError`` 404; ``StoreError``; what the closure throws.
    @discardableResult
    func change(_ name: String, _ edit: (inout StoredUser) throws -> Void) async throws -> StoredUser {
        _ = await writes.enter()
        defer { writes.leave() }
        for _ in 0..<16 {
            guard let entry = state.withLock({ $0.users[name] }) else { throw Self.missing(name) }
            var record = entry.record
            try edit(&record)
            if let defect = record.user.defect { throw GatewayError(.badRequest, defect) }
            let key = NodeRegistry.users + name
            let outcome = try await store.transact(
                StoreTransaction(
                    compares: [.modRevision(key: key, entry.revision)],
                    operations: [.put(key: key, value: try NodeRegistry.encode(record))]))
            switch outcome {
            case .committed(let revision):
                state.withLock { $0.put(record, revision) }
                return record
            case .conflict: try await reload(name)
            case .rejected(let error): throw error
            }
        }
        throw GatewayError(.conflict, "the user is being changed by others; try again")
    }

    /// Deletes a user, whose sessions and tokens end with that.
    func delete(_ name: String) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        guard user(name) != nil else { throw Self.missing(name) }
        let outcome = try await store.transact(
            StoreTransaction(operations: [.delete(key: NodeRegistry.users + name)]))
        if case .rejected(let error) = outcome { throw error }
        state.withLock { $0.remove(name) }
    }

    /// Ends all sessions: what they were signed with is replaced and believed no more. Tokens stay as they are.
    func endSessions(_ sealing: AccessSettings.Sealing?) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        let keys = SessionKeys()
        if let sealing {
            let sealed = try sealing.seal(keys.encoded(), Self.sessionName)
            let outcome = try await store.transact(
                StoreTransaction(
                    operations: [.put(key: NodeRegistry.sessionKeys, value: try NodeRegistry.encode(sealed))]))
            if case .rejected(let error) = outcome { throw error }
        }
        state.withLock { $0.keys = keys }
    }

    /// Ends one session. A text that is no session's, or is of one that has ended, is no matter.
    func endSession(_ text: String, now: UnixTime) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        guard let (_, session) = owner(ofSession: text, now: now) else { return }
        var ended = state.withLock { $0.ended }
        ended.add(text, until: session.expiresAt, now: now)
        let outcome = try await store.transact(
            StoreTransaction(
                operations: [.put(key: NodeRegistry.endedSessions, value: try NodeRegistry.encode(ended))]))
        if case .rejected(let error) = outcome { throw error }
        state.withLock { [ended] in $0.ended = ended }
    }

    static func missing(_ name: String) -> GatewayError {
        GatewayError(.notFound, "there is no user '\(name.prefix(96))'; `rondo user list` shows those there are")
    }

    private func reload(_ name: String) async throws {
        guard let entry = try await store.get(NodeRegistry.users + name) else {
            state.withLock { $0.remove(name) }
            return
        }
        let record = try NodeRegistry.decode(StoredUser.self, entry)
        state.withLock { $0.put(record, entry.modRevision) }
    }
}
