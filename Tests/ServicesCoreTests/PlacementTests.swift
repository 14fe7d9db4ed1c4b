import ClusterModel
import Deployments
import Testing

@testable import ServicesCore

@Suite("Placing instances")
struct PlacementTests {
    private func hosts(_ constraints: [Constraint], _ count: Int) -> [String: Int] {
        var bench = Bench()
        bench.send(.put(.sample("/web", count) { $0.constraints = constraints }))
        var found: [String: Int] = [:]
        for _ in 0..<4 { for launch in bench.offer() { found[launch.instance.hostname, default: 0] += 1 } }
        return found
    }

    @Test func `constraints decide where instances run`() {
        #expect(hosts([Constraint("hostname", .unique)], 5).values.sorted() == [1, 1, 1])
        #expect(hosts([Constraint("hostname", .maxPer, "2")], 9).values.sorted() == [2, 2, 2])
        #expect(hosts([Constraint("hostname", .cluster, "host-A2")], 3) == ["host-A2": 3])
        #expect(hosts([Constraint("hostname", .cluster)], 3).count == 1)
        #expect(Set(hosts([Constraint("rack", .like, "r[1]")], 4).keys) == ["host-A1", "host-A3"])
        #expect(Set(hosts([Constraint("rack", .unlike, "r1")], 2).keys) == ["host-A2"])
        #expect(Set(hosts([Constraint("@zone", .equals, "r2")], 2).keys) == ["host-A2"])
        #expect(hosts([Constraint("missing", .like, ".*")], 2).isEmpty)
        #expect(hosts([Constraint("missing", .unlike, "x")], 2).values.reduce(0, +) == 2)
        let spread = hosts([Constraint("rack", .groupBy, "2")], 6)
        #expect(spread["host-A2"] == 3)
    }

    @Test func `instances of one service are spread over the offers that come together`() {
        #expect(hosts([], 3).values.sorted() == [1, 1, 1])
    }

    @Test func `why an offer was not used is kept`() {
        var bench = Bench()
        bench.send(.put(.sample("/big") { $0.cpus = 16 }))
        bench.offer()
        let queue = bench.core.queue
        #expect(queue.map(\.count) == [1])
        #expect(queue[0].processedOffers == 3 && queue[0].unusedOffers == 3)
        let step = queue[0].rejectedSinceStart.first { $0.reason == .insufficientCpus }
        #expect(step?.declined == 3)
        #expect(queue[0].lastUnusedOffers[0].details == ["cpus: 16 wanted, 8 offered"])
    }

    @Test func `fixed ports are taken as they are, others from what is offered, none twice`() {
        var bench = Bench()
        bench.agents = [("A1", "r1", 8)]
        bench.send(
            .put(
                .sample("/fixed", 2) {
                    $0.portDefinitions = [PortDefinition(port: 31_005)]
                    $0.requirePorts = true
                }))
        #expect(bench.offer().map { $0.instance.tasks[0].hostPorts } == [[31_005]])
        bench.send(.put(.sample("/any", 5) { $0.portDefinitions = [PortDefinition(), PortDefinition()] }))
        let ports = bench.offer().filter { $0.instance.service == ServiceID("/any") }
            .flatMap { $0.instance.tasks[0].hostPorts.compactMap { $0 } }
        #expect(Set(ports).count == 10)
    }

    @Test func `ports of any number are high ones as long as there are some`() throws {
        var generator = IdentifierSource(seed: (7, 9))
        var purse = ResourcePurse(try Resources(text: "ports:[80-80,8080-8081,31000-31003]"), allowed: [])
        var ports: [Int] = []
        while let (port, _) = purse.takePort(nil, using: &generator) { ports.append(port) }
        #expect(Set(ports[..<4]) == [31_000, 31_001, 31_002, 31_003])
        #expect(Set(ports[4..<6]) == [8_080, 8_081] && ports[6...] == [80])
    }

