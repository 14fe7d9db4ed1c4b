import AgentCore
import ClusterModel
import Testing

struct AgentProbeTests {
    private static let probe = TaskProbe(
        .http(scheme: "http", port: 80, path: "/", statuses: [], version: .v4), delay: .seconds(2),
        interval: .seconds(1))

    private static func bench(
        _ change: (inout TaskInfo) -> Void
    ) -> (bench: Bench, id: ContainerID, launch: TaskLaunch) {
        var bench = Bench()
        let launch = Bench.launch("t", change)
        let id = bench.run(launch)
        _ = bench.handle(.updatesStored(id))
        return (bench, id, launch)
    }

    private static func probes(_ effects: [AgentEffect]) -> [ProbeRole] {
        effects.compactMap { if case .probe(let request) = $0 { request.role } else { nil } }
    }

    @Test func `a health check begins after its delay, is repeated, and tells what has changed`() {
        var (bench, id, launch) = Self.bench { $0.healthCheck = HealthCheck(Self.probe, grace: .zero) }
        #expect(Self.probes(bench.advance(.seconds(1))) == [])
        #expect(Self.probes(bench.advance(.seconds(1))) == [.health(0)])
        #expect(Self.probes(bench.advance(.milliseconds(1_500))) == [])
        _ = bench.handle(.probed(id, .health(0), ProbeFinding(.http(200), words: "fine")))
        #expect(Self.probes(bench.advance(.seconds(1))) == [.health(0)])
        _ = bench.handle(.updatesStored(id))
        _ = bench.handle(.probed(id, .health(0), ProbeFinding(.http(204), words: "fine")))
        _ = bench.advance(.seconds(1))
        _ = bench.handle(.updatesStored(id))
        _ = bench.handle(.probed(id, .health(0), ProbeFinding(nil, words: "nobody answers")))
        _ = bench.advance(.milliseconds(500))
        _ = bench.handle(.updatesStored(id))
        let told = bench.drain(launch.key).filter { $0.reason == .taskHealthCheckStatusUpdated }
        #expect(told.map(\.isHealthy) == [true, false])
        #expect(told.allSatisfy { $0.state == .running && $0.checkResult == nil })
    }

