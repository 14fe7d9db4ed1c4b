import ClusterModel
import TaskLifecycle
import Testing

struct HealthJudgeTests {
    private static func judge(failures: UInt32 = 3, isHealthy: Bool? = nil) -> HealthJudge {
        HealthJudge(
            HealthCheck(TaskProbe(.tcp(port: 1, version: .v4)), grace: .seconds(10), consecutiveFailures: failures),
            startedAt: .seconds(100), isHealthy: isHealthy)
    }

    @Test func `failures within the grace do not count until all was well once`() {
        var judge = Self.judge()
        for second in [101, 105, 110] {
            #expect(judge.take(isWell: false, now: .seconds(second)) == .unchanged)
            #expect(judge.isHealthy == nil)
        }
        #expect(judge.take(isWell: true, now: .seconds(106)) == .changed)
        #expect(judge.take(isWell: true, now: .seconds(107)) == .unchanged)
        #expect(judge.take(isWell: false, now: .seconds(108)) == .changed)
        #expect(judge.isHealthy == false)
    }

    @Test func `so many failures in a row end the task, and one success begins anew`() {
        var judge = Self.judge()
        #expect(judge.take(isWell: false, now: .seconds(111)) == .changed)
        #expect(judge.take(isWell: false, now: .seconds(112)) == .unchanged)
        #expect(judge.take(isWell: true, now: .seconds(113)) == .changed)
        #expect(judge.take(isWell: false, now: .seconds(114)) == .changed)
        #expect(judge.take(isWell: false, now: .seconds(115)) == .unchanged)
        #expect(judge.take(isWell: false, now: .seconds(116)) == .end(failures: 3))
        var patient = Self.judge(failures: 0)
        for second in 111..<200 {
            #expect(patient.take(isWell: false, now: .seconds(second)) == (second == 111 ? .changed : .unchanged))
        }
    }

    @Test func `a task that was well before its agent was started anew has no grace any more`() {
        var judge = Self.judge(failures: 1, isHealthy: true)
        #expect(judge.take(isWell: false, now: .seconds(101)) == .end(failures: 1))
    }
}
