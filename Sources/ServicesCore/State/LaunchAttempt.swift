internal import ClusterModel
internal import Deployments

/// What became of the offers since a service waits for them.
struct LaunchAttempt: Sendable {
    /// nil when nothing waits.
    var since: UnixTime?
    var processed = 0
    var unused = 0
    var lastUnusedAt: UnixTime?
    var lastUsedAt: UnixTime?
    private var reasons: [RejectReason: Int] = [:]
    /// By agent; bounded.
    private var unusedOffers: [AgentID: UnusedOffer] = [:]

    mutating func used(at time: UnixTime) {
        processed += 1
        lastUsedAt = time
    }

    mutating func couldNotUse(_ offer: UnusedOffer, keeping kept: Int) {
        processed += 1
        unused += 1
        lastUnusedAt = offer.at
        if let first = Self.first(of: offer.reasons) { reasons[first, default: 0] += 1 }
        if unusedOffers[offer.offer.agentID] == nil, unusedOffers.count >= kept {
            // The oldest makes room.
            let oldest = unusedOffers.min { ($0.value.at, $0.key) < ($1.value.at, $1.key) }?.key
            if let oldest { unusedOffers[oldest] = nil }
        }
        unusedOffers[offer.offer.agentID] = offer
    }

    var lastUnusedOffers: [UnusedOffer] { unusedOffers.sorted { $0.key < $1.key }.map(\.value) }
    var rejectedSinceStart: [RejectStep] { Self.funnel(reasons, of: processed) }
    var rejectedLastOffers: [RejectStep] {
        var counts: [RejectReason: Int] = [:]
        for offer in unusedOffers.values {
            if let first = Self.first(of: offer.reasons) { counts[first, default: 0] += 1 }
        }
        return Self.funnel(counts, of: unusedOffers.count)
    }

    private static func first(of reasons: [RejectReason]) -> RejectReason? {
        RejectReason.allCases.first { reasons.contains($0) }
    }

    /// An offer counts for the first reason that applies; it never gets to the later ones.
    private static func funnel(_ counts: [RejectReason: Int], of total: Int) -> [RejectStep] {
        var left = total
        return RejectReason.allCases.map { reason in
            let declined = counts[reason] ?? 0
            defer { left -= declined }
            return RejectStep(reason: reason, declined: declined, processed: left)
        }
    }
}
