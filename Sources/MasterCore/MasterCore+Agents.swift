import ClusterModel
import Scheduling

extension MasterCore {
    mutating func register(_ connection: ConnectionID, _ registration: AgentRegistration) {
        var info = registration.info
        if let problem = defect(of: info, registration.origin) {
            say(.sendAgent(connection, .refused(reason: problem, isFinal: false)))
            say(.close(connection))
            return
        }
        let id = info.id ?? newAgentID()
        if agents[id] == nil, agents.count >= settings.agentsMax {
            let why = "this master knows \(agents.count) agents already, the most it takes"
            say(.sendAgent(connection, .refused(reason: why, isFinal: false)))
            say(.close(connection))
            return
        }
        info.id = id
        if agents[id]?.session == .gone {
            let why = "agent \(id) was declared gone; remove its data directory to join as a new agent"
            say(.sendAgent(connection, .refused(reason: why, isFinal: true)))
            say(.close(connection))
            return
        }
        if holds(registration, of: id, on: connection) { return }
        let wasUnreachable = agents[id]?.session == .unreachable
        let isNew = agents[id] == nil
        if let old = agents[id]?.connection {
            endLook(for: id)
            owners[old] = nil
            say(.sendAgent(old, .refused(reason: "another session of this agent was opened", isFinal: false)))
            say(.close(old))
        }
        for offer in offers.offers(on: id) { rescind(offer, tell: true) }
        let known = agents[id]
        let isChanged = known.map { $0.info != info } ?? true
        var agent = known ?? AgentState(info: info, session: .disconnected, lastHeard: .zero, registeredAt: now.wall)
        agent.info = info
        agent.session = .connected(connection)
        agent.origin = registration.origin
        agent.lastHeard = now.elapsed
        if !isNew { agent.reregisteredAt = now.wall }
        agents[id] = agent
        owners[connection] = .agent(id)
        say(
            .sendAgent(
                connection, .subscribed(id, master: master, heartbeatInterval: settings.agentHeartbeat)))
        reconcile(agent: id, reported: registration.tasks, wasUnreachable: wasUnreachable)
        if let agent = agents[id], isChanged || wasUnreachable || agent.condemned != known?.condemned ?? [] {
            store(agent, as: .member)
        }
        announce(id)
        say(.publish(.agentAdded(id)))
        if recoveryDeadline != nil, !agents.values.contains(where: { $0.session == .recovered }) { endRecovery() }
        allocateSoon()
    }

    private mutating func newAgentID() -> AgentID {
        while true {
            let id = AgentID("\(master.id)-S\(nextAgentNumber)")
            nextAgentNumber += 1
            // An agent of an older store may have brought this one.
            if agents[id] == nil { return id }
        }
    }

    private func defect(of info: AgentInfo, _ origin: AgentOrigin?) -> String? {
        let size = StoredSize.of(info)
        if size > Limits.agent {
            return "the agent's description has \(size) bytes, \(Limits.agent) at most; use fewer attributes and ranges"
        }
        if let id = info.id, let defect = id.defect { return "agent id \(defect)" }
        if let origin, max(origin.process.utf8.count, origin.place.utf8.count) > Limits.origin {
            return "the agent's origin is longer than \(Limits.origin) bytes; run the release that the master runs"
        }
        if info.hostname.isEmpty || info.hostname.utf8.count > 255 { return "an agent needs a host name" }
        if info.resources.isEmpty { return "an agent without resources cannot run anything; give it --resources" }
        for item in info.resources.items {
            for reservation in item.kind.reservations {
                if let defect = reservation.role.defect { return "reservation role \(defect)" }
            }
        }
        return nil
    }

    /// Puts the agent's resources, less what its tasks hold, up for offers.
    private mutating func announce(_ id: AgentID) {
        guard let agent = agents[id] else { return }
        var used: [AgentUse] = []
        var groups: Set<TaskKey> = []
        for key in agent.tasks.sorted() {
            guard let task = task(key, on: id), task.holdsResources else { continue }
            if let group = task.launch.group,
                let first = group.tasks.first(where: { other in
                    holds(TaskKey(framework: key.framework, task: other), in: group, on: id)
                }), groups.insert(TaskKey(framework: key.framework, task: first)).inserted
            {
                used.append(AgentUse(framework: key.framework, role: task.launch.role, resources: group.resources))
            }
            used.append(AgentUse(framework: key.framework, role: task.launch.role, resources: task.resources))
        }
        allocator.removeAgent(id)
        do throws(AllocatorError) {
            try allocator.addAgent(id, total: agent.info.resources, used: used)
        } catch {
            fault(error.description)
        }
    }

    /// Brings the master's view of an agent's tasks and the agent's own together. The agent is right about what runs;
    /// the master is right about what was asked for.
    private mutating func reconcile(agent id: AgentID, reported: [ReportedTask], wasUnreachable: Bool) {
        let mine = agents[id]?.tasks ?? []
        let theirs = Set(reported.map(\.launch.key))
        agents[id]?.condemned.formIntersection(theirs)
        for key in mine.subtracting(theirs).sorted() { neverArrived(key, on: id) }
        for report in reported { adopt(report, from: id, wasUnreachable) }
    }

