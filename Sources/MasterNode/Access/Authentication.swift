internal import Access
internal import ClusterModel
internal import Crypto
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Synchronization
internal import Transport

/// Finds out who makes a request.
///
/// In this order: what the `Authorization` header shows, the certificate of a node, the cookie of a browser's session,
/// and the unix socket, whose user is root. A header that shows something wrong is not passed over in favour of what
/// comes after it.
struct Authentication: Sendable {
    let mode: AccessMode
    let settings: AccessSettings
    let credentials: any NodeCredentials
    let accounts: Accounts
    let passwords: PasswordDesk
    let clock: any NodeClock
    private let seen = SeenCredentials()

    init(
        mode: AccessMode, settings: AccessSettings, credentials: any NodeCredentials, accounts: Accounts,
        clock: any NodeClock
    ) {
        self.mode = mode
        self.settings = settings
        self.credentials = credentials
        self.accounts = accounts
        self.clock = clock
        passwords = PasswordDesk(settings.login, cost: settings.passwordCost, clock: clock)
    }

    /// The cookie that holds a browser's session; its name is DC/OS'.
    static let cookieName = "dcos-acs-auth-cookie"

    /// Who it is.
    ///
    /// - Parameters:
    ///   - request: its head is read only.
    ///   - certificates: the verified chain of the connection.
    ///   - isLocal: whether it came over the unix socket.
    ///   - forgives: whether a wrong credential counts as none, as it does for what answers everybody.
    /// - Returns: the visitor, anonymous when nothing says who it is.
    /// - Throws: ``GatewayError`` 401 for a wrong credential, 429 for too many of them.
    func visitor(
        _ request: GatewayRequest, certificates: [[UInt8]], isLocal: Bool, forgives: Bool
    ) async throws -> Visitor {
        let source = Self.source(of: request, isLocal: isLocal)
        if let header = request.headers[.authorization] {
            try refusePassword(in: header, of: request, isLocal: isLocal)
            let caller = try await holder(of: header, source: source, forgives: forgives)
            if caller == nil, mode == .enforced, !forgives {
                throw GatewayError(
                    .unauthorized, "the credential is wrong, expired or revoked; log in again",
                    headers: [.wwwAuthenticate: "acsjwt"])
            }
            return visitor(caller ?? .anonymous, source)
        }
        if !certificates.isEmpty, let node = settings.verifyNode?(certificates) {
            return visitor(.node(id: node.id, duties: NodeDuties(node.roles) ?? []), source)
        }
        // A connection lives longer than a certificate, and than a node's welcome.
        if !certificates.isEmpty, settings.verifyNode != nil, !forgives {
            throw GatewayError(
                .unauthorized,
                "this node's certificate has expired, or the node was evicted; join again with a fresh token",
                headers: [.wwwAuthenticate: "acsjwt"])
        }
        if let cookie = Self.session(in: request.headers[.cookie]),
            let owner = accounts.owner(ofSession: cookie, now: clock.now().wall)
        {
            return visitor(.user(owner.user.user.name), source)
        }
        if isLocal { return visitor(.root, source) }
        return visitor(mode == .open ? try await open(nil) : .anonymous, source, isProven: false)
    }

    private func visitor(_ caller: Caller, _ source: String, isProven: Bool = true) -> Visitor {
        var grants = Grants.none
        if case .user(let name) = caller { grants = accounts.user(name)?.user.grants ?? .none }
        return Visitor(caller: caller, grants: grants, source: source, mode: mode, isProven: isProven)
    }

    /// Ends everybody's session, this master's memory of them included.
    func endSessions() async throws {
        try await accounts.endSessions(settings.sealing)
        seen.clear()
    }

    /// Ends one session for good, whoever has a copy of its text.
    ///
    /// - Parameter text: the session's text.
    /// - Throws: what the store throws; the session goes on then.
    func endSession(_ text: String) async throws {
        try await accounts.endSession(text, now: clock.now().wall)
        seen.clear()
    }

    // MARK: the header

    /// A password that crossed a network in the clear is everybody's. On loopback it crosses none.
    private func refusePassword(in header: String, of request: GatewayRequest, isLocal: Bool) throws(GatewayError) {
        guard mode == .enforced, !isLocal, !request.isProtected, Self.isBasic(header),
            case .tcp(let address, _)? = request.remote, !address.isLoopback
        else { return }
        throw GatewayError(
            .unauthorized,
            "a password was sent over a network without encryption, and is refused there: change it, and use https, or "
                + "send a token instead ('Authorization: token=TOKEN')",
            headers: [.wwwAuthenticate: "acsjwt"])
    }

