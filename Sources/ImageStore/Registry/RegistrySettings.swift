/// How registries are spoken to.
public struct RegistrySettings: Sendable {
    /// Who to be, by registry.
    public var credentials = RegistryCredentials()
    /// What to do where they are missing, for the message.
    public var credentialAdvice = "give them with --user or --auth-file"
    /// Registries to try before the one that a name has, by that one's name; each a host, perhaps with a port.
    public var mirrors: [String: [String]] = [:]
    /// Registries without TLS. Those on this machine (loopback) are spoken to without TLS anyway, unless
    /// ``authorities`` are given.
    public var plain: Set<String> = []
    /// Whether all registries may be without TLS.
    public var isPlainAllowed = false
    /// A file of authorities in PEM in place of those that the machine knows.
    public var authorities: String?
    /// How long the head of an answer may take, and a pause in its body.
    public var timeout: Duration = .seconds(30)
    /// How often a request is sent when the registry does not answer or answers that something is wrong with it.
    public var attempts = 5
    /// The pause before the second attempt; it doubles with each.
    public var firstPause: Duration = .milliseconds(500)
    /// How many layers are downloaded at a time.
    public var parallelLayers = 3
    /// How many redirects of one request are followed.
    public var redirects = 5

    /// The usual ones: TLS, no credentials, no mirrors.
    public init() {}
}
