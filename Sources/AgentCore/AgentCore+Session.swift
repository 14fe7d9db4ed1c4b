internal import ClusterModel
internal import TaskLifecycle

// The session with the master. A session has a number; what arrives from an older one is ignored, so that a late event
// of a dead connection cannot undo what the new one said.
extension AgentCore {
    var linkDeadline: Duration? {
        switch link {
        case .off: nil
        case .waiting(let until): until
        case .connecting(_, let until): until
        case .registered(_, let lastHeard, let nextHeartbeat): min(nextHeartbeat, lastHeard + silence)
        }
    }

    private var silence: Duration { heartbeatInterval * settings.silentIntervals }

    /// The session in which calls may be sent.
    var openSession: Int? {
        if case .registered(let session, _, _) = link { session } else { nil }
    }

    mutating func connect(_ turn: inout Turn<some RandomNumberGenerator>) {
        session += 1
        link = .connecting(session: session, until: turn.now.elapsed + settings.connectTimeout)
        let reported = tasks.values.filter { !$0.isDone }.sorted { $0.key < $1.key }.map {
            ReportedTask(
                launch: $0.stored.launch, status: $0.reported, told: $0.stream.pending.first?.state,
                directory: $0.stored.directory)
        }
        turn.effects.append(
            .connect(session: session, AgentRegistration(info: info, tasks: reported, origin: settings.origin)))
    }

    mutating func connectionLost(_ session: Int, _ turn: inout Turn<some RandomNumberGenerator>) {
        switch link {
        case .connecting(session, _), .registered(session, _, _): wait(&turn)
        case .off, .waiting, .connecting, .registered: break
        }
    }

    /// Gives the session up, if there is one, and tries again after a pause.
    private mutating func wait(_ turn: inout Turn<some RandomNumberGenerator>) {
        pauseStreams()
        turn.effects.append(.disconnect(session: session))
        let half = (copyPause ?? backoff) / 2
        let share = Int(turn.generator.next(upperBound: UInt64(1_001)))
        link = .waiting(until: turn.now.elapsed + half + half * share / 1_000)
        backoff = min(backoff * 2, settings.longestBackoff)
    }

    private mutating func pauseStreams() {
        for id in tasks.keys { tasks[id]?.stream.disconnect() }
    }

    mutating func expireLink(_ turn: inout Turn<some RandomNumberGenerator>) {
        let now = turn.now.elapsed
        switch link {
        case .off: break
        case .waiting(let until): if until <= now { connect(&turn) }
        case .connecting(_, let until): if until <= now { wait(&turn) }
        case .registered(let session, let lastHeard, let nextHeartbeat):
            if lastHeard + silence <= now {
                wait(&turn)
            } else if nextHeartbeat <= now {
                turn.effects.append(.send(.heartbeat, session: session))
                link = .registered(
                    session: session, lastHeard: lastHeard, nextHeartbeat: now + heartbeatInterval)
            }
        }
    }

    mutating func master(_ event: AgentEvent, _ session: Int, _ turn: inout Turn<some RandomNumberGenerator>) {
        switch link {
        case .connecting(session, _):
            switch event {
            case .subscribed(let id, _, let interval): subscribed(id, interval, session, &turn)
            case .refused(let reason, let isFinal): refused(reason, isFinal, &turn)
            case .duplicate(_, let pause): standBack(pause, &turn)
            // Nothing else has a meaning before the master has taken the agent in.
            case .run, .runGroup, .kill, .acknowledge, .shutdownFramework, .openStream, .heartbeat, .ping, .warning:
                break
            }
        case .registered(session, _, let nextHeartbeat):
            link = .registered(session: session, lastHeard: turn.now.elapsed, nextHeartbeat: nextHeartbeat)
            command(event, session, &turn)
        case .off, .waiting, .connecting, .registered: break
        }
    }

