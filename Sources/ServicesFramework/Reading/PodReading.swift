internal import Deployments
internal import FrameworkRuntime

/// Pods from Marathon's JSON. All that is wrong with the form is said at once; what is wrong with the content is said by
/// the definition itself.
enum PodReading {
    /// Reads the fields of a pod over a definition.
    ///
    /// - Parameters:
    ///   - reader: the fields.
    ///   - pod: with Marathon's defaults.
    ///   - base: the group that a relative id is in.
    static func read(_ reader: inout FieldReader, over pod: inout PodDefinition, in base: ServiceID) {
        if let id = reader.text("id") { pod.id = ServiceID(id, in: base) }
        reader.read("user", into: &pod.user)
        reader.read("role", into: &pod.role)
        reader.read("isolation", into: &pod.isolation)
        if let fields = reader.object("environment") {
            pod.environment = PartReading.environment(fields, "environment", &reader)
        }
        if let labels = reader.texts("labels") { pod.labels = labels }
        if let secrets = PartReading.secrets(&reader) { pod.secrets = secrets }
        reader.require("containers")
        pod.containers = reader.each("containers") { container(&$0) } ?? []
        pod.volumes = reader.each("volumes") { volume(&$0) } ?? []
        pod.networks = reader.each("networks") { PartReading.network(&$0) } ?? []
        if let instances = reader.one("scaling", { scaling(&$0) }) { pod.instances = instances }
        let scheduled = reader.one("scheduling") { reader -> PodDefinition? in
            var scheduled = pod
            scheduling(&reader, &scheduled)
            return scheduled
        }
        if let scheduled { pod = scheduled }
        let resources = reader.one("executorResources") { reader -> ExecutorResources? in
            var resources = ExecutorResources()
            reader.read("cpus", into: &resources.cpus)
            reader.read("mem", into: &resources.mem)
            reader.read("disk", into: &resources.disk)
            return resources
        }
        if let resources { pod.executorResources = resources }
        pod.linux = reader.one("linuxInfo") { PartReading.linux(&$0) }
        if let flag = reader.flag("legacySharedCgroups") { pod.legacySharedCgroups = flag }
        AppReading.version(&reader, &pod.versionInfo)
    }

    private static func scaling(_ reader: inout FieldReader) -> Int? {
        if let kind = reader.text("kind"), kind != "fixed" {
            reader.note("kind", "'\(kind.prefix(64))' is not one of fixed")
        }
        if reader.integer("maxInstances") != nil { reader.note("maxInstances", "is not supported; leave it out") }
        return reader.integer("instances")
    }

    private static func scheduling(_ reader: inout FieldReader, _ pod: inout PodDefinition) {
        let backoff = reader.one("backoff") { reader -> BackoffStrategy? in
            var backoff = BackoffStrategy()
            if let seconds = reader.number("backoff") { backoff.seconds = seconds }
            reader.read("backoffFactor", into: &backoff.factor)
            if let seconds = reader.number("maxLaunchDelay") { backoff.maxLaunchDelaySeconds = seconds }
            return backoff
        }
        if let backoff { pod.backoff = backoff }
        if let strategy = reader.one("upgrade", { PartReading.upgrade(&$0) }) { pod.upgradeStrategy = strategy }
        if let strategy = PartReading.unreachable(&reader) { pod.unreachableStrategy = strategy }
        if let selection = reader.choice("killSelection", KillSelection.self) { pod.killSelection = selection }
        let placement = reader.one("placement") { reader -> ([Constraint], [String])? in
            let constraints = reader.each("constraints") { constraint(&$0) } ?? []
            return (constraints, reader.strings("acceptedResourceRoles") ?? [])
        }
        if let placement { (pod.constraints, pod.acceptedResourceRoles) = placement }
    }

    private static func constraint(_ reader: inout FieldReader) -> Constraint? {
        reader.require("fieldName")
        reader.require("operator")
        let parts = [reader.text("fieldName"), reader.text("operator"), reader.text("value")].compactMap { $0 }
        guard reader.defects.isEmpty else { return nil }
        do throws(ConstraintError) { return try Constraint(texts: parts) } catch {
            reader.note("", error.message)
            return nil
        }
    }

    private static func volume(_ reader: inout FieldReader) -> PodVolume? {
        reader.require("name")
        let name = reader.text("name") ?? ""
        let sources = [
            reader.text("host").map(PodVolume.Source.host), reader.text("secret").map(PodVolume.Source.secret),
            reader.one("persistent") { ContainerReading.persistent(&$0) }.map(PodVolume.Source.persistent),
        ].compactMap { $0 }
        if sources.count > 1 { reader.note("", "must have at most one of host, secret and persistent") }
        return PodVolume(name: name, source: sources.first ?? .ephemeral)
    }

    // MARK: containers

