/// What readers and the writer share, under one lock that is never held during I/O. Always a durable state: the
/// writer changes it after a commit, in one step.
struct SharedState: Sendable {
    struct Lease: Sendable {
        var ttl: Duration
        /// `nil` after the store was opened, until somebody brings a time.
        var deadline: Duration?
        var keys: Set<KeyBytes> = []
    }

    enum Health: Sendable {
        case writable
        /// Until a probe succeeds.
        case readOnly(StoreError)
        /// Until the process ends.
        case unknown(StoreError)
        case closed
    }

    var revision: Int64 = 0
    var compacted: Int64 = 0
    var index = KeyIndex()
    var leases: [Int64: Lease] = [:]
    var recent = RecentRevisions()
    var health = Health.writable

    /// Why a write cannot be taken now.
    var refusal: StoreError? {
        switch health {
        case .writable: nil
        case .readOnly(let error): .readOnly(error.description)
        case .unknown(let error): error
        case .closed: .closed
        }
    }

    mutating func apply(_ group: CommitGroup) {
        for (id, change) in group.leases {
            switch change {
            case .granted(let ttl, let deadline): leases[id] = Lease(ttl: ttl, deadline: deadline)
            case .revoked: leases[id] = nil
            }
        }
        for (key, entry) in group.changed {
            let old = index[key]
            if let old, old.lease != 0, old.lease != entry?.lease { leases[old.lease]?.keys.remove(key) }
            if let entry, entry.lease != 0 { leases[entry.lease]?.keys.insert(key) }
            index.set(key, to: entry)
        }
        recent.append(group.revisions)
        revision = group.revision
    }
}

/// A record that a newer one of the same key made worthless.
struct SupersededRecord: Sendable {
    /// The revision that did.
    var since: Int64
    var record: Int64
    /// Bytes of key and value.
    var size: Int
}

/// What the transactions of one SQLite commit have changed so far: laid over the shared state until it is durable,
/// thrown away when it fails.
struct CommitGroup: Sendable {
    enum LeaseChange: Sendable {
        case granted(ttl: Duration, deadline: Duration)
        case revoked
    }

    var revision: Int64
    /// `nil` for a deleted key.
    var changed: [KeyBytes: IndexEntry?] = [:]
    var leases: [Int64: LeaseChange] = [:]
    var revisions: [RevisionChanges] = []
    var superseded: [SupersededRecord] = []

    var isEmpty: Bool { revisions.isEmpty && leases.isEmpty }

    init(revision: Int64) { self.revision = revision }

    /// The entry of a key as the next transaction sees it.
    func entry(of key: KeyBytes, over state: borrowing SharedState) -> IndexEntry? {
        if let change = changed[key] { return change }
        return state.index[key]
    }

    /// All entries with a prefix as the next transaction sees them, in order.
    func entries(prefix: KeyBytes, over state: borrowing SharedState) -> [(KeyBytes, IndexEntry)] {
        var found: [(KeyBytes, IndexEntry)] = []
        state.index.forEach(prefix: prefix) { key, entry in
            if changed[key] == nil { found.append((key, entry)) }
            return true
        }
        guard !changed.isEmpty else { return found }
        for (key, change) in changed {
            if let change, key.hasPrefix(prefix) { found.append((key, change)) }
        }
        return found.sorted { $0.0 < $1.0 }
    }

    func hasLease(_ id: Int64, over state: borrowing SharedState) -> Bool {
        switch leases[id] {
        case .granted: true
        case .revoked: false
        case nil: state.leases[id] != nil
        }
    }

    /// The keys of a lease as the next transaction sees them, in order.
    func keys(ofLease id: Int64, over state: borrowing SharedState) -> [(KeyBytes, IndexEntry)] {
        var found: [(KeyBytes, IndexEntry)] = []
        for key in state.leases[id]?.keys ?? [] where changed[key] == nil {
            if let entry = state.index[key] { found.append((key, entry)) }
        }
        for (key, change) in changed {
            if let change, change.lease == id { found.append((key, change)) }
        }
        return found.sorted { $0.0 < $1.0 }
    }
}
