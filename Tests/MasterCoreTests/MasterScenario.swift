import ClusterModel
import MasterCore
import Scheduling
import Testing

/// A framework in a scenario: its id and its open stream.
struct FrameworkPeer {
    var id: FrameworkID
    var connection: ConnectionID
}

/// An agent in a scenario: its id and its open stream.
struct AgentPeer {
    var id: AgentID
    var connection: ConnectionID
}

/// A master core with everybody else played by the test. It is a strict model of the driver: it stores the changes of
/// a turn first and then checks every effect against the registry and against the streams that are open.
///
/// Agents answer heartbeats by themselves unless they are in `silent`.
struct MasterScenario {
    private(set) var core: MasterCore
    private(set) var registry = Registry()
    private(set) var elapsed: Duration = .seconds(1_000)
    /// Agents that do not answer heartbeats.
    var silent: Set<AgentID> = []
    private(set) var published: [ClusterEvent] = []
    private(set) var isClosed: Set<ConnectionID> = []
    private(set) var warnings: [String] = []

    private var settings: MasterSettings
    private var inbox: [ConnectionID: [SchedulerEvent]] = [:]
    private var agentInbox: [ConnectionID: [AgentEvent]] = [:]
    private var greeted: Set<ConnectionID> = []
    private var hasFailed: Set<ConnectionID> = []
    private var replies: [RequestID: Reply] = [:]
    private var open: Set<RequestID> = []
    private var connectionCount: UInt64 = 0
    private var requestCount: UInt64 = 0
    private var masterLife = 1

    init(_ settings: MasterSettings = MasterSettings()) {
        self.settings = settings
        core = MasterCore(
            settings: settings, master: Self.master(1), registry: Registry(),
            now: Moment(elapsed: .seconds(1_000), wall: Self.wall(.seconds(1_000))))
    }

    private static func master(_ life: Int) -> MasterInfo {
        MasterInfo(
            id: MasterID("m\(life)"), hostname: "master", address: "10.0.0.1", port: 5_050, version: "1.11.0")
    }

    private static func wall(_ elapsed: Duration) -> UnixTime {
        UnixTime(nanoseconds: 1_700_000_000_000_000_000) + elapsed
    }

    var now: Moment { Moment(elapsed: elapsed, wall: Self.wall(elapsed)) }

    // MARK: driving

    /// Hands an input to the core as the driver does: changes become durable, then the effects are carried out.
    mutating func feed(_ input: MasterInput, sourceLocation: SourceLocation = #_sourceLocation) {
        let turn = core.handle(input, now: now)
        #expect(turn.faults == [], sourceLocation: sourceLocation)
        for change in turn.changes { registry.apply(change) }
        var beats: [ConnectionID] = []
        for effect in turn.effects {
            switch effect {
            case .reply(let request, let reply):
                #expect(open.remove(request) != nil, "answered twice", sourceLocation: sourceLocation)
                replies[request] = reply
            case .send(let connection, let event): receive(event, connection, sourceLocation)
            case .sendAgent(let connection, let event):
                receive(event, connection, sourceLocation)
                if event == .heartbeat { beats.append(connection) }
            case .close(let connection):
                #expect(isClosed.insert(connection).inserted, "closed twice", sourceLocation: sourceLocation)
            case .publish(let event): take(event, sourceLocation)
            case .warn(let text): warnings.append(text)
            }
        }
        for connection in hasFailed {
            #expect(isClosed.contains(connection), "ERROR without the end", sourceLocation: sourceLocation)
        }
        checkBooks(sourceLocation)
        for connection in beats { answerHeartbeat(on: connection) }
    }

    private mutating func receive(_ event: SchedulerEvent, _ connection: ConnectionID, _ at: SourceLocation) {
        #expect(!isClosed.contains(connection), "\(event) on a closed stream", sourceLocation: at)
        #expect(!hasFailed.contains(connection), "\(event) after ERROR", sourceLocation: at)
        switch event {
        case .subscribed(let id, _, _):
            #expect(greeted.insert(connection).inserted, "SUBSCRIBED twice", sourceLocation: at)
            let record = registry.frameworks[id]
            #expect(record?.removedAt == nil && record?.info == core.frameworks[id]?.info, sourceLocation: at)
        case .error: hasFailed.insert(connection)
        default: #expect(greeted.contains(connection), "\(event) before SUBSCRIBED", sourceLocation: at)
        }
        inbox[connection, default: []].append(event)
    }

    private mutating func receive(_ event: AgentEvent, _ connection: ConnectionID, _ at: SourceLocation) {
        #expect(!isClosed.contains(connection), "\(event) on a closed stream", sourceLocation: at)
        if case .subscribed(let id, _, _) = event {
            #expect(registry.agents[id]?.standing == .member, "told before it was stored", sourceLocation: at)
        }
        agentInbox[connection, default: []].append(event)
    }

