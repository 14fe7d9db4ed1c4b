internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import ServicesCore

/// Apps.
extension ServicesFacade {
    /// What belongs to an app and is shown when it is asked for.
    struct Embeds {
        var tasks = false
        var counts = false
        var deployments = false
        var failure = false
        var readiness = false

        static let all = Embeds(tasks: true, counts: true, deployments: true, failure: true, readiness: true)

        init(tasks: Bool, counts: Bool, deployments: Bool, failure: Bool, readiness: Bool) {
            self.readiness = readiness
            self.tasks = tasks
            self.counts = counts
            self.deployments = deployments
            self.failure = failure
        }

        /// Words that are not known are let pass, as Marathon does.
        init(_ query: QueryParameters) {
            let words = query.values(of: "embed").flatMap { $0.split(separator: ",").map(String.init) }
            counts = words.isEmpty
            deployments = words.isEmpty
            for word in words {
                switch word.split(separator: ".").last {
                case "tasks": (tasks, deployments) = (true, true)
                case "counts": counts = true
                case "deployments": deployments = true
                case "lastTaskFailure": failure = true
                case "readiness": (readiness, deployments) = (true, true)
                case "failures": (failure, tasks, counts, deployments) = (true, true, true, true)
                default: break
                }
            }
        }
    }

    // MARK: reading

    func listApps(in group: ServiceID) async throws -> GatewayResponse {
        let embeds = Embeds(request.query)
        let wanted = try Selector(request.query)
        let core = try await snapshot()
        let apps = (core.root.group(group)?.allWorkloads ?? []).compactMap(\.service).filter(wanted.matches)
        return Self.json { json in
            json.list("apps") { json in for app in apps { json.object { write(app, of: core, embeds, &$0) } } }
        }
    }

    func app(_ id: ServiceID) async throws -> GatewayResponse {
        let core = try await snapshot()
        let app = try found(id, core)
        return Self.json { json in json.object("app") { write(app, of: core, .all, &$0) } }
    }

    func found(_ id: ServiceID, _ core: ServicesCore) throws -> ServiceDefinition {
        guard let app = core.definition(id)?.service else { throw Answer(response: Self.refusal(.noService(id))) }
        return app
    }

    func write(_ app: ServiceDefinition, of core: ServicesCore, _ embeds: Embeds, _ json: inout JSONText) {
        json.app(shown(app))
        if embeds.counts { json.counts(core.counts(of: app.id)) }
        if embeds.deployments { json.deployments(of: app.id, core) }
        if embeds.readiness { json.readiness(of: app.id, core) }
        if embeds.tasks { json.tasks("tasks", of: app.id, core) }
        if embeds.failure, let failure = core.lastFailure(of: app.id) { json.failure(failure, of: app.id) }
    }

    func versions(_ id: ServiceID) async throws -> GatewayResponse {
        let core = try await snapshot()
        _ = try found(id, core)
        return Self.json { $0.texts("versions", core.versions(of: id).map(TimeText.iso8601)) }
    }

    func version(_ id: ServiceID, _ text: String) async throws -> GatewayResponse {
        let version = try time(text)
        let core = try await snapshot()
        guard let app = core.definition(id, version: version)?.service else {
            return Self.refusal(.noVersion(id, version))
        }
        return Self.json { $0.app(shown(app)) }
    }

    func time(_ text: String) throws -> ServiceVersion {
        if let time = TimeText.parse(text) { return time }
        throw Answer(
            response: Self.message(
                .unprocessableContent, "'\(text.prefix(64))' is no version such as 2017-03-30T15:50:16.187Z"))
    }

    // MARK: changing

    func createApp() async throws -> GatewayResponse {
        var reader = FieldReader(try await body(), at: "")
        reader.require("id")
        var app = ServiceDefinition(id: .root)
        AppReading.read(&reader, over: &app, in: .root)
        visitor.note("service.create", app.id.path)
        try Self.check(reader.finished())
        app.versionInfo = VersionInfo()
        try mayRun(.service(app))
        return try await created(app.id, try await ask(.create(.service(app), force: force)))
    }

    private func created(_ id: ServiceID, _ reply: ServicesReply) async throws -> GatewayResponse {
        guard case .deployment(let deployment, _) = reply else { return answer(reply) }
        let core = try await snapshot()
        guard let app = core.definition(id)?.service else { return answer(reply, .created) }
        published(app)
        var response = Self.json(.created) { json in
            json.app(shown(app))
            json.counts(core.counts(of: id))
            // The deployment may be over by now; clients want to know its name.
            json.list("deployments") { json in json.object { $0.field("id", deployment.value) } }
            json.list("tasks") { _ in }
        }
        response.headers[.location] = location("/v2/apps" + id.path)
        response.headers[Self.deploymentHeader] = deployment.value
        return response
    }

    private func published(_ app: ServiceDefinition) {
        let (address, path) = (request.remote.map { "\($0)" } ?? "local", request.path)
        var bare = app
        bare.environment = [:]
        let shown = bare
        framework.hub.publish(
            EventText("api_post_event") { json in
                json.field("clientIp", address)
                json.field("uri", path)
                json.object("appDefinition") { $0.app(shown, isComplete: false) }
            })
    }

