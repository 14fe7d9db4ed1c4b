internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Synchronization

/// Where passwords are checked: never faster than ``LoginLimiter`` lets them be, one at a time, and in the same time
/// whether there is such a user or not.
final class PasswordDesk: Sendable {
    /// Checks that may wait for the one that runs; each takes a quarter of a second.
    private static let queueLimit = 16

    private let limiter: Mutex<LoginLimiter>
    private let queue = OneAtATime()
    private let clock: any NodeClock
    private let cost: PasswordHash.Cost
    /// Compared with when there is no such user.
    private let nobody: PasswordHash?

    init(_ settings: LoginLimiter.Settings, cost: PasswordHash.Cost, clock: any NodeClock) {
        limiter = Mutex(LoginLimiter(settings))
        self.clock = clock
        self.cost = cost
        // Its salt and key are of no use to anybody; only what it costs to compare with it counts.
        let zeros = String(repeating: "A", count: 43)
        nobody = try? PasswordHash(
            text: "$scrypt$ln=\(cost.logRounds),r=\(cost.blockSize),p=\(cost.passes)$AAAAAAAAAAAAAAAAAAAAAA$\(zeros)")
    }

    /// Counts an attempt.
    ///
    /// - Throws: ``GatewayError`` 429 with `Retry-After`.
    func admit(_ user: String, source: String) throws {
        let key = Self.network(of: source)
        let now = clock.now().elapsed
        guard let wait = limiter.withLock({ $0.admit(source: key, user: String(user.prefix(96)), now: now) }) else {
            return
        }
        throw Self.tooMany(seconds: max(1, Int(wait.inSeconds.rounded(.up))))
    }

    /// Takes an attempt back that was right.
    func succeeded(_ user: String, source: String) {
        let key = Self.network(of: source)
        limiter.withLock { $0.succeeded(source: key, user: String(user.prefix(96))) }
    }

    /// The user with this name and password; nil when there is none.
    func check(_ name: String, _ password: String, source: String, in accounts: Accounts) async throws -> StoredUser? {
        try admit(name, source: source)
        let user = accounts.user(name)
        let stored = user?.password.flatMap { try? PasswordHash(text: $0) }
        guard let hash = stored ?? nobody else { return nil }
        let isRight = try await alone { hash.matches(password) }
        guard isRight, stored != nil, let user else { return nil }
        succeeded(name, source: source)
        if hash.needsUpgrade(to: cost), let better = try? await derive(password) {
            // The password is the same, so sessions go on. When it cannot be stored now, it is next time.
            _ = try? await accounts.change(name) { record in
                if record.password == user.password { record.password = better }
            }
        }
        return user
    }

    /// The text of a new password's hash.
    ///
    /// - Throws: ``GatewayError`` 400 for a password that cannot be one.
    func derive(_ password: String) async throws -> String {
        let cost = cost
        let result = try await alone { () -> Result<String, CredentialError> in
            do throws(CredentialError) { return .success(try PasswordHash(password, cost: cost).text) } catch {
                return .failure(error)
            }
        }
        do { return try result.get() } catch { throw GatewayError(.badRequest, "\(error)") }
    }

    /// Runs away from the threads that carry connections, after those who came before.
    private func alone<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async throws -> Result {
        guard await queue.enter(limit: Self.queueLimit) else { throw Self.tooMany(seconds: 5) }
        defer { queue.leave() }
        return await withTaskExecutorPreference(globalConcurrentExecutor) { work() }
    }

    private static func tooMany(seconds: Int) -> GatewayError {
        GatewayError(
            .tooManyRequests, "too many attempts to log in; try again in \(seconds) seconds",
            headers: [.retryAfter: String(seconds)])
    }

    /// A subscriber to IPv6 has a whole network of 64 bits, so its first half stands for the address.
    static func network(of source: String) -> String {
        var address = in6_addr()
        guard source.contains(":"), !source.hasPrefix("::ffff:"), inet_pton(AF_INET6, source, &address) == 1 else {
            return source
        }
        return withUnsafeBytes(of: &address) { bytes in
            bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
        }
    }
}
