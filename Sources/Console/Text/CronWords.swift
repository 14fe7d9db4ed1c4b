/// A cron expression in words, for those who do not read them.
public enum CronWords {
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    /// Such as `every day at 03:30`.
    ///
    /// - Parameter cron: an expression of five fields, or six with the year.
    /// - Returns: the words; the expression itself when it says something that these words do not.
    public static func text(_ cron: String) -> String {
        let fields = cron.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard fields.count == 5 || fields.count == 6, let time = time(fields[0], fields[1]) else { return cron }
        let (day, month, weekday) = (fields[2], fields[3], fields[4])
        var parts: [String] = []
        switch (isAny(day), isAny(weekday)) {
        case (true, true): break
        case (false, true):
            guard let words = monthDays(day) else { return cron }
            parts.append(words)
        case (true, false):
            guard let words = names(weekday, days, first: 0, short: 3) else { return cron }
            parts.append("on " + words)
        case (false, false):
            guard let first = monthDays(day), let second = names(weekday, days, first: 0, short: 3) else { return cron }
            parts.append(first + ", or on " + second)
        }
        if !isAny(month) {
            guard let words = names(month, months, first: 1, short: 3) else { return cron }
            parts.append("in " + words)
        }
        if fields.count == 6, !isAny(fields[5]) { parts.append("in " + fields[5]) }
        let isEveryDay = parts.isEmpty && time.hasPrefix("at ") && !time.contains("every")
        return ([isEveryDay ? "every day " + time : time] + parts).joined(separator: ", ")
    }

    private static func isAny(_ field: String) -> Bool { field == "*" || field == "?" }

    private static func time(_ minute: String, _ hour: String) -> String? {
        if let step = step(minute), step > 1, isAny(hour) { return "every \(step) minutes" }
        if isAny(minute) || step(minute) == 1 {
            if isAny(hour) { return "every minute" }
            guard let hours = numbers(hour, 0...23) else { return nil }
            return "every minute from " + list(hours.map { "\(padded($0)):00 to \(padded($0)):59" })
        }
        if let step = step(minute), let hours = numbers(hour, 0...23) {
            return "every \(step) minutes between " + list(hours.map { "\(padded($0)):00 and \(padded($0)):59" })
        }
        guard let minutes = numbers(minute, 0...59) else { return nil }
        let places = "minute" + (minutes.count > 1 ? "s " : " ") + list(minutes.map(String.init))
        if isAny(hour) { return minutes == [0] ? "every hour" : "at \(places) of every hour" }
        if let step = step(hour) {
            return minutes == [0] ? "every \(step) hours" : "at \(places) of every \(ordinal(step)) hour"
        }
        guard let hours = numbers(hour, 0...23), hours.count * minutes.count <= 12 else { return nil }
        return "at " + list(hours.flatMap { hour in minutes.map { "\(padded(hour)):\(padded($0))" } })
    }

    private static func monthDays(_ field: String) -> String? {
        if field == "L" { return "on the last day of the month" }
        if let step = step(field) { return "on every \(ordinal(step)) day of the month" }
        if let range = range(field, 1...31) { return "on days \(range.0) to \(range.1) of the month" }
        guard let numbers = numbers(field, 1...31) else { return nil }
        return "on the \(list(numbers.map(ordinal))) of the month"
    }

    /// `*/5`.
    private static func step(_ field: String) -> Int? {
        guard field.hasPrefix("*/"), let step = Int(field.dropFirst(2)), step > 0 else { return nil }
        return step
    }

    private static func range(_ field: String, _ bounds: ClosedRange<Int>) -> (Int, Int)? {
        let ends = field.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], bounds.contains(low), bounds.contains(high) else {
            return nil
        }
        return (low, high)
    }

    /// A list of numbers and short ranges.
    private static func numbers(_ field: String, _ bounds: ClosedRange<Int>) -> [Int]? {
        var found: [Int] = []
        for item in field.split(separator: ",", omittingEmptySubsequences: false) {
            if let range = range(String(item), bounds), range.0 <= range.1 {
                found += Array(range.0...range.1)
            } else if let number = Int(item), bounds.contains(number) {
                found.append(number)
            } else {
                return nil
            }
        }
        return found.count <= 24 ? found : nil
    }

    /// A list of names, numbers and ranges of both.
    private static func names(_ field: String, _ all: [String], first: Int, short: Int) -> String? {
        func name(_ text: Substring) -> String? {
            if let number = Int(text) {
                let index = number - first
                return all.indices.contains(index) ? all[index] : nil
            }
            return all.first { $0.prefix(short).uppercased() == text.uppercased() }
        }
        var words: [String] = []
        for item in field.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = item.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let low = name(ends[0]) else { return nil }
            if ends.count == 1 {
                words.append(low)
            } else {
                guard let high = name(ends[1]) else { return nil }
                words.append("\(low) to \(high)")
            }
        }
        return list(words)
    }

    private static func list(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static func ordinal(_ number: Int) -> String {
        let ending =
            switch (number % 10, number % 100) {
            case (_, 11...13): "th"
            case (1, _): "st"
            case (2, _): "nd"
            case (3, _): "rd"
            default: "th"
            }
        return "\(number)\(ending)"
    }
}
