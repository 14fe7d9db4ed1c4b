internal import ClusterModel
internal import HTTPGateway
internal import MasterCore
internal import MesosWire

// Mesos' JSON documents, piece by piece. Names and shapes are those of Mesos' `master/http.cpp` and `common/http.cpp`,
// version 1.11; absent values are left out, never null.

extension JSONWriter {
    /// Amounts by name: the four that Mesos always shows, then what else there is.
    mutating func resources(_ name: String, _ resources: Resources) {
        objectField(name) { json in
            for scalar in ["cpus", "gpus", "mem", "disk"] { json.field(scalar, resources.total(scalar).value) }
            var seen: Set<String> = ["cpus", "gpus", "mem", "disk"]
            for item in resources.items where seen.insert(item.kind.name).inserted {
                switch item.value {
                case .scalar: json.field(item.kind.name, resources.total(item.kind.name).value)
                case .ranges: json.field(item.kind.name, resources.allRanges(item.kind.name).description)
                case .set: json.field(item.kind.name, item.value.description)
                }
            }
        }
    }

    /// Resources item by item, as the protocol has them.
    mutating func fullResources(_ name: String, _ resources: Resources) {
        listField(name) { json in
            for item in resources.items { json.resource(item) }
        }
    }

    private mutating func resource(_ item: Resource) {
        object { json in
            json.field("name", item.kind.name)
            switch item.value {
            case .scalar(let quantity):
                json.field("type", "SCALAR" as StaticString)
                json.objectField("scalar") { $0.field("value", quantity.value) }
            case .ranges(let ranges):
                json.field("type", "RANGES" as StaticString)
                json.objectField("ranges") { json in
                    json.listField("range") { json in
                        for range in ranges.ranges {
                            json.object { json in
                                json.field("begin", range.begin)
                                json.field("end", range.end)
                            }
                        }
                    }
                }
            case .set(let names):
                json.field("type", "SET" as StaticString)
                json.objectField("set") { json in
                    json.listField("item") { json in
                        for name in names.sorted() { json.string(name) }
                    }
                }
            }
            json.field("role", item.kind.role.value)
        }
    }

    mutating func labels(_ labels: [Label]) {
        if labels.isEmpty { return }
        listField("labels") { json in
            for label in labels {
                json.object { json in
                    json.field("key", label.key)
                    json.field("value", label.value)
                }
            }
        }
    }

    mutating func status(_ status: TaskStatus) {
        object { json in
            json.field("state", status.state.wireName)
            json.field("timestamp", status.timestamp.seconds)
            if let isHealthy = status.isHealthy { json.field("healthy", isHealthy) }
            json.field("source", status.source.rawValue)
            json.field("reason", status.reason?.rawValue)
            json.field("message", status.message)
            json.containerStatus(status)
        }
    }

