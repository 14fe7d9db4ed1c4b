internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import ServicesCore

/// Groups.
extension ServicesFacade {
    func group(_ id: ServiceID, isRead: Bool) async throws -> GatewayResponse {
        switch request.method {
        case .post: return try await createGroup(id)
        case .delete:
            visitor.note("group.delete", id.path)
            try mayEnd()
            return answer(try await ask(.removeGroup(id, force: force)))
        default: return isRead ? try await show(id) : try await putGroup(id)
        }
    }

    private func show(_ id: ServiceID) async throws -> GatewayResponse {
        let core = try await snapshot()
        guard let group = core.root.group(id) else { return Self.refusal(.noGroup(id)) }
        return Self.json { write(group, of: core, &$0) }
    }

    private func write(_ group: GroupDefinition, of core: ServicesCore, _ json: inout JSONText) {
        json.field("id", group.id.path)
        json.list("apps") { json in
            for app in group.services.values.sorted(by: { $0.id < $1.id }) {
                json.object { json in
                    json.app(shown(app))
                    json.counts(core.counts(of: app.id))
                    json.deployments(of: app.id, core)
                }
            }
        }
        json.list("pods") { json in
            for pod in group.pods.values.sorted(by: { $0.id < $1.id }) { json.object { $0.pod(pod) } }
        }
        json.list("groups") { json in
            for group in group.groups.values.sorted(by: { $0.id < $1.id }) {
                json.object { write(group, of: core, &$0) }
            }
        }
        json.texts("dependencies", group.dependencies.map(\.path))
        if let enforces = group.enforceRole { json.field("enforceRole", enforces) }
        json.time("version", group.version)
    }

    func groupVersions(_ id: ServiceID) async throws -> GatewayResponse {
        let core = try await snapshot()
        guard core.root.group(id) != nil else { return Self.refusal(.noGroup(id)) }
        return Self.list { json in for version in core.versions(ofGroup: id) { json.text(TimeText.iso8601(version)) } }
    }

    /// What is in the group now, as it was then.
    func groupVersion(_ id: ServiceID, _ text: String) async throws -> GatewayResponse {
        let version = try time(text)
        let core = try await snapshot()
        guard var group = core.root.group(id) else { return Self.refusal(.noGroup(id)) }
        var isKnown = group.version == version
        for workload in group.allWorkloads {
            guard let past = core.versions(of: workload.id).first(where: { $0 <= version }),
                let definition = core.definition(workload.id, version: past)
            else {
                group.remove(workload.id, version: version)
                continue
            }
            isKnown = true
            group.put(definition, version: version)
        }
        guard isKnown else { return Self.message(.notFound, "Group '\(id)' does not exist in version \(text)") }
        group.version = version
        return Self.json { write(group, of: core, &$0) }
    }

    // MARK: changing

    private func createGroup(_ id: ServiceID) async throws -> GatewayResponse {
        let wish = try await wish { GroupReading.read(&$0, newIn: id) }
        let place = wish.update.id
        visitor.note("group.create", place.path)
        try mayRun(wish.update)
        let core = try await snapshot()
        if core.root.group(place) != nil {
            return Self.message(.conflict, "Group \(place) is already created. Use PUT to change this group.")
        }
        return answer(
            try await ask(.putGroup(wish.update, mustBeNew: true, force: force)), .created,
            at: "/v2/groups" + place.path)
    }

    private func wish(_ read: (inout FieldReader) -> GroupReading.Wish) async throws -> GroupReading.Wish {
        var reader = FieldReader(try await body(), at: "")
        let wish = read(&reader)
        try Self.check(reader.finished())
        return wish
    }

    private func mayRun(_ update: GroupUpdate) throws {
        try visitor.require(.registerFramework(framework.settings.role))
        for app in update.services ?? [] { try mayRun(.service(app)) }
        for pod in update.pods ?? [] { try mayRun(.pod(pod)) }
        for group in update.groups ?? [] { try mayRun(group) }
    }

    func rollBack(_ id: ServiceID, to version: ServiceVersion) async throws -> GatewayResponse {
        visitor.note("group.change", id.path)
        let core = try await snapshot()
        try mayRunAll(of: id, core) { workload in
            core.versions(of: workload.id).first { $0 <= version }
                .flatMap { core.definition(workload.id, version: $0) }
        }
        return answer(try await ask(.rollBackGroup(id, to: version, force: force)))
    }

    private func putGroup(_ path: ServiceID) async throws -> GatewayResponse {
        let wish = try await wish { GroupReading.read(&$0, changing: path) }
        let id = wish.update.id
        visitor.note("group.change", id.path)
        if let version = wish.version { return try await rollBack(id, to: version) }
        let core = try await snapshot()
        if let factor = wish.factor {
            try mayRunAll(of: id, core) { $0 }
            return answer(try await ask(.scaleGroup(id, by: factor, force: force)))
        }
        try mayRun(wish.update)
        // What is not in the body any more ends.
        if wish.update.services != nil || wish.update.groups != nil || wish.update.pods != nil,
            core.root.group(id)?.isEmpty == false
        {
            try mayEnd()
        }
        if flag("dryRun") { return try plan(wish.update, core) }
        let isNew = core.root.group(id) == nil
        return answer(
            try await ask(.putGroup(wish.update, mustBeNew: false, force: force)), isNew ? .created : .ok,
            at: isNew ? "/v2/groups" + id.path : nil)
    }

    private func mayRunAll(
        of id: ServiceID, _ core: ServicesCore, _ definition: (Workload) -> Workload?
    ) throws {
        try visitor.require(.registerFramework(framework.settings.role))
        for workload in core.root.group(id)?.allWorkloads ?? [] {
            if let workload = definition(workload) { try mayRun(workload) }
        }
    }

    private func plan(_ update: GroupUpdate, _ core: ServicesCore) throws -> GatewayResponse {
        do throws(PlanError) {
            let plan = try core.plan(for: update)
            return Self.json { json in
                json.list("steps") { json in for step in plan.steps { json.object { $0.actions(step.actions) } } }
            }
        } catch {
            return Self.invalid([FieldDefect("/", "Dependency graph has cyclic dependencies.")])
        }
    }
}
