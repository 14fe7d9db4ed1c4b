internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// A password as it is kept: derived with scrypt, which costs whoever guesses memory as well as time.
///
/// Its text is `$scrypt$ln=15,r=8,p=3$SALT$KEY`, with base64 without padding. The parameters stand in the text, so that
/// they can grow and old passwords still work; ``needsUpgrade`` says when one should be derived anew. Texts with
/// parameters that would cost more than ``memoryLimit`` are not read at all.
public struct PasswordHash: Hashable, Sendable {
    /// What deriving costs. Memory is 128 bytes × 2^`logRounds` × `blockSize`; time grows with all three.
    public struct Cost: Hashable, Sendable {
        /// The binary logarithm of the rounds.
        public var logRounds: Int
        /// The block size.
        public var blockSize: Int
        /// How often it is done, one after the other.
        public var passes: Int

        /// 32 MiB and about a quarter of a second.
        public static let standard = Cost(logRounds: 15, blockSize: 8, passes: 3)

        /// Makes a cost.
        public init(logRounds: Int, blockSize: Int, passes: Int) {
            self.logRounds = logRounds
            self.blockSize = blockSize
            self.passes = passes
        }

        var isBounded: Bool {
            (1...20).contains(logRounds) && (1...32).contains(blockSize) && (1...8).contains(passes)
                && 128 * blockSize << logRounds <= PasswordHash.memoryLimit
        }

        private var work: Int { blockSize * passes << logRounds }

        func isLess(than other: Cost) -> Bool { work < other.work || logRounds < other.logRounds }
    }

    /// The most memory that deriving may take, in bytes.
    public static let memoryLimit = 64 << 20
    /// The lengths that a new password may have, in bytes.
    public static let lengths = 8...1_024

    private static let saltLengths = 8...64
    private static let keyLengths = 16...64

    private let cost: Cost
    private let salt: [UInt8]
    private let key: [UInt8]

    /// Derives a new password with salt of its own.
    ///
    /// - Parameters:
    ///   - password: what the user chose.
    ///   - cost: the standard one except in tests.
    /// - Throws: ``CredentialError/badPassword(_:)``.
    public init(_ password: String, cost: Cost = .standard) throws(CredentialError) {
        guard Self.lengths.contains(password.utf8.count) else {
            throw .badPassword("must have \(Self.lengths.lowerBound) to \(Self.lengths.upperBound) bytes")
        }
        guard !password.utf8.contains(0) else { throw .badPassword("must not contain the character 0") }
        self.cost = cost
        salt = RandomBytes.make(16)
        guard let key = Self.derive(password, salt, cost, count: 32) else {
            throw .badPassword("cannot be derived at this cost")
        }
        self.key = key
    }

    /// Reads a stored text.
    ///
    /// - Parameter text: what ``text`` gave.
    /// - Throws: ``CredentialError/malformed(_:)``.
    public init(text: String) throws(CredentialError) {
        let problem = CredentialError.malformed("it is not the text of a password hash")
        guard text.utf8.count <= 256 else { throw problem }
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { throw problem }
        let fields = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 3, let logRounds = Self.number(fields[0], "ln="), let size = Self.number(fields[1], "r="),
            let passes = Self.number(fields[2], "p=")
        else { throw problem }
        cost = Cost(logRounds: logRounds, blockSize: size, passes: passes)
        guard cost.isBounded, let salt = TokenText.decode(base64: parts[3]),
            let key = TokenText.decode(base64: parts[4]), Self.saltLengths.contains(salt.count),
            Self.keyLengths.contains(key.count)
        else { throw problem }
        self.salt = salt
        self.key = key
    }

    /// The text to be stored.
    public var text: String {
        "$scrypt$ln=\(cost.logRounds),r=\(cost.blockSize),p=\(cost.passes)$\(TokenText.encode(base64: salt))$"
            + TokenText.encode(base64: key)
    }

    /// Whether this is the password. Takes as long for a wrong one as for the right one; may take a quarter of a second
    /// and ``memoryLimit`` bytes.
    public func matches(_ password: String) -> Bool {
        // HMAC fills short keys up with zeros, so a password followed by zeros would pass for it.
        guard password.utf8.count <= Self.lengths.upperBound, !password.isEmpty, !password.utf8.contains(0),
            let other = Self.derive(password, salt, cost, count: key.count)
        else { return false }
        return TokenText.isEqual(other, key)
    }

    /// Whether it should be derived anew, at more cost, the next time that the password is known.
    public func needsUpgrade(to cost: Cost = .standard) -> Bool { self.cost.isLess(than: cost) }

    private static func derive(_ password: String, _ salt: [UInt8], _ cost: Cost, count: Int) -> [UInt8]? {
        guard cost.isBounded else { return nil }
        let key = try? KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: count, rounds: 1 << cost.logRounds,
            blockSize: cost.blockSize, parallelism: cost.passes)
        return key?.withUnsafeBytes { Array($0) }
    }

    private static func number(_ text: Substring, _ prefix: String) -> Int? {
        guard text.hasPrefix(prefix) else { return nil }
        let digits = text.dropFirst(prefix.count)
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }
}
