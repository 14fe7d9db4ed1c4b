internal import ClusterModel
internal import Logging
internal import StateStore

/// The turns of a driver: the state of its one task.
struct FrameworkTurns<Logic: FrameworkLogic> {
    private typealias Driver = FrameworkDriver<Logic>

    private let driver: FrameworkDriver<Logic>
    private var logic: Logic?
    private var id: FrameworkID?
    private var promises: [UInt64: FrameworkDriver<Logic>.Promise<Logic.Reply>] = [:]
    private var nextRequest: UInt64 = 1
    private var link: FrameworkLink?
    private var linkTask: Task<Void, Never>?
    private var stream = 0
    private var isConnected = false
    /// Why nothing works now, and when to try again.
    private var trouble: (failure: FrameworkFailure, retryAt: Duration, wait: Duration)?

    init(driver: FrameworkDriver<Logic>) { self.driver = driver }

    private var parts: FrameworkDriver<Logic>.Parts { driver.parts }

    mutating func run() async throws(FrameworkFailure) {
        await begin()
        while true {
            let deadline = trouble?.retryAt ?? logic?.nextDeadline
            guard let entries = await driver.inbox.take(upTo: parts.batchLimit, until: deadline) else { return }
            if let trouble {
                if parts.clock.now().elapsed >= trouble.retryAt { await begin() }
                if self.trouble != nil {
                    for entry in entries { refuse(entry, trouble.failure) }
                    continue
                }
            }
            try await turn(entries)
        }
    }

    /// Refuses what waits and ends the stream.
    mutating func end() async {
        await hangUp()
        for promise in promises.values { promise.refuse(.stopped) }
        promises = [:]
        for entry in driver.inbox.drain() { refuse(entry, .stopped) }
    }

    // MARK: begin

    /// Makes the logic from the store and opens a stream.
    private mutating func begin() async {
        do {
            if trouble != nil { try await parts.store.probe() }
            id = try await storedID()
            logic = try await parts.load(parts.store, parts.clock.now())
            trouble = nil
            dial()
        } catch {
            await fail(error as? StoreError ?? .io("\(error)"))
        }
    }

    private var idKey: String { "/rondo/builtin/" + parts.name }

    /// The framework's id, made by the first start.
    private func storedID() async throws -> FrameworkID {
        if let entry = try await parts.store.get(idKey) {
            return FrameworkID(String(decoding: entry.value, as: UTF8.self))
        }
        let new = parts.newID()
        _ = try await parts.store.transact(
            StoreTransaction(operations: [.put(key: idKey, value: Array(new.value.utf8))]))
        return new
    }

    private mutating func dial() {
        guard linkTask == nil, let id else { return }
        var info = parts.info
        info.id = id
        stream += 1
        let link = FrameworkLink(
            connector: parts.connector, subscription: Subscription(info: info), clock: parts.clock,
            logger: parts.logger)
        self.link = link
        let number = stream
        let inbox = driver.inbox
        linkTask = Task {
            await link.work { news in
                switch news {
                case .opened(let session, let framework): await inbox.put(.opened(number, session, framework))
                case .event(let event): await inbox.put(.event(number, event))
                case .ended: await inbox.put(.ended(number))
                case .removed: await inbox.put(.removed(id))
                }
            }
        }
    }

    private mutating func hangUp() async {
        // Whatever still comes of the old stream has an old number.
        stream += 1
        isConnected = false
        linkTask?.cancel()
        linkTask = nil
        await link?.close()
        link = nil
    }

    // MARK: one turn

    private mutating func turn(_ entries: [FrameworkDriver<Logic>.Entry]) async throws(FrameworkFailure) {
        guard var logic else { return }
        // Taken out, or the first change would copy all that it touches.
        self.logic = nil
        let now = parts.clock.now()
        var turns: [FrameworkTurn<Logic.Reply>] = []
        var snapshots: [FrameworkDriver<Logic>.Promise<Logic>] = []
        var lostID = false
        for entry in entries {
            switch entry {
            case .command(let command, let promise):
                promises[nextRequest] = promise
                turns.append(logic.handle(.command(nextRequest, command), now: now))
                nextRequest += 1
            case .snapshot(let promise): snapshots.append(promise)
            case .opened(let number, let session, let framework):
                guard number == stream else {
                    await session.close()
                    continue
                }
                isConnected = true
                turns.append(logic.handle(.connected(framework), now: now))
            case .event(let number, let event):
                guard number == stream, isConnected else { continue }
                turns.append(logic.handle(.event(event), now: now))
            case .ended(let number):
                guard number == stream, isConnected else { continue }
                isConnected = false
                turns.append(logic.handle(.disconnected, now: now))
            case .removed(let old):
                guard old == id else { continue }
                lostID = true
                isConnected = false
                turns.append(logic.handle(.removed, now: now))
            }
        }
        if let deadline = logic.nextDeadline, deadline <= now.elapsed { turns.append(logic.handle(.tick, now: now)) }
        self.logic = logic
        do {
            try await commit(turns, forgetsID: lostID)
        } catch {
            for promise in snapshots { promise.refuse(FrameworkFailure(error)) }
            await hangUp()
            if case .outcomeUnknown(let reason) = error { throw .outcomeUnknown(reason) }
            await fail(error)
            return
        }
        for turn in turns { carryOut(turn) }
        for promise in snapshots { promise.give(logic) }
        if lostID {
            parts.logger.error(
                "the framework was removed and begins anew", metadata: ["framework": "\(parts.name)"])
            await hangUp()
            await begin()
        }
    }

