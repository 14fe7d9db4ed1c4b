import CSQLite
import Synchronization

/// The only one who writes: owns the writing connection, runs on a thread of its own, and makes one SQLite commit of
/// what has gathered in the queue. Answers leave after the commit is durable and visible to readers.
final class SQLiteWriter {
    let core: StoreCore
    let connection: SQLiteConnection
    let policy: CompactionPolicy
    /// Superseded records, oldest first, that compaction has not removed yet.
    var superseded: SupersededRecords
    /// How many pages the log has, as SQLite reports at each commit.
    let logPages: UnsafeMutablePointer<Int32>
    /// Held as long as the database is open.
    let lock: StoreLock
    /// Who waits for the end.
    private(set) var closing: [WriteJob.Reply<Void>] = []
    var group = CommitGroup(revision: 0)
    /// Whether the file may have more free pages than it needs.
    var mayGiveBack = true

    init(
        core: StoreCore, connection: SQLiteConnection, policy: CompactionPolicy, superseded: SupersededRecords,
        lock: StoreLock
    ) {
        self.core = core
        self.connection = connection
        self.policy = policy
        self.superseded = superseded
        self.lock = lock
        logPages = .allocate(capacity: 1)
        logPages.initialize(to: 0)
        connection.reportLogPages(to: logPages)
    }

    deinit { logPages.deallocate() }

    /// Works until the queue has ended.
    func run() {
        while let work = core.queue.take() {
            for task in work.tasks { task.runSynchronously(on: core.queue.asUnownedTaskExecutor()) }
            if work.jobs.isEmpty { continue }
            var gathered: [WriteJob] = []
            for job in work.jobs {
                switch job {
                case .commit, .grantLease, .revokeLease, .expireLeases:
                    gathered.append(job)
                case .compact(let revision, let reply):
                    commit(&gathered)
                    reply.resume(returning: result { () throws(StoreError) in try compact(upTo: revision) })
                case .probe(let reply):
                    commit(&gathered)
                    reply.resume(returning: result { () throws(StoreError) in try probe() })
                case .close(let reply):
                    commit(&gathered)
                    core.queue.end()
                    closing.append(reply)
                }
            }
            commit(&gathered)
            maintain()
        }
        finish()
    }

    private func finish() {
        core.state.withLock { state in
            if case .unknown = state.health { return }
            state.health = .closed
        }
        core.signal.close()
        core.reader.close()
        try? connection.checkpoint(emptyLog: true)
    }

    private func result<Value>(
        _ body: () throws(StoreError) -> Value
    ) -> Result<Value, StoreError> {
        do { return .success(try body()) } catch { return .failure(error) }
    }

    // MARK: One commit

    private func commit(_ jobs: inout [WriteJob]) {
        guard !jobs.isEmpty else { return }
        defer { jobs = [] }
        let (refusal, revision) = core.state.withLock { ($0.refusal, $0.revision) }
        if let refusal {
            for job in jobs { job.fail(refusal) }
            return
        }
        group = CommitGroup(revision: revision)
        var answers: [WriteAnswer] = []
        answers.reserveCapacity(jobs.count)
        do {
            try durably { () throws(SQLiteFailure) in
                for job in jobs { answers.append(try carryOut(job)) }
                return !group.isEmpty
            }
        } catch {
            for job in jobs { job.fail(error) }
            return
        }
        let done = group
        group = CommitGroup(revision: done.revision)
        if !done.isEmpty {
            superseded.append(done.superseded)
            core.state.withLock { $0.apply(done) }
        }
        // Callers go first: each waits for its answer, a watcher waits for nothing in particular.
        for answer in answers { answer.send() }
        if !done.revisions.isEmpty {
            core.signal.publish(revision: done.revision, keys: done.revisions.flatMap(\.keys))
        }
    }

    /// Runs `body`, which says whether there is anything to commit, in a transaction of SQLite and makes it durable.
    func durably(_ body: () throws(SQLiteFailure) -> Bool) throws(StoreError) {
        var isCommitting = false
        do {
            try connection.statement("BEGIN IMMEDIATE").run()
            let hasChanges = try body()
            isCommitting = hasChanges
            try connection.statement(hasChanges ? "COMMIT" : "ROLLBACK").run()
        } catch {
            if connection.isInTransaction { try? connection.statement("ROLLBACK").run() }
            throw record(error, isCommitting: isCommitting)
        }
    }

    /// Decides what a failure means for what comes after it.
    ///
    /// A commit whose log could not be written is not there: its last frame has no valid checksum. Of a commit that
    /// failed in any other way nobody knows.
    func record(_ failure: SQLiteFailure, isCommitting: Bool) -> StoreError {
        var error = failure.storeError
        let isKnown = !isCommitting || failure.isBusy || failure.isLogWrite
        if !isKnown, !failure.isFlush {
            error = .outcomeUnknown("\(failure.operation): \(failure.message), SQLite code \(failure.code)")
        }
        core.state.withLock { state in
            if case .unknown = state.health { return }
            if case .outcomeUnknown = error {
                state.health = .unknown(error)
            } else if !failure.isBusy {
                state.health = .readOnly(error)
            }
        }
        return error
    }

    private func probe() throws(StoreError) {
        let health = core.state.withLock(\.health)
        if case .unknown(let error) = health { throw error }
        try durably { () throws(SQLiteFailure) in
            try connection.run("UPDATE meta SET value = value + 1 WHERE name = 'probe'")
            return true
        }
        do { try connection.checkpoint(emptyLog: false) } catch { throw record(error, isCommitting: false) }
        core.state.withLock { $0.health = .writable }
    }
}

/// An answer that leaves when the commit behind it is durable.
enum WriteAnswer {
    case outcomes([StoreOutcome], WriteJob.Reply<[StoreOutcome]>)
    case done(Result<Void, StoreError>, WriteJob.Reply<Void>)
    case revision(Result<Revision, StoreError>, WriteJob.Reply<Revision>)
    case leases([LeaseID], WriteJob.Reply<[LeaseID]>)

    func send() {
        switch self {
        case .outcomes(let outcomes, let reply): reply.resume(returning: .success(outcomes))
        case .done(let result, let reply): reply.resume(returning: result)
        case .revision(let result, let reply): reply.resume(returning: result)
        case .leases(let ids, let reply): reply.resume(returning: .success(ids))
        }
    }
}