    private mutating func command(
        _ event: AgentEvent, _ session: Int, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        switch event {
        case .run(let launch): run(launch, &turn)
        case .runGroup(let launches): runGroup(launches, &turn)
        case .kill(let key, let grace, let drain): kill(key, grace: grace, drain: drain, &turn)
        case .acknowledge(let key, let uuid): acknowledge(key, uuid, &turn)
        case .shutdownFramework(let id): shutDown(id, &turn)
        case .openStream(let request): turn.effects.append(.openStream(request, session: session))
        case .refused(let reason, let isFinal): refused(reason, isFinal, &turn)
        case .duplicate(_, let pause): standBack(pause, &turn)
        case .ping: turn.effects.append(.send(.heartbeat, session: session))
        case .subscribed, .heartbeat, .warning: break
        }
    }

    private mutating func subscribed(
        _ id: AgentID, _ interval: Duration, _ session: Int, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        let now = turn.now.elapsed
        if identity != id {
            identity = id
            turn.effects.append(.storeIdentity(id))
        }
        // A master that asks for nonsense must not make its agents spin or fall silent for good.
        heartbeatInterval = min(max(interval, .milliseconds(100)), .seconds(60))
        backoff = settings.firstBackoff
        copyPause = nil
        link = .registered(session: session, lastHeard: now, nextHeartbeat: now + heartbeatInterval)
        for key in containers.keys.sorted() {
            guard let id = containers[key], let status = tasks[id]?.stream.connect(now: now) else { continue }
            send(status, of: id, &turn)
            schedule(id)
        }
    }

    private mutating func refused(
        _ reason: String, _ isFinal: Bool, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard isFinal else {
            backoff = settings.longestBackoff
            wait(&turn)
            return
        }
        pauseStreams()
        turn.effects.append(.disconnect(session: session))
        link = .off
        close(.refused(reason), &turn)
    }

    /// Another machine takes part under this agent's id. It is asked for rarely, whatever else fails meanwhile: should
    /// its session break for a moment, it must be the first to be back.
    private mutating func standBack(_ pause: Duration, _ turn: inout Turn<some RandomNumberGenerator>) {
        copyPause = min(max(pause, .seconds(1)), .seconds(600))
        wait(&turn)
    }

    /// Begins to end everything, for good.
    mutating func close(_ reason: AgentEffect.StopReason, _ turn: inout Turn<some RandomNumberGenerator>) {
        if case .refused = reason, identity != nil {
            // No master will hear of these tasks again, so a restarted agent must not report them under this id.
            identity = nil
            turn.effects.append(.forgetIdentity)
        } else if closing != nil {
            return
        }
        closing = Closing(reason: reason)
        for key in containers.keys.sorted() {
            guard let id = containers[key], let task = tasks[id] else { continue }
            killTask(id, cause: .agentLeaves, grace: task.gracePeriod(settings), &turn)
        }
    }

    /// Ends the process once nothing runs and nothing is worth waiting for.
    mutating func finishClosing(_ turn: inout Turn<some RandomNumberGenerator>) {
        guard let closing, !hasStopped, tasks.values.allSatisfy(\.isEnded) else { return }
        let deadline = closing.deadline ?? turn.now.elapsed + settings.leaveTimeout
        self.closing?.deadline = deadline
        // Without a session nobody would acknowledge; one is waited for while it may still come.
        let isWorthWaiting = link != .off && copyPause == nil && !tasks.isEmpty
        guard !isWorthWaiting || deadline <= turn.now.elapsed else { return }
        if let openSession, closing.reason == .left {
            turn.effects.append(.send(.leave, session: openSession))
        }
        for id in tasks.keys.sorted() { turn.effects.append(.forgetTask(id)) }
        if closing.reason == .left, identity != nil { turn.effects.append(.forgetIdentity) }
        turn.effects.append(.stop(closing.reason))
        tasks = [:]
        containers = [:]
        link = .off
        hasStopped = true
    }
}
