/// A field of a cron expression: what its numbers may be, and what they may be called.
struct CronField {
    var name: String
    var range: ClosedRange<Int>
    var names: [String] = []
    /// What the first name stands for.
    var firstName = 0

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], firstName: 1)
    static let weekday = CronField(
        name: "day of week", range: 0...7, names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])
    static let year = CronField(name: "year", range: 1_970...2_099)

    /// The most items of a list.
    private static let itemLimit = 64

    /// The items of a field.
    func items(_ text: Substring) throws(CronError) -> [Substring] {
        let items = text.split(separator: ",", omittingEmptySubsequences: false)
        guard items.count <= Self.itemLimit else { throw error("has more than \(Self.itemLimit) items") }
        return items
    }

    /// The values of a field as bits.
    func bits(_ text: Substring) throws(CronError) -> UInt64 {
        var bits: UInt64 = 0
        for item in try items(text) {
            for value in try values(item) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    /// The values of one item: `*`, `a`, `a-b`, each with `/n` or without.
    func values(_ item: Substring) throws(CronError) -> [Int] {
        let halves = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var step = 1
        if halves.count == 2 {
            guard let number = Self.digits(halves[1]), number >= 1, number <= range.upperBound else {
                throw error("has the step '\(halves[1].prefix(16))'; write 1 to \(range.upperBound)")
            }
            step = number
        }
        let first: Int
        var last: Int
        let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        if halves[0] == "*" {
            // Sunday once.
            (first, last) = (range.lowerBound, name == Self.weekday.name ? 6 : range.upperBound)
        } else if ends.count == 2 {
            (first, last) = (try value(ends[0]), try value(ends[1]))
            if first > last {
                guard name == Self.weekday.name else {
                    throw error("has the range '\(item.prefix(16))', which ends before it begins; write two ranges")
                }
                last += 7
            }
        } else {
            first = try value(halves[0])
            last = halves.count == 2 ? range.upperBound : first
        }
        return stride(from: first, through: last, by: step).map { $0 }
    }

    /// A number or a name.
    func value(_ text: Substring) throws(CronError) -> Int {
        if let number = Self.digits(text) {
            guard range.contains(number) else {
                throw error("has \(number); write \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        if !names.isEmpty, text.utf8.count == 3, let index = names.firstIndex(of: text.uppercased()) {
            return index + firstName
        }
        let more = names.first.map { " or a name such as \($0)" } ?? ""
        throw error(
            "has '\(text.prefix(16))'; write *, a number from \(range.lowerBound) to \(range.upperBound)\(more)")
    }

    func error(_ text: String) -> CronError { CronError("its field '\(name)' \(text)") }

    /// One to four digits and nothing else.
    static func digits(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    static func years(_ text: Substring) throws(CronError) -> Set<Int>? {
        if text == "*" { return nil }
        var years: Set<Int> = []
        for item in try year.items(text) { years.formUnion(try year.values(item)) }
        return years
    }
}

/// The day of month of a cron expression.
struct CronDays: Hashable, Sendable {
    /// One bit per day, from bit 1.
    private var fixed: UInt64 = 0
    /// `L`.
    private var isLast = false
    /// `LW`.
    private var isLastWorkday = false
    /// `15W`, one bit per day.
    private var nearestWorkday: UInt64 = 0

    init(_ text: Substring) throws(CronError) {
        let field = CronField.day
        for item in try field.items(text) {
            switch item.uppercased() {
            case "L": isLast = true
            case "LW", "WL": isLastWorkday = true
            case let upper where upper.hasSuffix("W"):
                nearestWorkday |= 1 << UInt64(try field.value(item.dropLast()))
            case let upper where upper.contains("#"):
                throw field.error("has '\(item.prefix(16))'; '#' belongs to the day of week")
            default: for value in try field.values(item) { fixed |= 1 << UInt64(value) }
            }
        }
    }

    func fits(_ date: CivilDate) -> Bool {
        let bit: UInt64 = 1 << UInt64(date.day)
        if fixed & bit != 0 { return true }
        if !isLast, !isLastWorkday, nearestWorkday == 0 { return false }
        let length = CivilDate.days(inMonth: date.month, ofYear: date.year)
        if isLast, date.day == length { return true }
        let weekday = date.weekday
        guard (1...5).contains(weekday) else { return false }
        if isLastWorkday, date.day == length || weekday == 5 && date.day >= length - 2 { return true }
        if nearestWorkday & bit != 0 { return true }
        // A Friday stands in for the Saturday after it, a Monday for the Sunday before it, unless that is another
        // month's; then it is the Monday after a Saturday the 1st, and the Friday before a Sunday the last.
        func isAsked(_ day: Int) -> Bool { (1...length).contains(day) && nearestWorkday & (1 << UInt64(day)) != 0 }
        switch weekday {
        case 5: return isAsked(date.day + 1) || date.day + 2 == length && isAsked(length)
        case 1: return isAsked(date.day - 1) || date.day == 3 && isAsked(1)
        default: return false
        }
    }
}

/// The day of week of a cron expression.
struct CronWeekdays: Hashable, Sendable {
    /// One bit per weekday; 0 is Sunday.
    private var fixed: UInt64 = 0
    /// `5L`, one bit per weekday.
    private var last: UInt64 = 0
    /// `5#2`: for each week of the month, one bit per weekday.
    private var numbered: [UInt64] = [0, 0, 0, 0, 0]

    init(_ text: Substring) throws(CronError) {
        let field = CronField.weekday
        for item in try field.items(text) {
            let upper = item.uppercased()
            if upper == "L" {
                fixed |= 1
            } else if upper.hasSuffix("L") {
                last |= 1 << UInt64(try field.value(item.dropLast()) % 7)
            } else if let hash = item.firstIndex(of: "#") {
                let number = CronField.digits(item[item.index(after: hash)...]) ?? 0
                guard (1...5).contains(number) else {
                    throw field.error("has '\(item.prefix(16))'; write # and 1 to 5, as in 5#2")
                }
                numbered[number - 1] |= 1 << UInt64(try field.value(item[..<hash]) % 7)
            } else {
                for value in try field.values(item) { fixed |= 1 << UInt64(value % 7) }
            }
        }
    }

    func fits(_ date: CivilDate) -> Bool {
        let bit: UInt64 = 1 << UInt64(date.weekday)
        if fixed & bit != 0 { return true }
        if numbered[(date.day - 1) / 7] & bit != 0 { return true }
        guard last & bit != 0 else { return false }
        return date.day > CivilDate.days(inMonth: date.month, ofYear: date.year) - 7
    }
}
