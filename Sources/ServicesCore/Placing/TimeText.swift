internal import ClusterModel

/// Times as Marathon writes them.
enum TimeText {
    /// Such as `2017-03-30T15:50:16.187Z`.
    static func iso8601(_ time: UnixTime) -> String {
        let milliseconds = floorDivision(time.nanoseconds, 1_000_000)
        let days = floorDivision(milliseconds, 86_400_000)
        let rest = milliseconds - days * 86_400_000
        let (year, month, day) = date(days)
        let clock = [(rest / 3_600_000, 2), (rest / 60_000 % 60, 2), (rest / 1_000 % 60, 2), (rest % 1_000, 3)]
            .map { padded($0.0, $0.1) }
        return
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock[0]):\(clock[1]):\(clock[2]).\(clock[3])Z"
    }

    private static func floorDivision(_ left: Int64, _ right: Int64) -> Int64 {
        left >= 0 ? left / right : -((right - 1 - left) / right)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The civil date of a day counted from the epoch, in years that begin in March.
    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = floorDivision(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
