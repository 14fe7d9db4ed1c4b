internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Logging
internal import MasterCore
internal import NIOCore
internal import StateStore

/// Runs a master's core: one task, one inbox, one turn after the other.
///
/// ```
/// turn:  take what is there ─► core.handle, input by input ─► commit all changes at once ─► carry out all effects
/// ```
/// "Commit, then speak": nothing leaves before the changes of its turn are durable. A turn without changes does not
/// touch the store. When a commit fails the turn is dropped, its requests are refused, every stream is closed and the
/// core is made anew from the store; until a probe write succeeds, everything that would change something is refused.
struct Driver {
    /// What a driver works with, shared with the facades.
    struct Parts: Sendable {
        var registry: NodeRegistry
        var inbox: Inbox<InboxEntry>
        var directory: StreamDirectory
        var condition: NodeCondition
        var metrics: NodeMetrics
        var clock: any NodeClock
        var logger: Logger
        var settings: MasterSettings
        var master: MasterInfo
        /// The most entries handled in one turn: more gathers more into one commit and answers the first one later.
        var batch: Int
    }

    private enum Sink {
        case framework(FrameworkSink)
        case agent(AgentSink)
    }

    private var parts: Parts
    private var core: MasterCore
    private var sinks: [ConnectionID: Sink] = [:]
    private var promises: [RequestID: ReplyPromise] = [:]
    private var watchers: [ClusterWatcher.ID: ClusterWatcher] = [:]
    private var alarm: Alarm
    private var recovery: Recovery?
    /// How often the core was made anew in this life of the process.
    private var rebuilds = 0

    /// The way back to writing.
    private struct Recovery {
        var error: GatewayError
        var nextProbe: Duration
        var wait: Duration
    }

    init(parts: Parts, registry: Registry) {
        self.parts = parts
        core = MasterCore(settings: parts.settings, master: parts.master, registry: registry, now: parts.clock.now())
        let inbox = parts.inbox
        alarm = Alarm(clock: parts.clock) { inbox.wake() }
    }

    /// Works until the inbox is closed.
    ///
    /// - Throws: ``MasterNodeError/outcomeUnknown(_:)``, after which the process must end.
    mutating func run() async throws {
        defer { stop() }
        while true {
            alarm.set(recovery?.nextProbe ?? core.nextDeadline)
            guard let entries = await parts.inbox.take(upTo: parts.batch) else { return }
            if recovery != nil { try await probeIfDue() }
            if let recovery {
                refuse(entries, recovery.error)
            } else {
                try await turn(entries)
            }
        }
    }

    // MARK: one turn

    private mutating func turn(_ entries: [InboxEntry]) async throws {
        let now = parts.clock.now()
        var turns: [MasterTurn] = []
        turns.reserveCapacity(entries.count + 1)
        // By turn, so that no call's values reach the tasks of another call.
        var secrets: [Int: LaunchSecrets] = [:]
        var snapshots: [SnapshotPromise] = []
        var newWatchers: [ClusterWatcher] = []
        for entry in entries {
            switch entry {
            case .framework(let connection, let subscription, let sink):
                sinks[connection] = .framework(sink)
                turns.append(core.handle(.subscribe(connection, subscription), now: now))
            case .agent(let connection, let registration, let sink):
                sinks[connection] = .agent(sink)
                turns.append(core.handle(.registerAgent(connection, registration), now: now))
            case .closed(let connection):
                parts.directory.close(connection)
                if sinks.removeValue(forKey: connection) != nil {
                    turns.append(core.handle(.closed(connection), now: now))
                }
            case .doubted(let agent): turns.append(core.handle(.doubted(agent), now: now))
            case .request(let id, let input, let promise):
                promises[id] = promise
                turns.append(core.handle(input, now: now))
            case .launch(let id, let input, let promise, let values):
                promises[id] = promise
                secrets[turns.count] = values
                turns.append(core.handle(input, now: now))
            case .snapshot(let promise): snapshots.append(promise)
            case .watch(let watcher): newWatchers.append(watcher)
            case .unwatch(let id): watchers[id] = nil
            case .moved(let address):
                parts.master.address = address
                core.master.address = address
            }
        }
        if let deadline = core.nextDeadline, deadline <= now.elapsed { turns.append(core.handle(.tick, now: now)) }
        do {
            try await commit(turns)
        } catch {
            for promise in snapshots { promise.refuse(Self.refusal(for: error)) }
            for watcher in newWatchers { watcher.finish() }
            try await abandon(error)
            return
        }
        for (index, turn) in turns.enumerated() {
            for fault in turn.faults {
                parts.logger.error("contradiction in the core", metadata: ["fault": "\(fault)"])
            }
            for effect in turn.effects { carryOut(secrets[index].map { effect.with($0) } ?? effect) }
        }
        for promise in snapshots { promise.give(core) }
        for watcher in newWatchers where watcher.tell(.state(core)) { watchers[watcher.id] = watcher }
        parts.metrics.turnEnded(entries: entries.count, took: parts.clock.now().elapsed - now.elapsed)
    }