    /// A launch that the agent's session swallowed: the agent does not have the task, so it never started.
    private mutating func neverArrived(_ key: TaskKey, on agent: AgentID) {
        if isEnding(key, on: agent) { return release(key, on: agent) }
        guard let framework = frameworks[key.framework], let task = task(key, on: agent) else {
            agents[agent]?.tasks.remove(key)
            return
        }
        if task.state.isTerminal {
            // The agent forgets a task only when its last update was acknowledged.
            retire(key)
            return
        }
        conclude(
            key, lost: framework.isPartitionAware ? .dropped : .lost, reason: .reconciliation,
            message: "the agent does not know the task: it never started there, or ended long ago")
    }

    private mutating func adopt(_ report: ReportedTask, from agent: AgentID, _ wasUnreachable: Bool) {
        let key = report.launch.key
        guard let framework = frameworks[key.framework] else {
            adoptOrphan(report, from: agent)
            return
        }
        if let task = framework.tasks[key.task], task.agentID == agent {
            frameworks[key.framework]?.tasks[key.task]?.directory = report.directory
            let isBack = task.state == .unreachable
            frameworks[key.framework]?.tasks[key.task]?.told = report.told
            // An end that is not acknowledged comes again as an update; only the state is taken from the report.
            if isBack || report.status.state.rank > task.state.rank, !task.state.isTerminal {
                frameworks[key.framework]?.tasks[key.task]?.state = report.status.state
            }
            if isBack, !report.told.isTerminal { tellReregistered(key, report) }
            if report.status.state.isTerminal { release(key, on: agent) }
            if let kill = task.killRequested, !report.status.state.isTerminal {
                tell(agent, .kill(key, gracePeriod: kill.gracePeriod, drain: kill.drain))
            }
            return
        }
        if let ended = framework.completedTasks.last(where: { $0.id == key.task && $0.agentID == agent }) {
            settle(ended, report, on: agent)
            return
        }
        var task = TaskRecord(launch: report.launch, state: report.status.state)
        task.launch.task.agentID = agent
        if agents[agent]?.condemned.contains(key) == true || (wasUnreachable && !framework.isPartitionAware)
            || framework.tasks[key.task] != nil
        {
            // An earlier life of this master called the task lost, which is an end for such a framework; or it forgot
            // the task while its agent was away, and the framework started another of the same name elsewhere.
            settle(task, report, on: agent)
            return
        }
        // A restarted master learns its tasks here.
        task.directory = report.directory
        task.told = report.told
        task.holdsResources = !report.status.state.isTerminal
        task.addresses = report.status.addresses
        task.record(reported: report.status)
        frameworks[key.framework]?.tasks[key.task] = task
        agents[agent]?.tasks.insert(key)
        say(.publish(.taskAdded(task)))
        if wasUnreachable, !report.told.isTerminal { tellReregistered(key, report) }
    }

    /// The framework was told that this task is over; what was said stays true.
    private mutating func settle(_ ended: TaskRecord, _ report: ReportedTask, on agent: AgentID) {
        condemn(ended.key, on: agent)
        if report.status.state.isTerminal {
            if isEnding(ended.key, on: agent) { release(ended.key, on: agent) }
            if let uuid = report.status.uuid { tell(agent, .acknowledge(ended.key, uuid)) }
        } else {
            var ending = ended
            ending.holdsResources = true
            ending.launch = report.launch
            ending.launch.task.agentID = agent
            // Should two agents have such a task at once, only the first one's is booked until it ends.
            if endingTasks[ended.key] == nil || isEnding(ended.key, on: agent) {
                endingTasks[ended.key] = ending
                agents[agent]?.tasks.insert(ended.key)
            }
            tell(agent, .kill(ended.key, gracePeriod: nil))
        }
    }

    private mutating func condemn(_ key: TaskKey, on agent: AgentID) {
        let size = agents[agent]?.condemned.reduce(StoredSize.of(key)) { $0 + StoredSize.of($1) } ?? 0
        // Beyond the bound only a restart of the master before the task has ended would bring the task back.
        if size <= Limits.condemned { agents[agent]?.condemned.insert(key) }
    }

    private mutating func adoptOrphan(_ report: ReportedTask, from agent: AgentID) {
        let key = report.launch.key
        if report.status.state.isTerminal {
            release(key, on: agent)
            if let uuid = report.status.uuid { tell(agent, .acknowledge(key, uuid)) }
            return
        }
        if endingTasks[key] == nil {
            var ending = TaskRecord(launch: report.launch, state: report.status.state)
            ending.launch.task.agentID = agent
            endingTasks[key] = ending
            agents[agent]?.tasks.insert(key)
        }
        tell(agent, .shutdownFramework(key.framework))
    }

    private mutating func tellReregistered(_ key: TaskKey, _ report: ReportedTask) {
        var status = report.status
        status.state = report.told
        status.message = nil
        status.uuid = nil
        status.source = .master
        status.reason = .agentReregistered
        status.timestamp = now.wall
        inform(key, status)
    }

