import Deployments
import Testing

/// One thing that can be wrong, and where it is said.
private struct BadCase: CustomTestStringConvertible {
    var path: String
    var message: String
    var change: @Sendable (inout ServiceDefinition) -> Void
    var testDescription: String { "\(path) \(message)" }

    init(_ path: String, _ message: String, _ change: @escaping @Sendable (inout ServiceDefinition) -> Void) {
        self.path = path
        self.message = message
        self.change = change
    }
}

private let badCases: [BadCase] = [
    BadCase("/id", "must fully match regular expression") { $0.id = ServiceID("/Web") },
    BadCase("/id", "must not end with any of the following reserved keywords") { $0.id = ServiceID("/a/tasks") },
    BadCase("/id", "Path must contain at least one path element") { $0.id = .root },
    BadCase("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.") { $0.cmd = nil },
    BadCase("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.") {
        $0.args = ["a"]
    },
    BadCase("/cmd", "must not be empty") { $0.cmd = "" },
    BadCase("/cpus", "got -1, expected 0 or more") { $0.cpus = -1 },
    BadCase("/cpus", "expected 0 or more") { $0.cpus = .nan },
    BadCase("/mem", "got -0.5, expected 0 or more") { $0.mem = -0.5 },
    BadCase("/disk", "expected 0 or more") { $0.disk = -1 },
    BadCase("/gpus", "expected 0 or more") { $0.gpus = -1 },
    BadCase("/instances", "got -1, expected 0 or more") { $0.instances = -1 },
    BadCase("/instances", "or less") { $0.instances = 1_000_000 },
    BadCase("/constraints(0)", "UNIQUE does not accept a value") {
        $0.constraints = [Constraint("hostname", .unique, "x")]
    },
    BadCase("/constraints(1)", "MAX_PER requires an integer value") {
        $0.constraints = [Constraint("hostname", .unique), Constraint("rack", .maxPer, "x")]
    },
    BadCase("/constraints(0)", "GROUP BY must define an integer value or else no value at all") {
        $0.constraints = [Constraint("rack", .groupBy, "x")]
    },
    BadCase("/constraints(0)", "LIKE and UNLIKE require a non-empty, regular expression value") {
        $0.constraints = [Constraint("rack", .like)]
    },
    BadCase("/constraints(0)", "is not a valid regular expression") {
        $0.constraints = [Constraint("rack", .unlike, "a(")]
    },
    BadCase("/constraints(0)", "IS only supports Mesos text and float values") {
        $0.constraints = [Constraint("rack", .equals, "{a,b}")]
    },
    BadCase("/constraints(0)", "missing field for constraint declaration") {
        $0.constraints = [Constraint("", .unique)]
    },
    BadCase("/env/PASSWORD/secret", "references an undefined secret") { $0.environment = ["PASSWORD": .secret("no")] },
    BadCase("/secrets/a/source", "must not be empty") { $0.secrets = ["a": ""] },
    BadCase("/fetch(0)/uri", "URI has invalid syntax.") { $0.fetch = [Artifact(uri: "http://a b")] },
    BadCase("/networks", "May specify a single host network, single bridge network, or else 1-to-n container networks")
    {
        $0.networks = [Network(mode: .host), Network(mode: .bridge)]
    },
    BadCase("/networks", "Host networks may not have names or labels") {
        $0.networks = [Network(mode: .host, name: "x")]
    },
    BadCase("/networks", "Network name must be specified when container network is selected.") {
        $0.networks = [Network(mode: .container)]
    },
    BadCase("/networks", "Duplicate networks are not allowed") {
        $0.networks = [Network(mode: .container, name: "a"), Network(mode: .container, name: "a")]
    },
    BadCase("/portDefinitions", "Ports must be unique.") {
        $0.portDefinitions = [PortDefinition(port: 80), PortDefinition(port: 80)]
    },
    BadCase("/portDefinitions", "Port names must be unique.") {
        $0.portDefinitions = [PortDefinition(name: "a"), PortDefinition(name: "a")]
    },
    BadCase("/portDefinitions(0)/port", "expected between 0 and 65535") {
        $0.portDefinitions = [PortDefinition(port: 70_000)]
    },
    BadCase("/portDefinitions(0)/name", "must fully match regular expression") {
        $0.portDefinitions = [PortDefinition(name: "A_b")]
    },
    BadCase("/portDefinitions(0)/protocol", "is not one of") {
        $0.portDefinitions = [PortDefinition(networkProtocol: "sctp")]
    },
    BadCase("/", "portMappings are not allowed with host-networking") {
        $0.container = Container(kind: .mesos)
        $0.container?.portMappings = [PortMapping(containerPort: 80)]
    },
    BadCase("/", "portDefinitions are only allowed with host-networking") {
        $0.networks = [Network(mode: .bridge)]
        $0.portDefinitions = [PortDefinition()]
    },
    BadCase("/healthChecks(0)", "Health check port indices must address an element of the ports array") {
        $0.healthChecks = [HealthCheck()]
        $0.healthChecks[0].portIndex = 4
    },
    BadCase("/healthChecks(0)/command", "not defined") { $0.healthChecks = [HealthCheck(kind: .command)] },
    BadCase("/healthChecks(0)/gracePeriodSeconds", "expected 0 or more") {
        $0.healthChecks = [HealthCheck()]
        $0.healthChecks[0].gracePeriodSeconds = -1
    },
    BadCase("/", "AppDefinition can contain at most one Mesos health check") {
        $0.healthChecks = [HealthCheck(kind: .mesosHTTP), HealthCheck(kind: .mesosTCP)]
    },
    BadCase("/readinessChecks", "expected 1 or less") { $0.readinessChecks = [ReadinessCheck(), ReadinessCheck()] },
    BadCase("/readinessChecks(0)/portName", "No port definition reference for portName http-api") {
        $0.readinessChecks = [ReadinessCheck()]
    },
    BadCase("/upgradeStrategy/minimumHealthCapacity", "expected between 0 and 1") {
        $0.upgradeStrategy = UpgradeStrategy(minimumHealthCapacity: 1.5)
    },
    BadCase("/upgradeStrategy/maximumOverCapacity", "expected between 0 and 1") {
        $0.upgradeStrategy = UpgradeStrategy(maximumOverCapacity: -0.1)
    },
    BadCase("/unreachableStrategy/inactiveAfterSeconds", "must be less or equal to expungeAfterSeconds") {
        $0.unreachableStrategy = .enabled(inactiveAfterSeconds: 5, expungeAfterSeconds: 1)
    },
    BadCase("/backoffFactor", "expected 1 or more") { $0.backoff.factor = 0.5 },
    BadCase("/backoffSeconds", "expected 0 or more") { $0.backoff.seconds = -1 },
    BadCase("/taskKillGracePeriodSeconds", "expected 0 or more") { $0.taskKillGracePeriodSeconds = -1 },
    BadCase("/acceptedResourceRoles", "acceptedResourceRoles can only contain *") { $0.acceptedResourceRoles = ["x"] },
    BadCase("/acceptedResourceRoles", "must not be empty") { $0.acceptedResourceRoles = [] },
    BadCase("/role", "expected one of") { $0.role = "other" },
    BadCase("/isolation", "isolation 'microvm' is not supported yet") { $0.isolation = "microvm" },
    BadCase("/isolation", "is not one of the isolation levels") { $0.isolation = "chroot" },
    BadCase("/residency", "not supported yet") { $0.residency = Residency() },
    BadCase("/container/docker", "not defined") { $0.container = Container(kind: .docker) },
    BadCase("/container/docker/image", "must not be empty") {
        $0.container = Container(kind: .docker, image: Container.Image(reference: ""))
    },
    BadCase("/container/docker/pullConfig", "pullConfig is not supported with Docker containerizer") {
        $0.container = Container(kind: .docker, image: Container.Image(reference: "a"))
        $0.container?.image?.pullSecret = "x"
    },
    BadCase("/container/volumes(0)", "volume.secret must refer to an existing secret") {
        $0.container = Container(kind: .mesos)
        $0.container?.volumes = [Volume(containerPath: "p", source: .secret("x"))]
    },
    BadCase("/container/volumes(0)/external", "external_volumes is not enabled") {
        $0.container = Container(kind: .mesos)
        $0.container?.volumes = [Volume(containerPath: "p", source: .external(Volume.External()))]
    },
    BadCase("/", "Single instance app may only have one instance") {
        $0.labels = ["MARATHON_SINGLE_INSTANCE_APP": "true"]
        $0.instances = 2
    },
    BadCase("/resourceLimits/cpus", "resource limit must be greater than or equal to requested resource (1.0)") {
        $0.resourceLimits = ResourceLimits(cpus: .amount(0.5))
    },
    BadCase("/dependencies", "Elements must be unique.") { $0.dependencies = [ServiceID("/a"), ServiceID("/a")] },
    BadCase("/", "GPU resources only work with the Mesos containerizer") {
        $0.gpus = 1
        $0.container = Container(kind: .docker, image: Container.Image(reference: "a"))
    },
]

