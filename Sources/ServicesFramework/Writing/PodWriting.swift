internal import Deployments
internal import FrameworkRuntime

/// Pods in Marathon's JSON.
extension JSONText {
    mutating func pod(_ pod: PodDefinition) {
        field("id", pod.id.path)
        time("version", pod.version)
        field("user", pod.user)
        field("role", pod.role)
        field("isolation", pod.isolation)
        texts("labels", pod.labels)
        object("environment") { $0.environment(pod.environment) }
        list("containers") { json in for container in pod.containers { json.object { $0.container(container) } } }
        secrets(pod.secrets)
        list("volumes") { json in for volume in pod.volumes { json.object { $0.podVolume(volume) } } }
        networks("networks", pod.networks)
        object("scaling") { json in
            json.field("kind", "fixed")
            json.field("instances", pod.instances)
        }
        object("scheduling") { $0.scheduling(pod) }
        object("executorResources") { $0.amounts(pod.executorResources) }
        if let linux = pod.linux { object("linuxInfo") { $0.linux(linux) } }
        if let flag = pod.legacySharedCgroups { field("legacySharedCgroups", flag) }
    }

    /// The same with what only the store keeps.
    mutating func storedPod(_ pod: PodDefinition) {
        self.pod(pod)
        object("versionInfo") { json in
            json.time("lastScalingAt", pod.versionInfo.lastScalingAt)
            json.time("lastConfigChangeAt", pod.versionInfo.lastConfigChangeAt)
        }
    }

    private mutating func scheduling(_ pod: PodDefinition) {
        object("placement") { json in
            json.list("constraints") { json in
                for constraint in pod.constraints {
                    let texts = constraint.texts
                    json.object { json in
                        for (name, text) in zip(["fieldName", "operator", "value"], texts) { json.field(name, text) }
                    }
                }
            }
            json.texts("acceptedResourceRoles", pod.acceptedResourceRoles)
        }
        object("backoff") { json in
            json.field("backoff", pod.backoff.seconds)
            json.field("backoffFactor", pod.backoff.factor)
            json.field("maxLaunchDelay", pod.backoff.maxLaunchDelaySeconds)
        }
        if let strategy = pod.upgradeStrategy { object("upgrade") { $0.upgrade(strategy) } }
        field("killSelection", pod.killSelection.rawValue)
        unreachable(pod.unreachableStrategy)
    }

    private mutating func podVolume(_ volume: PodVolume) {
        field("name", volume.name)
        switch volume.source {
        case .ephemeral: break
        case .host(let path): field("host", path)
        case .secret(let name): field("secret", name)
        case .persistent(let persistent): object("persistent") { $0.persistent(persistent) }
        }
    }

    private mutating func container(_ container: PodContainer) {
        field("name", container.name)
        object("resources") { json in
            json.field("cpus", container.cpus)
            json.field("mem", container.mem)
            json.field("disk", container.disk)
            json.field("gpus", container.gpus)
        }
        if let limits = container.resourceLimits { object("resourceLimits") { $0.limits(limits) } }
        if let command = container.command {
            object("exec") { json in
                json.object("command") { $0.command(command, shell: "shell") }
                if let flag = container.overridesEntrypoint { json.field("overrideEntrypoint", flag) }
            }
        }
        list("endpoints") { json in for endpoint in container.endpoints { json.object { $0.endpoint(endpoint) } } }
        if let image = container.image {
            object("image") { json in
                json.field("kind", "DOCKER")
                json.field("id", image.reference)
                json.field("forcePull", image.forcePull)
                if let secret = image.pullSecret { json.object("pullConfig") { $0.field("secret", secret) } }
                if !image.labels.isEmpty { json.texts("labels", image.labels) }
            }
        }
        object("environment") { $0.environment(container.environment) }
        field("user", container.user)
        checks(container)
        list("volumeMounts") { json in
            for mount in container.volumeMounts {
                json.object { json in
                    json.field("name", mount.name)
                    json.field("mountPath", mount.mountPath)
                    if let flag = mount.isReadOnly { json.field("readOnly", flag) }
                }
            }
        }
        list("artifacts") { json in for artifact in container.artifacts { json.object { $0.artifact(artifact) } } }
        texts("labels", container.labels)
        if let grace = container.killGracePeriodSeconds {
            object("lifecycle") { $0.field("killGracePeriodSeconds", grace) }
        }
        if let linux = container.linux { object("linuxInfo") { $0.linux(linux) } }
        if let tty = container.tty { field("tty", tty) }
    }

    private mutating func endpoint(_ endpoint: Endpoint) {
        field("name", endpoint.name)
        field("containerPort", endpoint.containerPort)
        field("hostPort", endpoint.hostPort)
        texts("protocol", endpoint.networkProtocols)
        if !endpoint.labels.isEmpty { texts("labels", endpoint.labels) }
        if !endpoint.networkNames.isEmpty { texts("networkNames", endpoint.networkNames) }
    }

    private mutating func checks(_ container: PodContainer) {
        if let check = container.healthCheck {
            object("healthCheck") { json in
                json.probe(check.probe)
                json.field("gracePeriodSeconds", check.gracePeriodSeconds)
                json.field("intervalSeconds", check.intervalSeconds)
                json.field("timeoutSeconds", check.timeoutSeconds)
                json.field("delaySeconds", check.delaySeconds)
                json.field("maxConsecutiveFailures", check.maxConsecutiveFailures)
            }
        }
        if let check = container.check {
            object("check") { json in
                json.probe(check.probe)
                json.field("intervalSeconds", check.intervalSeconds)
                json.field("timeoutSeconds", check.timeoutSeconds)
                json.field("delaySeconds", check.delaySeconds)
            }
        }
    }

    private mutating func probe(_ probe: PodProbe) {
        if let http = probe.http {
            object("http") { json in
                json.field("endpoint", http.endpoint)
                json.field("path", http.path)
                json.field("scheme", http.scheme)
            }
        }
        if let endpoint = probe.tcpEndpoint { object("tcp") { $0.field("endpoint", endpoint) } }
        if let command = probe.command {
            object("exec") { json in json.object("command") { $0.command(command, shell: "shell") } }
        }
    }
}
