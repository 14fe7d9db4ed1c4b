/// When something happens again and again: the five fields of cron, as Metronome takes them.
///
/// ```
/// minute  hour  day of month  month  day of week  [year]
/// 0-59    0-23  1-31          1-12   0-7          1970-2099
/// ```
/// Each field takes `*`, numbers, ranges `a-b`, steps `*/n`, `a-b/n` and `a/n` (from a to the end), and lists of these.
/// Months and weekdays have names (`JAN`, `MON`), in any case; Sunday is 0 and 7. A range of weekdays may go over the end
/// of the week (`FRI-MON`). Days of the month take `L` (the last), `LW` (the last from Monday to Friday) and `15W` (the
/// one from Monday to Friday that is nearest to the 15th and in the same month). Days of the week take `5#2` (the second
/// Friday) and `5L` (the last Friday); `L` alone is Sunday.
///
/// A day must fit **both** day fields, as in Metronome and unlike in Unix' cron, where one is enough when both are
/// restricted. Metronome also knows none of `?`, `@daily` and seconds. An expression that fits no day at all is refused.
public struct CronExpression: Hashable, Sendable {
    /// As it was written, without superfluous white space.
    public let text: String

    /// One bit per minute of the hour.
    let minutes: UInt64
    /// One bit per hour.
    let hours: UInt64
    /// Whether the hours are not restricted or only by a step: then it counts hours that pass rather than times of day.
    let isEveryHour: Bool
    let days: CronDays
    let weekdays: CronWeekdays
    /// One bit per month, from bit 1.
    let months: UInt64
    /// The years; nil for all.
    let years: Set<Int>?

    /// The longest expression, in bytes.
    public static let lengthLimit = 256

    /// Reads an expression.
    ///
    /// - Parameter text: five or six fields with white space between them.
    /// - Throws: ``CronError`` naming the field and what it may be.
    public init(_ text: String) throws(CronError) {
        guard text.utf8.count <= Self.lengthLimit else {
            throw CronError("it is longer than \(Self.lengthLimit) bytes")
        }
        let fields = text.split { $0 == " " || $0 == "\t" }
        guard fields.count == 5 || fields.count == 6 else {
            throw CronError(
                "it has \(fields.count) fields; write minute, hour, day of month, month and day of week, "
                    + "as in '0 4 * * 1-5'")
        }
        self.text = fields.joined(separator: " ")
        minutes = try CronField.minute.bits(fields[0])
        hours = try CronField.hour.bits(fields[1])
        isEveryHour = fields[1].first == "*"
        days = try CronDays(fields[2])
        months = try CronField.month.bits(fields[3])
        weekdays = try CronWeekdays(fields[4])
        years = fields.count == 6 ? try CronField.years(fields[5]) : nil
        guard firstDay(from: Self.anyDay, through: Self.anyDay + Self.cycle) != nil else {
            throw CronError("there is no day that fits its day of month, month, day of week and year")
        }
    }

    /// 1970-01-01, before which no year can be asked for.
    private static let anyDay = 0
    /// The days after which the calendar repeats itself: 400 years.
    static let cycle = 146_097

    // MARK: days

    /// Whether it happens on a day.
    func fits(_ date: CivilDate) -> Bool {
        guard months & (1 << UInt64(date.month)) != 0 else { return false }
        if let years, !years.contains(date.year) { return false }
        return days.fits(date) && weekdays.fits(date)
    }

    /// The first day at or after one on which it happens, as days since 1970.
    func firstDay(from: Int, through last: Int) -> Int? {
        var day = from
        while day <= last {
            let date = CivilDate(daysSinceEpoch: day)
            if fits(date) { return day }
            // Months that do not fit are passed over at once.
            let isMonth = months & (1 << UInt64(date.month)) != 0 && years?.contains(date.year) != false
            day += isMonth ? 1 : CivilDate.days(inMonth: date.month, ofYear: date.year) - date.day + 1
        }
        return nil
    }

    /// The last day at or before one on which it happens.
    func lastDay(from: Int, through first: Int) -> Int? {
        var day = from
        while day >= first {
            let date = CivilDate(daysSinceEpoch: day)
            if fits(date) { return day }
            let isMonth = months & (1 << UInt64(date.month)) != 0 && years?.contains(date.year) != false
            day -= isMonth ? 1 : date.day
        }
        return nil
    }

    // MARK: minutes of a day

    /// The first minute of the day at or after one.
    func firstMinute(from: Int) -> Int? {
        var minute = from
        while minute < 1_440 {
            if hours & (1 << UInt64(minute / 60)) == 0 {
                minute = (minute / 60 + 1) * 60
                continue
            }
            let rest = minutes >> UInt64(minute % 60)
            if rest != 0 { return minute + rest.trailingZeroBitCount }
            minute = (minute / 60 + 1) * 60
        }
        return nil
    }

    /// The last minute of the day at or before one.
    func lastMinute(from: Int) -> Int? {
        var minute = from
        while minute >= 0 {
            if hours & (1 << UInt64(minute / 60)) != 0 {
                let rest = minutes << UInt64(63 - minute % 60)
                if rest != 0 { return minute - rest.leadingZeroBitCount }
            }
            minute = minute / 60 * 60 - 1
        }
        return nil
    }
}

extension CronExpression: CustomStringConvertible, Codable {
    /// The text.
    public var description: String { text }

    /// Reads a single string.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(CronError) {
            self = try CronExpression(try Self.string(container))
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    private static func string(_ container: any SingleValueDecodingContainer) throws(CronError) -> String {
        do { return try container.decode(String.self) } catch { throw CronError("it is not a text") }
    }

    /// Writes a single string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
