internal import Crypto
public import Membership

/// What one pastes on a new machine: leave to join in a role, and the pin by which the machine knows the cluster.
///
/// The text is `rondo1.<role>.<id>.<secret>.<pin>`. The master keeps the id and ``hash`` and never the secret.
public struct JoinToken: Hashable, Sendable, CustomStringConvertible {
    /// The role that a token is for.
    public enum Role: String, Hashable, Sendable, CaseIterable {
        /// Runs tasks.
        case agent
        /// Decides for the cluster.
        case master

        /// The role as members know it.
        public var roles: NodeRoles { self == .agent ? .agent : .master }
    }

    /// What the joiner may become.
    public let role: Role
    /// Names the token in the store and in lists; not secret. Ten characters of a to z and 2 to 7.
    public let id: String
    /// The pin of the cluster's authority.
    public let pin: String
    private let secret: [UInt8]

    private static let idAlphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let prefix = "rondo1"
    private static let textLimit = 256

    /// A new token by chance.
    ///
    /// - Parameters:
    ///   - role: what the joiner may become.
    ///   - pin: of the cluster's authority.
    public init(role: Role, pin: String) {
        self.role = role
        self.pin = pin
        id = String(decoding: ByteText.random(10).map { Self.idAlphabet[Int($0 & 31)] }, as: UTF8.self)
        secret = ByteText.random(32)
    }

    /// The whole token: as secret as a password.
    public var text: String { "\(Self.prefix).\(role.rawValue).\(id).\(ByteText.base64URL(secret)).\(pin)" }

    /// The token without its secret, for logs.
    public var description: String { "\(Self.prefix).\(role.rawValue).\(id)…" }

    /// SHA-256 of the secret: what the master keeps.
    public var hash: [UInt8] { ByteText.sha256(secret) }

    /// True when the secret is the one that was hashed; takes the same time whatever differs.
    public func matches(hash: [UInt8]) -> Bool { ByteText.isEqual(self.hash, hash) }
}

extension JoinToken {
    /// Reads a token as it was pasted; white space around it does not matter.
    ///
    /// - Throws: ``IdentityError`` that says what is wrong with the text and never repeats it.
    public init(parsing pasted: String) throws(IdentityError) {
        guard pasted.utf8.count <= 4 * Self.textLimit else { throw Self.wrong("is far too long", .oversized) }
        var bytes = Array(pasted.utf8)[...]
        while let first = bytes.first, Self.isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, Self.isSpace(last) { bytes.removeLast() }
        guard !bytes.isEmpty else { throw Self.wrong("is empty") }
        guard bytes.count <= Self.textLimit else { throw Self.wrong("is far too long", .oversized) }
        guard !bytes.contains(where: Self.isSpace) else {
            throw Self.wrong("has a space or a line break inside: it was broken in two when it was copied")
        }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard parts[0] == Self.prefix else { throw Self.unknown(parts[0]) }
        guard parts.count == 5 else {
            throw Self.wrong(parts.count < 5 ? "is cut off: it has \(parts.count) of 5 parts" : "has more than 5 parts")
        }
        guard let role = Role(rawValue: String(parts[1])) else {
            throw Self.wrong("is for a role that this version does not know")
        }
        guard parts[2].utf8.count == 10, parts[2].utf8.allSatisfy(Self.idAlphabet.contains) else {
            throw Self.wrong("has an id that is never given out")
        }
        self.role = role
        id = String(parts[2])
        secret = try Self.bytes(parts[3], "secret")
        _ = try Self.bytes(parts[4], "pin")
        pin = String(parts[4])
    }

    private static func bytes(_ part: Substring, _ name: String) throws(IdentityError) -> [UInt8] {
        let count = part.utf8.count
        guard count >= 43 else { throw wrong("is cut off: its \(name) has \(count) of 43 characters") }
        guard let bytes = ByteText.bytes(base64URL: part), bytes.count == 32 else {
            throw wrong("has a mistake in its \(name)")
        }
        return bytes
    }

    private static func unknown(_ prefix: Substring) -> IdentityError {
        if prefix == "join" {
            return wrong("is of the old kind, which does not say whom to trust")
        }
        if prefix.hasPrefix("rondo"), prefix.dropFirst(5).allSatisfy(\.isNumber), prefix.utf8.count > 5 {
            return wrong("is for a newer version of Rondo: install that here first, or")
        }
        return wrong("is not a join token of Rondo, which starts with 'rondo1.'")
    }

    private static func wrong(_ what: String, _ reason: IdentityError.Reason = .malformed) -> IdentityError {
        let end = what.hasSuffix(" or") ? " " : "; copy the whole line again, or "
        return IdentityError(
            reason, "the join token \(what)\(end)make a new one with `rondo cluster token create` on a master")
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}
