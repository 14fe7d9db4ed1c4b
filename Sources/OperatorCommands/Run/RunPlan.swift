/// The decisions of `rondo run`: a one-shot framework as a value. Events of the scheduler interface go in, calls and
/// remarks come out; it does no I/O and knows no time.
struct RunPlan {
    /// What is to be done, in order.
    enum Action: Equatable {
        /// A call of the scheduler interface, without the framework's id.
        case call(String, JSONValue?)
        /// A task was placed on a node.
        case placed(Int)
        /// A task writes, or has written, output.
        case started(Int)
        /// An instance has come to its end.
        case ended(Int)
        /// The master ends the framework.
        case failed(String)
    }

    /// One of the instances.
    struct Instance: Equatable {
        enum Phase: Equatable {
            case waiting
            case launched
            case ended(code: Int32)
        }

        let number: Int
        var phase = Phase.waiting
        var attempts = 0
        var taskID = ""
        var agent = ""
        var hostname = ""
        var state = "TASK_STAGING"
        var message: String?
        var hasStarted = false
        /// Ports of its host that lead into its container, in the order's order.
        var published: [Int64] = []

        var isLive: Bool { phase == .launched }
        var exitCode: Int32? { if case .ended(let code) = phase { code } else { nil } }
    }

    let order: RunOrder
    private(set) var instances: [Instance]
    private(set) var frameworkID: String?
    private var isStopping = false
    private var nextOffer = 0
    /// A task that was dropped this often is not launched again.
    static let attemptsLimit = 5

    init(_ order: RunOrder) {
        self.order = order
        instances = (1...max(order.instances, 1)).map { Instance(number: $0) }
    }

    var waiting: [Int] { instances.indices.filter { instances[$0].phase == .waiting } }
    var isDone: Bool { instances.allSatisfy { $0.exitCode != nil } }

    /// The code of the first instance that did not end well, 0 when all did.
    var exitCode: Int32 { instances.compactMap(\.exitCode).first { $0 != 0 } ?? 0 }

    /// The body of SUBSCRIBE.
    ///
    /// - Parameter user: who runs the command, for the framework's description.
    /// - Returns: the whole call.
    func subscription(user: String) -> JSONValue {
        var info: [String: JSONValue] = [
            "user": .text(user), "name": .text("run \(order.name)"), "roles": [.text(order.role)],
            // Long enough for a master's restart; Ctrl-C tears the framework down at once.
            "failover_timeout": .integer(30), "checkpoint": true,
            "capabilities": [["type": "MULTI_ROLE"], ["type": "PARTITION_AWARE"], ["type": "TASK_KILLING_STATE"]],
        ]
        var call: [String: JSONValue] = ["type": "SUBSCRIBE"]
        if let frameworkID {
            info["id"] = ["value": .text(frameworkID)]
            call["framework_id"] = ["value": .text(frameworkID)]
        }
        call["subscribe"] = ["framework_info": .object(info)]
        return .object(call)
    }

    /// Takes one event of the stream.
    mutating func handle(_ event: JSONValue) -> [Action] {
        switch event["type"]?.text {
        case "SUBSCRIBED":
            frameworkID = event["subscribed"]?["framework_id"]?["value"]?.text ?? frameworkID
            return resume()
        case "OFFERS": return take(event["offers"]?["offers"]?.list ?? [])
        case "UPDATE": return update(event["update"]?["status"] ?? .null)
        case "ERROR": return [.failed(event["error"]?["message"]?.text ?? "the master ended the framework")]
        default: return []
        }
    }

    /// Ends whatever runs; nothing new is launched any more.
    ///
    /// - Parameter code: what instances that never ran count as.
    /// - Returns: what is to be done.
    mutating func stop(code: Int32) -> [Action] {
        isStopping = true
        var actions: [Action] = []
        for index in instances.indices {
            switch instances[index].phase {
            case .waiting:
                instances[index].phase = .ended(code: code)
                instances[index].message = "was not started"
            case .launched: actions.append(.call("KILL", kill(instances[index])))
            case .ended: continue
            }
        }
        return actions + [.call("SUPPRESS", nil)]
    }

    private func kill(_ instance: Instance) -> JSONValue {
        ["task_id": ["value": .text(instance.taskID)], "agent_id": ["value": .text(instance.agent)]]
    }

    /// After a new SUBSCRIBE: asks what became of the tasks, and says again what may have been lost.
    private mutating func resume() -> [Action] {
        let live = instances.filter(\.isLive)
        var actions: [Action] = []
        if !live.isEmpty {
            let tasks = live.map { kill($0) }
            actions.append(.call("RECONCILE", ["tasks": .list(tasks)]))
        }
        if isStopping { actions += live.map { .call("KILL", kill($0)) } }
        if waiting.isEmpty { actions.append(.call("SUPPRESS", nil)) }
        return actions
    }

    // MARK: Offers

