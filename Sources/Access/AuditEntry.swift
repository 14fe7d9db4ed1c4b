public import ClusterModel

/// One line of the audit log: who did what to what, from where, and what came of it. It never holds a secret: neither
/// passwords nor tokens nor bodies are put into it.
public struct AuditEntry: Hashable, Sendable {
    /// What came of it.
    public enum Result: Hashable, Sendable {
        /// It was done.
        case done
        /// It was not allowed.
        case denied
        /// It was allowed and failed, with the HTTP status.
        case failed(Int)

        var text: String {
            switch self {
            case .done: "done"
            case .denied: "denied"
            case .failed(let status): "failed \(status)"
            }
        }
    }

    /// When.
    public var time: UnixTime
    /// Who, as ``Caller/name`` has it.
    public var who: String
    /// The address it came from, or `local`.
    public var from: String
    /// What, as ``Action/verb`` has it where it is a right.
    public var action: String
    /// To what.
    public var object: String
    /// What came of it.
    public var result: Result
    /// Why it was refused, if it was.
    public var reason: String?

    /// The longest text of one field in bytes; longer ones are cut.
    public static let fieldLimit = 512

    /// Makes an entry.
    public init(
        time: UnixTime, who: String, from: String, action: String, object: String, result: Result,
        reason: String? = nil
    ) {
        self.time = time
        self.who = who
        self.from = from
        self.action = action
        self.object = object
        self.result = result
        self.reason = reason
    }

    /// The entry as one line of JSON in ASCII, newline included. The order of the fields is fixed.
    public var line: String {
        var fields = [
            ("time", Self.text(of: time)), ("who", who), ("from", from), ("action", action), ("object", object),
            ("result", result.text),
        ]
        if let reason { fields.append(("reason", reason)) }
        return "{" + fields.map { "\"\($0.0)\":\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            bytes += scalar.utf8.count
            if bytes > fieldLimit { return result + "..." }
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case " "..."~": result.unicodeScalars.append(scalar)
            default:
                for unit in String(scalar).utf16 { result += "\\u" + padded(Int(unit), 4, radix: 16) }
            }
        }
        return result
    }

    /// RFC 3339 in UTC with milliseconds. The calendar is counted from the first of March, so that the leap day is the
    /// last day of its year.
    static func text(of time: UnixTime) -> String {
        let (seconds, nanoseconds) = floored(Int(time.nanoseconds), 1_000_000_000)
        let (days, second) = floored(seconds, 86_400)
        let (era, day) = floored(days + 719_468, 146_097)
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = [
            padded(year + era * 400 + (month >= 10 ? 1 : 0), 4), padded(month < 10 ? month + 3 : month - 9, 2),
            padded(dayOfYear - (153 * month + 2) / 5 + 1, 2),
        ]
        let clock = [padded(second / 3_600, 2), padded(second / 60 % 60, 2), padded(second % 60, 2)]
        return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "."
            + padded(nanoseconds / 1_000_000, 3) + "Z"
    }

    private static func floored(_ number: Int, _ divisor: Int) -> (Int, Int) {
        let rest = number % divisor
        return rest < 0 ? (number / divisor - 1, rest + divisor) : (number / divisor, rest)
    }

    private static func padded(_ number: Int, _ width: Int, radix: Int = 10) -> String {
        let digits = String(number, radix: radix)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
