internal import Crypto

/// One key that the members of a cluster share: 32 bytes, named by four bytes that are derived from it.
public struct GossipKey: Hashable, Sendable, CustomStringConvertible {
    /// Names the key on the wire and in lists; tells nothing about it.
    public let id: UInt32
    /// The 32 bytes.
    public let bytes: [UInt8]

    /// Takes 32 bytes from a file or another node; nil for any other number of them.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
        let digest = HMAC<SHA256>.authenticationCode(
            for: Array("rondo-gossip-key-id".utf8), using: SymmetricKey(data: bytes))
        id = digest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Makes a new key by chance.
    public static func generate() -> GossipKey {
        let key = SymmetricKey(size: .bits256)
        let bytes = key.withUnsafeBytes { Array($0) }
        guard let made = GossipKey(bytes: bytes) else { preconditionFailure("a key of \(bytes.count) bytes") }
        return made
    }

    /// The name in eight hexadecimal digits, never the key.
    public var description: String { KeyRing.text(id) }
}

/// The keys of a cluster: one seals what this node sends, all open what it receives.
///
/// A key is changed without a gap in three steps, each of which reaches all members before the next: ``add(_:)`` the
/// new one everywhere, ``use(_:)`` it everywhere, ``remove(_:)`` the old one everywhere.
public struct KeyRing: Hashable, Sendable {
    /// Most keys in a ring.
    public static let limit = 8

    /// All keys, the one that seals first.
    public private(set) var keys: [GossipKey]

    /// A ring of one key.
    public init(_ key: GossipKey) { keys = [key] }

    /// The key that seals.
    public var primary: GossipKey { keys[0] }

    /// The key of that name.
    public func key(_ id: UInt32) -> GossipKey? { keys.first { $0.id == id } }

    /// Takes in a key that only opens until it is used; nothing happens when it is there already.
    public mutating func add(_ key: GossipKey) throws(KeyRingError) {
        if keys.contains(key) { return }
        guard self.key(key.id) == nil else { throw .sameName(key.id) }
        guard keys.count < Self.limit else { throw .full }
        keys.append(key)
    }

    /// Makes a key the one that seals.
    public mutating func use(_ id: UInt32) throws(KeyRingError) {
        guard let index = keys.firstIndex(where: { $0.id == id }) else { throw .unknown(id) }
        keys.swapAt(0, index)
    }

    /// Forgets a key; what is sealed with it is refused from now on.
    public mutating func remove(_ id: UInt32) throws(KeyRingError) {
        guard let index = keys.firstIndex(where: { $0.id == id }) else { throw .unknown(id) }
        guard index > 0 else { throw .inUse(id) }
        keys.remove(at: index)
    }

    static func text(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// Why a key ring was not changed.
public enum KeyRingError: Error, Equatable, CustomStringConvertible {
    /// The ring has as many keys as it may.
    case full
    /// Another key has the same name.
    case sameName(UInt32)
    /// No key has that name.
    case unknown(UInt32)
    /// The key seals what this node sends.
    case inUse(UInt32)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .full: "the ring holds \(KeyRing.limit) keys already; remove one that is no longer used"
        case .sameName(let id): "another key is named \(KeyRing.text(id)); generate a new one"
        case .unknown(let id): "there is no key \(KeyRing.text(id)) in the ring; add it first"
        case .inUse(let id): "key \(KeyRing.text(id)) seals what this node sends; use another one first"
        }
    }
}
