public import Membership
internal import Synchronization

/// What this node's gossip says, for a page that shows it.
public struct GossipView: Sendable {
    /// What this node says of itself.
    public var own: MemberRecord
    /// What is known of the others.
    public var members: [Member]
    /// The time on the clock that ``Member/since`` is counted on.
    public var now: Duration

    /// Makes a view.
    public init(own: MemberRecord, members: [Member], now: Duration) {
        self.own = own
        self.members = members
        self.now = now
    }
}

extension MasterNode {
    /// Has the console show what the gossip says.
    ///
    /// - Parameter gossip: tells it; called whenever somebody looks.
    public func show(gossip: @escaping @Sendable () async -> GossipView) {
        console.gossip.withLock { $0 = gossip }
    }
}
