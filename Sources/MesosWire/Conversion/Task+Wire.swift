public import ClusterModel
import FoundationEssentials

extension CommandInfo {
    /// Reads a command.
    ///
    /// - Throws: `.missingField` or `.invalidField` for a secret that is none.
    public init(_ wire: WireCommandInfo) throws(WireError) {
        var environment: [Variable] = []
        environment.reserveCapacity(wire.environment.variables.count)
        for (index, variable) in wire.environment.variables.enumerated() {
            environment.append(
                try within("environment.variables[\(index)]") { () throws(WireError) in try Variable(variable) })
        }
        self.init(
            isShell: wire.shell, value: wire.hasValue ? wire.value : nil, arguments: wire.arguments,
            environment: environment,
            uris: wire.uris.map { uri in
                CommandURI(
                    value: uri.value, isExecutable: uri.executable, isExtracted: uri.extract,
                    outputFile: uri.hasOutputFile ? uri.outputFile : nil)
            },
            user: wire.hasUser ? wire.user : nil)
    }
}

extension WireCommandInfo {
    /// Makes the message for a command.
    public init(_ command: CommandInfo) {
        self.init()
        shell = command.isShell
        if let value = command.value { self.value = value }
        arguments = command.arguments
        if let user = command.user { self.user = user }
        uris = command.uris.map { uri in
            var wire = URI()
            wire.value = uri.value
            if uri.isExecutable { wire.executable = true }
            if !uri.isExtracted { wire.extract = false }
            if let outputFile = uri.outputFile { wire.outputFile = outputFile }
            return wire
        }
        if command.environment.isEmpty { return }
        environment.variables = command.environment.map { WireEnvironment.Variable($0) }
    }
}

extension Discovery {
    /// Reads discovery information.
    public init(_ wire: WireDiscoveryInfo) {
        let visibility =
            switch wire.visibility {
            case .framework: "FRAMEWORK"
            case .cluster: "CLUSTER"
            case .external: "EXTERNAL"
            }
        self.init(
            visibility: visibility, name: wire.hasName ? wire.name : nil,
            environment: wire.hasEnvironment ? wire.environment : nil,
            location: wire.hasLocation ? wire.location : nil, version: wire.hasVersion ? wire.version : nil,
            ports: wire.ports.ports.map { port in
                Port(
                    number: port.number, name: port.hasName ? port.name : nil,
                    transport: port.hasProtocol ? port.protocol : nil, labels: port.labels.labels.map { Label($0) })
            },
            labels: wire.labels.labels.map { Label($0) })
    }
}

extension WireDiscoveryInfo {
    /// Makes the message for discovery information.
    public init(_ discovery: Discovery) {
        self.init()
        visibility =
            switch discovery.visibility {
            case "CLUSTER": .cluster
            case "EXTERNAL": .external
            default: .framework
            }
        if let name = discovery.name { self.name = name }
        if let environment = discovery.environment { self.environment = environment }
        if let location = discovery.location { self.location = location }
        if let version = discovery.version { self.version = version }
        if !discovery.labels.isEmpty { labels = WireLabels(discovery.labels) }
        if discovery.ports.isEmpty { return }
        ports.ports = discovery.ports.map { port in
            var wire = WirePort()
            wire.number = port.number
            if let name = port.name { wire.name = name }
            if let transport = port.transport { wire.protocol = transport }
            if !port.labels.isEmpty { wire.labels = WireLabels(port.labels) }
            return wire
        }
    }
}

