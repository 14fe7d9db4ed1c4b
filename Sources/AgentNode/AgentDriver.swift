internal import AgentCore
internal import ClusterModel
internal import Dispatch
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import Logging
internal import NIOCore
internal import Transport

/// Runs the core: takes the inbox's events one at a time and carries effects out at the edge.
///
/// A local value of one task, so there is no lock and no order to get wrong. What blocks (disks, starting monitors) is
/// done on a few queues; all work on one container is on one of them, in order.
struct AgentDriver {
    let settings: AgentNode.Settings
    let parts: AgentParts
    private var core: AgentCore
    private var generator = SystemRandomNumberGenerator()
    private var session: AgentSession?
    private var fetches: [ContainerID: Task<Void, Never>] = [:]
    private var timer: (at: Duration, scheduled: Scheduled<Void>)?
    private var outcome: AgentNode.Outcome?
    private var ended: [TaskState: Int] = [:]
    /// Another machine takes part with this agent's key; said once, not at every attempt.
    private var isCopy = false
    private let started: Moment

    init(settings: AgentNode.Settings, core: AgentCore, parts: AgentParts) {
        self.settings = settings
        self.core = core
        self.parts = parts
        started = AgentClock.now()
    }

    /// Works until the agent is told to stop or ends by itself.
    mutating func run(_ first: AgentCoreEvent) async -> AgentNode.Outcome {
        adopt(first)
        await handle(first)
        for await input in parts.inbox.stream {
            await take(input)
            if outcome != nil { break }
        }
        timer?.scheduled.cancel()
        session?.cancel()
        for fetch in fetches.values { fetch.cancel() }
        parts.inbox.finish()
        // Whoever asked before the end still waits for an answer.
        for await input in parts.inbox.stream {
            if case .event = input { continue }
            await take(input)
        }
        for fetch in fetches.values { await fetch.value }
        await parts.settle()
        return outcome ?? .stopped
    }

    private mutating func take(_ input: AgentInput) async {
        switch input {
        case .event(let event): await handle(event)
        case .look(let answer): answer(snapshot())
        case .isLive(let id, let waiting): waiting.resume(returning: core.isLive(id))
        case .moved:
            guard let session else { return }
            session.cancel()
            await handle(.connectionLost(session: session.number, reason: "this machine is at another address now"))
        case .stop: outcome = outcome ?? .stopped
        }
    }

    private mutating func handle(_ event: AgentCoreEvent) async {
        var event = event
        let kept = takeSecrets(out: &event)
        note(event)
        for effect in core.handle(event, now: AgentClock.now(), using: &generator) {
            // Only a task that the core takes has a container to keep them for.
            if case .storeTask(let task) = effect, let kept = kept[task.launch.key] {
                parts.vault.put(kept.secrets, kept.credential, for: task.containerID)
            }
            if case .stop(let reason) = effect {
                await session?.finish()
                outcome = AgentNode.Outcome(reason)
            } else {
                carryOut(effect)
            }
        }
        arm()
    }

    /// The core, and with it the disk, gets launches without the values of their secrets.
    private func takeSecrets(
        out event: inout AgentCoreEvent
    ) -> [TaskKey: (secrets: [String]?, credential: String?)] {
        var kept: [TaskKey: (secrets: [String]?, credential: String?)] = [:]
        func take(_ launch: inout TaskLaunch) {
            kept[launch.key] = (launch.secrets, launch.registryCredential)
            (launch.secrets, launch.registryCredential) = (nil, nil)
        }
        switch event {
        case .master(.run(var launch), let session):
            take(&launch)
            event = .master(.run(launch), session: session)
        case .master(.runGroup(var launches), let session):
            for index in launches.indices { take(&launches[index]) }
            event = .master(.runGroup(launches), session: session)
        default: break
        }
        return kept
    }

    /// Listens to the monitors of an earlier life before the core speaks to them.
    private func adopt(_ event: AgentCoreEvent) {
        guard case .recovered(_, let tasks, _) = event else { return }
        parts.keepImages(
            of: tasks.filter { $0.container == .running || $0.container == .notLaunched }.map(\.stored))
        for task in tasks where task.container == .running {
            let id = task.stored.containerID
            parts.hub.attach(containerID: id.value, directory: parts.files.monitor(id))
        }
    }

    private mutating func carryOut(_ effect: AgentEffect) {
        switch effect {
        case .connect(let number, let registration): connect(number, registration)
        case .disconnect(let number): if session?.number == number { session?.cancel() }
        case .send(let call, let number): send(call, number)
        case .storeIdentity(let id): attempt("store the agent's id") { try parts.files.storeIdentity(id) }
        case .forgetIdentity: attempt("remove the agent's id") { try parts.files.forgetIdentity() }
        case .storeAcknowledgement(let id, let uuid):
            attempt("note an acknowledgement") { try parts.files.appendAcknowledgement(uuid, to: id) }
        case .fetch(let task): fetch(task)
        case .cancelFetch(let id): fetches.removeValue(forKey: id)?.cancel()
        case .probe(let request): probe(request)
        case .kill(let id, let grace):
            let milliseconds = UInt32(clamping: Int64(grace.inSeconds * 1_000))
            parts.hub.send(.kill(graceMilliseconds: milliseconds), to: id.value)
        case .openStream(let request, let number): open(request, number)
        case .storeTask, .storeUpdates, .launch, .destroy, .releaseGroup, .forgetTask, .removeWorkDirectory:
            parts.enqueue(effect)
        case .stop: break
        }
    }