    @Test func `a bridged container gets a port of the agent only where it wants one`() {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/web") {
                    $0.portDefinitions = nil
                    $0.networks = [Network(mode: .container, name: "net")]
                    $0.container = Container(kind: .docker, image: Container.Image(reference: "nginx"))
                    $0.container?.portMappings = [
                        PortMapping(containerPort: 80), PortMapping(containerPort: 81, hostPort: 0),
                    ]
                }))
        let ports = bench.offer()[0].instance.tasks[0].hostPorts
        #expect(ports[0] == nil && ports[1] != nil)
    }

    @Test func `a task carries the check of its service and a terminal, with an image and without`() throws {
        for image in [nil, Container.Image(reference: "nginx")] {
            for kind: StatusCheck.Kind in [
                .command(.shell("true")), .http(port: nil, portIndex: 0, path: "/up", scheme: "HTTPS"),
                .tcp(port: nil, portIndex: nil),
            ] {
                var bench = Bench()
                bench.send(
                    .put(
                        .sample("/web") {
                            $0.portDefinitions = [PortDefinition()]
                            $0.container = image.map { Container(kind: .mesos, image: $0) }
                            $0.check = StatusCheck(kind: kind)
                            $0.check?.intervalSeconds = 3
                            $0.tty = true
                        }))
                let launch = try #require(bench.offer().first)
                let port = UInt16(try #require(launch.instance.tasks[0].hostPorts[0]))
                let task = launch.tasks[0]
                #expect(task.container?.hasTerminal == true && task.container?.image == image?.reference)
                #expect(task.check?.interval == .seconds(3) && task.healthCheck == nil)
                switch (kind, task.check?.kind) {
                case (.command, .command(let command)?): #expect(command.value == "true")
                case (.http, let found?):
                    #expect(found == .http(scheme: "https", port: port, path: "/up", statuses: [], version: .v4))
                case (.tcp, let found?): #expect(found == .tcp(port: port, version: .v4))
                default: Issue.record("another check: \(String(describing: task.check))")
                }
            }
        }
    }

    @Test func `a task carries all checks of its service, and its limits`() throws {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/web") {
                    $0.portDefinitions = [PortDefinition(name: "web")]
                    $0.healthChecks = [Deployments.HealthCheck(kind: .http), Deployments.HealthCheck(kind: .command)]
                    $0.healthChecks[0].portIndex = 0
                    $0.healthChecks[1].command = .shell("true")
                    $0.readinessChecks = [ReadinessCheck()]
                    $0.readinessChecks[0].portName = "web"
                    $0.readinessChecks[0].path = "/up"
                    $0.readinessChecks[0].preservesLastResponse = true
                    $0.resourceLimits = ResourceLimits(cpus: .unlimited, mem: .amount(512))
                }))
        let launch = bench.offer()[0]
        let port = UInt16(try #require(launch.instance.tasks[0].hostPorts[0]))
        let task = launch.tasks[0]
        #expect(task.healthChecks.count == 2 && task.moreHealthChecks?.count == 1)
        #expect(
            task.healthCheck?.probe.kind
                == .http(scheme: "http", port: port, path: "/", statuses: [], version: .v4))
        if case .command(let command)? = task.healthChecks.last?.probe.kind { #expect(command.value == "true") }
        let ready = try #require(task.readinessCheck)
        #expect(ready.probe.kind == .http(scheme: "http", port: port, path: "/up", statuses: [200], version: .v4))
        #expect(ready.keepsAnswer && ready.probe.delay == .zero)
        #expect(task.limits == TaskLimits(cpus: .max, mem: 512_000))
    }

    @Test func `only resources of accepted roles are used`() {
        var bench = Bench()
        var settings = ServicesSettings()
        settings.role = RoleName("shop")
        bench = Bench(settings: settings)
        let reserved = Resource(
            kind: ResourceKind(name: "cpus", reservations: [Reservation(kind: .fixed, role: RoleName("shop"))]),
            value: .scalar(Quantity(4.0) ?? .zero))
        let all = [reserved, .scalar("cpus", 1), .scalar("mem", 4_096)]
        bench.send(
            .put(
                .sample("/plain", 1) {
                    $0.cpus = 2
                    $0.acceptedResourceRoles = ["*"]
                }, .sample("/mine", 1) { $0.cpus = 4.5 }))
        let launches = bench.offer(RoleName("shop"), resources: all)
        #expect(launches.map(\.instance.service) == [ServiceID("/mine")])
        #expect(launches[0].tasks[0].resources.items.count { $0.kind.name == "cpus" } == 2)
    }

    @Test func `offers are asked for when something waits and stopped when nothing does`() {
        var bench = Bench()
        #expect(!bench.calls.contains { if case .revive = $0 { true } else { false } })
        bench.send(.put(.sample("/web")))
        #expect(bench.calls.contains { if case .revive = $0 { true } else { false } })
        bench.effects = []
        bench.settle()
        #expect(bench.calls.contains { if case .suppress = $0 { true } else { false } })
        guard
            case .decline(_, let filters)? = bench.calls.last(where: { if case .decline = $0 { true } else { false } })
        else { return }
        #expect(filters.refuse > .seconds(60))
    }

    @Test func `a task knows its name, its ports and its secrets by reference`() {
        var bench = Bench()
        bench.send(
            .put(
                .sample("/shop/web") {
                    $0.portDefinitions = [PortDefinition(name: "http")]
                    $0.environment = ["A": .text("1"), "PASSWORD": .secret("password")]
                    $0.secrets = ["password": "shop/db/password"]
                    $0.labels = ["tier": "front"]
                }))
        let launch = bench.offer()[0]
        let task = launch.tasks[0]
        #expect(task.name == "web.shop")
        #expect(task.taskID.value == "\(launch.instance.id)._app.1")
        #expect(launch.instance.id.value.hasPrefix("shop_web.instance-"))
        let variables = Dictionary(
            uniqueKeysWithValues: (task.command?.environment ?? []).map { ($0.name, $0) })
        #expect(variables["MARATHON_APP_ID"]?.value == "/shop/web")
        #expect(variables["MARATHON_APP_LABEL_TIER"]?.value == "front")
        #expect(variables["PORT_HTTP"]?.value == variables["PORT0"]?.value)
        #expect(variables["PASSWORD"]?.secret?.name == "shop/db/password")
        #expect(variables["MARATHON_APP_VERSION"]?.value == "2023-11-14T22:13:20.000Z")
        #expect(task.discovery?.ports.first?.name == "http")
    }

    @Test func `the containers of a pod start together, and the executor's share is counted`() {
        var pod = PodDefinition(id: ServiceID("/pod"))
        for name in ["a", "b"] {
            var container = PodContainer(name: name)
            container.command = .shell("sleep 100")
            container.endpoints = [Endpoint(name: "port-\(name)", hostPort: 0)]
            pod.containers.append(container)
        }
        var bench = Bench()
        bench.send(.create(.pod(pod), force: false))
        let launch = bench.offer()[0]
        guard case .launchGroup(let group, let tasks) = launch.operation else {
            Issue.record("not a group")
            return
        }
        #expect(group.executorID.value == launch.instance.id.value)
        #expect(tasks.map(\.name) == ["a", "b"])
        #expect(tasks[0].resources.total("cpus").value == 1)
        #expect(group.resources.total("cpus").value == 0.1 && group.resources.total("mem").value == 32)
        bench.update(tasks[0].taskID, .running)
        #expect(bench.core.instances(of: pod.id)[0].condition != .running)
        bench.update(tasks[1].taskID, .running)
        #expect(bench.core.instances(of: pod.id)[0].condition == .running)
        bench.update(tasks[0].taskID, .failed)
        #expect(bench.kills == [tasks[1].taskID])
        bench.update(tasks[1].taskID, .killed)
        #expect(bench.core.instances(of: pod.id).isEmpty)
    }
}
