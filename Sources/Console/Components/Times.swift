public import ClusterModel
internal import Deployments

extension HTML {
    /// How long ago something was, with the exact time for who wants it.
    ///
    /// - Parameter time: when; a dash when nil.
    public mutating func time(_ time: UnixTime?) {
        guard let time else { return textOrDash(nil) }
        let exact = TimeText.iso8601(time)
        tag(
            "time", .attr("datetime", exact), .title(Times.readable(time)),
            text: Times.relative(time, now: context.now))
    }
}

/// Times in words.
public enum Times {
    /// Such as `3 min ago` or `in 2 h`.
    ///
    /// - Parameters:
    ///   - time: when.
    ///   - now: the time of day.
    /// - Returns: the words.
    public static func relative(_ time: UnixTime, now: UnixTime) -> String {
        let seconds = now.seconds - time.seconds
        if abs(seconds) < 1 { return "just now" }
        return seconds >= 0 ? span(seconds) + " ago" : "in " + span(-seconds)
    }

    /// A span of time in one unit, such as `45 s`, `3 min`, `5 h` or `12 d`.
    ///
    /// - Parameter seconds: how long; not negative.
    /// - Returns: the words.
    public static func span(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e11 else { return "ages" }
        switch seconds {
        case ..<90: return "\(Int(seconds.rounded(.down))) s"
        case ..<5_400: return "\(Int((seconds / 60).rounded())) min"
        case ..<172_800: return "\(Int((seconds / 3_600).rounded())) h"
        default: return "\(Int((seconds / 86_400).rounded())) d"
        }
    }

    /// The exact time for people: `2026-03-30 15:50:16 UTC`.
    ///
    /// - Parameter time: when.
    /// - Returns: the words.
    public static func readable(_ time: UnixTime) -> String {
        let text = TimeText.iso8601(time)
        guard text.utf8.count >= 19 else { return text }
        return text.prefix(10) + " " + text.dropFirst(11).prefix(8) + " UTC"
    }
}

/// Numbers for people.
public enum Numbers {
    /// With narrow spaces between groups of three: `12 345`.
    ///
    /// - Parameter number: any.
    /// - Returns: its digits.
    public static func grouped(_ number: Int) -> String {
        let digits = String(number.magnitude)
        guard digits.utf8.count > 4 else { return String(number) }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.utf8.count - index) % 3 == 0 { text += "\u{202f}" }
            text.append(digit)
        }
        return number < 0 ? "-" + text : text
    }

    /// With at most so many places, and none that say nothing: `1.5`, `2`.
    ///
    /// - Parameters:
    ///   - number: any.
    ///   - places: at most 3.
    /// - Returns: its digits.
    public static func short(_ number: Double, places: Int = 2) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "–" }
        let factors: [Int64] = [1, 10, 100, 1_000]
        let factor = factors[max(0, min(3, places))]
        let scaled = Int64((abs(number) * Double(factor)).rounded())
        var text = grouped(Int(scaled / factor))
        var rest = scaled % factor
        if rest > 0 {
            var digits = String(rest)
            let width = String(factor).utf8.count - 1
            digits = String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
            while rest % 10 == 0, digits.hasSuffix("0") {
                digits.removeLast()
                rest /= 10
            }
            text += "." + digits
        }
        return number < 0 && scaled > 0 ? "-" + text : text
    }

    /// MiB in the unit that fits: `512 MiB`, `1.5 GiB`, `3 TiB`.
    ///
    /// - Parameter mebibytes: how many MiB.
    /// - Returns: the number with its unit.
    public static func memory(_ mebibytes: Double) -> String {
        switch abs(mebibytes) {
        case ..<1_024: short(mebibytes, places: 0) + " MiB"
        case ..<1_048_576: short(mebibytes / 1_024, places: 1) + " GiB"
        default: short(mebibytes / 1_048_576, places: 1) + " TiB"
        }
    }

    /// A fraction of one in percent: `42 %`.
    ///
    /// - Parameter fraction: from 0 to 1.
    /// - Returns: the number with its sign; one place below ten percent.
    public static func percent(_ fraction: Double) -> String {
        short(fraction * 100, places: abs(fraction) < 0.0995 ? 1 : 0) + " %"
    }
}
