internal import Membership

extension Membership.Refusal {
    /// For people.
    var words: String {
        switch self {
        case .notVerified(let id, let reason): "the record of node \(id): \(reason)"
        case .incompatibleProtocol(let id, let theirs, let ours):
            "node \(id) speaks versions \(theirs.lowerBound) to \(theirs.upperBound) of the protocol, this node "
                + "\(ours.lowerBound) to \(ours.upperBound); use releases that are nearer to each other"
        case .leaderWithoutMasterRole(let id): "node \(id) claims to lead and is no master"
        case .conflictingRecords(let id): "node \(id) says different things under one incarnation"
        case .forgedIncarnation(let accuser): "node \(accuser) accuses this node under an incarnation that never was"
        }
    }
}
