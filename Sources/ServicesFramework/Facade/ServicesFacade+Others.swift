internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import ServicesCore

/// What the framework says of itself, and its events.
extension ServicesFacade {
    func info() async throws -> GatewayResponse {
        let core = try await snapshot()
        let settings = framework.settings
        return Self.json { json in
            json.field("name", "marathon")
            // The release whose interface is spoken: clients compare it.
            json.field("version", "1.11.0")
            json.field("buildref", "rondo-" + settings.version)
            json.field("elected", true)
            json.field("leader", settings.address)
            json.field("frameworkId", core.frameworkID?.value)
            json.object("marathon_config") { json in
                json.field("master", settings.address)
                json.field("framework_name", "marathon")
                json.field("failover_timeout", 604_800)
                json.field("checkpoint", true)
                json.field("ha", false)
                json.field("hostname", settings.master.hostname)
                json.field("mesos_role", settings.role.value)
                json.field("mesos_user", settings.user)
                json.field("local_port_min", core.settings.servicePorts.lowerBound)
                json.field("local_port_max", core.settings.servicePorts.upperBound)
                json.field("task_launch_timeout", Int(core.settings.stagingTimeout.components.seconds) * 1_000)
                json.texts("features", core.settings.features.map(\.rawValue).sorted())
            }
            json.object("http_config") { $0.field("http_port", Int(settings.master.port)) }
            json.object("zookeeper_config") { _ in }
        }
    }

    func leader() -> GatewayResponse {
        if request.method == .delete {
            return Self.message(.ok, "this framework lives on the master \(framework.settings.address) and leads there")
        }
        return Self.json { $0.field("leader", framework.settings.address) }
    }

    /// Numbers in the form of Dropwizard's, as Marathon has them.
    func metrics() async throws -> GatewayResponse {
        let core = try await snapshot()
        let counts = core.serviceIDs.map { core.counts(of: $0) }
        let gauges = [
            ("marathon.apps.active.gauge", core.root.allWorkloads.count),
            ("marathon.deployments.active.gauge", core.deploymentViews.count),
            ("marathon.groups.active.gauge", core.root.allGroups.count),
            ("marathon.instances.running.gauge", counts.reduce(0) { $0 + $1.running }),
            ("marathon.instances.staged.gauge", counts.reduce(0) { $0 + $1.staged }),
            ("marathon.queue.size.gauge", core.queue.reduce(0) { $0 + $1.count }),
        ]
        return Self.json { json in
            json.field("version", "4.0.0")
            json.object("gauges") { json in
                for (name, value) in gauges { json.object(name) { $0.field("value", value) } }
            }
            for name in ["counters", "histograms", "meters", "timers"] { json.object(name) { _ in } }
        }
    }

    func events() throws -> GatewayResponse {
        if let accept = request.headers[.accept], !accept.contains("text/event-stream"), !accept.contains("*/*") {
            throw GatewayError(.notAcceptable, "events are text/event-stream")
        }
        let types = Set(request.query.values(of: "event_type"))
        guard let stream = framework.hub.follow(types, from: request.remote.map { "\($0)" } ?? "local") else {
            throw GatewayError(.serviceUnavailable, "too many follow the events, or this master is stopping")
        }
        return .events(stream, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"])
    }
}
