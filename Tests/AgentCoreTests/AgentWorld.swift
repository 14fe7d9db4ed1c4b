import AgentCore
import ClusterModel

/// One agent with a disk, containers and a master that are strict models: each records what breaks a promise.
struct AgentWorld {
    struct DiskTask {
        var stored: StoredTask
        var updates: [TaskStatus] = []
        var acknowledged: Set<StatusUUID> = []
        var wasLaunched = false
    }
    enum Container { case running(isBeingKilled: Bool), ended(ContainerEnd), lost }

    var generator: Seeded
    var now = Moment(elapsed: .zero, wall: UnixTime(nanoseconds: 0))
    var core: AgentCore
    var failures: [String] = []

    // The disk and the kernel: they survive the agent.
    var identity: AgentID?
    var disk: [ContainerID: DiskTask] = [:]
    var containers: [ContainerID: Container] = [:]
    // Work that was asked for and is not done.
    var work: [AgentEffect] = []

    // The master.
    var session: Int?
    var isOpen = false
    var launched: [TaskKey: TaskLaunch] = [:]
    var lastRank: [TaskKey: Int] = [:]
    var ends: [TaskKey: Set<StatusUUID>] = [:]
    var unacknowledged: [(TaskKey, StatusUUID)] = []
    var everStored: Set<TaskKey> = []
    var unstorable: Set<TaskKey> = []
    var groups: [[TaskLaunch]] = []
    var counter = 0
    var isCalm = false

    init(seed: UInt64) {
        generator = Seeded(state: seed)
        core = AgentCore(settings: Bench.settings { $0.keptWorkDirectories = 3 })
        feed(.recovered(identity: nil, tasks: [], ended: []))
    }

    mutating func feed(_ event: AgentCoreEvent) {
        for effect in core.handle(event, now: now, using: &generator) { carryOut(effect) }
    }

    private mutating func carryOut(_ effect: AgentEffect) {
        switch effect {
        case .connect(let number, let registration):
            session = number
            isOpen = false
            for task in registration.tasks
            where !everStored.contains(task.launch.key) && !unstorable.contains(task.launch.key) {
                if task.status.state != .staging { failures.append("unstored \(task.status.state) registered") }
            }
        case .disconnect: session = nil
        case .send(.status(let key, let status, _), let number): receive(key, status, number)
        case .send(let call, let number):
            if number != session { failures.append("\(call) in session \(number)") }
        case .storeIdentity(let id): identity = id
        case .forgetIdentity: identity = nil
        case .storeAcknowledgement(let id, let uuid): disk[id]?.acknowledged.insert(uuid)
        case .forgetTask(let id):
            if case .running = containers[id] { failures.append("forgot a running task") }
            if let stored = disk[id]?.stored, !isCalm || isOpen, hasRunning(stored, but: id) {
                failures.append("forgot a task of a group that runs")
            }
            containers[id] = nil
            disk[id] = nil
        case .cancelFetch(let id):
            work.removeAll { if case .fetch(let task) = $0 { task.containerID == id } else { false } }
        case .removeWorkDirectory, .openStream, .probe: break
        case .releaseGroup(let group):
            for case (let id, .running) in containers where id.value.hasPrefix("\(group).") {
                failures.append("released the group of \(id), which runs")
            }
        case .stop(let reason): failures.append("stopped: \(reason)")
        case .storeTask, .storeUpdates, .fetch, .launch, .kill, .destroy: work.append(effect)
        }
    }

    private func hasRunning(_ stored: StoredTask, but id: ContainerID) -> Bool {
        guard let group = stored.groupContainer else { return false }
        return containers.contains { other, container in
            if other == id || !other.value.hasPrefix("\(group).") { return false }
            if case .running = container { return true } else { return false }
        }
    }

