import ClusterModel
import Scheduling

extension MasterCore {
    mutating func runTimers() {
        if !looks.isEmpty { endLooks() }
        if now.elapsed >= nextSweep { sweep() }
        if now.elapsed >= nextFrameworkHeartbeat { beatFrameworks() }
        if now.elapsed >= nextAgentHeartbeat { beatAgents() }
        if let due = allocationAt, due <= now.elapsed { allocate() }
    }

    private mutating func beatFrameworks() {
        nextFrameworkHeartbeat = now.elapsed + settings.frameworkHeartbeat
        // In order of age: the same inputs always lead to the same effects.
        for connection in frameworks.values.compactMap(\.connection).sorted() { say(.send(connection, .heartbeat)) }
    }

    private mutating func beatAgents() {
        nextAgentHeartbeat = now.elapsed + settings.agentHeartbeat
        for connection in agents.values.compactMap(\.connection).sorted() { say(.sendAgent(connection, .heartbeat)) }
    }

    /// Gives up what has been silent for too long. Runs a few times per silence limit and costs one pass over all,
    /// which is cheaper than a queue of deadlines that every heartbeat would have to move.
    private mutating func sweep() {
        nextSweep = now.elapsed + settings.sweepInterval
        let windowEnded = recoveryDeadline.map { $0 <= now.elapsed } ?? false
        var silent: [AgentID] = []
        for agent in agents.values {
            switch agent.session {
            case .connected, .disconnected:
                if now.elapsed - agent.lastHeard >= settings.unreachableAfter { silent.append(agent.id) }
            case .recovered: if windowEnded { silent.append(agent.id) }
            case .unreachable, .gone: break
            }
        }
        for id in silent.sorted() { giveUp(id) }
        if windowEnded { endRecovery() }
        var expired: [FrameworkID] = []
        for framework in frameworks.values {
            if let deadline = framework.failoverDeadline, deadline <= now.elapsed { expired.append(framework.id) }
        }
        for id in expired.sorted() { remove(id) }
    }

    mutating func endRecovery() {
        recoveryDeadline = nil
        allocateSoon()
    }

    /// Whether tasks that this master does not know may still be reported by an agent that has not come back.
    func mayKnowMore(agent: AgentID?) -> Bool {
        guard recoveryDeadline != nil else { return false }
        if let agent { return agents[agent]?.session == .recovered }
        return agents.values.contains { $0.session == .recovered }
    }

    // MARK: allocation

    private mutating func allocate() {
        allocationAt = nil
        guard recoveryDeadline == nil else { return }
        var byFramework: [FrameworkID: [Offer]] = [:]
        var order: [FrameworkID] = []
        allocationCycle &+= 1
        for allocation in allocator.allocate(now: now.elapsed, seed: allocationCycle) {
            guard let agent = agents[allocation.agent], let framework = frameworks[allocation.framework],
                framework.isConnected
            else {
                recover(allocation.resources, of: allocation.framework, allocation.role, on: allocation.agent)
                continue
            }
            let offer = offers.make(allocation, agent: agent.info, now: now.elapsed)
            if byFramework[framework.id] == nil { order.append(framework.id) }
            byFramework[framework.id, default: []].append(offer)
        }
        for id in order {
            if let connection = frameworks[id]?.connection, let made = byFramework[id] {
                say(.send(connection, .offers(made)))
            }
        }
        if let expiry = allocator.nextDeadline {
            let soonest = max(expiry, now.elapsed + settings.allocationDelay)
            if allocationAt.map({ $0 > soonest }) ?? true { allocationAt = soonest }
        }
    }

    /// Takes an offer back from its framework; its resources are free again at once.
    mutating func rescind(_ offer: Offer, tell: Bool) {
        guard offers.end(offer.id, as: .rescinded) != nil else { return }
        recover(offer.resources, of: offer.frameworkID, offer.role, on: offer.agentID)
        if tell, let connection = frameworks[offer.frameworkID]?.connection {
            say(.send(connection, .rescind(offer.id)))
        }
    }

    /// Returns resources to what can be offered, held back from the same framework while it refuses them.
    mutating func recover(
        _ resources: Resources, of framework: FrameworkID, _ role: RoleName, on agent: AgentID,
        refuse: Duration? = nil
    ) {
        do throws(AllocatorError) {
            try allocator.recover(
                resources, of: framework, role: role, on: agent, refuse: refuse, now: now.elapsed)
        } catch {
            fault(error.description)
        }
    }

    /// Sets a weight that was checked before.
    mutating func setWeight(_ role: RoleName, _ weight: Double) {
        do throws(AllocatorError) { try allocator.setWeight(role, weight) } catch { fault(error.description) }
    }
}