    private mutating func take(_ event: ClusterEvent, _ at: SourceLocation) {
        published.append(event)
        if case .frameworkRemoved(let info) = event, let id = info.id {
            #expect(registry.frameworks[id]?.removedAt != nil || core.completedFrameworks.isEmpty, sourceLocation: at)
        }
    }

    private mutating func answerHeartbeat(on connection: ConnectionID) {
        guard let agent = core.agents.values.first(where: { $0.connection == connection }), !silent.contains(agent.id)
        else { return }
        tell(AgentPeer(id: agent.id, connection: connection), .heartbeat)
    }

    /// On every agent, what is free, offered and used is what there is.
    private func checkBooks(_ at: SourceLocation) {
        for (id, agent) in core.agents where core.allocator.hasAgent(id) {
            var sum = core.allocator.free(on: id) ?? Resources()
            var parts = core.offers.offers(on: id).map(\.resources)
            var executors: [String: Resources] = [:]
            for key in agent.tasks {
                var task = core.frameworks[key.framework]?.tasks[key.task]
                if let ending = core.endingTasks[key], ending.agentID == id { task = ending }
                guard let task, task.holdsResources else { continue }
                parts.append(task.resources)
                if let group = task.launch.group { executors["\(key.framework)/\(group.executorID)"] = group.resources }
            }
            parts += executors.values
            for part in parts {
                guard let next = try? sum.adding(part) else {
                    Issue.record("agent \(id) has something booked twice", sourceLocation: at)
                    return
                }
                sum = next
            }
            #expect(sum == core.allocator.total(of: id), "agent \(id)", sourceLocation: at)
        }
    }

    /// Lets time pass, with a tick at every deadline of the core.
    mutating func advance(_ duration: Duration, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = elapsed + duration
        var stalled = 0
        while let deadline = core.nextDeadline, deadline <= end {
            stalled = deadline <= elapsed ? stalled + 1 : 0
            if stalled > 100 {
                Issue.record("ticks do not move the deadline", sourceLocation: sourceLocation)
                break
            }
            elapsed = max(elapsed, deadline)
            feed(.tick, sourceLocation: sourceLocation)
        }
        elapsed = end
    }

    /// Lets time pass while the master stands still.
    mutating func stall(_ duration: Duration) { elapsed += duration }

    /// Runs the allocation cycle that is due soon.
    mutating func settle(sourceLocation: SourceLocation = #_sourceLocation) {
        advance(.milliseconds(10), sourceLocation: sourceLocation)
    }

    /// Kills the master and starts the next one from what is stored. All streams are gone.
    mutating func restartMaster() {
        masterLife += 1
        for connection in 0...connectionCount { isClosed.insert(ConnectionID(connection)) }
        open = []
        core = MasterCore(settings: settings, master: Self.master(masterLife), registry: registry, now: now)
    }

    private mutating func newConnection() -> ConnectionID {
        connectionCount += 1
        return ConnectionID(connectionCount)
    }

    private mutating func newRequest() -> RequestID {
        requestCount += 1
        open.insert(RequestID(requestCount))
        return RequestID(requestCount)
    }

    private mutating func post(_ make: (RequestID) -> MasterInput, _ at: SourceLocation) -> Reply? {
        let request = newRequest()
        feed(make(request), sourceLocation: at)
        let reply = replies.removeValue(forKey: request)
        #expect(reply != nil, "no answer", sourceLocation: at)
        return reply
    }

    // MARK: frameworks

    /// Opens a framework's stream and returns it, whatever the answer is.
    mutating func open(
        _ info: FrameworkInfo, suppressed: Set<RoleName> = [], sourceLocation: SourceLocation = #_sourceLocation
    ) -> ConnectionID {
        let connection = newConnection()
        feed(
            .subscribe(connection, Subscription(info: info, suppressedRoles: suppressed)),
            sourceLocation: sourceLocation)
        return connection
    }

