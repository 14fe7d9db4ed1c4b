internal import Access
internal import ClusterModel
internal import Console
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import ServicesCore
internal import ServicesFramework

/// Services: the list, one of them, and what can be done with it.
extension ConsoleDesk {
    func view() async throws -> ServicesCore {
        guard let services = node.builtIns?.services else {
            throw GatewayError(
                .notFound, "this master has no services; they are served where `frameworks.services` is on")
        }
        do { return try await services.view() } catch let failure {
            throw GatewayError(.serviceUnavailable, failure.description)
        }
    }

    var rights: ServicePage.Rights {
        ServicePage.Rights(
            change: visitor.may(.registerFramework(.everyone)), end: visitor.may(.killTask(.everyone)))
    }

    // MARK: the list

    func services() async throws -> GatewayResponse {
        let core = try await view()
        let query = listQuery(
            ["services"], sorts: ServicesPage.sorts, choices: ["state"],
            descending: ["instances", "cpu", "memory", "changed"])
        let rows = core.serviceIDs.compactMap { row($0, core) }
            .filter { row in query.choices["state"].map { $0 == row.condition.rawValue } ?? true }
            .filter { query.matches($0.id, $0.what, $0.package) }
        return page(
            ServicesPage(
                services: query.listing(rows, of: core.serviceIDs.count, by: Self.order(query)),
                deployments: Array(deployments(core).prefix(20))))
    }

    private static func order(_ query: ListQuery) -> (ServiceRow, ServiceRow) -> Bool {
        switch query.sort {
        case "state": { ($0.condition.rawValue, $0.id) < ($1.condition.rawValue, $1.id) }
        case "instances": { ($0.wanted, $0.id) < ($1.wanted, $1.id) }
        case "cpu": { ($0.cpus, $0.id) < ($1.cpus, $1.id) }
        case "memory": { ($0.memory, $0.id) < ($1.memory, $1.id) }
        case "changed": { ($0.changed?.nanoseconds ?? 0, $0.id) < ($1.changed?.nanoseconds ?? 0, $1.id) }
        default: { $0.id < $1.id }
        }
    }

    /// How a service is, in one word: the first that holds.
    func condition(_ id: ServiceID, _ core: ServicesCore) -> ServiceCondition {
        let counts = core.counts(of: id)
        if counts.unhealthy > 0 { return .unhealthy }
        let wait = core.queueView(id)
        if let wait, wait.delay > .zero { return .delayed }
        if let wait, wait.unusedOffers > 0 { return .waiting }
        if core.deployment(of: id) != nil { return .deploying }
        guard let wanted = core.definition(id)?.instances else { return .deploying }
        if wanted == 0 { return .stopped }
        if wait != nil { return .waiting }
        return counts.running < wanted ? .unhealthy : .running
    }

    func row(_ id: ServiceID, _ core: ServicesCore) -> ServiceRow? {
        let counts = core.counts(of: id)
        // One that is on its way out has no definition any more.
        guard let workload = core.definition(id) else {
            return ServiceRow(
                id: id.path, isPod: false, condition: .deploying, wanted: 0, running: counts.running,
                healthy: counts.healthy, unhealthy: counts.unhealthy, cpus: 0, memory: 0, what: "being removed",
                package: nil, changed: nil)
        }
        let wanted = workload.instances
        let (cpus, memory, what, labels): (Double, Double, String, [String: String]) =
            switch workload {
            case .service(let app):
                (
                    app.cpus, app.mem,
                    app.container?.image?.reference ?? app.cmd ?? app.args.joined(separator: " "), app.labels
                )
            case .pod(let pod):
                (
                    pod.containers.reduce(0) { $0 + $1.cpus }, pod.containers.reduce(0) { $0 + $1.mem },
                    pod.containers.map(\.name).joined(separator: ", "), pod.labels
                )
            }
        return ServiceRow(
            id: id.path, isPod: workload.isPod, condition: condition(id, core), wanted: wanted,
            running: counts.running, healthy: counts.healthy, unhealthy: counts.unhealthy,
            cpus: cpus * Double(wanted), memory: memory * Double(wanted), what: what,
            package: labels["DCOS_PACKAGE_NAME"], changed: workload.version)
    }

    /// Deployments that are under way, the oldest first.
    func deployments(_ core: ServicesCore) -> [DeploymentRow] {
        let canCancel = rights.change
        return core.deploymentViews.map { deployment in
            var done = 0
            var wanted = 0
            for action in deployment.currentActions {
                let counts = core.counts(of: action.id)
                let isChecked = core.definition(action.id)?.service?.healthChecks.isEmpty == false
                let well = isChecked ? counts.healthy : counts.running
                wanted += max(1, action.instances)
                let isDone = deployment.waitsFor[action.id] == nil
                done += isDone ? max(1, action.instances) : min(action.instances, well)
            }
            // That something becomes known takes no time, and is no step for people.
            let steps = deployment.plan.steps.map { step in step.actions.contains { $0.kind != .start } }
            let before = steps.prefix(max(0, deployment.currentStep - 1)).count { $0 }
            return DeploymentRow(
                id: deployment.plan.id.value, began: deployment.plan.version, step: before + 1,
                steps: max(before + 1, steps.count { $0 }), done: done, wanted: wanted,
                actions: deployment.currentActions.map {
                    DeploymentRow.Action(
                        service: $0.id.path, verb: $0.kind.rawValue.lowercased(), waitsFor: deployment.waitsFor[$0.id])
                }, canCancel: canCancel)
        }
    }