    mutating func handleAgentCalls(_ request: RequestID, _ connection: ConnectionID, _ calls: [AgentCall]) {
        guard case .agent(let id) = owners[connection], agents[id]?.connection == connection else {
            say(.reply(request, .refused(.forbidden, "this session is over; subscribe again")))
            return
        }
        agents[id]?.lastHeard = now.elapsed
        endLook(for: id)
        for call in calls {
            switch call {
            case .heartbeat: break
            case .status(let key, let status, let directory): take(status, of: key, directory, from: id)
            case .ended(let key, let state): ended(key, state, on: id)
            case .leave:
                leave(id)
                say(.reply(request, .accepted))
                return
            }
        }
        say(.reply(request, .accepted))
    }

    mutating func disconnect(_ id: AgentID, _ connection: ConnectionID) {
        guard agents[id]?.connection == connection else { return }
        agents[id]?.session = .disconnected
        allocator.deactivateAgent(id)
        for offer in offers.offers(on: id) { rescind(offer, tell: true) }
        // The one that waits for the end of this session has seen it.
        if let newcomer = looks.removeValue(forKey: id)?.newcomer {
            register(newcomer.connection, newcomer.registration)
        }
    }

    /// The agent's session has been silent for too long.
    mutating func giveUp(_ id: AgentID) {
        guard let agent = agents[id] else { return }
        dropSession(of: agent)
        agents[id]?.session = .unreachable
        store(agent, as: .unreachable)
        for key in agent.tasks.sorted() {
            guard let framework = frameworks[key.framework], !isEnding(key, on: id), let task = task(key, on: id),
                !task.state.isTerminal
            else { continue }
            if framework.isPartitionAware {
                frameworks[key.framework]?.tasks[key.task]?.state = .unreachable
                inform(
                    key,
                    status(
                        key, .unreachable, .agentRemoved, "the agent has been silent for \(settings.unreachableAfter)"))
            } else {
                conclude(
                    key, lost: .lost, reason: .agentRemoved,
                    message: "the agent has been silent for \(settings.unreachableAfter)")
            }
        }
        tellFailure(of: id)
    }

    /// The agent is gone for good: by its own word, or by an operator's.
    private mutating func removeForGood(_ agent: AgentState, state: TaskState, reason: StatusReason, message: String) {
        dropSession(of: agent)
        for key in agent.tasks.sorted() {
            if isEnding(key, on: agent.id) {
                release(key, on: agent.id)
                continue
            }
            guard let framework = frameworks[key.framework], let task = task(key, on: agent.id) else { continue }
            if task.state.isTerminal {
                retire(key)
            } else {
                conclude(key, lost: framework.isPartitionAware ? state : .lost, reason: reason, message: message)
            }
        }
        agents[agent.id]?.tasks = []
        tellFailure(of: agent.id)
    }

    private mutating func leave(_ id: AgentID) {
        guard let agent = agents[id] else { return }
        removeForGood(agent, state: .gone, reason: .agentRemoved, message: "the agent left the cluster")
        agents[id] = nil
        store(.removeAgent(id))
    }

    mutating func markGone(_ id: AgentID) {
        guard let agent = agents[id] else { return }
        if let connection = agent.connection {
            let why = "agent \(id) was declared gone by an operator"
            say(.sendAgent(connection, .refused(reason: why, isFinal: true)))
        }
        removeForGood(
            agent, state: .goneByOperator, reason: .agentRemovedByOperator, message: "the agent was declared gone")
        agents[id]?.session = .gone
        store(agent, as: .gone)
    }

    private mutating func dropSession(of agent: AgentState) {
        for offer in offers.offers(on: agent.id) { rescind(offer, tell: true) }
        if let newcomer = looks.removeValue(forKey: agent.id)?.newcomer { say(.close(newcomer.connection)) }
        if let connection = agent.connection {
            owners[connection] = nil
            say(.close(connection))
        }
        allocator.removeAgent(agent.id)
    }

    private mutating func tellFailure(of id: AgentID) {
        for framework in frameworks.values.sorted(by: { $0.id < $1.id }) {
            if let connection = framework.connection {
                say(.send(connection, .failure(agent: id, executor: nil, status: nil)))
            }
        }
        say(.publish(.agentRemoved(id)))
        allocateSoon()
    }

    mutating func tell(_ agent: AgentID, _ event: AgentEvent) {
        if let connection = agents[agent]?.connection { say(.sendAgent(connection, event)) }
    }

    mutating func openStream(_ request: RequestID, _ agent: AgentID, _ stream: StreamRequest) {
        guard let known = agents[agent] else {
            say(.reply(request, .refused(.notFound, "no agent '\(agent)'; `rondo node list` shows those there are")))
            return
        }
        guard let connection = known.connection else {
            say(.reply(request, .refused(.unavailable, "agent \(agent) is not connected now; try again later")))
            return
        }
        say(.sendAgent(connection, .openStream(stream)))
        say(.reply(request, .accepted))
    }
}
