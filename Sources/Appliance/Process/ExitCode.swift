/// What the program's exit code says. Public: scripts test for these. `rondo run` ends with its tasks' code instead.
public enum ExitCode: Int32, CaseIterable, Sendable {
    /// All was done.
    case success = 0
    /// It could not be done; the message says why.
    case failure = 1
    /// The command line or the configuration is wrong (`EX_USAGE` of sysexits.h).
    case usage = 64
    /// Nothing answers at the address, or what is needed does not run (`EX_UNAVAILABLE`).
    case unavailable = 69
    /// A fault of the program (`EX_SOFTWARE`).
    case software = 70
    /// A commit may or may not be on disk; a restart finds out (`EX_IOERR`).
    case outcomeUnknown = 74
    /// The credential is missing or does not allow it (`EX_NOPERM`).
    case notPermitted = 77
    /// `rondo run --timeout` is over; its tasks were ended, as `timeout(1)` reports it.
    case timedOut = 124
    /// Ended by Ctrl-C before all was done.
    case interrupted = 130

    /// One line for the manual.
    public var summary: String {
        switch self {
        case .success: "all was done"
        case .failure: "it could not be done; the message says why"
        case .usage: "the command line or the configuration is wrong"
        case .unavailable: "nothing answers at the address, or what is needed does not run"
        case .software: "a fault of the program"
        case .outcomeUnknown: "a write may or may not be on disk; a restart finds out"
        case .notPermitted: "the credential is missing or does not allow it"
        case .timedOut: "the time given with --timeout is over"
        case .interrupted: "ended by Ctrl-C"
        }
    }
}