    private mutating func receive(_ key: TaskKey, _ status: TaskStatus, _ number: Int) {
        guard number == session, isOpen else {
            failures.append("status of \(key) in session \(number)")
            return
        }
        guard let uuid = status.uuid, let container = status.containerID else {
            failures.append("status without uuid or container")
            return
        }
        if let kept = disk[container] {
            if !kept.updates.contains(status) { failures.append("\(status.state) of \(key) sent before it was stored") }
        } else {
            if !unstorable.contains(key) { failures.append("\(key) sent and not kept") }
        }
        // The call may be lost on its way.
        if !isCalm, generator.once(in: 6) { return }
        if status.state.rank < lastRank[key, default: 0] { failures.append("\(key) went back to \(status.state)") }
        lastRank[key] = status.state.rank
        if status.state.isTerminal {
            ends[key, default: []].insert(uuid)
            if ends[key]?.count != 1 { failures.append("\(key) ended twice") }
            if case .running = containers[container] { failures.append("\(key) ended while it runs") }
        }
        unacknowledged.append((key, uuid))
    }

    // MARK: Steps

    mutating func step() {
        switch generator.below(20) {
        case 0...6: doWork()
        case 7, 8: endContainer()
        case 9...11: masterSpeaks()
        case 12...14: acknowledge()
        case 15: if let session { feed(.connectionLost(session: session, reason: "lost")) }
        case 16: if generator.once(in: 4) { crash() }
        default: pass(.milliseconds(generator.below(6_000)))
        }
    }

    /// Lets everything come to its end without further trouble.
    mutating func settle() {
        isCalm = true
        for _ in 0..<3_000 where failures.isEmpty {
            while !work.isEmpty { doWork() }
            masterSpeaks()
            while !unacknowledged.isEmpty { acknowledge() }
            endContainer()
            pass(.seconds(1))
            if core.currentTasks.isEmpty, work.isEmpty, containers.isEmpty, disk.isEmpty { break }
        }
        if !core.currentTasks.isEmpty { failures.append("left: \(core.currentTasks.map(\.status.state))") }
        if !containers.isEmpty { failures.append("containers left: \(containers)") }
        if !disk.isEmpty { failures.append("files left: \(disk.keys)") }
        for key in everStored where ends[key]?.count != 1 { failures.append("\(key) has no end") }
    }

    private mutating func pass(_ time: Duration) {
        now = now + time
        if let deadline = core.nextDeadline, deadline <= now.elapsed { feed(.tick) }
    }

    private mutating func masterSpeaks() {
        guard let session else { return }
        guard isOpen else {
            isOpen = true
            feed(
                .master(
                    .subscribed(identity ?? Bench.agent, master: Bench.master, heartbeatInterval: .seconds(5)),
                    session: session))
            return
        }
        let known = launched.keys.sorted()
        switch isCalm ? 9 : generator.below(10) {
        case 0:
            let ids = (0..<(1 + generator.below(3))).map { "g\(counter).\($0)" }
            counter += 1
            let uris = generator.once(in: 3) ? [CommandURI(value: "/f")] : []
            let group = Bench.group(ids, executor: "e\(counter)", uris: uris)
            groups.append(group)
            feed(.master(.runGroup(group), session: session))
        case 1...4:
            counter += 1
            let uris = generator.once(in: 3) ? [CommandURI(value: "/f")] : []
            let limit: Duration? = generator.once(in: 4) ? .seconds(3) : nil
            let wantsKilling = generator.once(in: 2)
            let launch = Bench.launch("t\(counter)", cpus: 0.3, wantsKilling: wantsKilling, uris: uris) {
                $0.maxCompletionTime = limit
            }
            launched[launch.key] = launch
            feed(.master(.run(launch), session: session))
        case 5:
            guard let key = known.last, let launch = launched[key] else { return }
            forgetIfDone(key)
            feed(.master(.run(launch), session: session))
        case 6, 7:
            let known = known + groups.suffix(3).flatMap { $0.map(\.key) }
            guard !known.isEmpty else { return }
            let key = known[generator.below(known.count)]
            feed(.master(.kill(key, gracePeriod: generator.once(in: 2) ? .zero : nil), session: session))
        case 8: if generator.once(in: 8) { feed(.master(.shutdownFramework(Bench.framework), session: session)) }
        default: feed(.master(.heartbeat, session: session))
        }
    }

    /// A repeated run of a task that the agent does not have is a new task to it; the real master does not do that.
    private mutating func forgetIfDone(_ key: TaskKey) {
        guard core.container(of: key) == nil else { return }
        ends[key] = nil
        lastRank[key] = nil
        everStored.remove(key)
    }

