/// A day of the Gregorian calendar, extended to all years.
public struct CivilDate: Hashable, Comparable, Sendable {
    /// The year; 0 is the year before 1.
    public var year: Int
    /// 1 to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int

    /// Makes a date; its parts must be a day that exists for everything that counts with it.
    public init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day that is that many days after 1970-01-01.
    public init(daysSinceEpoch: Int) {
        // Years are counted from 1 March, so that the leap day is the last of its year and every month's first day is
        // a linear function of its number; 400 years have 146,097 days.
        let shifted = daysSinceEpoch + Self.daysToEpoch
        let era = shifted >= 0 ? shifted / 146_097 : (shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    public var daysSinceEpoch: Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear >= 0 ? marchYear / 400 : (marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - Self.daysToEpoch
    }

    /// The day of the week: 0 is Sunday.
    public var weekday: Int { Self.weekday(ofDay: daysSinceEpoch) }

    /// The day of the week of a day since 1970-01-01, which was a Thursday.
    static func weekday(ofDay day: Int) -> Int {
        let remainder = (day + 4) % 7
        return remainder < 0 ? remainder + 7 : remainder
    }

    /// How many days a month has.
    public static func days(inMonth month: Int, ofYear year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Whether a year has a 29 February.
    public static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// Orders by time.
    public static func < (left: Self, right: Self) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }

    /// Days from 0000-03-01 to 1970-01-01.
    private static let daysToEpoch = 719_468
}

/// What a clock and a calendar on a wall show, wherever that wall is.
public struct CivilTime: Hashable, Comparable, Sendable {
    /// The day.
    public var date: CivilDate
    /// 0 to 23.
    public var hour: Int
    /// 0 to 59.
    public var minute: Int
    /// 0 to 59.
    public var second: Int

    /// Makes a time.
    public init(date: CivilDate, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.date = date
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// What the wall shows that many seconds after it showed 1970-01-01 00:00:00.
    init(wallSeconds: Int64) {
        let day = wallSeconds.flooredQuotient(by: 86_400)
        let rest = Int(wallSeconds - day * 86_400)
        date = CivilDate(daysSinceEpoch: Int(day))
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Seconds since the wall showed 1970-01-01 00:00:00.
    var wallSeconds: Int64 { Int64(date.daysSinceEpoch) * 86_400 + Int64(hour * 3_600 + minute * 60 + second) }

    /// Orders by time.
    public static func < (left: Self, right: Self) -> Bool {
        if left.date != right.date { return left.date < right.date }
        return (left.hour, left.minute, left.second) < (right.hour, right.minute, right.second)
    }
}

extension Int64 {
    /// The quotient rounded down, for a positive divisor.
    func flooredQuotient(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
