internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import ServicesCore

/// How pods are, in Marathon's JSON.
extension JSONText {
    mutating func podStatus(_ pod: PodDefinition, _ core: ServicesCore, _ shown: (PodDefinition) -> PodDefinition) {
        let instances = core.instances(of: pod.id)
        let isStable =
            instances.count == pod.instances && core.deployment(of: pod.id) == nil
            && instances.allSatisfy { Self.word($0) == "STABLE" }
        let changed = instances.flatMap(\.tasks).map(\.changedAt).max() ?? pod.version
        field("id", pod.id.path)
        object("spec") { $0.pod(shown(pod)) }
        field("status", isStable ? "STABLE" : "DEGRADED")
        since(changed, "statusSince")
        list("instances") { json in
            for instance in instances {
                let own = core.definition(pod.id, version: instance.record.version)?.pod ?? pod
                json.object { $0.podInstance(instance, own) }
            }
        }
        list("terminationHistory") { json in
            for end in core.terminations(of: pod.id) { json.object { $0.termination(end) } }
        }
    }

    private mutating func termination(_ end: Termination) {
        field("instanceID", end.instance.value)
        time("startedAt", end.startedAt)
        time("terminatedAt", end.endedAt)
        field("message", end.message)
        list("containers") { json in
            for container in end.containers {
                json.object { json in
                    json.field("containerId", container.task.value)
                    json.field("lastKnownState", container.state?.wireName)
                    if container.state?.isTerminal == true { json.end(container.message) }
                }
            }
        }
    }

    /// How a container has ended: updates have no other field for it than their message.
    private mutating func end(_ message: String?) {
        object("termination") { json in
            if let code = Self.exitCode(message) { json.field("exitCode", code) }
            json.field("message", message)
        }
    }

    /// The exit code that the message of a last update names; nil for a signal, and for what never ran.
    static func exitCode(_ message: String?) -> Int? {
        let words = (message ?? "").split(separator: " ", omittingEmptySubsequences: false)
        for index in words.indices.dropLast(3).reversed()
        where words[index] == "Command" && words[index + 1] == "exited" && words[index + 2] == "with" {
            guard words.count > index + 4, words[index + 3] == "status" else { continue }
            return Int(words[index + 4].prefix { $0.isNumber })
        }
        return nil
    }

    private mutating func since(_ time: UnixTime, _ name: String) {
        self.time(name, time)
        self.time("lastUpdated", time)
        self.time("lastChanged", time)
    }

    private static func word(_ instance: InstanceView) -> String {
        switch instance.condition {
        case .provisioned: "PENDING"
        case .staging, .starting: "STAGING"
        case .running: instance.isHealthy == false ? "DEGRADED" : "STABLE"
        case .unreachable: "DEGRADED"
        default: "TERMINAL"
        }
    }

    mutating func podInstance(_ instance: InstanceView, _ pod: PodDefinition) {
        let record = instance.record
        field("id", record.id.value)
        field("status", Self.word(instance))
        since(instance.tasks.map(\.changedAt).max() ?? record.stagedAt, "statusSince")
        list("conditions") { _ in }
        field("agentHostname", record.hostname)
        field("agentId", record.agentID.value)
        field("agentRegion", record.domain?.region)
        field("agentZone", record.domain?.zone)
        field("role", record.role.value)
        object("resources") { json in
            json.field("cpus", pod.containers.reduce(pod.executorResources.cpus) { $0 + $1.cpus })
            json.field("mem", pod.containers.reduce(pod.executorResources.mem) { $0 + $1.mem })
            json.field("disk", pod.containers.reduce(pod.executorResources.disk) { $0 + $1.disk })
            json.field("gpus", pod.containers.reduce(0) { $0 + $1.gpus })
        }
        let addresses = instance.tasks.first { !$0.addresses.isEmpty }?.addresses ?? []
        list("networks") { json in
            if addresses.isEmpty { return }
            json.object { json in
                json.field("name", pod.networks.first?.name)
                json.texts("addresses", addresses)
            }
        }
        list("containers") { json in
            for task in instance.tasks {
                let container = pod.containers.first { $0.name == task.record.container }
                json.object { $0.podContainer(task, container) }
            }
        }
        field("specReference", "/v2/pods\(pod.id.path)::versions/\(TimeText.iso8601(record.version))")
        list("localVolumes") { _ in }
    }

    private mutating func podContainer(_ task: TaskView, _ container: PodContainer?) {
        field("name", task.record.container ?? "")
        field("status", (task.state ?? .staging).wireName)
        since(task.changedAt, "statusSince")
        field("containerId", task.record.id.value)
        list("conditions") { json in
            guard let isHealthy = task.isHealthy else { return }
            json.object { json in
                json.field("name", "healthy")
                json.field("value", isHealthy ? "true" : "false")
                json.time("lastUpdated", task.changedAt)
                json.time("lastChanged", task.changedAt)
            }
        }
        list("endpoints") { json in
            for (index, endpoint) in (container?.endpoints ?? []).enumerated() {
                json.object { json in
                    json.field("name", endpoint.name)
                    if index < task.record.hostPorts.count {
                        json.field("allocatedHostPort", task.record.hostPorts[index])
                    }
                    if let isHealthy = task.isHealthy { json.field("healthy", isHealthy) }
                }
            }
        }
        object("resources") { json in
            json.field("cpus", container?.cpus ?? 0)
            json.field("mem", container?.mem ?? 0)
            json.field("disk", container?.disk ?? 0)
            json.field("gpus", container?.gpus ?? 0)
        }
        if let message = task.message { field("message", message) }
        if task.state?.isTerminal == true { end(task.message) }
    }
}
