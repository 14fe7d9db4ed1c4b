/// A rule for all years, as the variable `TZ` of POSIX has it and as TZif files end with it:
/// `std offset [dst [offset] , start [/time] , end [/time]]`.
///
/// Times may be from -167 to 167 hours, as version 3 of TZif allows.
struct PosixRule: Hashable, Sendable {
    /// The day of a change, in every year.
    enum Day: Hashable, Sendable {
        /// `Jn`: 1 to 365; 29 February is never counted.
        case withoutLeapDay(Int)
        /// `n`: 0 to 365; 29 February is counted.
        case withLeapDay(Int)
        /// `Mm.w.d`: the weekday d (0 is Sunday) of week w (5 is the last) of month m.
        case weekday(month: Int, week: Int, weekday: Int)
    }

    /// When the clocks are changed.
    struct Change: Hashable, Sendable {
        var day: Day
        /// Seconds after the day's midnight, by the clocks before the change.
        var time: Int
    }

    /// Summer time, where there is one.
    struct Summer: Hashable, Sendable {
        var offset: Int
        var start: Change
        var end: Change
    }

    /// Seconds east of UTC, outside summer time.
    var standard: Int
    var summer: Summer?

    /// The offset where the rule never changes it: summer time all year, or none.
    var first: Int {
        guard let summer, transitions(in: 2_000).isEmpty else { return standard }
        return summer.offset
    }

    /// The last change at or before a time.
    func lastTransition(notAfter time: Int64) -> TimeZoneRules.Transition? {
        guard summer != nil else { return nil }
        let year = Self.year(of: time)
        for year in [year + 1, year, year - 1] {
            if let found = transitions(in: year).last(where: { $0.at <= time }) { return found }
        }
        return nil
    }

    /// The first change after a time.
    func firstTransition(after time: Int64) -> TimeZoneRules.Transition? {
        guard summer != nil else { return nil }
        let year = Self.year(of: time)
        for year in [year - 1, year, year + 1, year + 2] {
            if let found = transitions(in: year).first(where: { $0.at > time }) { return found }
        }
        return nil
    }

    /// The changes that the rule has in a year, in rising order. Where summer time ends at the very instant at which
    /// it begins again, as in zones that have it all year, nothing changes, and there are none.
    private func transitions(in year: Int) -> [TimeZoneRules.Transition] {
        guard let summer else { return [] }
        let begin = Self.second(of: summer.start, in: year) - Int64(standard)
        let end = Self.second(of: summer.end, in: year) - Int64(summer.offset)
        let again = Self.second(of: summer.start, in: year + 1) - Int64(standard)
        let before = Self.second(of: summer.end, in: year - 1) - Int64(summer.offset)
        var found: [TimeZoneRules.Transition] = []
        if begin > before { found.append(.init(at: begin, offset: summer.offset)) }
        if end < again, end != begin { found.append(.init(at: end, offset: standard)) }
        return found.sorted { $0.at < $1.at }
    }

    /// Of a local year's middle, which is enough: callers look at the years beside it, too.
    private static func year(of time: Int64) -> Int {
        // Far outside all calendars, where only the order still matters.
        let bounded = min(max(time, -100_000_000_000_000), 100_000_000_000_000)
        return CivilTime(wallSeconds: bounded).date.year
    }

    /// Seconds of local time since 1970 at which a change happens.
    private static func second(of change: Change, in year: Int) -> Int64 {
        let firstDay = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
        let day: Int
        switch change.day {
        case .withoutLeapDay(let number):
            day = firstDay + number - 1 + (CivilDate.isLeap(year) && number >= 60 ? 1 : 0)
        case .withLeapDay(let number): day = firstDay + number
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1)
            let toFirst = (weekday - first.weekday + 7) % 7
            var inMonth = 1 + toFirst + (week - 1) * 7
            if inMonth > CivilDate.days(inMonth: month, ofYear: year) { inMonth -= 7 }
            day = first.daysSinceEpoch + inMonth - 1
        }
        return Int64(day) * 86_400 + Int64(change.time)
    }
}

extension PosixRule {
    /// Reads a rule; all bytes must belong to it.
    init(_ bytes: [UInt8]) throws(TimeZoneError) {
        guard bytes.count <= 256 else { throw .badRule("it is longer than 256 bytes") }
        var text = Reader(bytes: bytes)
        try text.name()
        // POSIX counts west of UTC.
        standard = -(try text.time(hours: 25, "offset"))
        guard !text.isAtEnd else { return }
        try text.name()
        var offset = standard + 3_600
        if text.peek() != UInt8(ascii: ",") { offset = -(try text.time(hours: 26, "offset")) }
        guard text.take(UInt8(ascii: ",")) else { throw .badRule("summer time has no begin") }
        let start = try text.change()
        guard text.take(UInt8(ascii: ",")) else { throw .badRule("summer time has no end") }
        let end = try text.change()
        guard text.isAtEnd else { throw .badRule("something follows it") }
        guard abs(Int64(offset)) <= TimeZoneRules.offsetLimit else { throw .badRule("an offset is too large") }
        summer = Summer(offset: offset, start: start, end: end)
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        var isAtEnd: Bool { index == bytes.count }

        func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek() == byte else { return false }
            index += 1
            return true
        }

        /// A zone's abbreviation: letters, or anything of letters, digits and signs between angle brackets.
        mutating func name() throws(TimeZoneError) {
            let isQuoted = take(UInt8(ascii: "<"))
            let begin = index
            while let byte = peek() {
                let isLetter = (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                let isMore = (0x30...0x39).contains(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
                guard isLetter || isQuoted && isMore else { break }
                index += 1
            }
            guard index - begin >= 3 else { throw .badRule("an abbreviation is shorter than three characters") }
            if isQuoted, !take(UInt8(ascii: ">")) { throw .badRule("an abbreviation has no '>' at its end") }
        }

        /// `[+|-]hh[:mm[:ss]]` in seconds.
        mutating func time(hours limit: Int, _ what: String) throws(TimeZoneError) -> Int {
            var isNegative = false
            if take(UInt8(ascii: "-")) { isNegative = true } else { _ = take(UInt8(ascii: "+")) }
            var seconds = try number(0...limit, what) * 3_600
            if take(UInt8(ascii: ":")) {
                seconds += try number(0...59, what) * 60
                if take(UInt8(ascii: ":")) { seconds += try number(0...59, what) }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func number(_ range: ClosedRange<Int>, _ what: String) throws(TimeZoneError) -> Int {
            var value = 0
            let begin = index
            while let byte = peek(), (0x30...0x39).contains(byte), index - begin < 3 {
                value = value * 10 + Int(byte - 0x30)
                index += 1
            }
            guard index > begin, range.contains(value) else { throw .badRule("its \(what) is not within bounds") }
            return value
        }

        mutating func change() throws(TimeZoneError) -> Change {
            let day: Day
            if take(UInt8(ascii: "J")) {
                day = .withoutLeapDay(try number(1...365, "day"))
            } else if take(UInt8(ascii: "M")) {
                let month = try number(1...12, "month")
                guard take(UInt8(ascii: ".")) else { throw .badRule("a month has no week") }
                let week = try number(1...5, "week")
                guard take(UInt8(ascii: ".")) else { throw .badRule("a week has no day") }
                day = .weekday(month: month, week: week, weekday: try number(0...6, "weekday"))
            } else {
                day = .withLeapDay(try number(0...365, "day"))
            }
            var time = 7_200
            if take(UInt8(ascii: "/")) { time = try self.time(hours: 167, "time") }
            return Change(day: day, time: time)
        }
    }
}