    private func commit(_ turns: [MasterTurn]) async throws {
        var transactions: [StoreTransaction] = []
        for turn in turns where !turn.changes.isEmpty {
            transactions += try NodeRegistry.transactions(for: turn.changes)
        }
        if transactions.isEmpty { return }
        let began = parts.clock.now().elapsed
        for outcome in try await parts.registry.store.commit(transactions) {
            if case .rejected(let error) = outcome { throw MasterNodeError.rejected(error) }
        }
        parts.metrics.committed(transactions.count, took: parts.clock.now().elapsed - began)
    }

    private mutating func carryOut(_ effect: MasterEffect) {
        switch effect {
        case .reply(let id, let reply): promises.removeValue(forKey: id)?.answer(reply)
        case .send(let connection, let event):
            guard case .framework(let sink) = sinks[connection] else { return }
            do {
                let isTaken = try sink.send(event, for: capabilities(of: event))
                parts.metrics.eventSent(event)
                if !isTaken { dropSlowReader(connection) }
            } catch {
                parts.logger.error("an event for a framework cannot be written", metadata: ["error": "\(error)"])
                sink.finish()
            }
        case .sendAgent(let connection, let event):
            guard case .agent(let sink) = sinks[connection] else { return }
            if case .subscribed(let agent, _, _) = event { parts.directory.setAgent(agent, of: connection) }
            do {
                if sink.stream.send(try EventEncoding.record(event)) == .overflow { dropSlowReader(connection) }
            } catch {
                parts.logger.error("an event for an agent cannot be written", metadata: ["error": "\(error)"])
                sink.stream.finish()
            }
        case .close(let connection): close(connection, after: nil)
        case .publish(let event): publish(event)
        case .warn(let text):
            parts.logger.warning("\(text.split(whereSeparator: \.isNewline).joined(separator: " "))")
        }
    }

    private func capabilities(of event: SchedulerEvent) -> Set<FrameworkCapability> {
        guard case .offers(let offers) = event, let framework = offers.first?.frameworkID else { return [] }
        return core.frameworks[framework]?.info.capabilities ?? []
    }

    /// The stream has put its own last record in place of the backlog; the core is told without waiting for the client.
    private func dropSlowReader(_ connection: ConnectionID) {
        parts.metrics.streamOverflowed()
        parts.inbox.notify(.closed(connection))
    }

    private mutating func close(_ connection: ConnectionID, after last: String?) {
        parts.directory.close(connection)
        switch sinks.removeValue(forKey: connection) {
        case .framework(let sink): sink.finish(after: last)
        case .agent(let sink): sink.stream.finish()
        case nil: break
        }
    }

    private mutating func publish(_ event: ClusterEvent) {
        parts.metrics.published(event)
        if watchers.isEmpty { return }
        guard let item = ClusterWatcher.Item(event, in: core) else { return }
        for watcher in watchers.values where !watcher.tell(item) { watchers[watcher.id] = nil }
    }

    // MARK: when the store fails

    private mutating func abandon(_ error: any Error) async throws {
        if case .outcomeUnknown? = error as? StoreError, let error = error as? StoreError {
            parts.logger.critical(
                "a commit may or may not be on disk; the process ends", metadata: ["error": "\(error)"])
            throw MasterNodeError.outcomeUnknown(error)
        }
        parts.logger.error("the store takes no writes; serving reads until it does", metadata: ["error": "\(error)"])
        let refusal = Self.refusal(for: error)
        parts.condition.set(readOnly: refusal)
        parts.metrics.storeFailed()
        for promise in promises.values { promise.refuse(refusal) }
        promises = [:]
        for connection in sinks.keys.sorted() {
            close(connection, after: "the master cannot write: \(refusal.message); subscribe again")
        }
        for watcher in watchers.values { watcher.finish() }
        watchers = [:]
        await rebuild()
        recovery = Recovery(
            error: refusal, nextProbe: parts.clock.now().elapsed + .milliseconds(100), wait: .milliseconds(100))
    }

