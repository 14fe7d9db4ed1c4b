public import ClusterModel

/// How far a zone's clocks are from UTC, at every time: a table of past changes and a rule for the years after it.
///
/// It is read from a TZif file (RFC 8536) or a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; where the bytes come
/// from is the caller's affair. Reading is strict and bounded: hostile bytes are an error, never a trap.
///
/// ```
/// instants  ──────T1─────────────T2───────▶        T1 forward: a stretch of local time never exists
/// offset     +1h   │     +2h      │   +1h          T2 back:    a stretch of local time exists twice
/// ```
public struct TimeZoneRules: Hashable, Sendable {
    /// A change of the offset.
    struct Transition: Hashable, Sendable {
        /// From when on, in seconds since 1970 UTC.
        var at: Int64
        /// Seconds east of UTC from then on.
        var offset: Int
    }

    /// Seconds east of UTC before the first transition.
    let first: Int
    /// In rising order of time. Some change nothing but the abbreviation, which is not kept; the last one says from when
    /// on the rule counts.
    let table: [Transition]
    /// For the time after the table; nil where the last offset stays.
    let rule: PosixRule?

    /// Coordinated universal time.
    public static let utc = TimeZoneRules(first: 0, table: [], rule: nil)

    init(first: Int, table: [Transition], rule: PosixRule?) {
        self.first = first
        self.table = table
        self.rule = rule
    }

    /// A zone that follows one rule for ever.
    ///
    /// - Parameter posix: as in the variable `TZ`, without a leading colon.
    /// - Throws: ``TimeZoneError/badRule(_:)``.
    public init(posix: String) throws(TimeZoneError) {
        let rule = try PosixRule(Array(posix.utf8))
        self.init(first: rule.first, table: [], rule: rule)
    }

    /// Seconds east of UTC at a time.
    public func offset(at time: UnixTime) -> Int { offset(at: time.wholeSeconds) }

    /// What the zone's clocks show at a time.
    public func civil(at time: UnixTime) -> CivilTime {
        let seconds = time.wholeSeconds
        return CivilTime(wallSeconds: seconds + Int64(offset(at: seconds)))
    }

    func offset(at time: Int64) -> Int {
        lastTransition(notAfter: time)?.offset ?? first
    }

    /// The last change at or before a time.
    func lastTransition(notAfter time: Int64) -> Transition? {
        if let rule, time >= (table.last?.at ?? .min) {
            // The table's last change is where the rule takes over; the rule's own earlier ones do not count.
            if let found = rule.lastTransition(notAfter: time), found.at > (table.last?.at ?? .min) { return found }
            return table.last
        }
        let index = upperIndex(of: time)
        return index == 0 ? nil : table[index - 1]
    }

    /// The first change after a time.
    func firstTransition(after time: Int64) -> Transition? {
        let index = upperIndex(of: time)
        if index < table.count { return table[index] }
        return rule?.firstTransition(after: max(time, table.last?.at ?? time))
    }

    /// The index of the first entry after a time.
    private func upperIndex(of time: Int64) -> Int {
        var (low, high) = (0, table.count)
        while low < high {
            let middle = (low + high) / 2
            if table[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension TimeZoneRules {
    /// The instants at which a zone's clocks show a time.
    public enum Local: Hashable, Sendable {
        /// The usual case.
        case once(UnixTime)
        /// The clocks were set back over it: it is shown before that and again after it.
        case twice(UnixTime, UnixTime)
        /// The clocks were set forward over it and never show it; the instant is when they were set.
        case skipped(UnixTime)
    }

    /// The instants at which the zone's clocks show a time.
    public func instants(showing time: CivilTime) -> Local {
        switch instants(showing: time.wallSeconds) {
        case .once(let at): .once(UnixTime(wholeSeconds: at))
        case .twice(let early, let late): .twice(UnixTime(wholeSeconds: early), UnixTime(wholeSeconds: late))
        case .skipped(let at): .skipped(UnixTime(wholeSeconds: at))
        }
    }

    enum LocalSeconds: Hashable {
        case once(Int64)
        case twice(Int64, Int64)
        case skipped(Int64)

        /// The first instant, which for a time that is never shown is when the clocks were set.
        var earliest: Int64 {
            switch self {
            case .once(let at), .twice(let at, _), .skipped(let at): at
            }
        }
    }

    func instants(showing wall: Int64) -> LocalSeconds {
        // Offsets are within 26 hours, so every instant in question lies this near.
        let begin = wall - Self.offsetLimit
        var offset = offset(at: begin)
        var from = Int64.min
        var found: Int64?
        var next = firstTransition(after: begin)
        while true {
            let end = next?.at ?? .max
            let instant = wall - Int64(offset)
            if instant >= from, instant < end {
                if let found { return .twice(found, instant) }
                found = instant
            }
            guard let change = next, change.at <= wall + Self.offsetLimit else { break }
            // The clocks jump over it here: before they show less, after they show more.
            if found == nil, instant >= change.at, wall - Int64(change.offset) < change.at {
                return .skipped(change.at)
            }
            offset = change.offset
            from = change.at
            next = firstTransition(after: change.at)
        }
        return found.map { .once($0) } ?? .once(wall - Int64(offset))
    }

    /// The largest offset that is accepted, in seconds, rounded up: RFC 8536 §3.2 has -25 to 26 hours.
    static let offsetLimit: Int64 = 26 * 3_600
}

extension UnixTime {
    /// Seconds since the epoch, rounded down.
    var wholeSeconds: Int64 { nanoseconds.flooredQuotient(by: 1_000_000_000) }

    /// A time of whole seconds, held at the ends of the representable range.
    init(wholeSeconds: Int64) {
        let (nanoseconds, overflow) = wholeSeconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.init(nanoseconds: overflow ? (wholeSeconds < 0 ? .min : .max) : nanoseconds)
    }
}
