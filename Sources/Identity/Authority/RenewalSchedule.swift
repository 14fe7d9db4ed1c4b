public import ClusterModel

/// When a certificate is renewed: between one half and two thirds of its life, so that a cluster whose nodes were
/// started together does not renew together, and a master that is away for hours does not matter.
public struct RenewalSchedule: Hashable, Sendable {
    /// When it was issued. Certificates begin earlier than that, for clocks that are behind.
    public let issuedAt: UnixTime
    /// When it ends.
    public let notAfter: UnixTime
    /// When to ask for the next one.
    public let renewAt: UnixTime

    /// Plans the renewal of a certificate that a ``ClusterAuthority`` issued.
    ///
    /// - Parameters:
    ///   - notBefore: its beginning, as it says itself.
    ///   - notAfter: its end.
    ///   - jitter: a number by chance from 0 up to 1, made once per certificate.
    public init(notBefore: UnixTime, notAfter: UnixTime, jitter: Double) {
        let issued = notBefore + ClusterAuthority.backdating
        issuedAt = issued < notAfter ? issued : min(notBefore, notAfter)
        self.notAfter = notAfter
        let life = Double(notAfter.nanoseconds) - Double(issuedAt.nanoseconds)
        let part = 0.5 + Self.held(jitter) / 6
        renewAt = issuedAt + .clamped(seconds: life * part / 1_000_000_000)
    }

    /// True when it is time to ask for the next one.
    public func isDue(at now: UnixTime) -> Bool { now >= renewAt }

    /// True when nobody accepts the certificate any more: only a fresh token helps.
    public func isExpired(at now: UnixTime) -> Bool { now.wholeSeconds > notAfter.wholeSeconds }

    /// When to try again. The pause doubles with each failure, from a two-hundredth of the life to an eighth of what
    /// is left, and is never shorter than a second.
    ///
    /// - Parameters:
    ///   - failures: how many attempts failed in a row, this one among them.
    ///   - jitter: a number by chance from 0 up to 1; it takes off up to a quarter of the pause.
    ///   - now: the time.
    /// - Returns: when to ask again.
    public func retry(afterFailures failures: Int, jitter: Double, now: UnixTime) -> UnixTime {
        let life = max(0, (Double(notAfter.nanoseconds) - Double(issuedAt.nanoseconds)) / 1_000_000_000)
        let left = max(0, (Double(notAfter.nanoseconds) - Double(now.nanoseconds)) / 1_000_000_000)
        let first = max(1, min(30, life / 200))
        let longest = max(1, min(3_600, isExpired(at: now) ? life / 8 : left / 8))
        let pause = min(longest, first * Double(1 << (min(max(failures, 1), 21) - 1)))
        return now + .clamped(seconds: max(1, pause * (1 - Self.held(jitter) / 4)))
    }

    private static func held(_ jitter: Double) -> Double { jitter > 0 ? min(jitter, 1) : 0 }
}