    /// Makes the core anew; what was decided but not stored is gone with the old one.
    ///
    /// When the store cannot even be read, the new core knows nothing, and takes part in nothing, until it can.
    @discardableResult
    private mutating func rebuild() async -> Bool {
        // Another id for every core: its counters start again, and no id of a framework or an offer may come twice.
        rebuilds += 1
        var master = parts.master
        master.id = MasterID("\(parts.master.id)-\(rebuilds)")
        var registry = Registry()
        var isRead = true
        do {
            registry = try await parts.registry.load()
        } catch {
            parts.logger.error("the store cannot be read", metadata: ["error": "\(error)"])
            isRead = false
        }
        core = MasterCore(settings: parts.settings, master: master, registry: registry, now: parts.clock.now())
        return isRead
    }

    private mutating func probeIfDue() async throws {
        guard let due = recovery, parts.clock.now().elapsed >= due.nextProbe else { return }
        do {
            try await parts.registry.store.probe()
        } catch .outcomeUnknown(let reason) {
            throw MasterNodeError.outcomeUnknown(.outcomeUnknown(reason))
        } catch {
            postpone(because: error)
            return
        }
        // Read again: the recovery window and the failover timeouts start when the master takes part again.
        guard await rebuild() else {
            postpone(because: StoreError.io("reading failed"))
            return
        }
        recovery = nil
        parts.condition.set(readOnly: nil)
        parts.logger.notice("the store takes writes again")
    }

    private mutating func postpone(because error: StoreError) {
        guard var recovery else { return }
        recovery.wait = min(recovery.wait * 2, .seconds(5))
        recovery.nextProbe = parts.clock.now().elapsed + recovery.wait
        recovery.error = Self.refusal(for: error)
        parts.condition.set(readOnly: recovery.error)
        self.recovery = recovery
    }

    private mutating func refuse(_ entries: [InboxEntry], _ error: GatewayError) {
        for entry in entries {
            switch entry {
            case .framework(let connection, _, let sink):
                parts.directory.close(connection)
                sink.finish(after: "\(error.message); subscribe again")
            case .agent(let connection, _, let sink):
                parts.directory.close(connection)
                sink.stream.finish()
            case .closed(let connection): parts.directory.close(connection)
            case .request(_, _, let promise), .launch(_, _, let promise, _): promise.refuse(error)
            case .snapshot(let promise): promise.give(core)
            case .watch(let watcher): watcher.finish()
            case .unwatch, .moved, .doubted: break
            }
        }
    }

    static func refusal(for error: any Error) -> GatewayError {
        switch error as? StoreError {
        case .full: GatewayError(HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"), "\(error)")
        case .readOnly(let reason): GatewayError(.serviceUnavailable, "writes are refused: \(reason); try again")
        default: GatewayError(.serviceUnavailable, "\(error); try again")
        }
    }

    // MARK: the end

    private mutating func stop() {
        alarm.cancel()
        let error = GatewayError(.serviceUnavailable, "\(MasterNodeError.stopped)")
        for promise in promises.values { promise.refuse(error) }
        promises = [:]
        for connection in sinks.keys.sorted() { close(connection, after: "the master is stopping; subscribe again") }
        for watcher in watchers.values { watcher.finish() }
        parts.inbox.close()
        for entry in parts.inbox.drain() {
            if case .snapshot(let promise) = entry { promise.refuse(error) } else { refuse([entry], error) }
        }
    }
}

extension MasterEffect {
    /// The event that starts tasks with the values of their secrets; everything else as it is.
    fileprivate func with(_ secrets: LaunchSecrets) -> MasterEffect {
        func with(_ launch: TaskLaunch) -> TaskLaunch {
            var launch = launch
            launch.secrets = secrets[launch.key]?.secrets
            launch.registryCredential = secrets[launch.key]?.registryCredential
            return launch
        }
        switch self {
        case .sendAgent(let connection, .run(let launch)): return .sendAgent(connection, .run(with(launch)))
        case .sendAgent(let connection, .runGroup(let launches)):
            return .sendAgent(connection, .runGroup(launches.map(with)))
        default: return self
        }
    }
}
