import CSQLite
import Synchronization

// What happens inside of a commit: jobs become records and changes of the group.
extension SQLiteWriter {
    private enum Change {
        case put(KeyBytes, value: [UInt8], lease: Int64, old: IndexEntry?)
        case delete(KeyBytes, old: IndexEntry)
    }

    /// - Throws: only what fails the whole commit; a refusal is an answer.
    func carryOut(_ job: WriteJob) throws(SQLiteFailure) -> WriteAnswer {
        switch job {
        case .commit(let transactions, _, let reply):
            var outcomes: [StoreOutcome] = []
            outcomes.reserveCapacity(transactions.count)
            for transaction in transactions { outcomes.append(try carryOut(transaction)) }
            return .outcomes(outcomes, reply)
        case .grantLease(let id, let ttl, let now, let reply):
            guard !core.state.withLock({ group.hasLease(id, over: $0) }) else {
                return .done(.failure(.leaseExists(LeaseID(id))), reply)
            }
            let statement = try connection.statement("INSERT OR REPLACE INTO lease(id, ttl) VALUES(?, ?)")
            statement.bind(1, id)
            statement.bind(2, ttl.wholeMilliseconds)
            try statement.run()
            group.leases[id] = .granted(ttl: ttl, deadline: now + ttl)
            return .done(.success(()), reply)
        case .revokeLease(let id, let reply):
            guard core.state.withLock({ group.hasLease(id, over: $0) }) else {
                return .revision(.failure(.leaseNotFound(LeaseID(id))), reply)
            }
            try revoke(id)
            return .revision(.success(Revision(group.revision)), reply)
        case .expireLeases(let now, let reply):
            let due = dueLeases(now: now)
            for id in due { try revoke(id) }
            return .leases(due.map { LeaseID($0) }, reply)
        case .compact(_, let reply), .probe(let reply), .close(let reply):
            return .done(.failure(.closed), reply)
        }
    }

    // MARK: Transactions

    private func carryOut(_ transaction: StoreTransaction) throws(SQLiteFailure) -> StoreOutcome {
        do throws(StoreError) { try StoreLimits.check(transaction) } catch { return .rejected(error) }
        for (position, compare) in transaction.compares.enumerated() {
            let key = KeyBytes(compare.key)
            let entry = core.state.withLock { group.entry(of: key, over: $0) }
            guard try holds(compare, entry) else {
                return .conflict(
                    StoreConflict(
                        failed: position, actual: try load(key, entry), revision: Revision(group.revision)))
            }
        }
        let changes: [Change]
        do throws(StoreError) { changes = try plan(transaction.operations) } catch { return .rejected(error) }
        if !changes.isEmpty { try write(changes) }
        return .committed(Revision(group.revision))
    }

    private func holds(
        _ compare: StoreTransaction.Compare, _ entry: IndexEntry?
    ) throws(SQLiteFailure) -> Bool {
        switch compare {
        case .exists: entry != nil
        case .absent: entry == nil
        case .modRevision(_, let revision): entry?.modRevision == revision.number
        case .createRevision(_, let revision): entry?.created == revision.number
        case .version(_, let version): entry?.version == version
        case .value(_, let value): if let entry { try self.value(of: entry) == value } else { false }
        }
    }

    private func load(_ key: KeyBytes, _ entry: IndexEntry?) throws(SQLiteFailure) -> StoreEntry? {
        guard let entry else { return nil }
        return StoreEntry(key: key, entry, value: try value(of: entry))
    }

    private func value(of entry: IndexEntry) throws(SQLiteFailure) -> [UInt8] {
        let statement = try connection.statement("SELECT value FROM record WHERE id = ?")
        defer { statement.reset() }
        statement.bind(1, entry.record)
        guard try statement.step() else {
            throw SQLiteFailure(
                code: SQLITE_CORRUPT, message: "record \(entry.record) is missing", operation: "read a value")
        }
        return statement.bytes(0)
    }

