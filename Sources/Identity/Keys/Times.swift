internal import ClusterModel
internal import FoundationEssentials

extension UnixTime {
    /// Whole seconds since the epoch, rounded down.
    var wholeSeconds: Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// A time of whole seconds, held at the ends of what can be said.
    init(wholeSeconds seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.init(nanoseconds: overflow ? (seconds < 0 ? .min : .max) : product)
    }

    init(_ date: Date) { self.init(wholeSeconds: Int64(date.timeIntervalSince1970.rounded(.down))) }

    /// This time without its fraction of a second, as certificates write it.
    var date: Date { Date(timeIntervalSince1970: Double(wholeSeconds)) }
}

/// How long ago, for people.
func spell(seconds: Int64) -> String {
    switch seconds {
    case ..<120: "\(max(seconds, 0)) s"
    case ..<7_200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3_600) h"
    default: "\(seconds / 86_400) days"
    }
}
