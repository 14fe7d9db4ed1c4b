internal import ClusterModel
internal import Deployments

/// Describes an instance's tasks to the master: what runs, with which environment, under which names.
struct TaskDescription {
    private let instance: InstanceRecord
    private let workload: Workload

    init(_ instance: InstanceRecord, _ workload: Workload) {
        self.instance = instance
        self.workload = workload
    }

    /// What the master is told.
    func operation(_ placement: Placement) -> OfferOperation {
        switch workload {
        case .service(let service): .launch(placement.tasks.map { task($0, of: service) })
        case .pod(let pod):
            .launchGroup(
                TaskGroup(
                    executorID: ExecutorID(instance.id.value), resources: placement.executor,
                    container: pod.groupContainer(placement.tasks.map(\.record.hostPorts))),
                tasks: zip(placement.tasks, pod.containers).map { task($0, $1, of: pod) })
        }
    }

    private func task(_ task: Placement.Task, of service: ServiceDefinition) -> TaskInfo {
        let ports = service.taskPorts
        var environment = platform(task, user: service.user)
        environment.merge(Self.variables(of: ports, task.record.hostPorts)) { $1 }
        let container = service.taskContainer(task.record.hostPorts)
        let variables = variables(environment, service.environment, service.secrets)
        var info = TaskInfo(
            name: service.id.hostname, taskID: task.record.id, agentID: instance.agentID, resources: task.resources,
            command: CommandInfo(
                // With an image, arguments are those of its entry point.
                isShell: service.cmd != nil, value: service.cmd ?? (container?.image == nil ? service.args.first : nil),
                arguments: service.cmd == nil ? service.args : [],
                environment: variables, uris: service.fetch.map(CommandURI.init), user: service.user),
            killGracePeriod: service.taskKillGracePeriodSeconds.map { .seconds($0) },
            labels: Self.labels(service.labels),
            discovery: discovery(service.id.hostname, ports, task.record.hostPorts))
        info.secretFiles = service.secretFiles
        info.container = container
        let checks = service.taskHealthChecks(task.record.hostPorts, variables)
        info.healthCheck = checks.first
        if checks.count > 1 { info.moreHealthChecks = Array(checks.dropFirst()) }
        info.check = service.taskCheck(task.record.hostPorts, variables)
        info.readinessCheck = service.taskReadinessCheck(task.record.hostPorts)
        info.limits = service.resourceLimits?.taskLimits
        return info
    }

    private func task(_ task: Placement.Task, _ container: PodContainer, of pod: PodDefinition) -> TaskInfo {
        let ports = container.endpoints.map { endpoint in
            TaskPort(
                name: endpoint.name, number: endpoint.containerPort ?? 0,
                protocols: endpoint.networkProtocols, labels: endpoint.labels)
        }
        var environment = platform(task, user: container.user ?? pod.user)
        environment["MARATHON_CONTAINER_ID"] = container.name
        for (port, hostPort) in zip(ports, task.record.hostPorts) {
            guard let number = hostPort ?? (port.number > 0 ? port.number : nil) else { continue }
            environment["ENDPOINT_\(Self.variableName(port.name ?? ""))"] = String(number)
        }
        let isShell: Bool
        let arguments: [String]
        let value: String?
        switch container.command {
        case .shell(let line): (isShell, arguments, value) = (true, [], line)
        case .arguments(let list):
            // Without a program of their own, arguments are those of the image's entry point.
            let isOwn = container.image == nil || container.overridesEntrypoint != false
            (isShell, arguments, value) = (false, list, isOwn ? list.first : nil)
        case nil: (isShell, arguments, value) = (false, [], nil)
        }
        let variables = variables(environment, pod.environment.merging(container.environment) { $1 }, pod.secrets)
        var info = TaskInfo(
            name: container.name, taskID: task.record.id, agentID: instance.agentID, resources: task.resources,
            command: CommandInfo(
                isShell: isShell, value: value, arguments: arguments, environment: variables,
                uris: container.artifacts.map(CommandURI.init), user: container.user ?? pod.user),
            killGracePeriod: container.killGracePeriodSeconds.map { .clamped(seconds: $0) },
            labels: Self.labels(pod.labels.merging(container.labels) { $1 }),
            discovery: discovery(pod.id.hostname, ports, task.record.hostPorts))
        info.container = container.taskContainer(in: pod)
        info.secretFiles = container.secretFiles(in: pod)
        info.healthCheck = container.taskHealthCheck(task.record.hostPorts, variables)
        info.limits = container.resourceLimits?.taskLimits
        info.check = container.taskCheck(task.record.hostPorts, variables)
        return info
    }

    // MARK: environment

