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

/// What the page of one service shows.
extension ConsoleDesk {
    func servicePage(
        _ id: ServiceID, problem: String? = nil, status: HTTPResponse.Status = .ok
    ) async throws -> GatewayResponse {
        let core = try await view()
        guard let row = row(id, core), core.serviceIDs.contains(id) else { throw Self.noService(id) }
        let workload = core.definition(id)
        let configuration = workload?.versionInfo.lastConfigChangeAt
        let query = listQuery(Self.path(id), sorts: ["started"])
        let instances = core.instances(of: id)
        return page(
            ServicePage(
                service: row, framework: try await servicesFramework(), rights: rights, problem: problem,
                deployment: core.deployment(of: id).flatMap { wanted in
                    deployments(core).first { $0.id == wanted.value }
                },
                waiting: core.queueView(id).map(Self.waiting), failure: core.lastFailure(of: id).map(Self.failure),
                instances: query.listing(instances, of: instances.count).map { Self.row($0, configuration) },
                facts: workload.map(Self.facts) ?? [],
                labels: (workload?.service?.labels ?? workload?.pod?.labels ?? [:]).sorted { $0.key < $1.key }
                    .map { ($0.key, $0.value) },
                versions: core.versions(of: id).prefix(50).map { (TimeText.iso8601($0), $0) }), status: status)
    }

    private static func path(_ id: ServiceID) -> [String] { ["services", String(id.path.dropFirst())] }

    /// The id under which the services framework is known to the master; empty before it has subscribed.
    private func servicesFramework() async throws -> String {
        let frameworks = try await node.snapshot().frameworks.values
        return frameworks.first { $0.info.labels.contains(Label(key: "built-in", value: "services")) }?.id.value ?? ""
    }

    private static func row(
        _ instance: InstanceView, _ configuration: ServiceVersion?
    ) -> ServicePage.Instance {
        let record = instance.record
        let addresses = instance.tasks.flatMap { task -> [String] in
            if !task.addresses.isEmpty { return task.addresses }
            return task.ports.map { "\(record.hostname):\($0)" }
        }
        let cause = instance.tasks.flatMap(\.health).compactMap(\.lastFailureCause).first
        return ServicePage.Instance(
            id: record.id.value,
            tasks: instance.tasks.map { ServicePage.Task(id: $0.record.id.value, container: $0.record.container) },
            condition: instance.condition.rawValue, node: record.agentID.value, hostname: record.hostname,
            isHealthy: instance.isHealthy, isOutdated: configuration.map { $0 != record.configuration } ?? false,
            started: instance.startedAt, addresses: addresses,
            message: (instance.isHealthy == false ? cause : nil) ?? instance.tasks.compactMap(\.message).first)
    }

    private static func waiting(_ queue: QueueView) -> ServicePage.Waiting {
        ServicePage.Waiting(
            count: queue.count, since: queue.since, delay: queue.delay.inSeconds, offers: queue.processedOffers,
            reasons: queue.lastUnusedOffers.prefix(20).map { unused in
                (
                    unused.offer.agent.hostname,
                    unused.details.isEmpty
                        ? unused.reasons.map(\.rawValue).joined(separator: ", ")
                        : unused.details.joined(separator: "; "), unused.at
                )
            })
    }

    private static func failure(_ failure: TaskFailure) -> ServicePage.Failure {
        ServicePage.Failure(
            task: failure.task.value, state: failure.state.wireName, message: failure.message,
            hostname: failure.hostname, at: failure.timestamp)
    }

    /// Without the environment, which often holds secrets.
    private static func facts(_ workload: Workload) -> [(name: String, value: String?)] {
        switch workload {
        case .service(let app): facts(app)
        case .pod(let pod): facts(pod)
        }
    }

    private static func facts(_ app: ServiceDefinition) -> [(name: String, value: String?)] {
        var facts: [(name: String, value: String?)] = [
            ("Image", app.container?.image?.reference),
            ("Command", app.cmd ?? (app.args.isEmpty ? nil : app.args.joined(separator: " "))),
            ("User", app.user), ("Role", app.role),
            (
                "One instance",
                "\(Numbers.short(app.cpus)) CPU, \(Numbers.memory(app.mem)) memory"
                    + (app.disk > 0 ? ", \(Numbers.memory(app.disk)) disk" : "")
                    + (app.gpus > 0 ? ", \(app.gpus) GPU" : "")
            ), ("Networks", app.networks.map { $0.name ?? $0.mode.rawValue }.joined(separator: ", ")),
        ]
        let mappings = (app.container?.portMappings ?? []).map { mapping in
            "\(mapping.name.map { $0 + ": " } ?? "")\(mapping.containerPort)/\(mapping.networkProtocol)"
        }
        let definitions = (app.portDefinitions ?? []).map {
            "\($0.name.map { $0 + ": " } ?? "")\($0.port)/\($0.networkProtocol)"
        }
        facts.append(("Ports", (mappings.isEmpty ? definitions : mappings).joined(separator: ", ")))
        facts.append(("Constraints", app.constraints.map { $0.texts.joined(separator: " ") }.joined(separator: ", ")))
        facts.append(
            (
                "Health checks",
                app.healthChecks.map { check in
                    "\(check.kind.rawValue)\(check.path.map { " " + $0 } ?? "") every \(check.intervalSeconds) s"
                }.joined(separator: ", ")
            ))
        facts.append(("Depends on", app.dependencies.map(\.path).joined(separator: ", ")))
        return facts.filter { $0.value?.isEmpty == false }
    }

    private static func facts(_ pod: PodDefinition) -> [(name: String, value: String?)] {
        var facts: [(name: String, value: String?)] = pod.containers.map { container in
            (
                "Container \(container.name)",
                (container.image.map { $0.reference + ", " } ?? "")
                    + "\(Numbers.short(container.cpus)) CPU, \(Numbers.memory(container.mem))"
            )
        }
        facts.append(("User", pod.user))
        facts.append(("Role", pod.role))
        facts.append(("Networks", pod.networks.map { $0.name ?? $0.mode.rawValue }.joined(separator: ", ")))
        return facts.filter { $0.value?.isEmpty == false }
    }
}
