public import ClusterModel
import Scheduling

/// The answer to "why is it not running?", in words.
public struct Explanation: Hashable, Sendable {
    /// What stands between a framework and one agent's resources, in one role.
    public struct AgentLine: Hashable, Sendable {
        /// The agent.
        public var agent: AgentID
        /// Its host name.
        public var hostname: String
        /// In which role of the framework.
        public var role: RoleName
        /// What stands in the way, and what can be done.
        public var text: String
        /// What of the agent the framework could have, if nothing stood in the way.
        public var offerable: Resources
    }

    /// What was asked about.
    public var subject: String
    /// What is known of it, the most important first.
    public var facts: [String]
    /// Agent by agent, for a framework.
    public var agents: [AgentLine]
}

extension MasterCore {
    /// Explains a framework, or tasks by id or as `framework/task`.
    /// - Parameters:
    ///   - name: the id.
    ///   - now: the time, for the ends of filters.
    /// - Returns: an explanation for each thing of that name; empty when there is none.
    public func explain(_ name: String, now: Moment) -> [Explanation] {
        if let framework = frameworks[FrameworkID(name)] { return [explain(framework, now: now)] }
        if let framework = completedFrameworks.first(where: { $0.id.value == name }) {
            return [Explanation(subject: "framework \(name)", facts: ["it was removed"], agents: [])]
                .map { $0.with(fact: "its name was '\(framework.info.name)'") }
        }
        var found: [Explanation] = []
        for framework in frameworks.values.sorted(by: { $0.id < $1.id }) {
            var wanted = name
            if name.hasPrefix(framework.id.value + "/") {
                wanted = String(name.dropFirst(framework.id.value.count + 1))
            }
            let id = TaskID(wanted)
            if let task = framework.tasks[id] ?? framework.completedTasks.last(where: { $0.id == id }) {
                found.append(explain(task, of: framework))
            }
        }
        return found
    }

    private func explain(_ framework: FrameworkState, now: Moment) -> Explanation {
        var facts: [String] = []
        if framework.isConnected {
            facts.append("connected, with \(framework.tasks.count) live tasks")
        } else {
            let left = max(.zero, (framework.failoverDeadline ?? now.elapsed) - now.elapsed)
            facts.append(
                "disconnected; its tasks are ended in \(Quantity(left.inSeconds) ?? .zero) s unless it comes back")
        }
        if recoveryDeadline != nil {
            let waiting = agents.values.filter { $0.session == .recovered }.count
            facts.append("the master has restarted and waits for \(waiting) agents before it offers anything")
        }
        if agents.values.allSatisfy({ !$0.isActive }) {
            facts.append("no agent is connected; start one with `rondo cluster join`")
        }
        let outstanding = offers.offers(to: framework.id)
        for offer in outstanding.sorted(by: { $0.id < $1.id }) {
            facts.append("has not answered offer \(offer.id) of \(offer.agent.hostname): \(offer.resources)")
        }
        if let refusal = framework.refusals.last {
            facts.append(
                "its last refusal: \(refusal.resources) of agent \(refusal.agentID); a framework does not say why")
        }
        let lines = allocator.explain(framework.id, now: now.elapsed).map { reason in
            Explanation.AgentLine(
                agent: reason.agent, hostname: agents[reason.agent]?.info.hostname ?? "", role: reason.role,
                text: reason.obstacle.text(now: now.elapsed), offerable: reason.offerable)
        }
        return Explanation(
            subject: "framework \(framework.id) (\(framework.info.name))", facts: facts, agents: lines)
    }

    private func explain(_ task: TaskRecord, of framework: FrameworkState) -> Explanation {
        var facts = ["\(task.state.wireName) on agent \(task.agentID)"]
        if let status = task.statuses.last {
            let reason = status.reason.map { " (\($0.rawValue))" } ?? ""
            if let message = status.message { facts.append("\(message)\(reason)") }
        }
        if !task.state.isTerminal {
            switch agents[task.agentID]?.session {
            case .connected: break
            case .recovered: facts.append("its agent has not come back since the master restarted")
            case .disconnected: facts.append("its agent's session is broken; it is given up when it stays so")
            case .unreachable: facts.append("its agent is unreachable; the task may still run there")
            case .gone, nil: facts.append("its agent is gone")
            }
            if task.killRequested != nil { facts.append("it was asked to end") }
        }
        if task.pending != nil { facts.append("its framework has not acknowledged the last update") }
        return Explanation(
            subject: "task \(task.id) of framework \(framework.id) (\(framework.info.name))", facts: facts, agents: [])
    }
}

extension Explanation {
    fileprivate func with(fact: String) -> Explanation {
        var copy = self
        copy.facts.append(fact)
        return copy
    }
}