    private func commit(
        _ turns: [FrameworkTurn<Logic.Reply>], forgetsID: Bool
    ) async throws(StoreError) {
        var transactions = FrameworkTransactions.merged(turns.flatMap(\.transactions))
        if forgetsID { transactions.append(StoreTransaction(operations: [.delete(key: idKey)])) }
        guard !transactions.isEmpty else { return }
        for outcome in try await parts.store.commit(transactions) {
            if case .rejected(let error) = outcome { throw error }
        }
    }

    private mutating func carryOut(_ turn: FrameworkTurn<Logic.Reply>) {
        for fault in turn.faults {
            parts.logger.error("contradiction in a framework", metadata: ["fault": "\(fault)"])
        }
        for effect in turn.effects {
            switch effect {
            case .call(let call): if isConnected { link?.say(call) }
            case .reply(let request, let reply): promises.removeValue(forKey: request)?.give(reply)
            case .work(let work): work()
            case .note(let text): parts.logger.info("\(text)", metadata: ["framework": "\(parts.name)"])
            }
        }
    }

    // MARK: trouble

    private mutating func fail(_ error: StoreError) async {
        let failure = FrameworkFailure(error)
        parts.logger.error(
            "a framework's store takes no writes", metadata: ["framework": "\(parts.name)", "error": "\(error)"])
        for promise in promises.values { promise.refuse(failure) }
        promises = [:]
        let wait = min((trouble?.wait ?? .milliseconds(50)) * 2, .seconds(5))
        trouble = (failure, parts.clock.now().elapsed + wait, wait)
        // What was decided and not stored is gone with the old value; readers get what is stored.
        logic = try? await parts.load(parts.store, parts.clock.now())
    }

    private func refuse(_ entry: FrameworkDriver<Logic>.Entry, _ failure: FrameworkFailure) {
        switch entry {
        case .command(_, let promise): promise.refuse(failure)
        case .snapshot(let promise):
            // Reading goes on while writing does not, unless all of it is over.
            if failure != .stopped, let logic { promise.give(logic) } else { promise.refuse(failure) }
        case .opened, .event, .ended, .removed: break
        }
    }
}

/// Puts what belongs together into as few transactions as the store's limits allow.
enum FrameworkTransactions {
    static func merged(_ groups: [[StoreTransaction.Operation]]) -> [StoreTransaction] {
        var transactions: [StoreTransaction] = []
        var current: [StoreTransaction.Operation] = []
        for group in groups where !group.isEmpty {
            let joined = deduplicated(current + group)
            // Prefixes must not overlap with other keys of their transaction, so they stay alone.
            if !current.isEmpty, hasPrefix(current) || hasPrefix(group) || !fits(joined) {
                transactions.append(StoreTransaction(operations: current))
                current = deduplicated(group)
            } else {
                current = joined
            }
        }
        if !current.isEmpty { transactions.append(StoreTransaction(operations: current)) }
        return transactions
    }

    private static func hasPrefix(_ operations: [StoreTransaction.Operation]) -> Bool {
        operations.contains { if case .deletePrefix = $0 { true } else { false } }
    }

    /// The last operation on each key, in the order of the first.
    private static func deduplicated(_ operations: [StoreTransaction.Operation]) -> [StoreTransaction.Operation] {
        var places: [String: Int] = [:]
        var result: [StoreTransaction.Operation] = []
        for operation in operations {
            let key =
                switch operation {
                case .put(let key, _, _), .delete(let key): key
                case .deletePrefix(let prefix): "\u{0}" + prefix
                }
            if let place = places[key] {
                result[place] = operation
            } else {
                places[key] = result.count
                result.append(operation)
            }
        }
        return result
    }

    private static func fits(_ operations: [StoreTransaction.Operation]) -> Bool {
        guard operations.count <= StoreLimits.operations else { return false }
        var bytes = 0
        for operation in operations {
            switch operation {
            case .put(let key, let value, _): bytes += key.utf8.count + value.count
            case .delete(let key), .deletePrefix(let key): bytes += key.utf8.count
            }
        }
        return bytes <= StoreLimits.transactionBytes
    }
}
