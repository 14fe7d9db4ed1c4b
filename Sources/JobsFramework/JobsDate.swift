internal import ClusterModel
internal import Schedules

/// Times as Metronome writes them: `2017-03-30T15:50:16.187+0000`. Its clients take neither `Z` nor a missing fraction.
enum JobsDate {
    static func text(_ time: UnixTime) -> String {
        let civil = TimeZoneRules.utc.civil(at: time)
        func padded(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let date = "\(padded(civil.date.year, 4))-\(padded(civil.date.month, 2))-\(padded(civil.date.day, 2))"
        let clock = "\(padded(civil.hour, 2)):\(padded(civil.minute, 2)):\(padded(civil.second, 2))"
        var milliseconds = time.nanoseconds % 1_000_000_000 / 1_000_000
        if time.nanoseconds % 1_000_000_000 < 0 { milliseconds = (milliseconds + 999) % 1_000 }
        return "\(date)T\(clock).\(padded(Int(milliseconds), 3))+0000"
    }
}