@Suite("Validation")
struct ValidationTests {
    private func service() -> ServiceDefinition {
        var service = ServiceDefinition(id: ServiceID("/web"))
        service.cmd = "sleep 1"
        return service
    }

    @Test func `a plain service is well`() { #expect(service().normalized(role: "*").violations() == []) }

    @Test(arguments: badCases)
    fileprivate func `what is wrong is said with its path, in Marathon's words`(bad: BadCase) {
        var service = service()
        bad.change(&service)
        let found = service.normalized(role: "*").violations()
        #expect(
            found.contains { $0.path == bad.path && $0.message.contains(bad.message) },
            "\(found.map { "\($0.path): \($0.message)" })")
    }

    @Test func `constraints are read as Marathon reads them`() throws {
        #expect(try Constraint(texts: ["rack", "max_per", "2"]) == Constraint("rack", .maxPer, "2"))
        #expect(throws: ConstraintError(message: "Each constraint must have either 2 or 3 fields")) {
            try Constraint(texts: ["rack"])
        }
        #expect(throws: ConstraintError.self) { try Constraint(texts: ["rack", "NEAR"]) }
    }

    @Test func `an app that says little gets Marathon's defaults`() {
        let service = service().normalized(role: "*")
        #expect(service.networks == [Network(mode: .host)])
        #expect(service.portDefinitions == [PortDefinition(name: "default")])
        #expect(service.upgradeStrategy == UpgradeStrategy(minimumHealthCapacity: 1, maximumOverCapacity: 1))
        #expect(service.unreachableStrategy == .standard)
        #expect(service.role == "*")
        var bridged = self.service()
        bridged.networks = [Network(mode: .bridge)]
        bridged = bridged.normalized(role: "*")
        #expect(bridged.container?.portMappings == [PortMapping(hostPort: 0, name: "default")])
        #expect(bridged.portDefinitions == nil)
    }

    @Test func `service ports are unique in the tree and stay what they were`() {
        var root = GroupDefinition()
        var first = service().normalized(role: "*")
        var ports = ServicePorts(in: root, range: 10_000...10_002)
        #expect(ports.assign(to: &first, before: nil))
        #expect(first.servicePorts == [10_000])
        root.put(.service(first), version: first.version)
        var second = service().normalized(role: "*")
        ports = ServicePorts(in: root, range: 10_000...10_002)
        #expect(ports.assign(to: &second, before: nil))
        #expect(second.servicePorts == [10_001])
        var again = service().normalized(role: "*")
        ports = ServicePorts(in: root, range: 10_000...10_002)
        #expect(ports.assign(to: &again, before: first))
        #expect(again.servicePorts == [10_000])
    }

    @Test func `a pod is checked container by container`() {
        var pod = PodDefinition(id: ServiceID("/pod"))
        #expect(pod.violations().contains(Violation(path: "/containers", message: "must not be empty")))
        var container = PodContainer(name: "Bad_Name")
        container.cpus = 0
        container.endpoints = [Endpoint(name: "a", containerPort: 80)]
        container.volumeMounts = [VolumeMount(name: "none", mountPath: "/x")]
        container.healthCheck = PodHealthCheck(probe: PodProbe(http: PodProbe.HTTP(endpoint: "missing")))
        pod.containers = [container]
        let paths = Set(pod.normalized(role: "*").violations().map(\.path))
        for path in [
            "/containers(0)/name", "/containers(0)/resources/cpus", "/containers(0)/endpoints(0)/containerPort",
            "/containers(0)/volumeMounts(0)/name", "/containers(0)/healthCheck/http/endpoint", "/containers(0)",
        ] {
            #expect(paths.contains(path), "\(path) is not among \(paths.sorted())")
        }
    }
}
