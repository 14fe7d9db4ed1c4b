/// How soon something that fails is started again.
public struct BackoffStrategy: Hashable, Sendable {
    /// Seconds to wait after the first failure.
    public var seconds: Double
    /// What the wait is multiplied with at each further failure.
    public var factor: Double
    /// The longest wait in seconds.
    public var maxLaunchDelaySeconds: Double

    /// Makes a strategy; the defaults are Marathon's.
    public init(seconds: Double = 1, factor: Double = 1.15, maxLaunchDelaySeconds: Double = 300) {
        self.seconds = seconds
        self.factor = factor
        self.maxLaunchDelaySeconds = maxLaunchDelaySeconds
    }

    /// The wait after the one given; the first one after nil.
    public func delay(after previous: Duration?) -> Duration {
        let longest = Duration.clampedSeconds(maxLaunchDelaySeconds)
        guard let previous else { return min(.clampedSeconds(seconds), longest) }
        let parts = previous.components
        let before = Double(parts.seconds) + Double(parts.attoseconds) / 1e18
        return min(.clampedSeconds(before * max(1, factor)), longest)
    }
}

extension Duration {
    /// Seconds from outside: what is negative or no number is nothing, what is too much is a thousand years.
    static func clampedSeconds(_ seconds: Double) -> Duration {
        guard seconds > 0 else { return .zero }
        return .milliseconds(Int64((min(seconds, 31_536_000_000) * 1_000).rounded()))
    }
}

/// How many instances are up while all of them are replaced.
public struct UpgradeStrategy: Hashable, Sendable {
    /// The part of the instances that stays up and healthy, from 0 to 1.
    public var minimumHealthCapacity: Double
    /// The part that may run beyond the number of instances, from 0 to 1.
    public var maximumOverCapacity: Double

    /// Makes a strategy; the default is Marathon's: all old ones stay until as many new ones are up.
    public init(minimumHealthCapacity: Double = 1, maximumOverCapacity: Double = 1) {
        self.minimumHealthCapacity = minimumHealthCapacity
        self.maximumOverCapacity = maximumOverCapacity
    }

    /// Marathon's default for services that may have one instance only.
    public static let single = UpgradeStrategy(minimumHealthCapacity: 0, maximumOverCapacity: 0)
    /// Marathon's default for services with persistent volumes.
    public static let resident = UpgradeStrategy(minimumHealthCapacity: 0.5, maximumOverCapacity: 0)

    /// How many healthy instances there must be at least, when there were that many.
    public func minimum(of instances: Int) -> Int {
        Int((Double(instances) * min(1, max(0, minimumHealthCapacity))).rounded(.up))
    }

    /// How many instances there may be at most. Where that would leave no room to replace anything, as with both
    /// values at their strictest, it is one more, as in Marathon.
    public func maximum(of instances: Int) -> Int {
        let most = Int((Double(instances) * (1 + min(1, max(0, maximumOverCapacity)))).rounded(.down))
        return most == minimum(of: instances) ? most + 1 : most
    }
}

/// What becomes of instances whose agent is out of reach.
public enum UnreachableStrategy: Hashable, Sendable {
    /// They are waited for.
    case disabled
    /// They are replaced after the first time and given up after the second, both in seconds.
    case enabled(inactiveAfterSeconds: Int, expungeAfterSeconds: Int)

    /// Marathon's default: replaced and given up at once.
    public static let standard = UnreachableStrategy.enabled(inactiveAfterSeconds: 0, expungeAfterSeconds: 0)
}

/// Which instances are ended first when there are too many.
public enum KillSelection: String, Hashable, Sendable, CaseIterable {
    case youngestFirst = "YOUNGEST_FIRST"
    case oldestFirst = "OLDEST_FIRST"
}
