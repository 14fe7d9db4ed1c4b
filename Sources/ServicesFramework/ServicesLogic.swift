public import ClusterModel
internal import Deployments
public import FrameworkRuntime
public import ServicesCore
internal import StateStore

/// The services' core in the form that a ``FrameworkDriver`` runs.
public struct ServicesLogic: FrameworkLogic {
    /// What is decided.
    public internal(set) var core: ServicesCore
    /// As the framework describes itself to the master.
    private var info: FrameworkInfo
    private let master: MasterInfo
    private let hub: EventHub

    init(core: ServicesCore, info: FrameworkInfo, master: MasterInfo, hub: EventHub) {
        self.core = core
        self.info = info
        self.master = master
        self.hub = hub
    }

    /// See ``ServicesCore/nextDeadline``.
    public var nextDeadline: Duration? { core.nextDeadline }

    /// See ``ServicesCore/handle(_:now:)``.
    public mutating func handle(
        _ input: FrameworkInput<ServicesCommand>, now: Moment
    ) -> FrameworkTurn<ServicesReply> {
        let turn: ServicesTurn
        switch input {
        case .connected(let id):
            info.id = id
            turn = core.handle(
                .event(.subscribed(id, heartbeatInterval: .seconds(15), master: master)), now: now)
        case .disconnected: turn = core.handle(.disconnected, now: now)
        case .removed: turn = core.handle(.event(.error("Framework has been removed")), now: now)
        case .command(let request, let command):
            turn = core.handle(.command(ServicesRequestID(request), command), now: now)
        case .tick: turn = core.handle(.tick, now: now)
        case .event(let event): turn = core.handle(.event(event), now: now)
        }
        var faults = turn.faults
        var result = FrameworkTurn<ServicesReply>()
        for change in turn.changes {
            do { result.transactions.append([try ServicesStore.operation(change)]) } catch { faults.append("\(error)") }
        }
        result.effects = turn.effects.compactMap { effect($0, &faults) }
        result.faults = faults
        return result
    }

    private func effect(_ effect: ServicesEffect, _ faults: inout [String]) -> FrameworkTurn<ServicesReply>.Effect? {
        switch effect {
        case .reply(let request, let reply): return .reply(request.number, reply)
        case .call(let call): return .call(call)
        case .accept(let offer, let launches, let filters):
            return .call(.accept(offers: [offer], operations: launches.map(\.operation), filters: filters))
        case .subscribe(let roles, let suppressed):
            var info = info
            info.roles = roles.sorted()
            return .call(.updateFramework(info, suppressedRoles: suppressed))
        case .publish(let event):
            let hub = hub
            return .work { hub.publish(event) }
        }
    }
}
