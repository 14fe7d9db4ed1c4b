// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling
import Testing

struct LaunchCheckTests {
    @Test func `tasks that fit one after the other are taken and the rest is left`() {
        let result = LaunchCheck.check(
            [resources(cpus: 1, mem: 100), resources(cpus: 2, ports: 31_000...31_001)],
            offered: resources(cpus: 4, mem: 150, ports: 31_000...31_009))
        #expect(result.errors == [nil, nil])
        #expect(result.left == resources(cpus: 1, mem: 50, ports: 31_002...31_009))
    }

    @Test func `the task that is too much is named with what is short and later ones still fit`() throws {
        let result = LaunchCheck.check(
            [resources(cpus: 1.5), resources(cpus: 1, mem: 60), resources(cpus: 0.5)],
            offered: resources(cpus: 2, mem: 50))
        #expect(result.errors[0] == nil)
        #expect(result.errors[2] == nil)
        guard case .insufficient(let shortages) = result.errors[1] else {
            Issue.record("expected a shortage")
            return
        }
        #expect(shortages.map(\.kind.name) == ["cpus", "mem"])
        #expect(shortages[0].missing == .scalar(Quantity(0.5)!))
        #expect(shortages[1].description == "mem: 60 wanted, 50 left in the offers, 10 short")
        #expect(result.left == resources(mem: 50))
    }

    @Test func `ports that another task has are short`() {
        let result = LaunchCheck.check(
            [resources(ports: 5...6), resources(ports: 6...7)], offered: resources(ports: 1...10))
        guard case .insufficient(let shortages) = result.errors[1] else {
            Issue.record("expected a shortage")
            return
        }
        #expect(shortages.map(\.description) == ["ports: [6-7] wanted, [1-4, 7-10] left in the offers, [6-6] short"])
    }

    @Test func `a task that forgets the reservation is told about it`() {
        let result = LaunchCheck.check([resources(cpus: 1)], offered: reserved("eng", cpus: 2))
        #expect(
            result.errors[0]?.description
                == "the task uses more than its offers have left: "
                + "cpus: 1 wanted, none left in the offers, 1 short (the offers have cpus for role eng)")
    }

    @Test func `a task without resources is refused`() {
        let result = LaunchCheck.check([Resources()], offered: resources(cpus: 1))
        #expect(result.errors == [.noResources])
        #expect(result.left == resources(cpus: 1))
    }

    @Test func `wanting another type of value is short`() throws {
        let text = Resource(kind: ResourceKind(name: "cpus"), value: .set(["x"]))
        let result = LaunchCheck.check([try Resources([text])], offered: resources(cpus: 1))
        #expect(result.errors[0] != nil)
        #expect(result.left == resources(cpus: 1))
    }

    @Test func `what is taken and what is left add up for any tasks`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let offered = resources(cpus: 8, mem: 1_000, ports: 1...20)
            let tasks = (0..<10).map { _ in
                let port = UInt64.random(in: 1...25, using: &random)
                return resources(
                    cpus: Double.random(in: 0...3, using: &random), mem: Double.random(in: 0...300, using: &random),
                    ports: port...(port + 2))
            }
            let result = LaunchCheck.check(tasks, offered: offered)
            var sum = result.left
            for (task, error) in zip(tasks, result.errors) where error == nil { try sum.add(task) }
            #expect(sum == offered, "seed \(seed)")
            for case .insufficient(let shortages)? in result.errors { #expect(!shortages.isEmpty, "seed \(seed)") }
        }
    }
}
