import AgentCore
import ClusterModel
import MasterCore

extension ClusterSimulation {
    func startAgent(_ agent: SimulatedAgent) {
        agent.life += 1
        agent.timerAt = nil
        var settings = agent.settings
        // Every third life is on a machine that was started anew.
        settings.origin = AgentOrigin(
            process: "\(agent.index).\(agent.life)", place: "\(agent.index).\(agent.life / 3)")
        agent.core = AgentCore(settings: settings)
        note("agent\(agent.index) starts, life \(agent.life)")
        feed(.recovered(identity: agent.identity, tasks: agent.recoveredTasks(), ended: []), agent)
    }

    func crashAgent(_ agent: SimulatedAgent) {
        guard agent.core != nil, !agent.hasStopped else { return }
        note("agent\(agent.index) dies")
        agent.core = nil
        agent.life += 1
        for connection in agent.connections.values.sorted() { breakConnection(connection) }
        agent.connections = [:]
        if let id = agent.identity {
            // Gossip finds out as well, mostly when it is too late, now and then when the agent is back.
            plan(after: .seconds(5)) { [self] in if master != nil { input(.doubted(id)) } }
        }
        plan(after: random.milliseconds(10...40_000)) { [self] in startAgent(agent) }
    }

    /// A monitor dies, and with it all that it watched.
    func loseMonitor(_ agent: SimulatedAgent) {
        guard let id = agent.containers.keys.sorted().first(where: { agent.containers[$0]?.end == nil }) else { return }
        note("agent\(agent.index) loses the monitor of \(id)")
        agent.containers[id] = nil
        feed(.monitorLost(id, reason: "the monitor was killed"), agent)
    }

    func feed(_ event: AgentCoreEvent, _ agent: SimulatedAgent) {
        guard agent.core != nil else { return }
        steps += 1
        note("agent\(agent.index) <- \(event)")
        let effects = agent.core?.handle(event, now: now, using: &random) ?? []
        for effect in effects { perform(effect, agent) }
        armTimer(agent)
        checkContainers(agent)
    }

    private func armTimer(_ agent: SimulatedAgent) {
        guard let deadline = agent.core?.nextDeadline else { return }
        if let armed = agent.timerAt, armed <= deadline { return }
        agent.timerAt = deadline
        let life = agent.life
        queue.plan(
            { [self] in
                guard agent.life == life, agent.timerAt == deadline else { return }
                agent.timerAt = nil
                feed(.tick, agent)
            }, at: max(deadline, elapsed))
    }

    /// Answers an effect later, unless the agent has died by then.
    private func answer(_ agent: SimulatedAgent, _ delay: Duration, _ event: @escaping () -> AgentCoreEvent?) {
        let life = agent.life
        plan(after: delay) { [self] in
            guard agent.life == life, let event = event() else { return }
            feed(event, agent)
        }
    }

    private func perform(_ effect: AgentEffect, _ agent: SimulatedAgent) {
        switch effect {
        case .connect(let session, let registration): connect(agent, session, registration)
        case .disconnect(let session):
            guard let connection = agent.connections.removeValue(forKey: session) else { return }
            breakConnection(connection)
        case .send(let call, let session): send(call, session, agent)
        case .storeIdentity(let id): agent.identity = id
        case .forgetIdentity: agent.identity = nil
        case .storeTask(let stored):
            let disk = { agent.disk[stored.containerID] = SimulatedAgent.DiskTask(stored: stored) }
            // A crash may come before or after the write.
            if random.chance(500) { disk() }
            answer(agent, random.milliseconds(0...30)) {
                disk()
                return .taskStored(stored.containerID)
            }
        case .storeUpdates(let id, let updates):
            var isWritten = false
            let write = {
                guard !isWritten else { return }
                isWritten = true
                agent.disk[id]?.updates += updates
            }
            if random.chance(500) { write() }
            answer(agent, random.milliseconds(0...30)) {
                write()
                return .updatesStored(id)
            }
        case .storeAcknowledgement(let id, let uuid): agent.disk[id]?.acknowledged.insert(uuid)
        case .fetch(let stored):
            let isBroken = random.chance(40)
            answer(agent, random.milliseconds(0...400)) {
                isBroken ? .fetchFailed(stored.containerID, reason: "no such file") : .fetched(stored.containerID)
            }
        case .cancelFetch, .removeWorkDirectory, .openStream, .probe, .releaseGroup: break
        case .launch(let stored): launch(stored, agent)
        case .kill(let id, let grace): kill(id, grace, agent)
        case .destroy(let id):
            agent.containers[id] = nil
            answer(agent, random.milliseconds(0...50)) { .destroyed(id) }
        case .forgetTask(let id):
            agent.disk[id] = nil
            agent.containers[id] = nil
        case .stop(let reason):
            note("agent\(agent.index) stops: \(reason)")
            agent.hasStopped = true
            agent.core = nil
            agent.life += 1
        }
    }

