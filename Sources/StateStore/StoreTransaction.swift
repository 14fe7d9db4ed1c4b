/// Compares and operations that happen together or not at all (etcd's Txn without its else branch).
public struct StoreTransaction: Hashable, Sendable {
    /// What must hold before the operations. All are checked against the state before the transaction.
    public enum Compare: Hashable, Sendable {
        /// The key is there.
        case exists(key: String)
        /// The key is not there.
        case absent(key: String)
        /// The key is there and was last written by this revision.
        case modRevision(key: String, Revision)
        /// The key is there and was created by this revision.
        case createRevision(key: String, Revision)
        /// The key is there and was written this often since it was created.
        case version(key: String, Int64)
        /// The key is there with exactly these bytes.
        case value(key: String, [UInt8])

        /// The key that is looked at.
        public var key: String {
            switch self {
            case .exists(let key), .absent(let key), .modRevision(let key, _), .createRevision(let key, _),
                .version(let key, _), .value(let key, _):
                key
            }
        }
    }

    /// What to change. Each key may be touched by one operation of a transaction only.
    public enum Operation: Hashable, Sendable {
        /// Writes a value, and ties the key to the lease or to none.
        case put(key: String, value: [UInt8], lease: LeaseID? = nil)
        /// Deletes a key if it is there.
        case delete(key: String)
        /// Deletes all keys with this prefix; all keys when it is empty.
        case deletePrefix(String)
    }

    /// What must hold.
    public var compares: [Compare]
    /// What to change, in this order.
    public var operations: [Operation]

    /// A transaction of these parts.
    public init(compares: [Compare] = [], operations: [Operation]) {
        self.compares = compares
        self.operations = operations
    }
}

/// What became of a transaction.
public enum StoreOutcome: Hashable, Sendable {
    /// It happened and is durable; the revision after it. One that changed nothing answers the revision it found.
    case committed(Revision)
    /// A compare did not hold; nothing of the transaction happened.
    case conflict(StoreConflict)
    /// It cannot happen in any state like this one: a limit, a bad key, an unknown lease.
    case rejected(StoreError)
}

/// The first compare that did not hold, and what is there instead.
public struct StoreConflict: Hashable, Sendable {
    /// Its position in ``StoreTransaction/compares``.
    public var failed: Int
    /// The entry of the compared key, `nil` when there is none.
    public var actual: StoreEntry?
    /// The revision that was compared with.
    public var revision: Revision

    /// A conflict of these parts.
    public init(failed: Int, actual: StoreEntry?, revision: Revision) {
        self.failed = failed
        self.actual = actual
        self.revision = revision
    }
}
