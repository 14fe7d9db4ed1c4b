/// A revisioned key-value map in etcd's model: what the cluster knows and must not lose.
///
/// - Every transaction that changes something gets the next ``Revision``; one that changes nothing gets none.
/// - A transaction is atomic: its compares are checked against the state before it, then all or none of its
///   operations happen. What was answered ``StoreOutcome/committed(_:)`` is durable.
/// - A watch sees every change from a revision on, in order, whole revisions at a time, without gaps.
/// - History older than ``StoreStatus/compacted`` is gone; asking for it is an error, never a silent gap.
/// - A lease deletes its keys when its time is over. Time is the caller's and is passed in.
///
/// Engines: ``SQLiteStore`` (a file of this machine) and ``MemoryStore`` (the strict model for tests). The shape is
/// etcd's, so that a cluster of etcd can stand behind it. Reads never wait for writes.
public protocol StateStore: Sendable {
    /// Where a task runs that commits one thing after the other and wants to lose no time between: on the thread that
    /// writes, if the engine has one. Such a task must not block, and what it computes delays everybody's commits.
    var executor: (any TaskExecutor)? { get }

    /// The state of the store itself, at once and without touching the disk.
    func status() async -> StoreStatus

    /// The entry of a key at the current revision, `nil` when there is none.
    ///
    /// - Throws: ``StoreError/invalidKey(_:)``, ``StoreError/io(_:)``, ``StoreError/closed``.
    func get(_ key: String) async throws(StoreError) -> StoreEntry?

    /// The entries below a prefix in the order of their keys' bytes, all of one revision.
    ///
    /// A page also ends early at ``StoreLimits/pageBytes``; ``StorePage/more`` says whether to go on. Pages of one
    /// listing may be of different revisions: to follow a prefix, list it and watch from the first page's revision
    /// plus one.
    ///
    /// - Parameters:
    ///   - prefix: empty for all keys.
    ///   - limit: 1 to ``StoreLimits/pageEntries``.
    ///   - startAfter: the last key of the page before, not included.
    /// - Throws: ``StoreError/invalidKey(_:)``, ``StoreError/invalidLimit(_:)``, ``StoreError/io(_:)``,
    ///   ``StoreError/closed``.
    /// - Returns: the entries and whether there are more.
    func range(prefix: String, limit: Int, startAfter: String?) async throws(StoreError) -> StorePage

    /// Carries out transactions in order, each atomic by itself: a later one sees what an earlier one wrote, and a
    /// conflict in one leaves the others alone.
    ///
    /// The call returns when all of it is durable, which an engine does with one flush where it can. When it throws,
    /// none of the transactions happened, except after ``StoreError/outcomeUnknown(_:)``, when all or none did: the
    /// caller must then end the process with ``StoreError/outcomeUnknownExitCode``.
    ///
    /// - Returns: one outcome per transaction, in order.
    func commit(_ transactions: [StoreTransaction]) async throws(StoreError) -> [StoreOutcome]

    /// The changes below a prefix, from a revision on, as they come.
    ///
    /// - Parameters:
    ///   - prefix: empty for all keys.
    ///   - from: the first revision wanted, 0 or 1 for the whole history; `nil` for what comes after this call.
    /// - Returns: a sequence; its iteration throws ``StoreError/compacted(oldest:)`` when that history is gone.
    func watch(prefix: String, from: Revision?) -> StoreWatch

    /// Creates a lease that ends `ttl` after `now` unless it is kept alive.
    ///
    /// - Parameters:
    ///   - id: positive, chosen by the caller, not in use.
    ///   - ttl: 1 ms to ``StoreLimits/leaseTTL``.
    ///   - now: the caller's monotonic time. After a store was opened again every lease has its full time from the
    ///     first call that brings a time.
    /// - Throws: ``StoreError/leaseExists(_:)``, ``StoreError/invalidLease(_:)``, and what a commit throws.
    func grantLease(_ id: LeaseID, ttl: Duration, now: Duration) async throws(StoreError)

    /// Gives a lease its full time again. Writes nothing.
    func keepLeaseAlive(_ id: LeaseID, now: Duration) async throws(StoreError)

    /// Ends a lease and deletes its keys.
    ///
    /// - Returns: the revision after the deletion.
    func revokeLease(_ id: LeaseID) async throws(StoreError) -> Revision

    /// Revokes the leases whose time is over at `now`, in the order of their ids.
    ///
    /// - Returns: the ids of the leases that ended.
    func expireLeases(now: Duration) async throws(StoreError) -> [LeaseID]

    /// Forgets the history up to a revision. Current entries stay. Forgetting again what is forgotten does nothing.
    ///
    /// - Throws: ``StoreError/futureRevision(requested:current:)``.
    func compact(upTo revision: Revision) async throws(StoreError)

    /// Writes something small to learn whether writing works again; success ends the read-only state.
    ///
    /// - Throws: why writing does not work.
    func probe() async throws(StoreError)

    /// Finishes what was accepted, then releases everything. Every later call fails with ``StoreError/closed``.
    func close() async
}

extension StateStore {
    /// Carries out one transaction.
    ///
    /// - Throws: also the error of ``StoreOutcome/rejected(_:)``.
    /// - Returns: committed or conflict, never rejected.
    public func transact(_ transaction: StoreTransaction) async throws(StoreError) -> StoreOutcome {
        guard let outcome = try await commit([transaction]).first else { throw .closed }
        if case .rejected(let error) = outcome { throw error }
        return outcome
    }
}

extension StateStore {
    /// Nowhere in particular.
    public var executor: (any TaskExecutor)? { nil }
}
