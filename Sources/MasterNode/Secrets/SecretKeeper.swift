internal import ClusterModel
internal import FoundationEssentials
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import StateStore
internal import Synchronization

/// A secret as it is stored: an envelope that only the cluster's master key opens, and what may be seen without it.
struct StoredSecret: Hashable, Sendable, Codable {
    /// ``KeyEnvelope``, in base64.
    var envelope: String
    /// Whether it was given as bytes rather than as text.
    var isBinary: Bool
    /// Grows with every change.
    var version: Int
    var createdAt: UnixTime
    var changedAt: UnixTime
}

/// The secrets of a cluster: in the store as envelopes, in memory only which ones there are.
///
/// This master is the only one that writes them; each write is one compare-and-set of one value.
final class SecretKeeper: Sendable {
    /// The longest value, in bytes.
    static let valueLimit = 256 << 10
    /// Secrets of one cluster.
    static let countLimit = 10_000
    /// Bytes of all values of a cluster.
    static let bytesLimit = 256 << 20
    private static let purpose = "secret"

    /// A value, and whether it is to be shown as bytes.
    struct Value: Hashable, Sendable {
        var bytes: [UInt8]
        var isBinary: Bool
    }

    private struct Entry {
        var record: StoredSecret
        var revision: Revision
        var size: Int
    }

    private struct State {
        var sizes: [String: Int] = [:]
        var bytes = 0

        mutating func set(_ path: String, _ size: Int?) {
            bytes += (size ?? 0) - (sizes[path] ?? 0)
            sizes[path] = size
        }
    }

    private let store: any StateStore
    private let key: MasterKey
    private let state = Mutex(State())
    private let writes = OneAtATime()

    init(store: any StateStore, key: MasterKey) {
        self.store = store
        self.key = key
    }

    /// Finds out which secrets there are, without opening any.
    func load() async throws {
        var last: String?
        while true {
            let page = try await store.range(prefix: NodeRegistry.secrets, limit: 1_000, startAfter: last)
            for entry in page.entries {
                let path = String(entry.key.dropFirst(NodeRegistry.secrets.count))
                state.withLock { $0.set(path, entry.value.count) }
            }
            last = page.entries.last?.key
            if !page.more || last == nil { return }
        }
    }

    // MARK: reading

    /// Whether there is a secret of this path.
    func has(_ path: String) -> Bool { state.withLock { $0.sizes[path] != nil } }

    /// The paths at or below a path, in alphabetical order; all of them below the empty path.
    func paths(below path: String) -> [String] {
        state.withLock { Array($0.sizes.keys) }.filter { path.isEmpty || $0 == path || $0.hasPrefix(path + "/") }
            .sorted()
    }

    /// Opens a secret.
    ///
    /// - Returns: nil when there is none.
    /// - Throws: ``StoreError``; ``GatewayError`` 500 when the master key does not open it.
    func value(_ path: String) async throws -> Value? {
        guard let entry = try await entry(path) else { return nil }
        guard let envelope = Data(base64Encoded: entry.record.envelope) else {
            throw GatewayError(.internalServerError, "the secret \(path) is damaged; put it again")
        }
        do throws(IdentityError) {
            let bytes = try KeyEnvelope.open([UInt8](envelope), purpose: Self.purpose, name: path, with: key)
            return Value(bytes: bytes, isBinary: entry.record.isBinary)
        } catch { throw GatewayError(.internalServerError, "the secret cannot be opened: \(error)") }
    }

    private func entry(_ path: String) async throws -> Entry? {
        guard let entry = try await store.get(NodeRegistry.secrets + path) else { return nil }
        let record = try NodeRegistry.decode(StoredSecret.self, entry)
        return Entry(record: record, revision: entry.modRevision, size: entry.value.count)
    }

    // MARK: writing

    /// Keeps a new secret.
    ///
    /// - Throws: ``GatewayError`` 409 when there is one of that path; ``StoreError``.
    func create(_ path: String, _ value: Value, now: UnixTime) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        try await write(
            path, value, version: 1, createdAt: now, now: now, .absent(key: NodeRegistry.secrets + path),
            otherwise: GatewayError(.conflict, "there is a secret \(path) already; change it with PATCH"))
    }

    /// Changes a secret.
    ///
    /// - Throws: ``GatewayError`` 404 when there is none; ``StoreError``.
    func change(_ path: String, _ value: Value, now: UnixTime) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        guard let old = try await entry(path) else { throw Self.missing(path) }
        try await write(
            path, value, version: old.record.version + 1, createdAt: old.record.createdAt, now: now,
            .modRevision(key: NodeRegistry.secrets + path, old.revision),
            otherwise: GatewayError(.conflict, "the secret \(path) is being changed by others; try again"))
    }

    /// Forgets a secret.
    ///
    /// - Throws: ``GatewayError`` 404 when there is none; ``StoreError``.
    func delete(_ path: String) async throws {
        _ = await writes.enter()
        defer { writes.leave() }
        let key = NodeRegistry.secrets + path
        switch try await store.transact(
            StoreTransaction(compares: [.exists(key: key)], operations: [.delete(key: key)]))
        {
        case .committed: state.withLock { $0.set(path, nil) }
        case .conflict: throw Self.missing(path)
        case .rejected(let error): throw error
        }
    }

    private func write(
        _ path: String, _ value: Value, version: Int, createdAt: UnixTime, now: UnixTime,
        _ compare: StoreTransaction.Compare, otherwise refusal: GatewayError
    ) async throws {
        let envelope: [UInt8]
        do throws(IdentityError) {
            envelope = try KeyEnvelope.seal(value.bytes, purpose: Self.purpose, name: path, with: key)
        } catch { throw GatewayError(.contentTooLarge, error.description) }
        let bytes = try NodeRegistry.encode(
            StoredSecret(
                envelope: Data(envelope).base64EncodedString(), isBinary: value.isBinary, version: version,
                createdAt: createdAt, changedAt: now))
        try checkRoom(path, bytes.count)
        let outcome = try await store.transact(
            StoreTransaction(
                compares: [compare], operations: [.put(key: NodeRegistry.secrets + path, value: bytes)]))
        switch outcome {
        case .committed: state.withLock { $0.set(path, bytes.count) }
        case .conflict: throw refusal
        case .rejected(let error): throw error
        }
    }

    private func checkRoom(_ path: String, _ size: Int) throws {
        let problem: String? = state.withLock { state in
            if state.sizes[path] == nil, state.sizes.count >= Self.countLimit { return "\(Self.countLimit) secrets" }
            let others = state.bytes - (state.sizes[path] ?? 0)
            return others + size > Self.bytesLimit ? "\(Self.bytesLimit >> 20) MiB of secrets" : nil
        }
        if let problem { throw GatewayError(.conflict, "there are \(problem) already; delete some first") }
    }

    static func missing(_ path: String) -> GatewayError {
        GatewayError(.notFound, "there is no secret \(path); `rondo secret list` shows those there are")
    }
}
