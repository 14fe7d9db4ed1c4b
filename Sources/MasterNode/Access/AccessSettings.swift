public import Access
public import Identity

/// How a master asks who is there.
public enum AccessMode: Hashable, Sendable {
    /// Whoever reaches the port may do what the credentials say: `rondo dev`, and nothing but loopback. Users, their
    /// tokens and the audit log are the administrator's all the same.
    case open
    /// Every request but those of a short list must show who makes it, and may do what that one may.
    case enforced
}

/// What a master needs to know for that.
public struct AccessSettings: Sendable {
    /// Says which node a verified chain of certificates is of, leaf first, in DER, and its roles, `agent,master`; nil for
    /// a chain that is not a node's. The connection has checked the chain before.
    public var verifyNode: (@Sendable (_ chain: [[UInt8]]) -> (id: String, roles: String)?)?
    /// Keeps the keys of sessions from being readable in the store. Without it they live as long as the process, and
    /// everybody logs in again after a restart.
    public var sealing: Sealing?
    /// How long a login is good.
    public var sessionLifetime: Duration = SessionToken.lifetime
    /// What a password costs to derive.
    public var passwordCost = PasswordHash.Cost.standard
    /// How many attempts to log in there may be.
    public var login = LoginLimiter.Settings()
    /// The cluster's certificate authority in PEM, for clients to trust; nil when there is none.
    public var clusterCertificate: String?
    /// Where the audit log goes; nil for none. Made with mode 0700.
    public var auditDirectory: String?
    /// The length of a segment of the audit log in bytes, after which another is begun.
    public var auditSegmentBytes = 4 << 20
    /// How many segments are kept of either part of the audit log.
    public var auditSegments = 16

    /// Encrypts small values before they are stored.
    public struct Sealing: Sendable {
        /// Encrypts; the name says what the value is and must be given again.
        public var seal: @Sendable (_ value: [UInt8], _ name: String) throws -> [UInt8]
        /// Decrypts, or throws when the value was changed or has another name.
        public var open: @Sendable (_ value: [UInt8], _ name: String) throws -> [UInt8]

        /// Makes a pair that belongs together.
        public init(
            seal: @escaping @Sendable (_ value: [UInt8], _ name: String) throws -> [UInt8],
            open: @escaping @Sendable (_ value: [UInt8], _ name: String) throws -> [UInt8]
        ) {
            self.seal = seal
            self.open = open
        }
    }

    /// The defaults.
    public init() {}
}