    private mutating func containerStatus(_ status: TaskStatus) {
        if status.containerID == nil, status.addresses.isEmpty { return }
        objectField("container_status") { json in
            if let container = status.containerID {
                json.objectField("container_id") { json in
                    json.field("value", container.value)
                    if let parent = container.parent {
                        json.objectField("parent") { $0.field("value", parent.value) }
                    }
                }
            }
            if status.addresses.isEmpty { return }
            json.listField("network_infos") { json in
                json.object { json in
                    json.listField("ip_addresses") { json in
                        for address in status.addresses {
                            json.object { json in
                                json.field("protocol", address.contains(":") ? "IPv6" : "IPv4")
                                json.field("ip_address", address)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The environment, with the values that the command gets, is written only for readers who may see it.
    mutating func task(_ task: TaskRecord, showsEnvironment: Bool) {
        let info = task.launch.task
        object { json in
            json.field("id", info.taskID.value)
            json.field("name", info.name)
            json.field("framework_id", task.launch.frameworkID.value)
            // A command task has no executor of its own, and Mesos shows that as an empty id.
            json.field("executor_id", task.launch.group?.executorID.value ?? "")
            json.field("slave_id", info.agentID.value)
            json.field("state", task.state.wireName)
            json.resources("resources", info.resources)
            json.field("role", task.launch.role.value)
            json.listField("statuses") { json in
                for status in task.statuses { json.status(status) }
            }
            json.labels(info.labels)
            json.field("user", info.command?.user ?? task.launch.user)
            if let command = info.command { json.command(command, showsEnvironment: showsEnvironment) }
            if showsEnvironment, let files = info.secretFiles { json.container(files) }
            if let discovery = info.discovery { json.discovery(discovery) }
        }
    }

    mutating func command(_ command: CommandInfo, showsEnvironment: Bool) {
        objectField("command") { json in
            json.field("shell", command.isShell)
            json.field("value", command.value)
            if !command.arguments.isEmpty {
                json.listField("argv") { json in
                    for argument in command.arguments { json.string(argument) }
                }
            }
            guard showsEnvironment, !command.environment.isEmpty else { return }
            json.objectField("environment") { json in
                json.listField("variables") { json in
                    for variable in command.environment {
                        json.object { json in
                            json.field("name", variable.name)
                            guard let secret = variable.secret else { return json.field("value", variable.value) }
                            json.field("type", "SECRET" as StaticString)
                            json.secret(secret)
                        }
                    }
                }
            }
        }
    }

    /// The name of a secret, never its value.
    private mutating func secret(_ secret: TaskSecret) {
        objectField("secret") { json in
            json.field("type", secret.name == nil ? "VALUE" : "REFERENCE")
            if let name = secret.name { json.objectField("reference") { $0.field("name", name) } }
        }
    }

    private mutating func container(_ files: [SecretFile]) {
        objectField("container") { json in
            json.field("type", "MESOS" as StaticString)
            json.listField("volumes") { json in
                for file in files {
                    json.object { json in
                        json.field("container_path", file.path)
                        json.field("mode", "RO" as StaticString)
                        json.objectField("source") { json in
                            json.field("type", "SECRET" as StaticString)
                            json.secret(file.secret)
                        }
                    }
                }
            }
        }
    }

    private mutating func discovery(_ discovery: Discovery) {
        objectField("discovery") { json in
            json.field("visibility", discovery.visibility)
            json.field("name", discovery.name)
            json.field("environment", discovery.environment)
            json.field("location", discovery.location)
            json.field("version", discovery.version)
            json.objectField("ports") { json in
                json.listField("ports") { json in
                    for port in discovery.ports {
                        json.object { json in
                            json.field("number", port.number)
                            json.field("name", port.name)
                            json.field("protocol", port.transport)
                        }
                    }
                }
            }
        }
    }

    /// What `/state`, `/slaves` and `/state-summary` have in common about an agent.
    mutating func agentFields(_ agent: AgentState, _ view: ClusterView) {
        let info = agent.info
        let host = info.address.contains(":") ? "[\(info.address)]" : info.address
        field("id", agent.id.value)
        field("hostname", info.hostname)
        field("port", info.port)
        field("pid", "slave(1)@\(host):\(info.port)")
        objectField("attributes") { json in
            for attribute in info.attributes {
                switch attribute.value {
                case .text(let text): json.field(attribute.name, text)
                case .scalar(let number): json.field(attribute.name, number)
                case .ranges(let ranges): json.field(attribute.name, ranges.description)
                }
            }
        }
        if let domain = info.domain {
            objectField("domain") { json in
                json.objectField("fault_domain") { json in
                    json.objectField("region") { $0.field("name", domain.region) }
                    json.objectField("zone") { $0.field("name", domain.zone) }
                }
            }
        }
        field("registered_time", agent.registeredAt.seconds)
        if let again = agent.reregisteredAt { field("reregistered_time", again.seconds) }
        resources("resources", info.resources)
        resources("used_resources", view.used(on: agent))
        resources("offered_resources", view.offered(on: agent.id))
        objectField("reserved_resources") { json in
            for (role, reserved) in info.resources.byReservation.sorted(by: { $0.key < $1.key }) {
                json.resources(role.value, reserved)
            }
        }
        resources("unreserved_resources", info.resources.unreserved)
        field("active", agent.isActive)
        field("deactivated", false)
        field("version", info.version)
        listField("capabilities") { json in
            for name in ["MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT"] { json.string(name) }
        }
    }

    /// What `/state`, `/frameworks` and `/state-summary` have in common about a framework.
    mutating func frameworkFields(_ framework: FrameworkState, _ view: ClusterView) {
        let info = framework.info
        let used = view.used(by: framework)
        let offered = view.offered(to: framework.id)
        field("id", framework.id.value)
        field("name", info.name)
        field("user", info.user)
        field("hostname", info.hostname)
        field("webui_url", info.webuiURL ?? "")
        field("principal", info.principal)
        field("active", framework.isConnected)
        field("connected", framework.isConnected)
        field("recovered", !framework.isConnected && framework.reregisteredAt == nil && framework.tasks.isEmpty)
        field("checkpoint", info.checkpoint)
        field("failover_timeout", info.failoverTimeout.inSeconds)
        field("registered_time", framework.registeredAt.seconds)
        if let again = framework.reregisteredAt { field("reregistered_time", again.seconds) }
        field("unregistered_time", framework.removedAt?.seconds ?? 0.0)
        listField("capabilities") { json in
            for capability in FrameworkCapability.allCases where info.capabilities.contains(capability) {
                json.string(capability.rawValue)
            }
        }
        field("role", (info.roles.first ?? .everyone).value)
        listField("roles") { json in
            for role in info.roles { json.string(role.value) }
        }
        resources("resources", (try? used.adding(offered)) ?? used)
        resources("used_resources", used)
        resources("offered_resources", offered)
        labels(info.labels)
    }
}