    private mutating func acknowledge() {
        guard !unacknowledged.isEmpty else { return }
        let index = generator.below(unacknowledged.count)
        let (key, uuid) = unacknowledged.remove(at: index)
        guard let session, isOpen else { return }
        feed(.master(.acknowledge(key, uuid), session: session))
    }

    private mutating func endContainer() {
        let running = containers.keys.sorted().filter { if case .running = containers[$0] { true } else { false } }
        guard !running.isEmpty else { return }
        let id = running[generator.below(running.count)]
        guard case .running(let isBeingKilled) = containers[id] else { return }
        if !isCalm, generator.once(in: 6) {
            // The monitor dies; its processes go on until they are destroyed.
            feed(.monitorLost(id, reason: "died"))
            return
        }
        let end = ContainerEnd(
            waitStatus: isBeingKilled ? 15 : generator.once(in: 2) ? 0 : 256, isOutOfMemory: generator.once(in: 9),
            isKilledByRequest: isBeingKilled)
        containers[id] = .ended(end)
        feed(.ended(id, end))
    }

    private mutating func doWork() {
        guard !work.isEmpty else { return }
        let effect = work.remove(at: generator.below(work.count))
        for event in perform(effect) { feed(event) }
    }

    /// Does a piece of work; it may have been done without the agent living to hear of it.
    private mutating func perform(_ effect: AgentEffect) -> [AgentCoreEvent] {
        let fails = !isCalm && generator.once(in: 12)
        switch effect {
        case .storeTask(let stored):
            if fails {
                unstorable.insert(stored.launch.key)
                return [.taskStoreFailed(stored.containerID, reason: "full")]
            }
            disk[stored.containerID] = DiskTask(stored: stored)
            everStored.insert(stored.launch.key)
            return [.taskStored(stored.containerID)]
        case .storeUpdates(let id, let updates):
            if fails { return [.updatesStoreFailed(id, reason: "full")] }
            if disk[id] == nil { failures.append("updates of an unknown task") }
            disk[id]?.updates += updates
            return [.updatesStored(id)]
        case .fetch(let stored):
            return [fails ? .fetchFailed(stored.containerID, reason: "404") : .fetched(stored.containerID)]
        case .launch(let stored):
            let id = stored.containerID
            if disk[id] == nil { failures.append("launched before it was stored") }
            if disk[id]?.wasLaunched == true { failures.append("launched twice") }
            if let group = stored.groupContainer, let count = stored.launch.group?.tasks.count,
                (0..<count).contains(where: { disk[ContainerID("\(group).\($0)")] == nil })
            {
                failures.append("launched one of a group that is not stored")
            }
            if fails { return [.launchFailed(id, reason: "no")] }
            disk[id]?.wasLaunched = true
            containers[id] = .running(isBeingKilled: false)
            return [.started(id)]
        case .kill(let id, _):
            if case .running = containers[id] { containers[id] = .running(isBeingKilled: true) }
            return []
        case .destroy(let id):
            // What was asked for a container before is done before.
            work.removeAll { if case .launch(let task) = $0 { task.containerID == id } else { false } }
            containers[id] = nil
            return [.destroyed(id)]
        default: return []
        }
    }

    private mutating func crash() {
        for effect in work {
            if case .launch(let stored) = effect, generator.once(in: 3) {
                // Between the mark and the monitor.
                disk[stored.containerID]?.wasLaunched = true
            } else if generator.once(in: 2) {
                _ = perform(effect)
            }
        }
        work = []
        session = nil
        isOpen = false
        core = AgentCore(settings: Bench.settings { $0.keptWorkDirectories = 3 })
        let tasks = disk.keys.sorted().compactMap { id -> RecoveredTask? in
            guard let task = disk[id] else { return nil }
            let container: RecoveredTask.Container =
                switch containers[id] {
                case .running: .running
                case .ended(let end): .ended(end)
                case .lost: .lost(reason: "gone")
                case nil: task.wasLaunched ? .lost(reason: "gone") : .notLaunched
                }
            return RecoveredTask(
                stored: task.stored, updates: task.updates, acknowledged: task.acknowledged, container: container)
        }
        // What the agent did not keep is not its business: the master sees that it is missing.
        feed(.recovered(identity: identity, tasks: tasks, ended: []))
    }
}
