public import ClusterModel

/// When an expression happens, in a zone.
///
/// Clocks that are set forward or back are met by one of two rules, as in the cron of most systems:
///
/// - **A time of day** (the hour field does not begin with `*`) happens once per day that it fits. A time that the
///   clocks skip happens when they are set forward; several skipped ones happen together, once. A time that is shown
///   twice happens the first time.
/// - **Every hour** (the hour field begins with `*`) happens whenever the clocks show it: as often as hours pass. What is
///   skipped does not happen, what is shown twice happens twice.
extension CronExpression {
    /// The first time after another at which it happens.
    ///
    /// - Parameters:
    ///   - time: not itself among the answers.
    ///   - zone: whose clocks count.
    /// - Returns: nil when it never happens again within 400 years or what `UnixTime` can hold.
    public func next(after time: UnixTime, in zone: TimeZoneRules) -> UnixTime? {
        let from = time.wholeSeconds
        let found = isEveryHour ? nextPassing(after: from, zone) : nextOfDay(after: from, zone)
        return found.flatMap(Self.representable)
    }

    /// The last time before another at which it happens.
    ///
    /// - Parameters:
    ///   - time: not itself among the answers.
    ///   - zone: whose clocks count.
    /// - Returns: nil when it never happened within the 400 years before or what `UnixTime` can hold.
    public func previous(before time: UnixTime, in zone: TimeZoneRules) -> UnixTime? {
        // Whole seconds before the time: one that has begun counts.
        let from = time.wholeSeconds + (UnixTime(wholeSeconds: time.wholeSeconds) < time ? 1 : 0)
        let found = isEveryHour ? previousPassing(before: from, zone) : previousOfDay(before: from, zone)
        return found.flatMap(Self.representable)
    }

    private static func representable(_ seconds: Int64) -> UnixTime? {
        let (_, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? nil : UnixTime(wholeSeconds: seconds)
    }

    // MARK: on the wall

    /// The first fitting minute at or after a wall's seconds, as wall seconds.
    private func firstOnWall(from wall: Int64, limit: Int64 = .max) -> Int64? {
        var minute = -((-wall).flooredQuotient(by: 60))
        var day = minute.flooredQuotient(by: 1_440)
        let last = min(day + Int64(Self.cycle), limit.flooredQuotient(by: 86_400))
        while let found = firstDay(from: Int(day), through: Int(last)) {
            let from = Int64(found) == day ? Int(minute - day * 1_440) : 0
            if let inDay = firstMinute(from: from) { return (Int64(found) * 1_440 + Int64(inDay)) * 60 }
            day = Int64(found) + 1
            minute = day * 1_440
        }
        return nil
    }

    /// The last fitting minute at or before a wall's seconds.
    private func lastOnWall(from wall: Int64, limit: Int64 = .min) -> Int64? {
        var minute = wall.flooredQuotient(by: 60)
        var day = minute.flooredQuotient(by: 1_440)
        let first = max(day - Int64(Self.cycle), limit.flooredQuotient(by: 86_400))
        while let found = lastDay(from: Int(day), through: Int(first)) {
            let from = Int64(found) == day ? Int(minute - day * 1_440) : 1_439
            if let inDay = lastMinute(from: from) { return (Int64(found) * 1_440 + Int64(inDay)) * 60 }
            day = Int64(found) - 1
            minute = day * 1_440 + 1_439
        }
        return nil
    }

    // MARK: times of day

    private func nextOfDay(after time: Int64, _ zone: TimeZoneRules) -> Int64? {
        // What the clocks show now is where to begin: all that they showed before has happened.
        var wall = time + Int64(zone.offset(at: time))
        while let found = firstOnWall(from: wall) {
            let instant = zone.instants(showing: found).earliest
            if instant > time { return instant }
            wall = found + 60
        }
        return nil
    }

    private func previousOfDay(before time: Int64, _ zone: TimeZoneRules) -> Int64? {
        // The most that the clocks have shown so far: more than now when they were set back a moment ago.
        var wall = time + Int64(zone.offset(at: time))
        if let change = zone.lastTransition(notAfter: time), change.at > time - TimeZoneRules.offsetLimit {
            wall = max(wall, change.at + Int64(zone.offset(at: change.at - 1)))
        }
        while let found = lastOnWall(from: wall) {
            let instant = zone.instants(showing: found).earliest
            if instant < time { return instant }
            wall = found - 1
        }
        return nil
    }

    // MARK: every hour

    private func nextPassing(after time: Int64, _ zone: TimeZoneRules) -> Int64? {
        var from = time + 1
        let horizon = from + Int64(Self.cycle) * 86_400
        while from < horizon {
            let offset = Int64(zone.offset(at: from))
            let end = zone.firstTransition(after: from)?.at ?? .max
            let limit = end == .max ? Int64.max : min(end, horizon) + offset
            if let found = firstOnWall(from: from + offset, limit: limit), found - offset < end {
                return found - offset
            }
            if end == .max { return nil }
            from = end
        }
        return nil
    }

    private func previousPassing(before time: Int64, _ zone: TimeZoneRules) -> Int64? {
        var from = time - 1
        let horizon = from - Int64(Self.cycle) * 86_400
        while from > horizon {
            let change = zone.lastTransition(notAfter: from)
            let offset = Int64(change?.offset ?? zone.first)
            let begin = change?.at ?? .min
            let limit = begin == .min ? Int64.min : max(begin, horizon) + offset
            if let found = lastOnWall(from: from + offset, limit: limit), found - offset >= begin {
                return found - offset
            }
            if begin == .min { return nil }
            from = begin - 1
        }
        return nil
    }
}
