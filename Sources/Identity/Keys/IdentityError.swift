/// Why a key, a certificate, a token or an envelope is not accepted, in words for whoever can do something about it.
public struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of reason, for those who act on it.
    public enum Reason: String, Hashable, Sendable {
        /// The bytes or the text are not what they should be.
        case malformed
        /// There is more than there may be.
        case oversized
        /// The other side showed no certificate.
        case missing
        /// Signed by another authority than this cluster's, or altered since.
        case otherAuthority
        /// The authority's key is not the one that the join token names.
        case wrongPin
        /// It names another cluster.
        case otherCluster
        /// Its time is over.
        case expired
        /// Its time has not come: one of two clocks is wrong.
        case notYetValid
        /// It was made for something else.
        case wrongUse
        /// The name and the key do not belong together.
        case keyMismatch
        /// The node was removed from the cluster for good.
        case evicted
        /// The node does not have the role that is needed.
        case missingRole
        /// The request is not signed by the key that it asks a certificate for.
        case noProofOfPossession
        /// The authority was asked for something that it does not certify.
        case notCertifiable
        /// The envelope was made with another master key, for another purpose or name, or was altered.
        case cannotOpen
        /// The cryptographic library refused to work.
        case failure
    }

    /// The kind.
    public let reason: Reason
    /// What happened, why, and what to do.
    public let description: String

    /// Makes an error; the words are shown to people as they are.
    public init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// What the library could not do; it gives no reason that helps anybody.
    static func failed(_ what: String) -> IdentityError {
        IdentityError(.failure, "\(what) failed inside the cryptographic library; try again, and report it if it stays")
    }
}
