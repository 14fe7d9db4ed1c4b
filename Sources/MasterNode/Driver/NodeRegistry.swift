public import ClusterModel
internal import FoundationEssentials
internal import MasterCore
internal import StateStore

/// The cluster as it names itself; stored once, never changed.
public struct ClusterIdentity: Hashable, Sendable, Codable {
    /// A version-4 UUID in lower case.
    public var id: String
    /// For people.
    public var name: String
    /// When the cluster was made.
    public var createdAt: UnixTime
}

/// What a master keeps in its store, and under which keys.
///
/// ```
/// /rondo/cluster            the cluster's id and name
/// /rondo/agents/<id>        AgentRecord
/// /rondo/frameworks/<id>    FrameworkRecord
/// /rondo/weights/<role>     a number
/// /rondo/nodes/<id>         a node that was let in; its id is derived from its key
/// /rondo/tokens/<id>        a join token, hashed
/// /rondo/term               how often a master has begun to lead
/// /rondo/keys               the gossip's keys and who was evicted, sealed with the master key
/// /rondo/users/<name>       StoredUser
/// /rondo/session-keys       what sessions are signed with, sealed
/// /rondo/secrets/<path>     StoredSecret, whose value is sealed
/// ```
/// Every value is JSON, `{"format": 1, "value": …}`. Older formats stay readable, newer ones are refused.
struct NodeRegistry: Sendable {
    static let format = 1
    /// The longest record that is accepted from outside; the store takes twice as much.
    static let recordLimit = 256 << 10

    let store: any StateStore

    private struct Stored<Value: Codable>: Codable {
        var format: Int
        var value: Value
    }

    private struct FormatOnly: Decodable {
        var format: Int
    }

    // MARK: keys

    static let clusterKey = "/rondo/cluster"
    static let agents = "/rondo/agents/"
    static let frameworks = "/rondo/frameworks/"
    static let weights = "/rondo/weights/"
    static let nodes = "/rondo/nodes/"
    static let tokens = "/rondo/tokens/"
    static let keys = "/rondo/keys"
    static let term = "/rondo/term"
    static let users = "/rondo/users/"
    static let secrets = "/rondo/secrets/"
    static let sessionKeys = "/rondo/session-keys"
    static let endedSessions = "/rondo/ended-sessions"

    // MARK: values

    static func encode(_ value: some Codable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(Stored(format: format, value: value)))
    }

    static func decode<Value: Codable>(_ type: Value.Type = Value.self, _ entry: StoreEntry) throws -> Value {
        let data = Data(entry.value)
        let decoder = JSONDecoder()
        do {
            let found = try decoder.decode(FormatOnly.self, from: data).format
            guard found <= format else {
                throw MasterNodeError.newerFormat(key: entry.key, found: found, supported: format)
            }
            return try decoder.decode(Stored<Value>.self, from: data).value
        } catch let error as MasterNodeError {
            throw error
        } catch {
            throw MasterNodeError.unreadable(key: entry.key, reason: "\(error)")
        }
    }

    /// Whether a record from outside may be stored; checked before a core hears of it, so that no commit is refused
    /// for its size.
    static func fits(_ value: some Codable) -> Bool {
        guard let bytes = try? encode(value) else { return false }
        return bytes.count <= recordLimit
    }

    // MARK: reading

    func load() async throws -> Registry {
        var registry = Registry()
        for entry in try await all(Self.agents) {
            registry.apply(.putAgent(try Self.decode(AgentRecord.self, entry)))
        }
        for entry in try await all(Self.frameworks) {
            registry.apply(.putFramework(try Self.decode(FrameworkRecord.self, entry)))
        }
        for entry in try await all(Self.weights) {
            let role = RoleName(String(entry.key.dropFirst(Self.weights.count)))
            registry.apply(.putWeight(role, try Self.decode(Double.self, entry)))
        }
        return registry
    }

    func all(_ prefix: String) async throws -> [StoreEntry] {
        var entries: [StoreEntry] = []
        var last: String?
        while true {
            let page = try await store.range(prefix: prefix, limit: 1_000, startAfter: last)
            entries += page.entries
            last = page.entries.last?.key
            if !page.more || last == nil { return entries }
        }
    }

    /// The cluster's identity, made on the first start.
    func identity(name: String, id: String? = nil, now: UnixTime) async throws -> ClusterIdentity {
        if let entry = try await store.get(Self.clusterKey) { return try Self.decode(ClusterIdentity.self, entry) }
        let identity = ClusterIdentity(id: id ?? RandomName.uuid(), name: name, createdAt: now)
        let outcome = try await store.transact(
            StoreTransaction(
                compares: [.absent(key: Self.clusterKey)],
                operations: [.put(key: Self.clusterKey, value: try Self.encode(identity))]))
        guard case .conflict(let conflict) = outcome, let entry = conflict.actual else { return identity }
        return try Self.decode(ClusterIdentity.self, entry)
    }

    /// Begins a new term of leading: one more than any before.
    func nextTerm() async throws -> UInt64 {
        for _ in 0..<16 {
            let entry = try await store.get(Self.term)
            let term = try entry.map { try Self.decode(UInt64.self, $0) + 1 } ?? 1
            let compare: StoreTransaction.Compare =
                entry.map { .modRevision(key: Self.term, $0.modRevision) } ?? .absent(key: Self.term)
            let outcome = try await store.transact(
                StoreTransaction(
                    compares: [compare], operations: [.put(key: Self.term, value: try Self.encode(term))]))
            if case .committed = outcome { return term }
        }
        throw MasterNodeError.unreadable(key: Self.term, reason: "others write it all the time")
    }

    // MARK: writing

    /// The transactions of one input: one, unless there are more changes than the store takes at once. Those of one
    /// command always fit; only a timer that gives up many agents at once needs several, and each stands by itself.
    static func transactions(for changes: [RegistryChange]) throws -> [StoreTransaction] {
        var operations: [String: StoreTransaction.Operation] = [:]
        var order: [String] = []
        for change in changes {
            let (key, value) = try keyAndValue(of: change)
            if operations[key] == nil { order.append(key) }
            operations[key] = value.map { .put(key: key, value: $0) } ?? .delete(key: key)
        }
        var transactions: [StoreTransaction] = []
        var current: [StoreTransaction.Operation] = []
        var bytes = 0
        for key in order {
            guard let operation = operations[key] else { continue }
            var size = key.utf8.count
            if case .put(_, let value, _) = operation { size += value.count }
            if !current.isEmpty, current.count == StoreLimits.operations || bytes + size > StoreLimits.transactionBytes
            {
                transactions.append(StoreTransaction(operations: current))
                current = []
                bytes = 0
            }
            current.append(operation)
            bytes += size
        }
        if !current.isEmpty { transactions.append(StoreTransaction(operations: current)) }
        return transactions
    }

    private static func keyAndValue(of change: RegistryChange) throws -> (String, [UInt8]?) {
        switch change {
        case .putAgent(let record): (agents + (record.info.id?.value ?? ""), try encode(record))
        case .removeAgent(let id): (agents + id.value, nil)
        case .putFramework(let record): (frameworks + (record.info.id?.value ?? ""), try encode(record))
        case .removeFramework(let id): (frameworks + id.value, nil)
        case .putWeight(let role, let weight): (weights + role.value, try encode(weight))
        }
    }
}
