internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import ServicesCore

/// An event in Marathon's JSON.
struct EventText: Sendable {
    /// Marathon's name of it.
    let type: String
    /// Whether all clients know the type; others get it only when they ask for it, because some stop at what they do
    /// not know.
    let isCommon: Bool
    private let fields: @Sendable (inout JSONText) -> Void

    init(_ type: String, isCommon: Bool = true, _ fields: @escaping @Sendable (inout JSONText) -> Void) {
        self.type = type
        self.isCommon = isCommon
        self.fields = fields
    }

    /// As a server-sent event.
    func record(at time: UnixTime) -> [UInt8] {
        var text = JSONText()
        text.object { json in
            fields(&json)
            json.field("eventType", type)
            json.time("timestamp", time)
        }
        return Array("event: \(type)\ndata: ".utf8) + text.bytes + Array("\n\n".utf8)
    }

    /// What Marathon says of an event.
    static func texts(of event: ServicesEvent) -> [EventText] {
        switch event {
        case .deploymentInfo(let view): [plan("deployment_info", view)]
        case .deploymentStepSuccess(let view): [plan("deployment_step_success", view)]
        case .deploymentSuccess(let view): [EventText("deployment_success") { $0.field("id", view.plan.id.value) }]
        case .deploymentFailed(let view, let reason):
            [
                EventText("deployment_failed") { json in
                    json.field("id", view.plan.id.value)
                    json.field("reason", reason)
                }
            ]
        case .groupChangeSuccess(let id, let version): [group("group_change_success", id, version, nil)]
        case .groupChangeFailed(let id, let version, let reason): [group("group_change_failed", id, version, reason)]
        case .serviceTerminated(let id): [EventText("app_terminated_event") { $0.field("appId", id.path) }]
        case .schedulerRegistered(let id, let master):
            [
                EventText("scheduler_registered_event", isCommon: false) { json in
                    json.field("frameworkId", id.value)
                    json.field("master", master.hostname)
                }
            ]
        case .schedulerReregistered(let master):
            [
                EventText("scheduler_reregistered_event", isCommon: false) { $0.field("master", master.hostname) }
            ]
        case .schedulerDisconnected: [EventText("scheduler_disconnected_event", isCommon: false) { _ in }]
        default: instance(event)
        }
    }

    private static func instance(_ event: ServicesEvent) -> [EventText] {
        switch event {
        case .statusUpdate(let instance, let task, let status): [update(instance, task, status)]
        case .instanceChanged(let instance, let condition):
            [
                EventText("instance_changed_event") { json in
                    json.instance(instance)
                    json.field("condition", condition.rawValue)
                    json.field("agentId", instance.agentID.value)
                    json.field("host", instance.hostname)
                }
            ]
        case .instanceHealthChanged(let instance, let isHealthy):
            [
                EventText("instance_health_changed_event") { json in
                    json.instance(instance)
                    if let isHealthy { json.field("healthy", isHealthy) }
                }
            ]
        case .healthStatusChanged(let instance, let task, let isAlive):
            [
                EventText("health_status_changed_event") { json in
                    json.task(task, instance)
                    json.field("alive", isAlive)
                }
            ]
        case .failedHealthCheck(let instance, let task, let check):
            [
                EventText("failed_health_check_event") { json in
                    json.task(task, instance)
                    json.field("healthCheckIndex", check)
                }
            ]
        case .unhealthyInstanceKill(let instance, let task, let reason):
            [
                EventText("unhealthy_instance_kill_event") { json in
                    json.task(task, instance)
                    json.field("reason", reason)
                    json.field("host", instance.hostname)
                    json.field("slaveId", instance.agentID.value)
                }
            ]
        case .unknownInstanceTerminated(let task, let condition):
            [
                EventText("unknown_instance_terminated_event") { json in
                    json.field("instanceId", task.value)
                    json.field("condition", condition.rawValue)
                }
            ]
        default: []
        }
    }

    private static func group(
        _ type: String, _ id: ServiceID, _ version: ServiceVersion, _ reason: String?
    ) -> EventText {
        EventText(type) { json in
            json.field("groupId", id.path)
            json.time("version", version)
            json.field("reason", reason)
        }
    }

    private static func update(_ instance: InstanceRecord, _ task: TaskView, _ status: TaskStatus) -> EventText {
        EventText("status_update_event") { json in
            json.field("slaveId", instance.agentID.value)
            json.field("taskId", task.record.id.value)
            json.field("taskStatus", status.state.wireName)
            json.field("message", status.message ?? "")
            json.field("appId", instance.service.path)
            json.field("host", instance.hostname)
            json.list("ipAddresses") { json in
                for address in task.addresses {
                    json.object { json in
                        json.field("ipAddress", address)
                        json.field("protocol", address.contains(":") ? "IPv6" : "IPv4")
                    }
                }
            }
            json.list("ports") { json in for port in task.ports { json.number(Double(port)) } }
            json.time("version", instance.version)
        }
    }

    private static func plan(_ type: String, _ view: DeploymentView) -> EventText {
        EventText(type) { json in
            json.object("plan") { json in
                json.field("id", view.plan.id.value)
                json.time("version", view.plan.version)
                json.changes("original", view.plan, \.original)
                json.changes("target", view.plan, \.target)
                json.list("steps") { json in
                    for step in view.plan.steps { json.object { $0.actions(step.actions) } }
                }
            }
            json.object("currentStep") { $0.actions(view.currentActions) }
        }
    }
}

extension JSONText {
    fileprivate mutating func instance(_ instance: InstanceRecord) {
        field("instanceId", instance.id.value)
        field("runSpecId", instance.service.path)
        time("runSpecVersion", instance.version)
    }

    fileprivate mutating func task(_ task: TaskID, _ instance: InstanceRecord) {
        field("appId", instance.service.path)
        field("taskId", task.value)
        field("instanceId", instance.id.value)
        time("version", instance.version)
    }

    /// One side of a plan as a group: of what it does not change nothing is said, and of no definition more than that it
    /// is there, because definitions hold what not everybody may see.
    fileprivate mutating func changes(
        _ name: String, _ plan: DeploymentPlan, _ side: KeyPath<DeploymentChange, Workload?>
    ) {
        object(name) { json in
            json.field("id", "/")
            json.time("version", plan.version)
            json.list("dependencies") { _ in }
            json.list("groups") { _ in }
            for (list, isPod) in [("apps", false), ("pods", true)] {
                json.list(list) { json in
                    for id in plan.affected {
                        guard let workload = plan.changes[id]?[keyPath: side], workload.isPod == isPod else { continue }
                        json.object { json in
                            json.field("id", id.path)
                            json.field("instances", workload.instances)
                            json.time("version", workload.version)
                        }
                    }
                }
            }
        }
    }
}
