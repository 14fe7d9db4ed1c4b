public import StateStore

/// Why a master cannot start or go on. ``code`` is public API: add codes, never reuse one.
public enum MasterNodeError: Error, Hashable, Sendable {
    /// A commit may or may not be on disk. The process must end with ``exitCode``; a restart finds out.
    case outcomeUnknown(StoreError)
    /// A stored value is of a newer format than this program reads.
    case newerFormat(key: String, found: Int, supported: Int)
    /// A stored value cannot be read.
    case unreadable(key: String, reason: String)
    /// A change was refused by the store although it was checked before.
    case rejected(StoreError)
    /// The audit log cannot be opened.
    case audit(String)
    /// The master was closed.
    case stopped

    /// A stable name for programs.
    public var code: String {
        switch self {
        case .outcomeUnknown: "master.store-outcome-unknown"
        case .newerFormat: "master.format-newer"
        case .unreadable: "master.value-unreadable"
        case .rejected: "master.change-rejected"
        case .audit: "master.audit-log"
        case .stopped: "master.stopped"
        }
    }

    /// The exit code of a process that ends because of it.
    public var exitCode: Int32 {
        switch self {
        case .outcomeUnknown: StoreError.outcomeUnknownExitCode
        default: 70
        }
    }
}

extension MasterNodeError: CustomStringConvertible {
    /// What happened, why, and what to do next.
    public var description: String {
        switch self {
        case .outcomeUnknown(let error): error.description
        case .newerFormat(let key, let found, let supported):
            "\(key) is stored in format \(found), this program reads up to \(supported); use the newer program"
        case .unreadable(let key, let reason):
            "\(key) cannot be read (\(reason)); restore the store from a backup"
        case .rejected(let error): "the store refused a change that was checked before: \(error)"
        case .audit(let what): "\(what); make the directory writable for the master, or name another"
        case .stopped: "the master is stopping; ask again when it is back"
        }
    }
}
