/// Slows down those who guess passwords: two buckets of attempts, one for the place they come from and one for the user
/// they want to be, both refilled at a steady rate.
///
/// It is a value: time comes in with every attempt. The tables are bounded, and what is in them is never thrown out
/// before its bucket is full again; when a table has no room left, all newcomers share one bucket, so that filling the
/// table resets nobody's count.
public struct LoginLimiter: Sendable {
    /// How much is too much.
    public struct Settings: Sendable {
        /// Attempts from one place before it has to wait. Offices behind one address need more.
        public var sourceBurst = 20
        /// The time after which one place gets one more attempt.
        public var sourceInterval: Duration = .seconds(3)
        /// Attempts at one user before all have to wait. Too few let a stranger keep a user out.
        public var userBurst = 10
        /// The time after which there may be one more attempt at one user.
        public var userInterval: Duration = .seconds(6)
        /// Places and users that are remembered, each.
        public var tableLimit = 4_096

        /// The defaults.
        public init() {}
    }

    /// One bucket is one time: when it will be full again.
    private struct Table {
        var fullAt: [String: Duration] = [:]
        var shared: Duration = .zero
        let burst: Int
        let interval: Duration

        /// - Returns: how long to wait; zero or less when an attempt may be made now.
        func wait(_ key: String, now: Duration, limit: Int) -> Duration {
            let full = fullAt[key] ?? (fullAt.count < limit ? now : shared)
            return max(full, now) + interval - now - interval * burst
        }

        mutating func take(_ key: String, now: Duration, limit: Int) {
            if let full = fullAt[key] {
                fullAt[key] = max(full, now) + interval
            } else if fullAt.count < limit {
                fullAt[key] = now + interval
            } else {
                shared = max(shared, now) + interval
            }
        }

        mutating func giveBack(_ key: String) {
            if let full = fullAt[key] { fullAt[key] = full - interval }
        }

        mutating func makeRoom(now: Duration, limit: Int) {
            if fullAt.count >= limit { fullAt = fullAt.filter { $0.value > now } }
        }
    }

    private var sources: Table
    private var users: Table
    private let limit: Int

    /// A limiter that has seen nobody.
    public init(_ settings: Settings = Settings()) {
        sources = Table(burst: max(1, settings.sourceBurst), interval: settings.sourceInterval)
        users = Table(burst: max(1, settings.userBurst), interval: settings.userInterval)
        limit = max(1, settings.tableLimit)
    }

    /// Asks for one attempt, which is counted when it is granted.
    ///
    /// - Parameters:
    ///   - source: where it comes from.
    ///   - user: whom it is at.
    ///   - now: monotonic time.
    /// - Returns: nil when it may be made, otherwise how long to wait.
    public mutating func admit(source: String, user: String, now: Duration) -> Duration? {
        sources.makeRoom(now: now, limit: limit)
        users.makeRoom(now: now, limit: limit)
        let wait = max(
            sources.wait(source, now: now, limit: limit), users.wait(user, now: now, limit: limit))
        if wait > .zero { return wait }
        sources.take(source, now: now, limit: limit)
        users.take(user, now: now, limit: limit)
        return nil
    }

    /// Gives an attempt back that was right.
    public mutating func succeeded(source: String, user: String) {
        sources.giveBack(source)
        users.giveBack(user)
    }

    /// How many places and users are remembered, for tests and metrics.
    public var remembered: (sources: Int, users: Int) { (sources.fullAt.count, users.fullAt.count) }
}
