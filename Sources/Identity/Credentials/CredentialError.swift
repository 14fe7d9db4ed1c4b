/// Why a credential is not taken. ``code`` is public API: add codes, never reuse one.
///
/// Callers from outside are told no more than that it is wrong; the rest is for the log.
public enum CredentialError: Error, Hashable, Sendable {
    /// It is not in its format, or longer than it may be.
    case malformed(String)
    /// It is signed in another way than this credential must be.
    case wrongAlgorithm
    /// The key that it names is not known (any more).
    case unknownKey
    /// The signature is not the key's.
    case badSignature
    /// It was good until a time that has passed.
    case expired
    /// It is good from a time that has not come, or for longer than is taken.
    case notNow
    /// It is somebody else's.
    case wrongUser
    /// The public key cannot be read, or is too weak or too long.
    case badKey(String)
    /// The password is too short or too long.
    case badPassword(String)

    /// A stable name for programs.
    public var code: String {
        switch self {
        case .malformed: "credential.malformed"
        case .wrongAlgorithm: "credential.wrong-algorithm"
        case .unknownKey: "credential.unknown-key"
        case .badSignature: "credential.bad-signature"
        case .expired: "credential.expired"
        case .notNow: "credential.not-now"
        case .wrongUser: "credential.wrong-user"
        case .badKey: "credential.bad-key"
        case .badPassword: "credential.bad-password"
        }
    }
}

extension CredentialError: CustomStringConvertible {
    /// What happened and what to do next.
    public var description: String {
        switch self {
        case .malformed(let what): "the token cannot be read: \(what)"
        case .wrongAlgorithm: "the token is signed with another algorithm than it must be; a login token takes RS256"
        case .unknownKey: "the key of the token is not known any more; log in again"
        case .badSignature: "the token's signature is not of the key that it must be of"
        case .expired: "the token has expired; log in again"
        case .notNow: "the token's times do not fit; set the clock right, and let it expire within five days"
        case .wrongUser: "the token is another user's"
        case .badKey(let what): "the public key cannot be used: \(what)"
        case .badPassword(let what): "the password \(what)"
        }
    }
}
