/// Why a call of the store failed. ``code`` is public API: add codes, never reuse one.
public enum StoreError: Error, Hashable, Sendable {
    /// A key or prefix that no store takes; the text says why.
    case invalidKey(String)
    /// A page limit outside of 1 to ``StoreLimits/pageEntries``.
    case invalidLimit(Int)
    /// A lease id or time that no store takes; the text says why.
    case invalidLease(String)
    /// A value above ``StoreLimits/valueBytes``.
    case valueTooLarge(key: String, bytes: Int)
    /// More operations or compares than ``StoreLimits/operations``.
    case tooManyOperations(Int)
    /// A transaction above ``StoreLimits/transactionBytes``.
    case transactionTooLarge(bytes: Int)
    /// A transaction that would delete more keys than ``StoreLimits/changes``.
    case tooManyChanges(Int)
    /// Two operations of one transaction touch this key or prefix.
    case duplicateKey(String)
    /// There is no such lease: it was never granted or has ended.
    case leaseNotFound(LeaseID)
    /// The lease to grant is there already.
    case leaseExists(LeaseID)
    /// The history asked for is gone; the oldest revision a watch can start from.
    case compacted(oldest: Revision)
    /// A revision that is not reached yet.
    case futureRevision(requested: Revision, current: Revision)
    /// More writes wait than the store queues.
    case overloaded(waiting: Int)
    /// Another process keeps the database busy although this store holds its lock.
    case busy(String)
    /// The disk is full: nothing was written, reads go on, writes are refused until a probe succeeds.
    case full(String)
    /// Reading or writing failed: nothing was written, reads go on, writes are refused until a probe succeeds.
    case io(String)
    /// Writes are refused since an earlier failure, until a probe succeeds.
    case readOnly(String)
    /// The flush of a commit failed, so it may or may not be there after a restart. End the process with
    /// ``outcomeUnknownExitCode``.
    case outcomeUnknown(String)
    /// Another process has the store open.
    case locked(path: String, pid: Int32?)
    /// The file is of a newer format than this program knows.
    case newerFormat(found: Int, supported: Int)
    /// The file is a database of something else, or none at all.
    case notAStore(path: String)
    /// The file cannot be opened or created.
    case cannotOpen(path: String, reason: String)
    /// The file contradicts itself.
    case corrupt(String)
    /// The store was closed.
    case closed

    /// The exit code of a process that met ``outcomeUnknown(_:)``: `EX_IOERR` of sysexits.h. A restart reads from the
    /// disk what really happened.
    public static let outcomeUnknownExitCode: Int32 = 74

    /// A stable name for programs.
    public var code: String {
        switch self {
        case .invalidKey: "store.key-invalid"
        case .invalidLimit: "store.limit-invalid"
        case .invalidLease: "store.lease-invalid"
        case .valueTooLarge: "store.value-too-large"
        case .tooManyOperations: "store.operations-too-many"
        case .transactionTooLarge: "store.transaction-too-large"
        case .tooManyChanges: "store.changes-too-many"
        case .duplicateKey: "store.key-duplicate"
        case .leaseNotFound: "store.lease-not-found"
        case .leaseExists: "store.lease-exists"
        case .compacted: "store.compacted"
        case .futureRevision: "store.revision-future"
        case .overloaded: "store.overloaded"
        case .busy: "store.busy"
        case .full: "store.full"
        case .io: "store.io"
        case .readOnly: "store.read-only"
        case .outcomeUnknown: "store.outcome-unknown"
        case .locked: "store.locked"
        case .newerFormat: "store.format-newer"
        case .notAStore: "store.format-foreign"
        case .cannotOpen: "store.cannot-open"
        case .corrupt: "store.corrupt"
        case .closed: "store.closed"
        }
    }
}

extension StoreError: CustomStringConvertible {
    /// What happened, why, and what to do next.
    public var description: String {
        switch self {
        case .invalidKey(let reason), .invalidLease(let reason): reason
        case .invalidLimit(let limit): "page limit \(limit) is not within 1 and \(StoreLimits.pageEntries)"
        case .valueTooLarge(let key, let bytes):
            "the value of \(key) has \(bytes) bytes; store at most \(StoreLimits.valueBytes), larger content by digest"
        case .tooManyOperations(let count):
            "a transaction has \(count) operations or compares; split it into parts of \(StoreLimits.operations)"
        case .transactionTooLarge(let bytes):
            "a transaction has \(bytes) bytes of keys and values; split it into parts of \(StoreLimits.transactionBytes)"
        case .tooManyChanges(let count):
            "a transaction would delete \(count) keys; delete longer prefixes with at most \(StoreLimits.changes)"
        case .duplicateKey(let key): "two operations of one transaction touch \(key); keep one"
        case .leaseNotFound(let id): "lease \(id) is not there: it was never granted or has ended; grant a new one"
        case .leaseExists(let id): "lease \(id) is there already; choose another id or keep it alive"
        case .compacted(let oldest):
            "the history before revision \(oldest) was compacted; list the keys again and watch from there"
        case .futureRevision(let requested, let current):
            "revision \(requested) is not reached yet; the store is at \(current)"
        case .overloaded(let waiting): "\(waiting) writes wait already; try again when some are done"
        case .busy(let reason): "the database is held by another process (\(reason)); end it and try again"
        case .full(let reason): "the disk of the store is full (\(reason)); make room, writes go on by themselves"
        case .io(let reason): "the disk of the store failed (\(reason)); check it and its kernel messages"
        case .readOnly(let reason): "the store takes no writes since an earlier failure (\(reason))"
        case .outcomeUnknown(let reason):
            "a commit may or may not be on disk (\(reason)); the process must restart to find out"
        case .locked(let path, let pid):
            "\(path) is in use by \(pid.map { "process \($0)" } ?? "another process"); stop it first"
        case .newerFormat(let found, let supported):
            "the store has format \(found), this program knows up to \(supported); use the newer program"
        case .notAStore(let path): "\(path) is not a store of this program; move it away or give another path"
        case .cannotOpen(let path, let reason): "cannot open the store at \(path): \(reason)"
        case .corrupt(let reason): "the store contradicts itself (\(reason)); restore it from a backup"
        case .closed: "the store is closed"
        }
    }
}
