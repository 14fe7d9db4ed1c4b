import ClusterModel
import Identity
import Testing

@Suite("Renewal")
struct RenewalTests {
    private func schedule(life: Int64, jitter: Double) -> RenewalSchedule {
        RenewalSchedule(notBefore: .start - 300, notAfter: .start + life, jitter: jitter)
    }

    @Test func `a certificate is renewed between one half and two thirds of its life`() {
        #expect(schedule(life: day, jitter: 0).renewAt == .start + day / 2)
        let late = schedule(life: day, jitter: 0.999_999)
        #expect(late.renewAt > .start + day * 66 / 100)
        #expect(late.renewAt <= .start + day * 2 / 3)
        #expect(!schedule(life: day, jitter: 0).isDue(at: .start + day / 2 - 1))
        #expect(schedule(life: day, jitter: 0).isDue(at: .start + day / 2))
    }

    @Test func `lives of seconds work as lives of days do`() {
        let short = schedule(life: 10, jitter: 0.5)
        #expect(short.renewAt > .start + 5)
        #expect(short.renewAt < .start + 7)
        // A certificate that ended before it was issued, and times out of order.
        let odd = RenewalSchedule(notBefore: .start, notAfter: .start - 5, jitter: 0.5)
        #expect(odd.isDue(at: .start))
        #expect(odd.isExpired(at: .start))
    }

    @Test func `what expired is expired a second after its end`() {
        let schedule = schedule(life: day, jitter: 0)
        #expect(!schedule.isExpired(at: .start + day))
        #expect(schedule.isExpired(at: .start + (day + 1)))
    }

    @Test func `retries come slower, never all at once, and leave time for more`() {
        let schedule = schedule(life: day, jitter: 0)
        let now = schedule.renewAt
        var last = Duration.zero
        for failures in 1...12 {
            let pause = Duration.nanoseconds(
                schedule.retry(afterFailures: failures, jitter: 0, now: now).nanoseconds - now.nanoseconds)
            #expect(pause >= last)
            #expect(pause <= .seconds(3_600))
            last = pause
            let sooner = schedule.retry(afterFailures: failures, jitter: 0.999, now: now)
            #expect(sooner < now + pause)
            #expect(sooner > now + pause * 0.7)
        }
        #expect(last == .seconds(3_600))
        // Close to the end it tries often.
        let end = schedule.notAfter - 80
        #expect(schedule.retry(afterFailures: 9, jitter: 0, now: end) <= end + 10)
    }

    @Test func `no number is too strange`() {
        for jitter in [-1, 2, .nan, .infinity, -.infinity] as [Double] {
            for (notBefore, notAfter) in [
                (UnixTime(nanoseconds: .min), UnixTime(nanoseconds: .max)), (.start, .start),
                (UnixTime(nanoseconds: .max), UnixTime(nanoseconds: .min)),
            ] {
                let schedule = RenewalSchedule(notBefore: notBefore, notAfter: notAfter, jitter: jitter)
                #expect(schedule.renewAt >= schedule.issuedAt)
                for failures in [Int.min, -1, 0, 1, 64, Int.max] {
                    let next = schedule.retry(afterFailures: failures, jitter: jitter, now: .start)
                    #expect(next >= .start + 0 && next <= .start + 3_600)
                }
            }
        }
    }
}
