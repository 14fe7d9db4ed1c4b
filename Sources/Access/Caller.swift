/// Who makes a request, once it is known.
public enum Caller: Hashable, Sendable {
    /// Nobody has said who it is.
    case anonymous
    /// A machine of the cluster, by the id that its key gives it, with what it is there for.
    case node(id: String, duties: NodeDuties)
    /// A person or a service with an account.
    case user(String)
    /// The administrator of the master's machine: whoever may open its unix socket.
    case root

    /// How the caller is called in messages and in the audit log.
    public var name: String {
        switch self {
        case .anonymous: "nobody"
        case .node(let id, _): "node:" + id
        case .user(let name): "user:" + name
        case .root: "root"
        }
    }
}

/// What a node does for its cluster, as its certificate says.
public struct NodeDuties: OptionSet, Hashable, Sendable {
    /// One bit per duty.
    public let rawValue: UInt8
    /// Decides and keeps the state.
    public static let master = NodeDuties(rawValue: 1)
    /// Runs tasks.
    public static let agent = NodeDuties(rawValue: 2)

    /// Makes a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Reads `master`, `agent` or `agent,master`; nil for anything else, so that an unknown duty gives no right.
    public init?(_ text: String) {
        var duties = NodeDuties()
        for word in text.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false) {
            switch word {
            case "master": duties.insert(.master)
            case "agent": duties.insert(.agent)
            default: return nil
            }
        }
        self = duties
    }
}