    private static func container(_ reader: inout FieldReader) -> PodContainer? {
        reader.require("name")
        reader.require("resources")
        var container = PodContainer(name: reader.text("name") ?? "")
        let filled = reader.one("resources") { reader -> PodContainer? in
            var filled = container
            reader.read("cpus", into: &filled.cpus)
            reader.read("mem", into: &filled.mem)
            reader.read("disk", into: &filled.disk)
            reader.read("gpus", into: &filled.gpus)
            return filled
        }
        container = filled ?? container
        container.resourceLimits = reader.one("resourceLimits") { PartReading.limits(&$0) }
        let exec = reader.one("exec") { reader -> (CheckCommand?, Bool?)? in
            reader.require("command")
            let overrides = reader.flag("overrideEntrypoint")
            return (reader.one("command") { CheckReading.command(&$0, shell: "shell") }, overrides)
        }
        if let exec { (container.command, container.overridesEntrypoint) = exec }
        container.endpoints = reader.each("endpoints") { endpoint(&$0) } ?? []
        container.image = reader.one("image") { image(&$0) }
        if let fields = reader.object("environment") {
            container.environment = PartReading.environment(fields, "environment", &reader)
        }
        reader.read("user", into: &container.user)
        container.healthCheck = reader.one("healthCheck") { health(&$0) }
        container.check = reader.one("check") { check(&$0) }
        container.volumeMounts = reader.each("volumeMounts") { mount(&$0) } ?? []
        container.artifacts = reader.each("artifacts") { PartReading.artifact(&$0) } ?? []
        if let labels = reader.texts("labels") { container.labels = labels }
        container.killGracePeriodSeconds = reader.one("lifecycle") { $0.number("killGracePeriodSeconds") }
        container.linux = reader.one("linuxInfo") { PartReading.linux(&$0) }
        container.tty = reader.flag("tty")
        return container
    }

    private static func endpoint(_ reader: inout FieldReader) -> Endpoint? {
        reader.require("name")
        var endpoint = Endpoint(name: reader.text("name") ?? "")
        reader.read("containerPort", into: &endpoint.containerPort)
        reader.read("hostPort", into: &endpoint.hostPort)
        endpoint.networkProtocols = reader.strings("protocol") ?? ["tcp"]
        for (index, name) in endpoint.networkProtocols.enumerated() where name != "tcp" && name != "udp" {
            reader.note("protocol(\(index))", "'\(name.prefix(64))' is not one of tcp, udp")
        }
        if let labels = reader.texts("labels") { endpoint.labels = labels }
        endpoint.networkNames = reader.strings("networkNames") ?? []
        return endpoint
    }

    private static func image(_ reader: inout FieldReader) -> PodImage? {
        reader.require("id")
        if let kind = reader.text("kind"), kind != "DOCKER" {
            reader.note("kind", "'\(kind.prefix(64))' is not supported; use DOCKER, which images of OCI's kind are too")
        }
        var image = PodImage(reference: reader.text("id") ?? "")
        reader.read("forcePull", into: &image.forcePull)
        image.pullSecret = reader.one("pullConfig") { reader in
            reader.require("secret")
            return reader.text("secret")
        }
        if let labels = reader.texts("labels") { image.labels = labels }
        return image
    }

    private static func mount(_ reader: inout FieldReader) -> VolumeMount? {
        reader.require("name")
        reader.require("mountPath")
        return VolumeMount(
            name: reader.text("name") ?? "", mountPath: reader.text("mountPath") ?? "",
            isReadOnly: reader.flag("readOnly"))
    }

    private static func probe(_ reader: inout FieldReader) -> PodProbe {
        PodProbe(
            http: reader.one("http") { reader in
                reader.require("endpoint")
                return PodProbe.HTTP(
                    endpoint: reader.text("endpoint") ?? "", path: reader.text("path"),
                    scheme: reader.text("scheme") ?? "HTTP")
            },
            tcpEndpoint: reader.one("tcp") { reader in
                reader.require("endpoint")
                return reader.text("endpoint")
            },
            command: reader.one("exec") { reader in
                reader.require("command")
                return reader.one("command") { CheckReading.command(&$0, shell: "shell") }
            })
    }

    private static func health(_ reader: inout FieldReader) -> PodHealthCheck? {
        var check = PodHealthCheck(probe: probe(&reader))
        reader.read("gracePeriodSeconds", into: &check.gracePeriodSeconds)
        reader.read("intervalSeconds", into: &check.intervalSeconds)
        reader.read("timeoutSeconds", into: &check.timeoutSeconds)
        reader.read("delaySeconds", into: &check.delaySeconds)
        reader.read("maxConsecutiveFailures", into: &check.maxConsecutiveFailures)
        return check
    }

    private static func check(_ reader: inout FieldReader) -> PodCheck? {
        var check = PodCheck(probe: probe(&reader))
        reader.read("intervalSeconds", into: &check.intervalSeconds)
        reader.read("timeoutSeconds", into: &check.timeoutSeconds)
        reader.read("delaySeconds", into: &check.delaySeconds)
        return check
    }
}
