import ClusterModel
import Deployments
import Testing

@Suite("Deployment plans")
struct PlanTests {
    private let before = UnixTime(nanoseconds: 1_000_000)
    private let after = UnixTime(nanoseconds: 2_000_000)

    private func tree(_ services: [(String, Int, [String])], _ version: UnixTime) -> GroupDefinition {
        var root = GroupDefinition()
        for (path, count, dependencies) in services {
            var service = ServiceDefinition(id: ServiceID(path))
            service.instances = count
            service.dependencies = dependencies.map { ServiceID($0) }
            service.versionInfo = VersionInfo(first: version)
            root.put(.service(service), version: version)
        }
        return root
    }

    private func text(_ plan: DeploymentPlan) -> [[String]] {
        plan.steps.map { $0.actions.map { "\($0.name) \($0.id) \($0.instances)" } }
    }

    @Test func `new services become known, then start in the order of their dependencies`() throws {
        let target = tree([("/a", 1, ["/b"]), ("/b", 2, ["/c"]), ("/c", 3, []), ("/d", 1, [])], after)
        let plan = try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: target)
        #expect(
            text(plan) == [
                [
                    "StartApplication /a 0", "StartApplication /b 0", "StartApplication /c 0",
                    "StartApplication /d 0",
                ],
                ["ScaleApplication /c 3", "ScaleApplication /d 1"],
                ["ScaleApplication /b 2"],
                ["ScaleApplication /a 1"],
            ])
    }

    @Test func `what is removed stops first, what changed restarts, what is the same is left alone`() throws {
        let original = tree([("/a", 1, []), ("/b", 2, []), ("/c", 3, []), ("/d", 1, [])], before)
        var target = original
        target.remove(ServiceID("/d"), version: after)
        if var service = target.services[ServiceID("/b")] {
            service.cmd = "other"
            service.versionInfo = VersionInfo(version: after, lastScalingAt: before, lastConfigChangeAt: after)
            target.put(.service(service), version: after)
        }
        if var service = target.services[ServiceID("/c")] {
            service.instances = 9
            service.versionInfo = VersionInfo(version: after, lastScalingAt: after, lastConfigChangeAt: before)
            target.put(.service(service), version: after)
        }
        let plan = try DeploymentPlan(id: DeploymentID("1"), version: after, from: original, to: target)
        #expect(
            text(plan) == [
                ["StopApplication /d 0"], ["RestartApplication /b 2", "ScaleApplication /c 9"],
            ])
        #expect(plan.affected.map(\.path) == ["/b", "/c", "/d"])
    }

    @Test func `a dependency on a group is one on all that is in it, and a group's is one of all in it`() throws {
        var target = tree([("/shop/db", 1, []), ("/shop/deep/queue", 1, []), ("/web/front", 1, [])], after)
        target.change(ServiceID("/web"), version: after) { $0.dependencies = [ServiceID("/shop")] }
        let plan = try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: target)
        #expect(plan.steps.last?.actions.map(\.id.path) == ["/web/front"])
        #expect(plan.steps.count == 3)
    }

    @Test func `circles are refused, through groups as well`() {
        let circle = tree([("/a", 1, ["/b"]), ("/b", 1, ["/a"]), ("/c", 1, [])], after)
        #expect(throws: PlanError.cycle([ServiceID("/a"), ServiceID("/b")])) {
            try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: circle)
        }
        var groups = tree([("/x/a", 1, []), ("/y/b", 1, ["/x"])], after)
        groups.change(ServiceID("/x"), version: after) { $0.dependencies = [ServiceID("/y")] }
        #expect(throws: PlanError.self) {
            try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: groups)
        }
        #expect(groups.violations().map(\.path) == ["/"])
    }

    /// Trees at random: each plan has an order that keeps every dependency, and the same trees give the same plan.
    @Test(arguments: 0..<UInt64(100))
    func `every plan keeps the order of all dependencies`(seed: UInt64) throws {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33) % bound
        }
        let count = 2 + random(20)
        let services = (0..<count).map { number -> (String, Int, [String]) in
            let others = (0..<(number == 0 ? 0 : random(4))).map { _ in "/g\(random(3))/s\(random(number))" }
            return ("/g\(random(3))/s\(number)", 1 + random(3), others)
        }
        let target = tree(services, after)
        let plan = try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: target)
        #expect(
            plan == (try DeploymentPlan(id: DeploymentID("1"), version: after, from: GroupDefinition(), to: target)))
        var step: [ServiceID: Int] = [:]
        for (index, actions) in plan.steps.enumerated() {
            for action in actions.actions where action.kind == .scale { step[action.id] = index }
        }
        #expect(step.count == target.allWorkloads.count)
        for workload in target.allWorkloads {
            for dependency in workload.dependencies {
                guard let theirs = step[dependency], let mine = step[workload.id] else { continue }
                #expect(theirs < mine, "seed \(seed): \(workload.id) needs \(dependency)")
            }
        }
    }
}