    // MARK: one service

    func service(_ text: String, _ verb: String?) async throws -> GatewayResponse {
        let id = ServiceID("/" + text)
        guard let verb else { return try await servicePage(id) }
        let core = try await view()
        guard core.definition(id) != nil else { throw Self.noService(id) }
        guard request.method == .post else { return page(try confirmation(verb, id)) }
        let fields = try await form(upTo: 16 << 10)
        let interface = ["service", "marathon", "v2"]
        let app = Link(absolute: interface + ["apps"] + id.components).text
        let answer: Answer
        let notice: Notice
        switch verb {
        case "scale":
            guard let count = Int(fields["instances"] ?? ""), (0...100_000).contains(count) else {
                throw GatewayError(.badRequest, "The number of instances must be a whole number from 0 to 100000.")
            }
            answer = try await change(.put, app, json: "{\"instances\":\(count)}")
            notice = .scaled
        case "stop":
            answer = try await change(.put, app + "?force=true", json: "{\"instances\":0}")
            notice = .stopped
        case "restart":
            answer = try await change(.post, app + "/restart")
            notice = .restarted
        case "remove":
            let kind = core.definition(id)?.isPod == true ? "pods" : "apps"
            answer = try await change(
                .delete, Link(absolute: interface + [kind] + id.components).text + "?force=true")
            notice = .destroyed
        case "retry":
            answer = try await change(.delete, Link(absolute: interface + ["queue"] + id.components + ["delay"]).text)
            notice = .retried
        case "version":
            guard let version = TimeText.parse(fields["version"] ?? "") else {
                throw GatewayError(.badRequest, "That is no version.")
            }
            answer = try await change(.put, app, json: "{\"version\":\"\(TimeText.iso8601(version))\"}")
            notice = .updated
        default: throw Self.noVerb(verb)
        }
        guard answer.isSuccess else {
            return try await servicePage(id, problem: answer.message, status: answer.status)
        }
        return redirect(to: verb == "remove" ? Section.services.link : .service(id.path), notice: notice)
    }

    private func change(_ method: HTTPRequest.Method, _ path: String, json: String = "") async throws -> Answer {
        try await call(method, path, json: Array(json.utf8)) { request in
            try await node.services(Array(request.target.segments.dropFirst(2)), request, visitor)
        }
    }

    static func noService(_ id: ServiceID) -> GatewayError {
        GatewayError(.notFound, "There is no service '\(id.path.prefix(200))'.")
    }

    private static func noVerb(_ verb: String) -> GatewayError {
        GatewayError(
            .notFound, "A service can be scaled, restarted, stopped and removed; '\(verb.prefix(40))' is none of it.")
    }

    /// What is asked before something is done that cannot be taken back at once.
    private func confirmation(_ verb: String, _ id: ServiceID) throws -> ConfirmPage {
        let crumbs = [Crumb("Services", Section.services.link), Crumb(id.path, .service(id.path))]
        func page(
            _ title: String, _ consequences: [String], _ button: String, isDangerous: Bool = true,
            fields: [(name: String, value: String)] = []
        ) -> ConfirmPage {
            ConfirmPage(
                title: title, section: .services, crumbs: crumbs, consequences: consequences, verb: button,
                isDangerous: isDangerous, action: .service(id.path, verb), fields: fields, back: .service(id.path))
        }
        switch verb {
        case "restart":
            return page(
                "Restart \(id.path)?",
                ["All instances are replaced by new ones, as fast as the service's upgrade strategy lets them."],
                "Restart",
                isDangerous: false)
        case "stop":
            return page(
                "Stop \(id.path)?",
                [
                    "All of its instances are ended. The definition stays: scale the service to start it again.",
                    "A deployment of it that is under way is given up.",
                ], "Stop")
        case "remove":
            return page(
                "Remove \(id.path)?",
                [
                    "All of its instances are ended, and its definition and its versions are forgotten. This cannot be "
                        + "taken back.", "A deployment of it that is under way is given up.",
                ], "Remove")
        case "version":
            let version = request.query["version"] ?? ""
            return page(
                "Go back to an earlier version of \(id.path)?",
                [
                    "The definition of \(version.prefix(40)) holds again, and instances are replaced as far as it differs."
                ],
                "Go back", isDangerous: false, fields: [("version", version)])
        default: throw Self.noVerb(verb)
        }
    }

    func deployment(_ id: String) async throws -> GatewayResponse {
        let core = try await view()
        guard let row = deployments(core).first(where: { $0.id == id }) else {
            throw GatewayError(.notFound, "There is no such deployment; it may be done.")
        }
        guard request.method == .post else {
            return page(
                ConfirmPage(
                    title: "Cancel the deployment?", section: .services,
                    crumbs: [Crumb("Services", Section.services.link)],
                    consequences: [
                        "It concerns " + row.actions.map(\.service).joined(separator: ", ") + ".",
                        "What it has changed so far is rolled back by a deployment that leads to the state before it.",
                    ], verb: "Cancel the deployment", action: Link("deployments", id), back: Section.services.link))
        }
        _ = try await form(upTo: 16 << 10)
        let answer = try await change(
            .delete, Link(absolute: ["service", "marathon", "v2", "deployments", id]).text)
        guard answer.isSuccess else { throw GatewayError(answer.status, answer.message) }
        return redirect(to: Section.services.link, notice: .cancelled)
    }
}
