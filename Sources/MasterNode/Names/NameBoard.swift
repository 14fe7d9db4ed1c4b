internal import ClusterModel
internal import MasterCore
internal import NameService
internal import Synchronization

/// The names of the cluster as its master knows them, and how agents hear of them.
///
/// The board follows the core as any watcher of the cluster does, so that names cost a turn nothing but a value in a
/// queue, and a board that falls behind begins anew with the state. What it reads goes into a `NameLedger`, which counts
/// changes. Agents ask for what comes after what they know and are held until there is something (`/rondo/v1/names`):
/// a request beside the agent's session, because a table of ten thousand tasks must not stand in the way of launches,
/// nor end a session when its reader is slow. An answer has at most ``NameLedger/page`` items and is written once for all who
/// ask for the same.
final class NameBoard: Sendable {
    private struct State {
        var ledger: NameLedger
        /// Whether the core was looked at. Before, nobody must be told that there is nothing.
        var isReady = false
        var master: NameItem?
        var masterKey = ""
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var next = 0
        /// Made when it is asked for.
        var table: NameTable?
        /// Answers that were given since the last change, by what was known.
        var answers: [NameMark: [UInt8]] = [:]
    }

    private let state: Mutex<State>
    private static let mostAnswers = 64

    init(_ master: MasterInfo) {
        state = Mutex(State(ledger: NameLedger(epoch: master.id.value)))
        move(to: master)
    }

    // MARK: following

    /// Follows the cluster until the inbox is closed or the calling task is cancelled.
    func follow(_ node: MasterNode) async {
        while !Task.isCancelled {
            let watcher = ClusterWatcher(id: node.number())
            guard (try? await node.reserve()) != nil, node.inbox.put(.watch(watcher)) else { return }
            await withTaskCancellationHandler {
                for await item in watcher.items { take(item) }
            } onCancel: {
                watcher.finish()
            }
            // It was too slow, or the core was made anew: in either case what follows begins with the state.
            try? await node.clock.sleep(until: node.clock.now().elapsed + .milliseconds(100))
        }
    }

    private func take(_ item: ClusterWatcher.Item) {
        change { state in
            switch item {
            case .state(let core):
                state.isReady = true
                // A core that was made anew does not know what the one before knew.
                if core.master.id.value != state.ledger.epoch {
                    state.ledger = NameLedger(epoch: core.master.id.value)
                }
                var items = NameReader.items(of: core)
                items[state.masterKey] = state.master
                state.ledger.replace(with: items)
            case .taskAdded(let task), .taskUpdated(let task):
                let framework = task.launch.frameworkID.value
                let key = NameItem.key(ofTask: task.id.value, framework: framework)
                state.ledger.set(key, NameReader.item(task))
            case .frameworkAdded(let framework), .frameworkUpdated(let framework):
                state.ledger.set(
                    NameItem.key(ofFramework: framework.id.value),
                    framework.isConnected ? NameReader.item(framework) : nil)
            case .frameworkRemoved(let info):
                guard let id = info.id?.value else { return }
                state.ledger.set(NameItem.key(ofFramework: id), nil)
                state.ledger.removeTasks(of: id)
            case .agentAdded(let agent):
                state.ledger.set(NameItem.key(ofAgent: agent.id.value), NameReader.item(agent))
            case .agentRemoved(let id): state.ledger.set(NameItem.key(ofAgent: id.value), nil)
            case .heartbeat: break
            }
        }
    }

    /// The leading master is at this address.
    func move(to master: MasterInfo) {
        change { state in
            state.masterKey = NameItem.key(ofMaster: master.id.value)
            state.master = NameReader.item(master)
            state.ledger.set(state.masterKey, state.master)
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            let (epoch, revision, wasReady) = (state.ledger.epoch, state.ledger.revision, state.isReady)
            body(&state)
            guard state.ledger.epoch != epoch || state.ledger.revision != revision || state.isReady != wasReady
            else { return [] }
            state.table = nil
            state.answers = [:]
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for each in waiting { each.resume() }
    }

    // MARK: looking

    /// The table as it is now.
    var table: NameTable {
        let (known, ledger) = state.withLock { ($0.table, $0.ledger) }
        if let known { return known }
        let serial = UInt32(truncatingIfNeeded: ledger.revision)
        let table = NameTable(NameSource(items: ledger.items), serial: serial)
        state.withLock { state in
            if state.ledger.epoch == ledger.epoch, state.ledger.revision == ledger.revision { state.table = table }
        }
        return table
    }

    /// What comes after a mark, as JSON.
    func changes(after mark: NameMark?, _ encode: (NameChanges) throws -> [UInt8]) rethrows -> [UInt8] {
        let place = mark ?? NameMark(epoch: "", revision: 0, base: 0)
        let (known, ledger) = state.withLock { ($0.answers[place], $0.ledger) }
        if let known { return known }
        let bytes = try encode(ledger.changes(after: mark))
        state.withLock { state in
            guard state.ledger.epoch == ledger.epoch, state.ledger.revision == ledger.revision else { return }
            if state.answers.count >= Self.mostAnswers { state.answers = [:] }
            state.answers[place] = bytes
        }
        return bytes
    }

    /// Whether nothing comes after a mark.
    func isKnown(_ mark: NameMark?) -> Bool { state.withLock { !$0.isReady || $0.ledger.isKnown(mark) } }

    /// Waits until something comes after a mark, or the time is over.
    func change(after mark: NameMark?, within time: Duration, _ clock: any NodeClock) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let timer = Task {
            try? await clock.sleep(until: clock.now().elapsed + time)
            self.wake(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.waiting[number] = continuation }
                // What came before somebody waited woke nobody.
                if !isKnown(mark) || Task.isCancelled { wake(number) }
            }
        } onCancel: {
            wake(number)
        }
        timer.cancel()
    }

    /// Nobody waits any longer: the master stops.
    func wakeAll() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for each in waiting { each.resume() }
    }

    private func wake(_ number: Int) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
    }
}
