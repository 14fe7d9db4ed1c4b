internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import ServicesCore

/// Tasks, deployments and the queue.
extension ServicesFacade {
    func tasks(of id: ServiceID) async throws -> GatewayResponse {
        let core = try await snapshot()
        _ = try found(id, core)
        return Self.json { $0.tasks("tasks", of: id, core) }
    }

    func tasks() async throws -> GatewayResponse {
        let core = try await snapshot()
        if request.headers[.accept]?.hasPrefix("text/plain") == true { return lines(core) }
        let states = Set(request.query.values(of: "status") + request.query.values(of: "status[]"))
        return Self.json { json in
            json.list("tasks") { json in
                for instance in core.allInstances {
                    let app = core.definition(instance.record.service)?.service
                    for task in instance.tasks where states.isEmpty || states.contains(Self.word(task)) {
                        json.object { $0.task(task, instance, app) }
                    }
                }
            }
        }
    }

    private static func word(_ task: TaskView) -> String {
        switch task.state {
        case .running: "running"
        case nil, .staging, .starting: "staging"
        default: "other"
        }
    }

    /// As load balancers read it: for each port of each app a line with the app's name, the port, and where it is.
    private func lines(_ core: ServicesCore) -> GatewayResponse {
        var text = ""
        for id in core.serviceIDs {
            let ports = core.definition(id)?.service?.servicePorts ?? []
            let tasks = core.instances(of: id).flatMap { instance in
                instance.tasks.filter { $0.state == .running }.map { (instance.record.hostname, $0.record.hostPorts) }
            }
            let name = id.path.dropFirst().map { $0 == "/" ? "_" : String($0) }.joined()
            for (index, port) in (ports.isEmpty ? [0] : ports).enumerated() {
                let places = tasks.map { host, ports in
                    let number = index < ports.count ? ports[index] : nil
                    return number.map { "\(host):\($0)" } ?? host
                }
                text += "\(name)\t\(ports.isEmpty ? " " : String(port))\t\(places.joined(separator: "\t"))\n"
            }
        }
        return .text(.ok, text)
    }

    // MARK: ending tasks

    func killTasks(of id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.kill", id.path)
        try mayEnd()
        let core = try await snapshot()
        _ = try found(id, core)
        let host = request.query["host"]
        let instances = core.instances(of: id).filter { host == nil || $0.record.hostname == host }
        return try await kill(instances, core, "tasks")
    }

    func killTask(_ task: TaskID, of id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.kill", task.value)
        try mayEnd()
        let core = try await snapshot()
        let app = try found(id, core)
        guard let instance = core.instance(ofTask: task), instance.record.service == id,
            let view = instance.tasks.first(where: { $0.record.id == task })
        else { return Self.message(.notFound, "Task '\(task)' does not exist") }
        let scale = flag("scale")
        let reply = try await ask(.kill([instance.record.id], scale: scale, force: force))
        guard case .killed = reply else { return answer(reply) }
        return Self.json { json in json.object("task") { $0.task(view, instance, app) } }
    }

    /// `{"ids": [task, …]}`.
    func deleteTasks() async throws -> GatewayResponse {
        try mayEnd()
        var reader = FieldReader(try await body(), at: "")
        reader.require("ids")
        let ids = reader.strings("ids") ?? []
        try Self.check(reader.finished())
        visitor.note("service.kill", ids.prefix(8).joined(separator: " "))
        let core = try await snapshot()
        var seen: Set<InstanceID> = []
        let instances = ids.compactMap { core.instance(ofTask: TaskID($0)) }
            .filter { seen.insert($0.record.id).inserted }
        return try await kill(instances, core, "tasks")
    }

    private func kill(
        _ instances: [InstanceView], _ core: ServicesCore, _ name: String
    ) async throws -> GatewayResponse {
        let reply = try await ask(.kill(instances.map(\.record.id), scale: flag("scale"), force: force))
        guard case .killed = reply else { return answer(reply) }
        return Self.json { json in
            json.list(name) { json in
                for instance in instances {
                    let app = core.definition(instance.record.service)?.service
                    for task in instance.tasks { json.object { $0.task(task, instance, app) } }
                }
            }
        }
    }

    // MARK: deployments and the queue

    /// With `embed=waitsFor`, each current action says what it waits for.
    func deployments() async throws -> GatewayResponse {
        let views = try await snapshot().deploymentViews
        let explains = request.query.values(of: "embed").contains("waitsFor")
        return Self.list { json in for view in views { json.object { $0.deployment(view, explains: explains) } } }
    }

    func cancel(_ id: DeploymentID) async throws -> GatewayResponse {
        visitor.note("service.cancel", id.value)
        try mayEnd()
        if !force {
            guard let view = try await snapshot().deployment(id) else { return Self.refusal(.noDeployment(id)) }
            // What was comes back, and with it what it may do.
            for workload in view.plan.changes.values.compactMap(\.original) { try mayRun(workload) }
        }
        let reply = try await ask(.cancelDeployment(id, force: force))
        if case .done = reply { return .complete(.accepted) }
        return answer(reply)
    }

    func queue() async throws -> GatewayResponse {
        let core = try await snapshot()
        let showsOffers = request.query.values(of: "embed").contains("lastUnusedOffers")
        return Self.json { json in
            json.list("queue") { json in
                for view in core.queue {
                    var view = view
                    if let app = view.workload.service { view.workload = .service(shown(app)) }
                    json.object { $0.queued(view, showsOffers: showsOffers) }
                }
            }
        }
    }

    func resetDelay(_ id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.resetDelay", id.path)
        let core = try await snapshot()
        guard let workload = core.definition(id), core.queueView(id) != nil else {
            return Self.message(.notFound, "Application \(id) not found in tasks queue.")
        }
        try mayRun(workload)
        let reply = try await ask(.resetDelay(id))
        if case .done = reply { return .complete(.noContent) }
        return answer(reply)
    }
}
