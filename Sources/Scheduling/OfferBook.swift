public import ClusterModel

/// The offers that are out: made, and neither answered nor taken back.
///
/// An offer ends exactly once. The book remembers how the most recent ones ended, so that a late answer gets a message
/// that fits; it forgets the oldest of these beyond a bound.
public struct OfferBook: Sendable {
    /// What the book keeps beside an offer.
    private struct Entry: Sendable {
        var offer: Offer
        /// Grows with every offer: the order in which they were made.
        var sequence: UInt64
        var deadline: Duration?
    }

    /// What every id begins with.
    public let prefix: String
    /// How long an offer may stay unanswered; for ever when nil.
    public let timeout: Duration?
    /// Of how many ended offers the book remembers the end.
    public let rememberedMax: Int

    private var entries: [OfferID: Entry] = [:]
    private var byFramework: [FrameworkID: Set<OfferID>] = [:]
    private var byAgent: [AgentID: Set<OfferID>] = [:]
    private var made: UInt64 = 0
    /// Offers by deadline, which is the order in which they were made; ended ones are skipped.
    private var waiting = WaitingLine<OfferID>()
    private var ends: [OfferID: OfferEnd] = [:]
    private var endOrder = WaitingLine<OfferID>()

    /// Makes an empty book.
    /// - Parameters:
    ///   - prefix: makes ids unique among all masters' lives, such as `<master id>-O`; a counter follows it.
    ///   - timeout: how long an offer may stay unanswered; for ever when nil.
    ///   - rememberedMax: of how many ended offers to remember how they ended.
    public init(prefix: String, timeout: Duration? = nil, rememberedMax: Int = 16_384) {
        self.prefix = prefix
        self.timeout = timeout
        self.rememberedMax = max(0, rememberedMax)
    }

    /// How many offers are out.
    public var count: Int { entries.count }

    /// Whether no offer is out.
    public var isEmpty: Bool { entries.isEmpty }

    /// When the next offer expires, if offers do.
    public var nextDeadline: Duration? { waiting.first.flatMap { entries[$0]?.deadline } }

    /// An offer that is out.
    public subscript(_ id: OfferID) -> Offer? { entries[id]?.offer }

    /// How a recent offer ended; nil while it is out, when it never was, and when that is forgotten.
    public func end(of id: OfferID) -> OfferEnd? { ends[id] }

    /// Offers that are out to a framework, in the order in which they were made.
    public func offers(to framework: FrameworkID) -> [Offer] { inOrder(byFramework[framework]) }

    /// Offers that are out on an agent, in the order in which they were made.
    public func offers(on agent: AgentID) -> [Offer] { inOrder(byAgent[agent]) }

    /// All offers that are out, in the order in which they were made.
    public var all: [Offer] { entries.values.sorted { $0.sequence < $1.sequence }.map(\.offer) }

    /// Makes an offer of what the allocator allocated.
    /// - Parameters:
    ///   - allocation: to whom, in which role, of which agent, how much.
    ///   - agent: the agent as it described itself.
    ///   - executorIDs: executors of the framework that run there already.
    ///   - now: when the offer's time begins.
    /// - Returns: the offer, with an id that this book has not used before.
    public mutating func make(
        _ allocation: Allocation, agent: AgentInfo, executorIDs: [ExecutorID] = [], now: Duration
    ) -> Offer {
        let id = OfferID(prefix + String(made))
        let offer = Offer(
            id: id, frameworkID: allocation.framework, agentID: allocation.agent, role: allocation.role,
            resources: allocation.resources, agent: agent, executorIDs: executorIDs)
        entries[id] = Entry(offer: offer, sequence: made, deadline: timeout.map { now + $0 })
        made += 1
        byFramework[offer.frameworkID, default: []].insert(id)
        byAgent[offer.agentID, default: []].insert(id)
        if timeout != nil { waiting.append(id) }
        return offer
    }

    /// Checks that offers may be used together by a framework and returns them in the given order. Nothing changes:
    /// the caller ends them with `end`.
    /// - Throws: the first thing that is wrong. Mesos' rules (`master/validation.cpp`, namespace `offer`): all known,
    ///   none twice, all this framework's, of one agent, in one role.
    public func validate(_ ids: [OfferID], for framework: FrameworkID) throws(OfferError) -> [Offer] {
        var offers: [Offer] = []
        var seen: Set<OfferID> = []
        for id in ids {
            guard seen.insert(id).inserted else { throw .duplicate(id) }
            guard let offer = entries[id]?.offer else {
                if let end = ends[id] { throw .ended(id, end) }
                throw .unknown(id)
            }
            guard offer.frameworkID == framework else { throw .foreign(id, framework: framework) }
            if let first = offers.first {
                guard offer.agentID == first.agentID else { throw .differentAgents(first.agentID, offer.agentID) }
                guard offer.role == first.role else { throw .differentRoles(first.role, offer.role) }
            }
            offers.append(offer)
        }
        if offers.isEmpty { throw .none }
        return offers
    }

    /// Takes an offer out of the book.
    /// - Returns: the offer, or nil when it was not out.
    @discardableResult
    public mutating func end(_ id: OfferID, as end: OfferEnd) -> Offer? {
        guard let offer = entries.removeValue(forKey: id)?.offer else { return nil }
        byFramework[offer.frameworkID]?.remove(id)
        if byFramework[offer.frameworkID]?.isEmpty == true { byFramework[offer.frameworkID] = nil }
        byAgent[offer.agentID]?.remove(id)
        if byAgent[offer.agentID]?.isEmpty == true { byAgent[offer.agentID] = nil }
        remember(id, end)
        while let first = waiting.first, entries[first] == nil { waiting.removeFirst() }
        return offer
    }

    /// Takes all offers to a framework out of the book, as rescinded.
    public mutating func rescind(to framework: FrameworkID) -> [Offer] {
        offers(to: framework).compactMap { end($0.id, as: .rescinded) }
    }

    /// Takes all offers on an agent out of the book, as rescinded.
    public mutating func rescind(on agent: AgentID) -> [Offer] {
        offers(on: agent).compactMap { end($0.id, as: .rescinded) }
    }

    /// Takes the offers out of the book whose time is over; the caller recovers their resources and tells the
    /// frameworks that they are rescinded.
    public mutating func expire(now: Duration) -> [Offer] {
        var expired: [Offer] = []
        while let id = waiting.first, let deadline = entries[id]?.deadline, deadline <= now {
            if let offer = end(id, as: .expired) { expired.append(offer) }
        }
        return expired
    }

    private mutating func remember(_ id: OfferID, _ end: OfferEnd) {
        guard rememberedMax > 0 else { return }
        ends[id] = end
        endOrder.append(id)
        while endOrder.count > rememberedMax, let oldest = endOrder.first {
            endOrder.removeFirst()
            ends[oldest] = nil
        }
    }

    private func inOrder(_ ids: Set<OfferID>?) -> [Offer] {
        (ids ?? []).compactMap { entries[$0] }.sorted { $0.sequence < $1.sequence }.map(\.offer)
    }
}

/// First in, first out, in amortised constant time: taken elements are dropped when they are the larger half.
struct WaitingLine<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var first: Element? { head < elements.count ? elements[head] : nil }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func removeFirst() {
        guard head < elements.count else { return }
        head += 1
        guard head > 32, head * 2 > elements.count else { return }
        elements.removeSubrange(..<head)
        head = 0
    }
}
