internal import Deployments
internal import FrameworkRuntime

/// Apps from Marathon's JSON, in the forms of all its releases. All that is wrong with the form is said at once; what is
/// wrong with the content is said by the definition itself.
struct AppReading {
    /// Reads the fields of an app over a definition: what is not there stays as it is.
    ///
    /// - Parameters:
    ///   - reader: the fields.
    ///   - app: what it is a change of; with Marathon's defaults when it is new.
    ///   - base: the group that a relative id is in.
    static func read(_ reader: inout FieldReader, over app: inout ServiceDefinition, in base: ServiceID) {
        if let id = reader.text("id") { app.id = ServiceID(id, in: base) }
        command(&reader, &app)
        amounts(&reader, &app)
        placement(&reader, &app)
        networks(&reader, &app)
        checks(&reader, &app)
        strategies(&reader, &app)
        contents(&reader, &app)
        version(&reader, &app.versionInfo)
        // Clients send back what they were shown.
        reader.ignore(
            "tasks", "tasksRunning", "tasksStaged", "tasksHealthy", "tasksUnhealthy", "deployments", "lastTaskFailure",
            "taskStats", "readinessCheckResults", "taskRateLimit", "overdue")
    }

    private static func command(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        reader.read("cmd", into: &app.cmd)
        if let args = reader.strings("args") { app.args = args }
        reader.read("user", into: &app.user)
        reader.read("executor", into: &app.executor)
        if let value = reader.flag("tty") { app.tty = value }
    }

    private static func amounts(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        reader.read("instances", into: &app.instances)
        reader.read("cpus", into: &app.cpus)
        reader.read("mem", into: &app.mem)
        reader.read("disk", into: &app.disk)
        reader.read("gpus", into: &app.gpus)
        if let limits = reader.one("resourceLimits", { PartReading.limits(&$0) }) { app.resourceLimits = limits }
        let resources = reader.one("executorResources") { reader in
            var resources = ExecutorResources()
            reader.read("cpus", into: &resources.cpus)
            reader.read("mem", into: &resources.mem)
            reader.read("disk", into: &resources.disk)
            return resources
        }
        if let resources { app.executorResources = resources }
    }

    private static func placement(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        if let list = reader.list("constraints") { app.constraints = PartReading.constraints(list, &reader) }
        if let roles = reader.strings("acceptedResourceRoles") { app.acceptedResourceRoles = roles }
        reader.read("role", into: &app.role)
        reader.read("isolation", into: &app.isolation)
        if let names = reader.strings("dependencies") {
            app.dependencies = names.map { ServiceID($0, in: app.id) }
        }
    }

    private static func checks(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        if let checks = reader.each("healthChecks", { CheckReading.health(&$0) }) { app.healthChecks = checks }
        if let check = reader.one("check", { CheckReading.status(&$0) }) { app.check = check }
        if let checks = reader.each("readinessChecks", { CheckReading.readiness(&$0) }) {
            app.readinessChecks = checks
        }
    }

    private static func strategies(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        reader.read("backoffSeconds", into: &app.backoff.seconds)
        reader.read("backoffFactor", into: &app.backoff.factor)
        reader.read("maxLaunchDelaySeconds", into: &app.backoff.maxLaunchDelaySeconds)
        reader.read("taskKillGracePeriodSeconds", into: &app.taskKillGracePeriodSeconds)
        if let selection = reader.choice("killSelection", KillSelection.self) { app.killSelection = selection }
        if let strategy = reader.one("upgradeStrategy", { PartReading.upgrade(&$0) }) { app.upgradeStrategy = strategy }
        if let strategy = PartReading.unreachable(&reader) { app.unreachableStrategy = strategy }
        let residency = reader.one("residency") { reader in
            var residency = Residency()
            reader.read("relaunchEscalationTimeoutSeconds", into: &residency.relaunchEscalationTimeoutSeconds)
            reader.read("taskLostBehavior", into: &residency.taskLostBehavior)
            return residency
        }
        if let residency { app.residency = residency }
    }

    private static func contents(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        if let fields = reader.object("env") { app.environment = PartReading.environment(fields, "env", &reader) }
        if let labels = reader.texts("labels") { app.labels = labels }
        if let secrets = PartReading.secrets(&reader) { app.secrets = secrets }
        let artifacts = reader.each("fetch") { PartReading.artifact(&$0) }
        let uris = reader.strings("uris")
        if let artifacts {
            app.fetch = artifacts
        } else if let uris {
            app.fetch = uris.map { Artifact(uri: $0, isExtracted: PartReading.isArchive($0)) }
        }
        if let urls = reader.strings("storeUrls") { app.storeUrls = urls }
    }

    /// Only what is read from the store keeps it; whoever takes it from outside sets it anew.
    static func version(_ reader: inout FieldReader, _ own: inout VersionInfo) {
        var info = own
        if let time = PartReading.time("version", &reader) { info.version = time }
        let more = reader.one("versionInfo") { reader -> VersionInfo? in
            var more = info
            if let time = PartReading.time("lastScalingAt", &reader) { more.lastScalingAt = time }
            if let time = PartReading.time("lastConfigChangeAt", &reader) { more.lastConfigChangeAt = time }
            return more
        }
        own = more ?? info
    }
}

extension AppReading {
    // MARK: networks and containers

    private static func networks(_ reader: inout FieldReader, _ app: inout ServiceDefinition) {
        let before = Set(app.networks.map(\.mode))
        let networks = reader.each("networks") { PartReading.network(&$0) }
        if let networks { app.networks = networks }
        let address = reader.one("ipAddress") { PartReading.address(&$0) }
        var legacy: Network?
        let container = reader.one("container") { ContainerReading.container(&$0, network: &legacy) }
        if let container { app.container = container }
        if let address, networks == nil {
            app.networks = [address]
        } else if let legacy, networks == nil {
            app.networks = [legacy]
        }
        let ports = reader.each("portDefinitions") { PartReading.port(&$0) }
        let numbers = reader.list("ports").map { PartReading.numbers($0, "ports", &reader) }
        let isMoved = !before.isEmpty && Set(app.networks.map(\.mode)) != before
        if let ports {
            app.portDefinitions = ports
        } else if let numbers {
            // Before there were networks, ports were the container's where it had its own.
            if app.networks.allSatisfy({ $0.mode == .host }) {
                app.portDefinitions = numbers.enumerated().map { index, number in
                    PortDefinition(port: number, name: index == 0 ? "default" : nil)
                }
            }
        } else if isMoved {
            // What the other network had followed from it.
            app.portDefinitions = nil
        }
        if isMoved, container == nil { app.container?.portMappings = nil }
        reader.read("requirePorts", into: &app.requirePorts)
    }
}
