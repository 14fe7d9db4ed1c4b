import ClusterModel

// Looks: the master asks an agent for a sign of life over its open session, because somebody doubts that it is there.
//
//   gossip lost its node ──┐            ┌─ it says anything ──► the session goes on; a newcomer is refused as a copy
//                          ├─► PING ────┤
//   a second one came ─────┘            └─ silence, or its end ─► the session is ended; a newcomer is let in
extension MasterCore {
    /// A question that an agent has not answered yet.
    struct Look: Sendable {
        var until: Duration
        /// Whoever waits for the answer: it shows the same key, and is another process somewhere else.
        var newcomer: Newcomer?

        struct Newcomer: Sendable {
            var connection: ConnectionID
            var registration: AgentRegistration
        }
    }

    /// Gossip's word that a node is dead decides nothing. But a connection whose other end has vanished looks open for
    /// long, and whoever is offered its resources meanwhile waits for nothing.
    mutating func doubt(_ id: AgentID) {
        if agents[id]?.connection != nil { look(for: id) }
    }

    private mutating func look(for id: AgentID) {
        guard looks[id] == nil else { return }
        looks[id] = Look(until: now.elapsed + settings.lookTimeout)
        tell(id, .ping)
    }

    /// Whether a registration has to wait until it is known whether the present session of its agent is alive.
    ///
    /// A process that opens another session, or that was started again on the same data, is let in at once. Another
    /// process elsewhere is a machine that was started anew, or a second machine with a copy of the data: the one
    /// that is here can tell, if it is still here.
    mutating func holds(_ registration: AgentRegistration, of id: AgentID, on connection: ConnectionID) -> Bool {
        guard let agent = agents[id], agent.connection != nil, let known = agent.origin,
            let origin = registration.origin, origin.mayRunBeside(known)
        else { return false }
        look(for: id)
        if let earlier = looks[id]?.newcomer { say(.close(earlier.connection)) }
        looks[id]?.newcomer = Look.Newcomer(connection: connection, registration: registration)
        return true
    }

    /// Whoever waited has hung up.
    mutating func newcomerLeft(_ connection: ConnectionID) {
        for (id, look) in looks where look.newcomer?.connection == connection { looks[id]?.newcomer = nil }
    }

    /// The agent is there: it called, or another session of the same process has begun.
    mutating func endLook(for id: AgentID) {
        guard let newcomer = looks.removeValue(forKey: id)?.newcomer, let agent = agents[id] else { return }
        let other = newcomer.registration.info
        let here = "\(agent.info.hostname) at \(agent.info.address)"
        let why =
            "another machine runs with this node's key: \(here); the data directory was copied; if that machine is the "
            + "right one, remove the data directory here and join with a fresh token, else stop the node there"
        say(.sendAgent(newcomer.connection, .duplicate(reason: why, retryAfter: settings.copyRetry)))
        say(.close(newcomer.connection))
        guard let place = newcomer.registration.origin?.place, agent.copies.count < Limits.copies,
            agents[id]?.copies.insert(place).inserted == true
        else { return }
        let from = "\(other.hostname) at \(other.address)"
        tell(
            id,
            .warning(
                "another machine, \(from), runs with this node's key and was refused: the data directory was copied; "
                    + "remove it there, and let that machine join with a fresh token"))
        say(
            .warn(
                "agent \(id) of \(from) is refused: \(here) runs with the same key and answers; the data directory was "
                    + "copied; remove it on the wrong one, and let that machine join with a fresh token"))
    }

    /// Ends sessions whose agents did not answer. Their tasks are not touched: they are unreachable when the silence
    /// has lasted for as long as the operator wants to wait, and the agent may be back before that.
    mutating func endLooks() {
        for id in looks.keys.sorted() {
            guard let look = looks[id], look.until <= now.elapsed else { continue }
            guard let connection = agents[id]?.connection else {
                looks[id] = nil
                continue
            }
            if now.elapsed - look.until > settings.lookTimeout {
                // The master itself stood still: the answer may be waiting behind this.
                looks[id]?.until = now.elapsed + settings.lookTimeout
                continue
            }
            say(
                .warn(
                    "agent \(id) does not answer within \(settings.lookTimeout): its session is ended, and it gets no "
                        + "tasks until it registers again"))
            owners[connection] = nil
            say(.close(connection))
            disconnect(id, connection)
        }
    }
}
