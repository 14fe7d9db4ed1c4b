internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import ServicesCore

/// Pods.
extension ServicesFacade {
    func pods(_ route: ServicesRoute, isRead: Bool) async throws -> GatewayResponse {
        switch route {
        case .pods: return isRead ? try await listPods() : try await createPod()
        case .podStatuses: return try await podStatuses()
        case .pod(let id):
            if request.method == .delete { return try await deletePod(id) }
            return isRead ? try await pod(id) : try await putPod(id)
        case .podPart(let id, "status", nil):
            let core = try await snapshot()
            let pod = try foundPod(id, core)
            return Self.json { $0.podStatus(pod, core, shown) }
        case .podPart(let id, "versions", let version): return try await podVersions(id, version)
        case .podPart(let id, "instances", let instance) where !isRead: return try await killPod(id, instance)
        default: return Self.message(.notFound, "there is nothing here; a pod has ::status, ::versions and ::instances")
        }
    }

    // MARK: reading

    private func foundPod(_ id: ServiceID, _ core: ServicesCore) throws -> PodDefinition {
        guard let pod = core.definition(id)?.pod else { throw Answer(response: Self.noPod(id)) }
        return pod
    }

    private static func noPod(_ id: ServiceID) -> GatewayResponse { message(.notFound, "Pod '\(id)' does not exist") }

    /// The definition without its environment for those who may not see any.
    private func shown(_ pod: PodDefinition) -> PodDefinition {
        guard !visitor.may(.view(.environments, of: .everyone)) else { return pod }
        var pod = pod
        pod.environment = [:]
        for index in pod.containers.indices { pod.containers[index].environment = [:] }
        return pod
    }

    private func all(_ core: ServicesCore) -> [PodDefinition] {
        core.root.allWorkloads.compactMap(\.pod).sorted { $0.id < $1.id }
    }

    private func listPods() async throws -> GatewayResponse {
        let pods = all(try await snapshot())
        return Self.list { json in for pod in pods { json.object { $0.pod(shown(pod)) } } }
    }

    private func podStatuses() async throws -> GatewayResponse {
        let core = try await snapshot()
        return Self.list { json in for pod in all(core) { json.object { $0.podStatus(pod, core, shown) } } }
    }

    private func pod(_ id: ServiceID) async throws -> GatewayResponse {
        let pod = try foundPod(id, try await snapshot())
        return Self.json { $0.pod(shown(pod)) }
    }

    private func podVersions(_ id: ServiceID, _ text: String?) async throws -> GatewayResponse {
        let core = try await snapshot()
        _ = try foundPod(id, core)
        guard let text else {
            return Self.list { json in for version in core.versions(of: id) { json.text(TimeText.iso8601(version)) } }
        }
        let version = try time(text)
        guard let pod = core.definition(id, version: version)?.pod else {
            return Self.message(.notFound, "Pod '\(id)' does not exist in version \(TimeText.iso8601(version))")
        }
        return Self.json { $0.pod(shown(pod)) }
    }

    // MARK: changing

    /// The pod of a body; its id is that of the path where there is one.
    private func wanted(_ id: ServiceID?) async throws -> PodDefinition {
        var reader = FieldReader(try await body(), at: "")
        if id == nil { reader.require("id") }
        var pod = PodDefinition(id: id ?? .root)
        PodReading.read(&reader, over: &pod, in: .root)
        if let id, pod.id != id { reader.note("id", "'\(pod.id)' is not the pod of the path, '\(id)'") }
        visitor.note("pod.change", pod.id.path)
        try Self.check(reader.finished())
        pod.versionInfo = VersionInfo()
        try mayRun(.pod(pod))
        return pod
    }

    private func createPod() async throws -> GatewayResponse {
        let pod = try await wanted(nil)
        return try await changed(pod.id, try await ask(.create(.pod(pod), force: force)), .created)
    }

    /// A body is the whole definition: what is not in it has Marathon's defaults.
    private func putPod(_ id: ServiceID) async throws -> GatewayResponse {
        let pod = try await wanted(id)
        _ = try foundPod(id, try await snapshot())
        let update = WorkloadUpdate(workload: .pod(pod), basedOn: nil)
        return try await changed(id, try await ask(.put([update], force: force)), .ok)
    }

    private func changed(
        _ id: ServiceID, _ reply: ServicesReply, _ status: HTTPResponse.Status
    ) async throws -> GatewayResponse {
        if case .refused(.exists) = reply { return Self.message(.conflict, "A pod with id [\(id)] already exists.") }
        guard case .deployment(let deployment, _) = reply, let pod = try await snapshot().definition(id)?.pod else {
            return answer(reply)
        }
        publish(status == .created ? "pod_created_event" : "pod_updated_event")
        var response = Self.json(status) { $0.pod(shown(pod)) }
        response.headers[Self.deploymentHeader] = deployment.value
        if status == .created { response.headers[.location] = location("/v2/pods" + id.path) }
        return response
    }

    private func deletePod(_ id: ServiceID) async throws -> GatewayResponse {
        visitor.note("pod.delete", id.path)
        try mayEnd()
        _ = try foundPod(id, try await snapshot())
        let reply = try await ask(.remove(id, force: force))
        guard case .deployment = reply else { return answer(reply) }
        publish("pod_deleted_event")
        return answer(reply, .accepted)
    }

    private func publish(_ event: String) {
        let (address, path) = (request.remote.map { "\($0)" } ?? "local", request.path)
        framework.hub.publish(
            EventText(event) { json in
                json.field("clientIp", address)
                json.field("uri", path)
            })
    }

    /// Ends instances: the one of the path, or those of a body that is a list of their names.
    private func killPod(_ id: ServiceID, _ one: String?) async throws -> GatewayResponse {
        visitor.note("pod.kill", one ?? id.path)
        try mayEnd()
        var names = [one].compactMap { $0 }
        if one == nil {
            guard case .list(let values) = try await body() else {
                return Self.invalid([FieldDefect("/", "Wrong type. Expected array, was something else.")])
            }
            names = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
        }
        let core = try await snapshot()
        let pod = try foundPod(id, core)
        let wanted = Set(names.map { InstanceID($0) })
        let instances = core.instances(of: id).filter { wanted.contains($0.record.id) }
        if let one, instances.isEmpty { return Self.message(.notFound, "Instance '\(one)' does not exist") }
        let reply = try await ask(.kill(instances.map(\.record.id), scale: flag("scale"), force: force))
        guard case .killed = reply else { return answer(reply) }
        if one != nil, let instance = instances.first {
            return Self.json {
                $0.podInstance(instance, core.definition(id, version: instance.record.version)?.pod ?? pod)
            }
        }
        return Self.list { json in for each in instances { json.object { $0.podInstance(each, pod) } } }
    }
}
