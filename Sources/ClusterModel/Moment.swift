/// A reading of both clocks, handed to every decision so that none of them reads a clock itself.
public struct Moment: Hashable, Sendable {
    /// Monotonic time since an origin of the driver's choice. Timers and deadlines use only this one.
    public var elapsed: Duration
    /// Time of day, for timestamps that people and frameworks read. It may jump.
    public var wall: UnixTime

    /// Makes a reading.
    public init(elapsed: Duration, wall: UnixTime) {
        self.elapsed = elapsed
        self.wall = wall
    }

    /// This moment moved by a duration, on both clocks.
    public static func + (moment: Moment, duration: Duration) -> Moment {
        Moment(elapsed: moment.elapsed + duration, wall: moment.wall + duration)
    }
}

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct UnixTime: Hashable, Comparable, Sendable, Codable {
    /// Nanoseconds since the epoch.
    public var nanoseconds: Int64

    /// Makes a time from nanoseconds since the epoch.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Makes a time from seconds since the epoch; out-of-range and not-a-number values become the epoch.
    public init(seconds: Double) {
        let scaled = seconds * 1_000_000_000
        nanoseconds = scaled.isFinite && abs(scaled) < 9.2e18 ? Int64(scaled) : 0
    }

    /// Seconds since the epoch, as Mesos writes times.
    public var seconds: Double { Double(nanoseconds) / 1_000_000_000 }

    /// Orders by time.
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// A later or, for a negative duration, earlier time, held at the ends of the representable range.
    public static func + (time: Self, duration: Duration) -> Self {
        let parts = duration.components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = time.nanoseconds.addingReportingOverflow(whole)
        let (all, overflow3) = sum.addingReportingOverflow(parts.attoseconds / 1_000_000_000)
        let end: Int64 = duration < .zero ? .min : .max
        return Self(nanoseconds: overflow || overflow2 || overflow3 ? end : all)
    }

    /// Reads a single JSON number of nanoseconds.
    public init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    /// Writes a single JSON number of nanoseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }
}

extension Duration {
    /// A duration of that many seconds, clamped to what is finite, not negative and at most a thousand years:
    /// the way durations from outside (`refuse_seconds`, `failover_timeout`) are read.
    public static func clamped(seconds: Double) -> Duration {
        guard seconds > 0 else { return .zero }
        guard seconds < 31_536_000_000 else { return .seconds(31_536_000_000) }
        return .milliseconds(Int64((seconds * 1_000).rounded()))
    }

    /// This duration in seconds.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1_000_000_000_000_000_000
    }
}