extension TaskInfo {
    /// Reads a task. What is wrong with it becomes its `defect`, and what cannot be honoured yet is listed in
    /// `unsupported`: the answer to such a task is a status for it, not an error for the whole call.
    public init(_ wire: WireTaskInfo) {
        var defect: String?
        func reading<Value>(_ field: String, _ read: () throws(WireError) -> Value) -> Value? {
            do { return try read() } catch {
                if defect == nil { defect = error.inside(field).message }
                return nil
            }
        }
        let taskID: TaskID? = reading("task_id") { () throws(WireError) in try wire.taskID.checked() }
        let agentID: AgentID? = reading("agent_id") { () throws(WireError) in try wire.agentID.checked() }
        let resources = reading("resources") { () throws(WireError) in try Resources(wire.resources) }
        var killGracePeriod: Duration?
        if wire.killPolicy.hasGracePeriod {
            killGracePeriod = reading("kill_policy.grace_period") { () throws(WireError) in
                try wire.killPolicy.gracePeriod.checked()
            }
        }
        var maxCompletionTime: Duration?
        if wire.hasMaxCompletionTime {
            maxCompletionTime = reading("max_completion_time") { () throws(WireError) in
                try wire.maxCompletionTime.checked()
            }
        }
        let command: CommandInfo? =
            wire.hasCommand
            ? reading("command") { () throws(WireError) in try CommandInfo(wire.command) } : nil
        let files = reading("container") { () throws(WireError) in try SecretFile.files(wire.container) } ?? nil
        var container: ContainerInfo?
        if wire.hasContainer {
            container = reading("container") { () throws(WireError) in try ContainerInfo.read(wire.container) } ?? nil
        }
        var health: HealthCheck?
        if wire.hasHealthCheck {
            health = reading("health_check") { () throws(WireError) in try HealthCheck(wire.healthCheck) }
        }
        var check: TaskProbe?
        if wire.hasCheck { check = reading("check") { () throws(WireError) in try TaskProbe(wire.check) } }
        if defect == nil,
            (command?.environment.count { $0.secret != nil } ?? 0) + (files?.count ?? 0) > Self.secretLimit
        {
            defect = "the task wants more than \(Self.secretLimit) secrets"
        }
        if defect == nil, wire.hasCommand == wire.hasExecutor {
            defect =
                wire.hasCommand
                ? "fields 'command' and 'executor' exclude each other" : "field 'command' is missing and is required"
        }
        self.init(
            name: wire.name, taskID: taskID ?? wire.taskID.unchecked(), agentID: agentID ?? wire.agentID.unchecked(),
            resources: resources ?? Resources(), command: command,
            killGracePeriod: killGracePeriod, maxCompletionTime: maxCompletionTime,
            data: wire.hasData ? [UInt8](wire.data) : nil, labels: wire.labels.labels.map { Label($0) },
            discovery: wire.hasDiscovery ? Discovery(wire.discovery) : nil, secretFiles: files,
            container: container, healthCheck: health, check: check,
            unsupported: Self.unsupported(in: wire), defect: defect)
        do throws(WireError) { limits = try TaskLimits(wire.limits, of: self.resources) } catch {
            self.defect = self.defect ?? error.description
        }
    }

    private static func unsupported(in wire: WireTaskInfo) -> [String] {
        var names: [String] = []
        if wire.hasExecutor { names.append("executor") }
        if wire.hasContainer { names += ContainerInfo.unsupported(in: wire.container) }
        for name in wire.limits.keys.sorted() where name != "cpus" && name != "mem" { names.append("limits.\(name)") }
        return names
    }
}

extension TaskLimits {
    /// Reads limits, which are not below the resources that they belong to; infinity is none.
    init?(_ wire: [String: WireValue.Scalar], of resources: Resources) throws(WireError) {
        if wire.isEmpty { return nil }
        func read(_ name: String) throws(WireError) -> Int64? {
            guard let value = wire[name]?.value else { return nil }
            if value == .infinity { return .max }
            guard let limit = Quantity(value), limit >= resources.total(name) else {
                throw .invalidField(path: "limits.\(name)", problem: "must be a number not below the task's resources")
            }
            return limit.thousandths
        }
        self.init(cpus: try read("cpus"), mem: try read("mem"))
    }
}

extension WireTaskInfo {
    /// Makes the message for a task, as a framework sends it.
    public init(_ task: TaskInfo, _ form: ResourceForm) {
        self.init()
        name = task.name
        taskID = WireTaskID(task.taskID)
        agentID = WireAgentID(task.agentID)
        resources = task.resources.wire(form)
        if let command = task.command { self.command = WireCommandInfo(command) }
        if let period = task.killGracePeriod { killPolicy.gracePeriod = WireDurationInfo(period) }
        if let time = task.maxCompletionTime { maxCompletionTime = WireDurationInfo(time) }
        if let data = task.data { self.data = Data(data) }
        if !task.labels.isEmpty { labels = WireLabels(task.labels) }
        if let discovery = task.discovery { self.discovery = WireDiscoveryInfo(discovery) }
        if let container = task.container {
            self.container = WireContainerInfo(container, secrets: task.secretFiles ?? [])
        } else if let files = task.secretFiles {
            container = WireContainerInfo(files)
        }
        if let check = task.healthCheck { healthCheck = WireHealthCheck(check) }
        if let check = task.check { self.check = WireCheckInfo(check) }
        for (name, limit) in [("cpus", task.limits?.cpus), ("mem", task.limits?.mem)] {
            guard let limit else { continue }
            limits[name] = WireValue.Scalar()
            limits[name]?.value = limit == .max ? .infinity : Double(limit) / 1_000
        }
    }
}
