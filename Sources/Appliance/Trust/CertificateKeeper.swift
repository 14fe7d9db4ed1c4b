internal import ClusterModel
internal import Identity
internal import Logging
internal import MasterNode

/// Renews a certificate while the node runs, long before it ends.
struct CertificateKeeper: Sendable {
    let name: String
    let logger: Logger
    /// The times of the certificate in use.
    let times: @Sendable () throws -> CertificateTimes
    /// Gets the next one and puts it to use.
    let renew: @Sendable () async throws -> Void
    /// Looked at between renewals: true when the certificate has to be made anew before its time.
    var isOutdated: @Sendable () -> Bool = { false }

    /// How often ``isOutdated`` is asked.
    private static let lookTime = Duration.seconds(2)

    /// Until the task is cancelled.
    func run() async {
        let clock = SystemClock()
        var failures = 0
        var jitter = Double.random(in: 0..<1)
        while !Task.isCancelled {
            let now = clock.now().wall
            guard let times = try? times() else { return }
            let schedule = RenewalSchedule(notBefore: times.notBefore, notAfter: times.notAfter, jitter: jitter)
            let due =
                failures == 0 ? schedule.renewAt : schedule.retry(afterFailures: failures, jitter: jitter, now: now)
            guard await wait(until: due, clock) else { return }
            do {
                try await renew()
                if failures > 0 { logger.notice("\(name) is renewed") }
                failures = 0
                jitter = Double.random(in: 0..<1)
            } catch {
                failures += 1
                let words = schedule.isExpired(at: clock.now().wall) ? "has expired and cannot" : "cannot"
                // Once, and then every now and then: a master that is away for a night is no news each minute.
                if failures == 1 || failures % 32 == 0 {
                    logger.warning("\(name) \(words) be renewed: \(error)")
                }
            }
        }
    }

    /// In steps, because the wall clock may jump.
    private func wait(until due: UnixTime, _ clock: SystemClock) async -> Bool {
        while !isOutdated() {
            let now = clock.now().wall
            guard now < due else { return true }
            let left = Duration.clamped(seconds: due.seconds - now.seconds)
            guard (try? await Pause.wait(min(left, Self.lookTime))) != nil else { return false }
        }
        return true
    }
}
