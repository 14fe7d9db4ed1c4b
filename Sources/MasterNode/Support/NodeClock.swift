public import ClusterModel
internal import Glibc

/// The one place where a master reads a clock. Everything else gets a `Moment` from here.
public protocol NodeClock: Sendable {
    /// Both clocks, now.
    func now() -> Moment

    /// Returns when the monotonic clock has reached a time, as `Moment.elapsed` counts it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled first.
    func sleep(until elapsed: Duration) async throws
}

/// The machine's clocks.
public struct SystemClock: NodeClock {
    private let origin: ContinuousClock.Instant

    /// A clock whose monotonic time starts at zero now.
    public init() { origin = ContinuousClock.now }

    /// Both clocks, now.
    public func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = UnixTime(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
        return Moment(elapsed: origin.duration(to: ContinuousClock.now), wall: wall)
    }

    /// Returns when the monotonic clock has reached a time.
    public func sleep(until elapsed: Duration) async throws {
        try await ContinuousClock().sleep(until: origin + elapsed, tolerance: nil)
    }
}

/// Names that nobody can guess: stream ids, sessions, the ids of clusters and nodes.
enum RandomName {
    /// A version-4 UUID in lower case.
    static func uuid() -> String {
        var generator = SystemRandomNumberGenerator()
        return StatusUUID(using: &generator).text
    }

    /// That many random bytes in hexadecimal.
    static func secret(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        var text = ""
        for _ in 0..<count {
            let byte = UInt8.random(in: 0...255, using: &generator)
            text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return text
    }
}