    /// What every task is told about itself.
    private func platform(_ task: Placement.Task, user: String?) -> [String: String] {
        var result = [
            "MARATHON_APP_ID": instance.service.path,
            "MARATHON_APP_VERSION": TimeText.iso8601(instance.version),
            "MARATHON_APP_RESOURCE_CPUS": Self.decimal(task.resources.total("cpus")),
            "MARATHON_APP_RESOURCE_MEM": Self.decimal(task.resources.total("mem")),
            "MARATHON_APP_RESOURCE_DISK": Self.decimal(task.resources.total("disk")),
            "MARATHON_APP_RESOURCE_GPUS": task.resources.total("gpus").description,
            "MESOS_TASK_ID": task.record.id.value,
            "HOST": instance.hostname,
        ]
        if let image = workload.service?.container?.image { result["MARATHON_APP_DOCKER_IMAGE"] = image.reference }
        var names: [String] = []
        for (key, value) in workload.labels.sorted(by: { $0.key < $1.key })
        where key.utf8.count < 512 && value.utf8.count < 512 {
            let name = Self.variableName(key)
            names.append(name)
            result["MARATHON_APP_LABEL_\(name)"] = value
        }
        result["MARATHON_APP_LABELS"] = names.joined(separator: " ")
        return result
    }

    private func variables(
        _ platform: [String: String], _ own: [String: EnvironmentValue], _ secrets: [String: String]
    ) -> [CommandInfo.Variable] {
        var result: [String: CommandInfo.Variable] = [:]
        for (name, value) in platform { result[name] = CommandInfo.Variable(name: name, value: value) }
        for (name, value) in own {
            switch value {
            case .text(let text): result[name] = CommandInfo.Variable(name: name, value: text)
            case .secret(let reference):
                let secret = TaskSecret(name: secrets[reference] ?? reference)
                result[name] = CommandInfo.Variable(name: name, secret: secret)
            }
        }
        return result.sorted { $0.key < $1.key }.map(\.value)
    }

    /// `PORT0`, `PORT_HTTP`, `PORT`, `PORTS` …, as Marathon names them.
    static func variables(of ports: [TaskPort], _ hostPorts: [Int?]) -> [String: String] {
        var result: [String: String] = [:]
        var all: [String] = []
        for (index, port) in ports.enumerated() where index < hostPorts.count {
            guard let number = hostPorts[index] ?? (port.number > 0 ? port.number : nil) else { continue }
            let text = String(number)
            if hostPorts[index] != nil { all.append(text) }
            result["PORT\(index)"] = text
            result["PORT_\(port.number > 0 ? port.number : number)"] = text
            if let name = port.name { result["PORT_\(variableName(name))"] = text }
        }
        if let first = all.first ?? result["PORT0"] { result["PORT"] = first }
        if !ports.isEmpty { result["PORTS"] = all.joined(separator: ",") }
        return result
    }

    private static func variableName(_ text: String) -> String {
        String(
            decoding: text.uppercased().utf8.map { byte in
                let isFit = (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                return isFit ? byte : UInt8(ascii: "_")
            }, as: UTF8.self)
    }

    /// A number as Marathon writes it, with one decimal at least.
    private static func decimal(_ amount: Quantity) -> String {
        let text = amount.description
        return text.contains(".") ? text : text + ".0"
    }

    // MARK: discovery

    private func discovery(_ name: String, _ ports: [TaskPort], _ hostPorts: [Int?]) -> Discovery {
        var found: [Discovery.Port] = []
        for (index, port) in ports.enumerated() {
            let number = (index < hostPorts.count ? hostPorts[index] : nil) ?? port.number
            guard let shown = UInt32(exactly: number) else { continue }
            for transport in port.protocols.isEmpty ? ["tcp"] : port.protocols {
                found.append(
                    Discovery.Port(
                        number: shown, name: port.name, transport: transport, labels: Self.labels(port.labels)))
            }
        }
        return Discovery(visibility: "FRAMEWORK", name: name, ports: found)
    }

    private static func labels(_ labels: [String: String]) -> [Label] {
        labels.sorted { $0.key < $1.key }.map { Label(key: $0.key, value: $0.value) }
    }
}

/// A port as its task sees it.
struct TaskPort {
    var name: String?
    /// The port in the container, or the one that was asked for on the agent; 0 for any.
    var number: Int
    var protocols: [String]
    var labels: [String: String]
}

extension ServiceDefinition {
    /// Its ports as its tasks see them, in the order of its definition.
    var taskPorts: [TaskPort] {
        if networks.contains(where: { $0.mode != .host }) {
            return (container?.portMappings ?? []).map {
                TaskPort(
                    name: $0.name, number: $0.containerPort, protocols: $0.networkProtocol.protocols, labels: $0.labels)
            }
        }
        return (portDefinitions ?? []).map {
            TaskPort(name: $0.name, number: $0.port, protocols: $0.networkProtocol.protocols, labels: $0.labels)
        }
    }

    /// Secrets that it finds in files; only those below its work directory, which need no mount.
    var secretFiles: [SecretFile]? {
        let files = (container?.volumes ?? []).compactMap { volume -> SecretFile? in
            guard case .secret(let name) = volume.source, !volume.containerPath.hasPrefix("/"),
                let source = secrets[name]
            else { return nil }
            return SecretFile(path: volume.containerPath, secret: TaskSecret(name: source))
        }
        return files.isEmpty ? nil : files
    }
}

extension String {
    fileprivate var protocols: [String] { split(separator: ",").map(String.init) }
}

extension CommandURI {
    fileprivate init(_ artifact: Artifact) {
        self.init(
            value: artifact.uri, isExecutable: artifact.isExecutable, isExtracted: artifact.isExtracted,
            outputFile: artifact.destPath)
    }
}