    @Test func `failures in a row kill the task, and its end says why`() {
        var (bench, id, launch) = Self.bench {
            $0.healthCheck = HealthCheck(Self.probe, grace: .zero, consecutiveFailures: 2)
        }
        var effects: [AgentEffect] = []
        for _ in 0..<2 {
            _ = bench.advance(.seconds(2))
            effects = bench.handle(.probed(id, .health(0), ProbeFinding(.http(500), words: "it answers 500")))
            _ = bench.handle(.updatesStored(id))
        }
        #expect(effects.contains { if case .kill(id, _) = $0 { true } else { false } })
        #expect(Self.probes(bench.advance(.seconds(2))) == [])
        _ = bench.handle(.ended(id, ContainerEnd(waitStatus: 15, isKilledByRequest: true)))
        _ = bench.handle(.updatesStored(id))
        _ = bench.handle(.updatesStored(id))
        let end = bench.drain(launch.key).last
        #expect(end?.state == .killed && end?.isHealthy == false)
        #expect(
            end?.message?.hasPrefix("killed because 2 health checks in a row failed, the last one: it answers 500")
                == true)
    }

    @Test func `a task with several health checks is well when all are, and ends when one has failed too often`() {
        var (bench, id, launch) = Self.bench {
            $0.healthCheck = HealthCheck(Self.probe, grace: .zero, consecutiveFailures: 0)
            $0.moreHealthChecks = [HealthCheck(Self.probe, grace: .zero, consecutiveFailures: 2)]
        }
        var killed = false
        func find(_ first: UInt16, _ second: UInt16) {
            #expect(Self.probes(bench.advance(.seconds(2))) == [.health(0), .health(1)])
            for (index, status) in [first, second].enumerated() {
                let finding = ProbeFinding(.http(status), words: "\(status)")
                for effect in bench.handle(.probed(id, .health(index), finding)) {
                    if case .kill = effect { killed = true }
                }
                _ = bench.advance(.milliseconds(200))
                _ = bench.handle(.updatesStored(id))
            }
        }
        find(200, 200)
        find(500, 200)
        find(500, 500)
        #expect(!killed)
        find(200, 200)
        find(200, 500)
        #expect(!killed)
        find(200, 500)
        #expect(killed)
        let told = bench.drain(launch.key).filter { $0.reason == .taskHealthCheckStatusUpdated }
        #expect(told.map(\.isHealthy) == [true, false, true, false, false])
    }

    @Test func `a readiness check is made until the task is ready`() {
        var (bench, id, launch) = Self.bench {
            $0.readinessCheck = TaskReadinessCheck(
                TaskProbe(
                    .http(scheme: "http", port: 80, path: "/", statuses: [204], version: .v4), delay: .zero,
                    interval: .seconds(1)), keepsAnswer: true)
        }
        let answer = TaskReadiness.Answer(contentType: "text/plain", body: "soon")
        for (result, body) in [(CheckResult?.none, nil), (.http(200), answer), (.http(200), answer), (.http(204), nil)]
        {
            _ = bench.advance(.seconds(2))
            _ = bench.handle(.probed(id, .readiness, ProbeFinding(result, words: "", answer: body)))
            _ = bench.advance(.milliseconds(500))
            _ = bench.handle(.updatesStored(id))
        }
        #expect(Self.probes(bench.advance(.seconds(60))) == [])
        let told = bench.drain(launch.key).filter { $0.reason == .taskCheckStatusUpdated }
        #expect(
            told.map(\.readiness) == [
                TaskReadiness(isReady: false), TaskReadiness(isReady: false, status: 200, answer: answer),
                TaskReadiness(isReady: true, status: 204),
            ])
        #expect(told.allSatisfy { $0.state == .running && $0.isHealthy == nil && $0.checkResult == nil })
    }

    @Test func `a check tells each change of its result and never kills`() {
        var (bench, id, launch) = Self.bench { $0.check = Self.probe }
        for (result, _) in [(CheckResult.http(503), 0), (.http(503), 1), (.http(200), 2)] {
            _ = bench.advance(.seconds(2))
            _ = bench.handle(.probed(id, .check, ProbeFinding(result, words: "")))
            _ = bench.advance(.milliseconds(500))
            _ = bench.handle(.updatesStored(id))
        }
        _ = bench.advance(.seconds(2))
        _ = bench.handle(.probed(id, .check, ProbeFinding(nil, words: "no answer")))
        _ = bench.advance(.milliseconds(500))
        _ = bench.handle(.updatesStored(id))
        let told = bench.drain(launch.key)
        #expect(told.first { $0.state == .running }?.checkResult == .http(nil))
        let changes = told.filter { $0.reason == .taskCheckStatusUpdated }
        #expect(changes.map(\.checkResult) == [.http(503), .http(200), .http(nil)])
        #expect(told.allSatisfy { $0.isHealthy == nil })
    }

    @Test func `a task whose health comes and goes says so ever more rarely`() {
        var (bench, id, _) = Self.bench {
            $0.healthCheck = HealthCheck(
                TaskProbe(Self.probe.kind, delay: .zero, interval: .zero), grace: .zero, consecutiveFailures: 0)
        }
        for turn in 0..<4_000 {
            _ = bench.advance(.milliseconds(100))
            _ = bench.handle(.probed(id, .health(0), ProbeFinding(.http(turn % 2 == 0 ? 200 : 500), words: "")))
            _ = bench.handle(.updatesStored(id))
        }
        // 400 seconds: the n-th waits n hundredths of a second.
        let count = bench.core.task(in: id)?.history.count ?? 0
        #expect(count > 100 && count < 400, "\(count)")
    }
}