    /// Subscribes a framework that must be let in.
    mutating func subscribe(
        _ info: FrameworkInfo = .test(), suppressed: Set<RoleName> = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> FrameworkPeer {
        let connection = open(info, suppressed: suppressed, sourceLocation: sourceLocation)
        guard case .subscribed(let id, _, _)? = inbox[connection]?.first else {
            Issue.record("not subscribed: \(String(describing: inbox[connection]))", sourceLocation: sourceLocation)
            throw ScenarioFailure()
        }
        inbox[connection]?.removeFirst()
        return FrameworkPeer(id: id, connection: connection)
    }

    /// Subscribes again under the same id.
    mutating func resubscribe(
        _ peer: FrameworkPeer, suppressed: Set<RoleName> = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> FrameworkPeer {
        var info = try #require(core.frameworks[peer.id]?.info, sourceLocation: sourceLocation)
        info.id = peer.id
        return try subscribe(info, suppressed: suppressed, sourceLocation: sourceLocation)
    }

    @discardableResult
    mutating func call(
        _ peer: FrameworkPeer, _ call: SchedulerCall, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        post({ .call($0, framework: peer.id, connection: peer.connection, call) }, sourceLocation)
    }

    @discardableResult
    mutating func rawCall(
        _ framework: FrameworkID, _ connection: ConnectionID?, _ call: SchedulerCall,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        post({ .call($0, framework: framework, connection: connection, call) }, sourceLocation)
    }

    /// What came on a framework's stream since the last time, without heartbeats.
    mutating func take(_ connection: ConnectionID) -> [SchedulerEvent] {
        (inbox.removeValue(forKey: connection) ?? []).filter { $0 != .heartbeat }
    }

    /// The same with heartbeats.
    mutating func takeAll(_ connection: ConnectionID) -> [SchedulerEvent] {
        inbox.removeValue(forKey: connection) ?? []
    }

    /// The statuses that came since the last time; other events are dropped.
    mutating func updates(_ peer: FrameworkPeer) -> [TaskStatus] {
        take(peer.connection).compactMap { if case .update(let status) = $0 { status } else { nil } }
    }

    /// The offers that came since the last time, after the cycle that is due; other events are dropped.
    mutating func offers(_ peer: FrameworkPeer, sourceLocation: SourceLocation = #_sourceLocation) -> [Offer] {
        settle(sourceLocation: sourceLocation)
        return take(peer.connection).flatMap { event -> [Offer] in
            if case .offers(let offers) = event { offers } else { [] }
        }
    }

    /// The only offer that came since the last time.
    mutating func offer(_ peer: FrameworkPeer, sourceLocation: SourceLocation = #_sourceLocation) throws -> Offer {
        let all = offers(peer, sourceLocation: sourceLocation)
        #expect(all.count == 1, sourceLocation: sourceLocation)
        return try #require(all.first, sourceLocation: sourceLocation)
    }

    @discardableResult
    mutating func launch(
        _ peer: FrameworkPeer, _ offer: Offer, _ tasks: [TaskInfo], refuse: Duration = .seconds(5),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        call(
            peer,
            .accept(offers: [offer.id], operations: [.launch(tasks)], filters: OfferFilters(refuse: refuse)),
            sourceLocation: sourceLocation)
    }

    mutating func hangUp(_ connection: ConnectionID, sourceLocation: SourceLocation = #_sourceLocation) {
        isClosed.insert(connection)
        feed(.closed(connection), sourceLocation: sourceLocation)
    }

    // MARK: agents

    /// Opens an agent's stream and returns it, whatever the answer is.
    mutating func openAgent(
        _ info: AgentInfo, tasks: [ReportedTask] = [], origin: AgentOrigin? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> ConnectionID {
        let connection = newConnection()
        feed(
            .registerAgent(connection, AgentRegistration(info: info, tasks: tasks, origin: origin)),
            sourceLocation: sourceLocation)
        return connection
    }

    /// Registers an agent that must be let in. Its first events are taken already when it is new.
    mutating func register(
        _ info: AgentInfo = .test(), tasks: [ReportedTask] = [], origin: AgentOrigin? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> AgentPeer {
        let connection = openAgent(info, tasks: tasks, origin: origin, sourceLocation: sourceLocation)
        guard case .subscribed(let id, _, _)? = agentInbox[connection]?.first else {
            Issue.record(
                "not registered: \(String(describing: agentInbox[connection]))", sourceLocation: sourceLocation)
            throw ScenarioFailure()
        }
        agentInbox[connection]?.removeFirst()
        return AgentPeer(id: id, connection: connection)
    }

    /// Registers an agent again under its id.
    mutating func reregister(
        _ peer: AgentPeer, tasks: [ReportedTask] = [], origin: AgentOrigin? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> AgentPeer {
        var info = try #require(registry.agents[peer.id]?.info, sourceLocation: sourceLocation)
        info.id = peer.id
        return try register(info, tasks: tasks, origin: origin, sourceLocation: sourceLocation)
    }

    @discardableResult
    mutating func tell(
        _ peer: AgentPeer, _ call: AgentCall, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        post({ .agentCalls($0, connection: peer.connection, [call]) }, sourceLocation)
    }

    /// What came on an agent's stream since the last time, without heartbeats.
    mutating func take(_ peer: AgentPeer) -> [AgentEvent] { takeAgent(peer.connection) }

    /// The same by stream.
    mutating func takeAgent(_ connection: ConnectionID) -> [AgentEvent] {
        (agentInbox.removeValue(forKey: connection) ?? []).filter { $0 != .heartbeat }
    }

    /// Lets the agent fall silent and be given up.
    mutating func giveUp(_ peer: AgentPeer) {
        hangUp(peer.connection)
        advance(settings.unreachableAfter + .seconds(2))
    }

    // MARK: operators

    mutating func command(
        _ command: OperatorCommand, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        post({ .command($0, command) }, sourceLocation)
    }

    mutating func openStream(
        _ agent: AgentID, _ stream: StreamRequest, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply? {
        post({ .openStream($0, agent, stream) }, sourceLocation)
    }
}

/// Ends a test whose preparation failed; what failed is recorded already.
struct ScenarioFailure: Error {}
