public import ClusterModel

/// How an offer left the book.
public enum OfferEnd: String, Hashable, Sendable {
    /// The framework used it.
    case accepted
    /// The framework gave it back.
    case declined
    /// The master took it back: the agent or the framework went away, or an operator needed the resources.
    case rescinded
    /// The framework did not answer in time.
    case expired
}

/// Why offers cannot be used.
public enum OfferError: Error, Hashable, Sendable {
    /// No offer was named.
    case none
    /// One offer was named twice.
    case duplicate(OfferID)
    /// The offer ended a while ago in a known way.
    case ended(OfferID, OfferEnd)
    /// The offer is not known: it never existed, or ended so long ago that the book has forgotten it.
    case unknown(OfferID)
    /// The offer was made to another framework.
    case foreign(OfferID, framework: FrameworkID)
    /// The offers are of different agents.
    case differentAgents(AgentID, AgentID)
    /// The offers were made in different roles.
    case differentRoles(RoleName, RoleName)
}

extension OfferError: CustomStringConvertible {
    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .none: "no offer is named: list the ids of the offers to use"
        case .duplicate(let id): "offer \(id) is named twice: name each offer once"
        case .ended(let id, .accepted): "offer \(id) was accepted already: wait for a new offer"
        case .ended(let id, .declined): "offer \(id) was declined already: wait for a new offer, or revive"
        case .ended(let id, .rescinded): "offer \(id) was rescinded: wait for a new offer"
        case .ended(let id, .expired):
            "offer \(id) was not answered in time and expired: wait for a new offer and answer sooner"
        case .unknown(let id):
            "offer \(id) is not valid (any more): use only offers received since the last subscription"
        case .foreign(let id, let framework):
            "offer \(id) was not made to framework \(framework): use only offers that it received"
        case .differentAgents(let first, let second):
            "the offers are of agents \(first) and \(second): accept the offers of one agent at a time"
        case .differentRoles(let first, let second):
            "the offers were made in roles \(first) and \(second): accept the offers of one role at a time"
        }
    }
}