    private mutating func take(_ offers: [JSONValue]) -> [Action] {
        var shares = offers.compactMap { OfferShare($0) }
        var launches = Array(repeating: [JSONValue](), count: shares.count)
        var placed: [Action] = []
        for index in waiting where !shares.isEmpty {
            // In turn, so that instances spread over nodes.
            for step in shares.indices {
                let at = (nextOffer + step) % shares.count
                guard let (resources, ports, published) = shares[at].take(order) else { continue }
                instances[index].published = published
                nextOffer = (at + 1) % shares.count
                launches[at].append(launch(index, on: shares[at], resources, ports))
                placed.append(.placed(index))
                break
            }
        }
        let isSatisfied = waiting.isEmpty
        var actions: [Action] = []
        for (share, tasks) in zip(shares, launches) {
            let refusal: JSONValue = ["refuse_seconds": .number(isSatisfied ? 3_600 : tasks.isEmpty ? 5 : 1)]
            if tasks.isEmpty {
                actions.append(.call("DECLINE", ["offer_ids": [share.id], "filters": refusal]))
            } else {
                let operation: JSONValue = ["type": "LAUNCH", "launch": ["task_infos": .list(tasks)]]
                actions.append(
                    .call("ACCEPT", ["offer_ids": [share.id], "operations": [operation], "filters": refusal]))
            }
        }
        if isSatisfied { actions.append(.call("SUPPRESS", nil)) }
        return actions + placed
    }

    private mutating func launch(
        _ index: Int, on share: OfferShare, _ resources: [JSONValue], _ ports: [Int64]
    ) -> JSONValue {
        instances[index].attempts += 1
        let attempt = instances[index].attempts
        instances[index].taskID = "\(order.name).\(index + 1)" + (attempt > 1 ? ".\(attempt)" : "")
        instances[index].agent = share.agent
        instances[index].hostname = share.hostname
        instances[index].phase = .launched
        var environment =
            order.environment + [("RONDO_INSTANCE", "\(index + 1)"), ("RONDO_INSTANCES", "\(order.instances)")]
        for (number, port) in ports.enumerated() { environment.append(("PORT\(number)", "\(port)")) }
        for (published, port) in zip(order.published, instances[index].published) {
            environment.append(("PORT_\(published.containerPort)", "\(port)"))
        }
        if let first = ports.first { environment.append(("PORT", "\(first)")) }
        var command: [String: JSONValue] = [
            "shell": false, "arguments": .list(order.command.map { .text($0) }),
            "environment": ["variables": .list(environment.map { ["name": .text($0.0), "value": .text($0.1)] })],
        ]
        if let program = order.command.first { command["value"] = .text(program) }
        if !order.uris.isEmpty { command["uris"] = .list(order.uris.map { ["value": .text($0)] }) }
        if let user = order.user { command["user"] = .text(user) }
        var task: [String: JSONValue] = [
            "name": .text(order.name), "task_id": ["value": .text(instances[index].taskID)],
            "agent_id": ["value": .text(share.agent)], "resources": .list(resources), "command": .object(command),
        ]
        if let image = order.image {
            let name: JSONValue = [
                "type": "DOCKER", "docker": ["name": .text(image)], "cached": .bool(!order.isPulled),
            ]
            var container: [String: JSONValue] = ["type": "MESOS", "mesos": ["image": name]]
            if let network = order.network {
                let mappings = zip(order.published, instances[index].published).map { published, port -> JSONValue in
                    [
                        "host_port": .integer(port), "container_port": .integer(published.containerPort),
                        "protocol": .text(published.transport),
                    ]
                }
                container["network_infos"] = [["name": .text(network), "port_mappings": .list(mappings)]]
            }
            task["container"] = .object(container)
        }
        return .object(task)
    }

    // MARK: Updates

    private mutating func update(_ status: JSONValue) -> [Action] {
        guard let task = status["task_id"]?["value"]?.text, let state = status["state"]?.text else { return [] }
        var actions: [Action] = []
        // Acknowledged whatever it says, or it would come again and again.
        if let uuid = status["uuid"], let agent = status["agent_id"] {
            actions.append(
                .call("ACKNOWLEDGE", ["agent_id": agent, "task_id": ["value": .text(task)], "uuid": uuid]))
        }
        guard let index = instances.firstIndex(where: { $0.taskID == task && $0.isLive }) else { return actions }
        instances[index].state = state
        instances[index].message = status["message"]?.text
        let isTerminal = TaskEnd.terminal.contains(state)
        if TaskEnd.neverRan.contains(state), !isStopping, instances[index].attempts < Self.attemptsLimit {
            instances[index].phase = .waiting
            return actions + [.call("REVIVE", nil)]
        }
        if !instances[index].hasStarted, isTerminal || state == "TASK_RUNNING" {
            instances[index].hasStarted = true
            actions.append(.started(index))
        }
        if isTerminal {
            instances[index].phase = .ended(
                code: TaskEnd.exitCode(state: state, message: instances[index].message))
            actions.append(.ended(index))
        }
        return actions
    }

    // MARK: Summary

    /// What programs read when the run is over.
    func summary(exitCode: Int32) -> JSONValue {
        let tasks = instances.map { instance -> JSONValue in
            var fields: [String: JSONValue] = [
                "instance": .integer(Int64(instance.number)), "id": .text(instance.taskID),
                "state": .text(instance.state), "attempts": .integer(Int64(instance.attempts)),
            ]
            if let code = instance.exitCode { fields["exitCode"] = .integer(Int64(code)) }
            if !instance.agent.isEmpty {
                fields["node"] = .text(instance.agent)
                fields["hostname"] = .text(instance.hostname)
            }
            if let message = instance.message { fields["message"] = .text(message) }
            return .object(fields)
        }
        return [
            "framework": .text(frameworkID ?? ""), "name": .text(order.name), "role": .text(order.role),
            "exitCode": .integer(Int64(exitCode)), "tasks": .list(tasks),
        ]
    }
}
