public import ClusterModel
internal import Crypto
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
public import StateStore

/// Whose credential it is.
public enum CredentialHolder: Hashable, Sendable {
    /// No credential, or one that nobody gave out.
    case anonymous
    /// A node of the cluster, by its id.
    case node(String)
    /// Somebody with the administrator's credential.
    case administrator
}

/// What a node must show to take part. Keys and mutual TLS replace an implementation of this, nothing else.
public protocol NodeCredentials: Sendable {
    /// Who holds the credential in an `Authorization` header; nil is the header's absence.
    ///
    /// - Throws: ``GatewayError`` with status 503 when it cannot be looked up.
    func caller(authorization: String?) async throws -> CredentialHolder
}

/// Lets everybody take part. For a cluster on one machine that listens on loopback and lives as long as a shell.
public struct OpenCredentials: NodeCredentials {
    /// Credentials that are not asked for.
    public init() {}

    /// Everybody is the administrator.
    public func caller(authorization: String?) async throws -> CredentialHolder { .administrator }
}

/// Credentials whose SHA-256 hashes are kept in the store: the administrator's, one per node, and join tokens.
///
/// A secret has 256 random bits, so an unsalted hash does not give it away; comparisons take the same time whatever
/// differs. The store never holds a secret.
public struct StoredCredentials: NodeCredentials {
    /// What a token lets a node become.
    public struct Token: Hashable, Sendable, Codable {
        /// Names the token; not secret.
        public var id: String
        /// The role that a node joins in: `agent` or `master`.
        public var role: String
        /// When it stops working.
        public var expiresAt: UnixTime
        /// How often it still works.
        public var usesLeft: Int
        /// SHA-256 of the secret, in hexadecimal.
        var hash: String
    }

    /// A node that has joined.
    public struct Node: Hashable, Sendable, Codable {
        /// Given when it joined.
        public var id: String
        /// For people.
        public var name: String
        /// The role it joined in.
        public var role: String
        /// When it joined.
        public var joinedAt: UnixTime
        /// SHA-256 of its secret, in hexadecimal.
        var hash: String
    }

    let registry: NodeRegistry
    private let administratorHash: String?

    /// Credentials kept in a store.
    ///
    /// - Parameters:
    ///   - store: the master's store.
    ///   - administrator: the administrator's secret, at least 32 characters; nil when there is none.
    public init(store: any StateStore, administrator: String?) {
        registry = NodeRegistry(store: store)
        administratorHash = administrator.map { Self.hash($0) }
    }

    /// Who holds the credential: `Bearer X` or `token=X`.
    public func caller(authorization: String?) async throws -> CredentialHolder {
        guard let authorization, let secret = Self.secret(in: authorization) else { return .anonymous }
        if let administratorHash, Self.isEqual(Self.hash(secret), administratorHash) { return .administrator }
        guard let id = Self.id(in: secret, prefix: "node"), let node = try await node(id),
            Self.isEqual(Self.hash(secret), node.hash)
        else { return .anonymous }
        return .node(id)
    }

    // MARK: nodes

    /// Gives a new node its id and its credential; the credential is not kept.
    public func issue(name: String, role: String, now: UnixTime) async throws -> (id: String, credential: String) {
        let (node, credential) = Self.newNode(name: name, role: role, now: now)
        _ = try await registry.store.transact(
            StoreTransaction(
                operations: [.put(key: NodeRegistry.nodes + node.id, value: try NodeRegistry.encode(node))]))
        return (node.id, credential)
    }

    private static func newNode(name: String, role: String, now: UnixTime) -> (Node, String) {
        let id = RandomName.uuid()
        let credential = "node.\(id).\(RandomName.secret(bytes: 32))"
        return (Node(id: id, name: name, role: role, joinedAt: now, hash: hash(credential)), credential)
    }

    private func node(_ id: String) async throws -> Node? {
        guard let entry = try await registry.store.get(NodeRegistry.nodes + id) else { return nil }
        return try NodeRegistry.decode(Node.self, entry)
    }

    /// Every node that has joined.
    public func nodes() async throws -> [Node] {
        try await registry.all(NodeRegistry.nodes).map { try NodeRegistry.decode(Node.self, $0) }
    }

    // MARK: secrets

    /// `Bearer X`, and DC/OS' `token=X`.
    static func secret(in authorization: String) -> String? {
        let text = authorization.trimmingSpaces
        let rest: Substring
        if text.lowercased().hasPrefix("bearer ") {
            rest = text.dropFirst("bearer ".count)
        } else if text.lowercased().hasPrefix("token=") {
            rest = text.dropFirst("token=".count)
        } else {
            return nil
        }
        let secret = rest.trimmingSpaces
        return secret.isEmpty || secret.utf8.count > 512 ? nil : String(secret)
    }

    /// The middle of `prefix.ID.secret`; it must be fit for a key.
    private static func id(in secret: String, prefix: String) -> String? {
        let parts = secret.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == prefix, !parts[1].isEmpty, parts[1].utf8.count <= 64,
            parts[1].utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x7a) || $0 == 0x2d })
        else { return nil }
        return String(parts[1])
    }

    static func hash(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// Compares in a time that depends on the lengths only.
    static func isEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (mine, other) in zip(left, right) { difference |= mine ^ other }
        return difference == 0
    }
}

extension StringProtocol {
    fileprivate var trimmingSpaces: SubSequence {
        var rest = self[...]
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return rest
    }
}
