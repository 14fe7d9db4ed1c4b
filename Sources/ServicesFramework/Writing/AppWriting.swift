internal import Deployments
internal import FrameworkRuntime

/// Apps in Marathon's JSON. What came with later releases of Marathon is left out while it says nothing: clients of
/// earlier ones stop at a field that they do not know.
extension JSONText {
    /// The fields of an app without what belongs to it. When it is complete, fields are shown that clients look for
    /// although they say nothing.
    mutating func app(_ app: ServiceDefinition, isComplete: Bool = true) {
        field("id", app.id.path)
        if let cmd = app.cmd { field("cmd", cmd) } else if isComplete { null("cmd") }
        if !app.args.isEmpty { texts("args", app.args) } else if isComplete { null("args") }
        field("user", app.user)
        object("env") { $0.environment(app.environment) }
        field("instances", app.instances)
        field("cpus", app.cpus)
        field("mem", app.mem)
        field("disk", app.disk)
        field("gpus", app.gpus)
        field("executor", app.executor)
        constraints("constraints", app.constraints)
        list("fetch") { json in for artifact in app.fetch { json.object { $0.artifact(artifact) } } }
        texts("storeUrls", app.storeUrls)
        field("backoffSeconds", app.backoff.seconds)
        field("backoffFactor", app.backoff.factor)
        field("maxLaunchDelaySeconds", app.backoff.maxLaunchDelaySeconds)
        container(app, isComplete: isComplete)
        networks("networks", app.networks)
        if let ports = app.portDefinitions {
            list("portDefinitions") { json in for port in ports { json.object { $0.port(port) } } }
        }
        field("requirePorts", app.requirePorts)
        list("healthChecks") { json in for check in app.healthChecks { json.object { $0.health(check) } } }
        list("readinessChecks") { json in for check in app.readinessChecks { json.object { $0.readiness(check) } } }
        texts("dependencies", app.dependencies.map(\.path))
        if let strategy = app.upgradeStrategy { object("upgradeStrategy") { $0.upgrade(strategy) } }
        unreachable(app.unreachableStrategy)
        field("killSelection", app.killSelection.rawValue)
        field("taskKillGracePeriodSeconds", app.taskKillGracePeriodSeconds)
        texts("labels", app.labels)
        secrets(app.secrets)
        if let roles = app.acceptedResourceRoles { texts("acceptedResourceRoles", roles) }
        field("role", app.role)
        rare(app)
        version(app.versionInfo)
    }

    /// Fields that most apps do not have and many clients do not know.
    private mutating func rare(_ app: ServiceDefinition) {
        if let limits = app.resourceLimits { object("resourceLimits") { $0.limits(limits) } }
        if let resources = app.executorResources { object("executorResources") { $0.amounts(resources) } }
        if let check = app.check { object("check") { $0.status(check) } }
        field("isolation", app.isolation)
        if let tty = app.tty { field("tty", tty) }
        if let residency = app.residency {
            object("residency") { json in
                json.field("relaunchEscalationTimeoutSeconds", residency.relaunchEscalationTimeoutSeconds)
                json.field("taskLostBehavior", residency.taskLostBehavior)
            }
        }
    }

    mutating func version(_ info: VersionInfo) {
        field("version", TimeText.iso8601(info.version))
        object("versionInfo") { json in
            json.field("lastScalingAt", TimeText.iso8601(info.lastScalingAt))
            json.field("lastConfigChangeAt", TimeText.iso8601(info.lastConfigChangeAt))
        }
    }

    private mutating func container(_ app: ServiceDefinition, isComplete: Bool) {
        guard let container = app.container else {
            if isComplete { null("container") }
            return
        }
        object("container") { json in
            json.field("type", container.kind.rawValue)
            if let image = container.image { json.object("docker") { $0.image(image) } }
            json.list("volumes") { json in for volume in container.volumes { json.object { $0.volume(volume) } } }
            if let mappings = container.portMappings {
                json.list("portMappings") { json in for mapping in mappings { json.object { $0.mapping(mapping) } } }
            }
            if let linux = container.linux { json.object("linuxInfo") { $0.linux(linux) } }
        }
    }

    private mutating func image(_ image: Container.Image) {
        field("image", image.reference)
        field("forcePullImage", image.forcePull)
        field("privileged", image.isPrivileged)
        list("parameters") { json in
            for parameter in image.parameters {
                json.object { json in
                    json.field("key", parameter.key)
                    json.field("value", parameter.value)
                }
            }
        }
        if let secret = image.pullSecret { object("pullConfig") { $0.field("secret", secret) } }
    }

    private mutating func mapping(_ mapping: PortMapping) {
        field("containerPort", mapping.containerPort)
        field("hostPort", mapping.hostPort)
        field("servicePort", mapping.servicePort)
        field("name", mapping.name)
        field("protocol", mapping.networkProtocol)
        texts("labels", mapping.labels)
        if !mapping.networkNames.isEmpty { texts("networkNames", mapping.networkNames) }
    }

    private mutating func volume(_ volume: Volume) {
        field("containerPath", volume.containerPath)
        field("mode", volume.mode?.rawValue)
        switch volume.source {
        case .host(let path): field("hostPath", path)
        case .secret(let name): field("secret", name)
        case .persistent(let persistent): object("persistent") { $0.persistent(persistent) }
        case .external(let external):
            object("external") { json in
                json.field("name", external.name)
                json.field("provider", external.provider)
                json.field("size", external.size)
                json.texts("options", external.options)
                json.field("shared", external.isShared)
            }
        }
    }
}
