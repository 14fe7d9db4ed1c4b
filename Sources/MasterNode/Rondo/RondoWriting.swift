internal import ClusterModel
internal import Glibc
internal import MasterCore
internal import Scheduling

extension JSONWriter {
    mutating func taskSummary(_ task: TaskRecord, _ view: ClusterView) {
        let info = task.launch.task
        field("id", info.taskID.value)
        field("framework", task.launch.frameworkID.value)
        field("frameworkName", task.launch.frameworkName)
        field("name", info.name)
        field("state", task.state.wireName)
        field("ended", task.state.isTerminal)
        field("node", info.agentID.value)
        field("hostname", view.core.agents[info.agentID]?.info.hostname)
        field("role", task.launch.role.value)
        field("user", info.command?.user ?? task.launch.user)
        resources("resources", info.resources)
        field("directory", task.directory)
        field("container", task.statuses.last { $0.containerID != nil }?.containerID?.value)
        field("firstStatusAt", task.statuses.first?.timestamp.text)
        field("lastStatusAt", task.statuses.last?.timestamp.text)
        field("reason", task.statuses.last?.reason?.rawValue)
        field("message", task.statuses.last?.message)
        if info.container?.hasTerminal == true { field("tty", true) }
        if let isHealthy = task.statuses.last?.isHealthy { field("healthy", isHealthy) }
    }

    mutating func node(_ agent: AgentState, _ view: ClusterView) {
        let info = agent.info
        field("id", agent.id.value)
        field("hostname", info.hostname)
        field("address", info.address)
        field("port", info.port)
        field("state", agent.session.word)
        field("version", info.version)
        field("registeredAt", agent.registeredAt.text)
        field("reregisteredAt", agent.reregisteredAt?.text)
        resources("resources", info.resources)
        resources("used", view.used(on: agent))
        resources("offered", view.offered(on: agent.id))
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
                json.field("region", domain.region)
                json.field("zone", domain.zone)
            }
        }
        field("tasks", agent.tasks.count)
    }

    mutating func framework(_ framework: FrameworkState, _ view: ClusterView) {
        let info = framework.info
        field("id", framework.id.value)
        field("name", info.name)
        field("user", info.user)
        field("principal", info.principal)
        field("hostname", info.hostname)
        field("webuiURL", info.webuiURL)
        field("state", framework.isRemoved ? "removed" : framework.isConnected ? "connected" : "disconnected")
        listField("roles") { json in
            for role in info.roles { json.string(role.value) }
        }
        listField("suppressedRoles") { json in
            for role in framework.suppressedRoles.sorted() { json.string(role.value) }
        }
        listField("capabilities") { json in
            for capability in info.capabilities.map(\.rawValue).sorted() { json.string(capability) }
        }
        field("failoverTimeoutSeconds", info.failoverTimeout.inSeconds)
        field("registeredAt", framework.registeredAt.text)
        field("reregisteredAt", framework.reregisteredAt?.text)
        field("removedAt", framework.removedAt?.text)
        resources("used", view.used(by: framework))
        resources("offered", view.offered(to: framework.id))
        objectField("tasks") { json in
            json.field("live", framework.tasks.count)
            json.field("ended", framework.completedTasks.count)
        }
        labels(info.labels)
    }

    mutating func role(_ share: RoleShare, _ view: ClusterView) {
        field("name", share.role.value)
        field("weight", share.weight)
        field("dominantShare", share.dominantShare)
        field("dominantResource", share.dominantResource)
        objectField("allocated") { json in
            for amount in share.allocated { json.field(amount.name, amount.amount.value) }
        }
        listField("frameworks") { json in
            for framework in share.frameworks {
                json.object { json in
                    json.field("id", framework.framework.value)
                    json.field("name", view.core.frameworks[framework.framework]?.info.name)
                    json.field("dominantShare", framework.dominantShare)
                    json.field("dominantResource", framework.dominantResource)
                    json.field("takesOffers", framework.isTakingOffers)
                    json.objectField("allocated") { json in
                        for amount in framework.allocated { json.field(amount.name, amount.amount.value) }
                    }
                }
            }
        }
    }

    mutating func explanation(_ explanation: Explanation) {
        field("subject", explanation.subject)
        listField("facts") { json in
            for fact in explanation.facts { json.string(fact) }
        }
        listField("agents") { json in
            for line in explanation.agents {
                json.object { json in
                    json.field("node", line.agent.value)
                    json.field("hostname", line.hostname)
                    json.field("role", line.role.value)
                    json.field("text", line.text)
                    json.field("offerable", line.offerable.description)
                }
            }
        }
    }
}

extension UnixTime {
    /// RFC 3339 in UTC with milliseconds: `2026-03-30T15:50:16.187Z`.
    var text: String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000_000
        }
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "" }
        let padded = { (number: Int, width: Int) in
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = [
            padded(Int(parts.tm_year) + 1900, 4), padded(Int(parts.tm_mon) + 1, 2), padded(Int(parts.tm_mday), 2),
        ]
        let time = [padded(Int(parts.tm_hour), 2), padded(Int(parts.tm_min), 2), padded(Int(parts.tm_sec), 2)]
        return date.joined(separator: "-") + "T" + time.joined(separator: ":") + "."
            + padded(Int(rest / 1_000_000), 3) + "Z"
    }
}

extension AgentState.Session {
    /// One word for people and for `/rondo/v1`.
    var word: String {
        switch self {
        case .recovered: "recovered"
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .unreachable: "unreachable"
        case .gone: "gone"
        }
    }
}