    /// A change of what is there, or something new; `{"version": V}` alone goes back to a version.
    func putApp(_ id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.change", id.path)
        let document = try await body()
        if let version = try rollback(document) {
            let core = try await snapshot()
            _ = try found(id, core)
            guard let past = core.definition(id, version: version) else {
                return Self.refusal(.noVersion(id, version))
            }
            try mayRun(past)
            return answer(try await ask(.rollBack(id, to: version, force: force)))
        }
        for _ in 0..<8 {
            let core = try await snapshot()
            var reader = FieldReader(document, at: "")
            let update = try update(id, &reader, core)
            try Self.check(reader.finished())
            try mayRun(update.workload)
            let reply = try await ask(.put([update], force: force))
            // Somebody else was faster: what is not in the body is taken from there.
            if case .refused(.stale) = reply { continue }
            if update.basedOn == nil, core.definition(id) == nil { return try await created(id, reply) }
            if case .deployment = reply, let app = update.workload.service { published(app) }
            return answer(reply)
        }
        return Self.refusal(.stale(id))
    }

    /// The version that a body goes back to; it says nothing else then.
    private func rollback(_ document: JSONValue) throws -> ServiceVersion? {
        var reader = FieldReader(document, at: "")
        guard reader.has("version") else { return nil }
        let version = PartReading.time("version", &reader)
        reader.ignore("id")
        let others = reader.names.filter { $0 != "version" && $0 != "id" }
        if !others.isEmpty {
            reader.note("version", "The 'version' field may only be combined with the 'id' field.")
            reader.ignore("id")
            try Self.check(reader.defects)
        }
        try Self.check(reader.finished())
        return version
    }

    /// What an app is after the fields of a body.
    private func update(
        _ id: ServiceID, _ reader: inout FieldReader, _ core: ServicesCore
    ) throws -> WorkloadUpdate {
        if let pod = core.definition(id)?.pod {
            throw Answer(response: Self.message(.conflict, "\(pod.id) is a pod"))
        }
        let isPartial = request.query["partialUpdate"]?.lowercased() != "false"
        let present = core.definition(id)?.service
        var app = (isPartial ? present : nil) ?? ServiceDefinition(id: id)
        let version = app.versionInfo
        AppReading.read(&reader, over: &app, in: .root)
        app.id = id
        app.versionInfo = version
        return WorkloadUpdate(workload: .service(app), basedOn: isPartial ? present?.version : nil)
    }

    /// Changes of several apps in one deployment.
    func putApps() async throws -> GatewayResponse {
        guard case .list(let documents) = try await body() else {
            return Self.invalid([FieldDefect("/", "Wrong type. Expected array, was something else.")])
        }
        guard documents.count <= 1_000 else {
            return Self.invalid([FieldDefect("/", "has \(documents.count) elements, at most 1000 are allowed")])
        }
        for _ in 0..<8 {
            let core = try await snapshot()
            var updates: [WorkloadUpdate] = []
            var defects: [FieldDefect] = []
            for (index, document) in documents.enumerated() {
                var reader = FieldReader(document, at: "(\(index))")
                reader.require("id")
                let id = ServiceID(reader.text("id") ?? "")
                updates.append(try update(id, &reader, core))
                defects += reader.finished()
            }
            visitor.note("service.change", updates.first.map(\.workload.id.path) ?? "")
            try Self.check(defects)
            for update in updates { try mayRun(update.workload) }
            let reply = try await ask(.put(updates, force: force))
            if case .refused(.stale) = reply { continue }
            return answer(reply)
        }
        return Self.message(.conflict, "the apps change all the time; repeat")
    }

    func deleteApp(_ id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.delete", id.path)
        try mayEnd()
        _ = try found(id, try await snapshot())
        return answer(try await ask(.remove(id, force: force)))
    }

    func restart(_ id: ServiceID) async throws -> GatewayResponse {
        visitor.note("service.restart", id.path)
        try mayRun(.service(try found(id, try await snapshot())))
        return answer(try await ask(.restart(id, force: force)))
    }
}

/// Which apps are listed.
private struct Selector {
    private var id: String?
    private var cmd: String?
    private var labels: [LabelSelector] = []

    init(_ query: QueryParameters) throws {
        id = query["id"]?.lowercased()
        cmd = query["cmd"]?.lowercased()
        for text in query.values(of: "label") {
            guard let selectors = LabelSelector.parse(text) else {
                throw ServicesFacade.Answer(
                    response: ServicesFacade.message(
                        .badRequest, "'\(text.prefix(200))' is no selector of labels such as a==b, a!=b, a in (b,c)"))
            }
            labels += selectors
        }
    }

    func matches(_ app: ServiceDefinition) -> Bool {
        if let id, !app.id.path.lowercased().contains(id) { return false }
        if let cmd, app.cmd?.lowercased().contains(cmd) != true { return false }
        return labels.allSatisfy { $0.matches(app.labels) }
    }
}