    private func connect(_ agent: SimulatedAgent, _ session: Int, _ registration: AgentRegistration) {
        if random.chance(faults.callLossPerMille) {
            answer(agent, drawnDelay()) { .connectionLost(session: session, reason: "refused") }
            return
        }
        let life = agent.life
        plan(after: drawnDelay()) { [self] in
            guard agent.life == life else { return }
            guard master != nil else { return feed(.connectionLost(session: session, reason: "refused"), agent) }
            let connection = openConnection(.agent(agent.index, session: session))
            agent.connections[session] = connection
            input(.registerAgent(connection, registration))
        }
    }

    private func send(_ call: AgentCall, _ session: Int, _ agent: SimulatedAgent) {
        guard let connection = agent.connections[session] else { return }
        let life = agent.life
        post(
            isOrdered: false, { .agentCalls($0, connection: connection, [call]) },
            then: { [self] reply in
                guard agent.life == life, reply != .accepted else { return }
                agent.connections[session] = nil
                breakConnection(connection)
                feed(.connectionLost(session: session, reason: "a call failed"), agent)
            })
    }

    private func launch(_ stored: StoredTask, _ agent: SimulatedAgent) {
        let id = stored.containerID
        agent.disk[id]?.wasLaunched = true
        checkWhole(stored, agent)
        if random.chance(30) {
            answer(agent, random.milliseconds(0...50)) { .launchFailed(id, reason: "cannot execute") }
            return
        }
        var container = SimulatedAgent.Container(key: stored.launch.key, resources: stored.launch.task.resources)
        if let group = stored.launch.group, let own = stored.groupContainer { container.group = (own, group.resources) }
        agent.containers[id] = container
        checkContainers(agent)
        answer(agent, random.milliseconds(0...50)) { agent.containers[id] == nil ? nil : .started(id) }
        var status: Int32 = random.chance(700) ? 0 : random.chance(500) ? 256 : 9
        if let group = stored.launch.group, Self.isDoomed(group.executorID) {
            // The first ends badly; the others never end by themselves.
            guard group.tasks.first == stored.launch.task.taskID else { return }
            if status == 0 { status = 256 }
        }
        let end = ContainerEnd(waitStatus: status, isOutOfMemory: status == 9)
        plan(after: random.milliseconds(60...40_000)) { [self] in finish(id, end, agent) }
    }

    private func kill(_ id: ContainerID, _ grace: Duration, _ agent: SimulatedAgent) {
        let delay = random.chance(500) ? random.milliseconds(0...40) : grace + .milliseconds(5)
        plan(after: delay) { [self] in
            finish(id, ContainerEnd(waitStatus: 15, isKilledByRequest: true), agent)
        }
    }

    /// The command ends; the monitor writes it down and tells the agent, if one is there.
    private func finish(_ id: ContainerID, _ end: ContainerEnd, _ agent: SimulatedAgent) {
        guard agent.containers[id] != nil, agent.containers[id]?.end == nil else { return }
        agent.containers[id]?.end = end
        feed(.ended(id, end), agent)
    }
}