    private static func isBasic(_ header: String) -> Bool { header.prefix(6).lowercased() == "basic " }

    /// Whose credential a header shows; nil when it is nobody's.
    private func holder(of header: String, source: String, forgives: Bool) async throws -> Caller? {
        guard header.utf8.count <= 10 << 10 else { return nil }
        let now = clock.now()
        let digest = Array(SHA256.hash(data: Array(header.utf8)))
        if let caller = seen.caller(digest, now: now, accounts) { return caller }
        if let (name, secret) = Self.basic(header) {
            // With an open master these are a framework's own business, and what comes for logging in brings its own.
            if mode == .open || forgives { return nil }
            guard let user = try await passwords.check(name, secret, source: source, in: accounts) else { return nil }
            seen.add(digest, .user(name), version: user.version, until: now.elapsed + .seconds(300))
            return .user(name)
        }
        guard let secret = StoredCredentials.secret(in: header) else { return nil }
        if let (user, token) = accounts.owner(ofToken: secret, now: now.wall) {
            let until = Self.end(now, token.expiresAt)
            seen.add(digest, .user(user.user.name), version: user.version, token: token.id, until: until)
            return .user(user.user.name)
        }
        if let (user, session) = accounts.owner(ofSession: secret, now: now.wall) {
            let until = Self.end(now, session.expiresAt)
            seen.add(digest, .user(user.user.name), version: user.version, until: until)
            return .user(user.user.name)
        }
        // Who lets everybody in must not do so when the door is meant to be shut.
        if mode == .enforced, credentials is OpenCredentials { return nil }
        let caller = try await open(header)
        if caller == .anonymous { return nil }
        seen.add(digest, caller, version: 0, until: now.elapsed + .seconds(30))
        return caller
    }

    private func open(_ header: String?) async throws -> Caller {
        switch try await credentials.caller(authorization: header) {
        case .anonymous: .anonymous
        case .administrator: .root
        case .node(let id): .node(id: id, duties: .agent)
        }
    }

    /// When a credential has to be looked at again: after five minutes, or when it ends.
    private static func end(_ now: Moment, _ expiry: UnixTime?) -> Duration {
        guard let expiry else { return now.elapsed + .seconds(300) }
        let left = Duration.nanoseconds(expiry.nanoseconds.subtractingReportingOverflow(now.wall.nanoseconds).0)
        return now.elapsed + min(.seconds(300), max(.zero, left))
    }

    /// The name and the secret of `Basic` (RFC 7617).
    static func basic(_ header: String) -> (name: String, secret: String)? {
        guard header.utf8.count <= 4 << 10, isBasic(header),
            let data = Data(base64Encoded: String(header.dropFirst(6).filter { $0 != " " })),
            let text = String(validating: Array(data), as: UTF8.self), let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    /// The session in a `Cookie` header.
    static func session(in header: String?) -> String? {
        guard let header, header.utf8.count <= 16 << 10 else { return nil }
        for pair in header.split(separator: ";") {
            let pair = pair.drop { $0 == " " }
            if pair.hasPrefix(cookieName + "=") { return String(pair.dropFirst(cookieName.count + 1)) }
        }
        return nil
    }

    // MARK: where from

    /// The address without the port, as the audit log has it.
    static func source(of request: GatewayRequest, isLocal: Bool) -> String {
        if isLocal { return "local" }
        switch request.remote {
        case .tcp(let address, _): return address.description
        case .unix: return "local"
        case nil: return "unknown"
        }
    }
}

/// Credentials that were right a short while ago, by their SHA-256, so that not every call derives a password or reads
/// the store. Bounded: when it is full it starts over.
final class SeenCredentials: Sendable {
    private struct Entry {
        var caller: Caller
        var version: Int
        var token: String?
        var until: Duration
    }

    private static let limit = 4_096
    private let entries = Mutex<[[UInt8]: Entry]>([:])

    /// A user's entry is good as long as the user's credentials are those of then.
    func caller(_ digest: [UInt8], now: Moment, _ accounts: Accounts) -> Caller? {
        guard let entry = entries.withLock({ $0[digest] }), now.elapsed < entry.until else { return nil }
        guard case .user(let name) = entry.caller else { return entry.caller }
        guard let user = accounts.user(name), user.version == entry.version else { return nil }
        if let token = entry.token, !user.tokens.contains(where: { $0.id == token }) { return nil }
        return entry.caller
    }

    func clear() { entries.withLock { $0 = [:] } }

    func add(_ digest: [UInt8], _ caller: Caller, version: Int, token: String? = nil, until: Duration) {
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = [:] }
            entries[digest] = Entry(caller: caller, version: version, token: token, until: until)
        }
    }
}