    private func attempt(_ what: String, _ action: () throws -> Void) {
        do { try action() } catch { parts.logger.error("cannot \(what): \(error)") }
    }

    private mutating func connect(_ number: Int, _ registration: AgentRegistration) {
        session?.cancel()
        let masters = settings.masters.endpoints
        let endpoint = masters[number % masters.count]
        var registration = registration
        if let address = settings.currentAddress() { registration.info.address = address }
        let next = AgentSession(
            number: number, endpoint: endpoint, caller: parts.caller, inbox: parts.inbox,
            credential: settings.credential)
        session = next
        next.start(registration)
    }

    private mutating func send(_ call: AgentCall, _ number: Int) {
        if case .status(_, let status, _) = call, status.state.isTerminal { ended[status.state, default: 0] += 1 }
        if session?.number == number { session?.send(call) }
    }

    private mutating func fetch(_ task: StoredTask) {
        let (parts, inbox, id, door) = (parts, parts.inbox, task.containerID, session?.door)
        fetches[id] = Task {
            do {
                try await parts.fetcher.fetch(task)
                try await parts.provideImage(of: task, master: door)
                inbox.post(.fetched(id))
            } catch {
                inbox.post(.fetchFailed(id, reason: "\(error)"))
            }
        }
    }

    private func probe(_ request: ProbeRequest) {
        let (prober, inbox) = (parts.prober, parts.inbox)
        Task {
            let found = await prober.make(request)
            inbox.post(.probed(request.task.containerID, request.role, found))
        }
    }

    private func open(_ request: StreamRequest, _ number: Int) {
        guard let session, session.number == number else { return }
        let answer = StreamAnswer(caller: parts.caller, handler: parts.handler)
        parts.streams.run(logger: parts.logger) {
            try await answer.answer(
                OpenStream(request), at: session.endpoint, headers: session.authorization)
        }
    }

    private mutating func note(_ event: AgentCoreEvent) {
        switch event {
        case .fetched(let id), .fetchFailed(let id, _): fetches[id] = nil
        case .connectionLost(let number, let reason):
            guard session?.number == number else { return }
            parts.names.refresh()
            guard !isCopy else { return }
            parts.logger.notice("session with the master is over: \(reason)")
        case .master(.subscribed(let id, let master, _), let number):
            if session?.number == number { copied(nil) }
            parts.names.refresh()
            parts.logger.notice("registered as \(id) with master \(master.id) on \(master.address):\(master.port)")
        case .master(.refused(let reason, _), _): parts.logger.error("the master refuses this agent: \(reason)")
        case .master(.duplicate(let reason, _), let number): if session?.number == number { copied(reason) }
        case .master(.warning(let text), _): parts.logger.error("the master says: \(Self.line(text))")
        case .monitorLost(let id, let reason): parts.logger.error("monitor of \(id) is lost: \(reason)")
        case .taskStoreFailed(let id, let reason), .updatesStoreFailed(let id, let reason):
            parts.logger.error("cannot store task in \(id): \(reason)")
        default: break
        }
    }

    private mutating func copied(_ reason: String?) {
        guard isCopy != (reason != nil) else { return }
        isCopy.toggle()
        if let reason { parts.logger.error("the master refuses this agent: \(Self.line(reason))") }
        settings.isCopy(isCopy)
    }

    /// What names other machines, fit for one line of a log.
    private static func line(_ text: String) -> String {
        String(text.prefix(1_000)).split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// Makes sure that a tick comes when the core wants one. A timer that is too early stays: its tick is harmless.
    private mutating func arm() {
        let now = AgentClock.now().elapsed
        if let timer, timer.at <= now { self.timer = nil }
        guard let next = core.nextDeadline else { return }
        if let timer {
            if timer.at <= next { return }
            timer.scheduled.cancel()
        }
        let inbox = parts.inbox
        let wait = max(next - now, .zero)
        timer = (next, parts.loop.scheduleTask(in: TimeAmount(wait)) { inbox.post(.tick) })
    }

    private func snapshot() -> AgentSnapshot {
        AgentSnapshot(
            info: core.info, isRegistered: core.isRegistered, current: core.currentTasks,
            completed: core.completedTasks, startedAt: started.wall,
            uptime: AgentClock.now().elapsed - started.elapsed, ended: ended)
    }
}

/// The one place of this module that reads clocks.
enum AgentClock {
    static func now() -> Moment {
        Moment(
            elapsed: .nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds)),
            wall: UnixTime(nanoseconds: HostFacts.wallClockMilliseconds() &* 1_000_000))
    }
}

extension OpenStream {
    init(_ request: StreamRequest) {
        var headers = HTTPFields()
        for label in request.headers {
            guard let name = HTTPField.Name(label.key), let value = label.value, HTTPField.isValidValue(value) else {
                continue
            }
            headers.append(HTTPField(name: name, value: value))
        }
        self.init(id: request.id.value, method: request.method, path: request.target, headers: headers)
    }
}