    /// Finds out what the operations change before anything is written, so that a refusal leaves no trace.
    private func plan(_ operations: [StoreTransaction.Operation]) throws(StoreError) -> [Change] {
        try core.state.withLock { state throws(StoreError) in
            var changes: [Change] = []
            for operation in operations {
                switch operation {
                case .put(let name, let value, let lease):
                    if let lease, !group.hasLease(lease.number, over: state) { throw .leaseNotFound(lease) }
                    let key = KeyBytes(name)
                    changes.append(
                        .put(key, value: value, lease: lease?.number ?? 0, old: group.entry(of: key, over: state)))
                case .delete(let name):
                    let key = KeyBytes(name)
                    if let old = group.entry(of: key, over: state) { changes.append(.delete(key, old: old)) }
                case .deletePrefix(let prefix):
                    let found = group.entries(prefix: KeyBytes(prefix), over: state)
                    changes += found.map { .delete($0, old: $1) }
                }
            }
            guard changes.count <= StoreLimits.changes else { throw .tooManyChanges(changes.count) }
            guard group.revision < RecordID.lastRevision else { throw .io("all revisions are used up") }
            return changes
        }
    }

    /// Makes the changes the next revision.
    private func write(_ changes: some Sequence<Change>) throws(SQLiteFailure) {
        group.revision += 1
        var done = RevisionChanges(revision: group.revision)
        for (place, change) in changes.enumerated() {
            let record = RecordID.make(revision: group.revision, place: place)
            switch change {
            case .put(let key, let value, let lease, let old):
                let entry = IndexEntry(
                    record: record, created: old?.created ?? group.revision, version: (old?.version ?? 0) + 1,
                    lease: lease, size: key.bytes.count + value.count)
                try insert(key, value, entry)
                supersede(old)
                group.changed[key] = .some(entry)
                done.append(key, .put(StoreEntry(key: key, entry, value: value)))
            case .delete(let key, let old):
                let entry = IndexEntry(record: record, created: 0, version: 0, lease: 0, size: key.bytes.count)
                try insert(key, nil, entry)
                supersede(old)
                // A deletion is worth nothing itself once nobody can watch it any more.
                supersede(entry)
                group.changed[key] = .some(nil)
                done.append(key, .deleted(key: key.string, Revision(group.revision)))
            }
        }
        group.revisions.append(done)
    }

    private func supersede(_ old: IndexEntry?) {
        guard let old else { return }
        group.superseded.append(SupersededRecord(since: group.revision, record: old.record, size: old.size))
    }

    private func insert(_ key: KeyBytes, _ value: [UInt8]?, _ entry: IndexEntry) throws(SQLiteFailure) {
        let statement = try connection.statement(
            "INSERT INTO record(id, key, value, created, version, lease) VALUES(?, ?, ?, ?, ?, ?)")
        statement.bind(1, entry.record)
        try statement.bind(2, text: key.bytes)
        try statement.bind(3, blob: value)
        statement.bind(4, entry.created)
        statement.bind(5, entry.version)
        statement.bind(6, entry.lease)
        try statement.run()
    }

    // MARK: Leases

    /// A lease may have more keys than one revision may change; then it takes several.
    private func revoke(_ id: Int64) throws(SQLiteFailure) {
        let keys = core.state.withLock { group.keys(ofLease: id, over: $0) }
        var rest = keys[...]
        while !rest.isEmpty {
            try write(rest.prefix(StoreLimits.changes).map { Change.delete($0, old: $1) })
            rest = rest.dropFirst(StoreLimits.changes)
        }
        let statement = try connection.statement("DELETE FROM lease WHERE id = ?")
        statement.bind(1, id)
        try statement.run()
        group.leases[id] = .revoked
    }

    private func dueLeases(now: Duration) -> [Int64] {
        let due = core.state.withLock { $0.startLeases(now: now) }
        let granted = group.leases.compactMap { id, change in
            if case .granted(_, let deadline) = change, deadline <= now { id } else { nil }
        }
        return (due.filter { group.leases[$0] == nil } + granted).sorted()
    }
}

extension SharedState {
    /// Gives leases without a deadline their full time.
    ///
    /// - Returns: the leases whose time is over.
    mutating func startLeases(now: Duration) -> [Int64] {
        var due: [Int64] = []
        for (id, lease) in leases {
            if let deadline = lease.deadline {
                if deadline <= now { due.append(id) }
            } else {
                leases[id]?.deadline = now + lease.ttl
            }
        }
        return due
    }
}

extension StoreEntry {
    init(key: KeyBytes, _ entry: IndexEntry, value: [UInt8]) {
        self.init(
            key: key.string, value: value, createRevision: Revision(entry.created),
            modRevision: Revision(entry.modRevision), version: entry.version,
            lease: entry.lease == 0 ? nil : LeaseID(entry.lease))
    }
}

extension Duration {
    /// Rounded up, so that a lease never ends early.
    var wholeMilliseconds: Int64 {
        let parts = components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : whole + (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
