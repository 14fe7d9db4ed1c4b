public import ClusterModel
public import Deployments

/// The services framework's decisions: which instances there shall be, where they are started, which are ended.
///
/// It is one value with one inbox. `handle` takes an input and the time, changes the value and returns what must become
/// durable and what must then be said, in order; it reads no clock and opens nothing, and its ids come from a seed. The
/// driver makes `changes` durable before it carries out `effects`; when that fails it throws the value away and makes a
/// new one from the store. So no instance is started whose id is not stored, and none is ended by mistake of a restart.
///
/// There are three layers, each of which knows only the one below:
///
/// - **Commands** change the tree of what shall be, and make a deployment of the difference (`+Commands`).
/// - **Deployments** walk through their steps. A step gives each of its services a goal, and is done when all of these
///   have come to it (`+Deployments`).
/// - **Services** work towards their goal at any time, whether a deployment runs or not: they start what is missing,
///   end what is too much, and replace what is old within the bounds of the upgrade strategy (`+Goals`). What is to be
///   started waits for offers (`+Offers`).
///
/// ```
/// instance: provisioned ─► staging ─► starting ─► running ─► an end
///                └───────────┴────────────┴───────────┴──► unreachable ─► inactive ─► given up
/// ```
///
/// It never does: hold an offer, start an instance before its id is stored, start two under one id, do a check itself.
public struct ServicesCore: Sendable {
    /// Timing and limits.
    public let settings: ServicesSettings
    /// What shall be: the tree that commands change.
    public internal(set) var root: GroupDefinition
    /// The framework's id; nil before it subscribed, and after it was removed.
    public internal(set) var frameworkID: FrameworkID?
    /// Whether there is a connection to the master.
    public internal(set) var isConnected = false

    var services: [ServiceID: ServiceState] = [:]
    var instances: [InstanceID: Instance] = [:]
    var taskOwners: [TaskID: InstanceID] = [:]
    var deployments: [DeploymentID: Deployment] = [:]
    /// Which deployment works on a service.
    var locks: [ServiceID: DeploymentID] = [:]
    /// Tasks of ours that nobody here knows, with where they run.
    var strangers: [TaskID: AgentID?] = [:]
    /// Tasks that were given up early in this life of the process: the wait of a restarted one is not for them.
    var abandoned: Set<TaskID> = []
    /// Services that wait for offers or for the end of their delay.
    var waiting: Set<ServiceID> = []
    /// Services to look at before the turn ends.
    var dirty: Set<ServiceID> = []
    /// Deployments to look at before the turn ends.
    var dirtyDeployments: Set<DeploymentID> = []
    /// Roles in which offers were asked for and come.
    var revivedRoles: Set<RoleName> = []
    /// Roles that the master was told of.
    var subscribedRoles: Set<RoleName> = []
    /// Roles for which offers are to be asked for again.
    var rolesToRevive: Set<RoleName> = []
    var nextRevive = Duration.zero
    var recoveryEnd: Duration
    /// When unknown tasks are ended next.
    var nextStrangers = Duration.zero
    var reconcilePause: Duration
    var nextReconcile = Duration.zero
    var nextAudit = Duration.zero
    /// Instances of which nothing was heard since they were asked for.
    var unsettled: Set<InstanceID> = []
    var nextSequence: UInt64 = 1
    var lastVersion = ServiceVersion(nanoseconds: 0)
    var timers = TimerQueue()
    var identifiers: IdentifierSource

    /// The moment of the input being handled.
    var now: Moment
    /// What the input being handled led to so far.
    var turn = ServicesTurn()

    /// Starts from what is stored.
    /// - Parameters:
    ///   - settings: timing and limits.
    ///   - registry: what the store holds.
    ///   - seed: sixteen random bytes, other ones for each life of the framework: ids are drawn from them.
    ///   - now: the time; the recovery window begins here.
    public init(
        settings: ServicesSettings = ServicesSettings(), registry: ServicesRegistry = ServicesRegistry(),
        seed: (UInt64, UInt64), now: Moment
    ) {
        self.settings = settings
        self.now = now
        root = GroupDefinition()
        frameworkID = registry.framework
        identifiers = IdentifierSource(seed: seed)
        reconcilePause = settings.reconcileInterval
        recoveryEnd = now.elapsed + settings.recoveryWindow
        recover(registry)
    }

    /// Takes one input.
    /// - Parameters:
    ///   - input: what happened.
    ///   - now: the time, on the monotonic clock never earlier than in the call before.
    /// - Returns: the changes to store and then the effects to carry out, each in order.
    public mutating func handle(_ input: ServicesInput, now: Moment) -> ServicesTurn {
        self.now = now
        switch input {
        case .event(let event): take(event)
        case .disconnected: disconnect()
        case .command(let request, let command): perform(request, command)
        case .health(let report): take(report)
        case .tick: break
        }
        runTimers()
        settle()
        askForOffers()
        defer { turn = ServicesTurn() }
        return turn
    }

    /// When `handle(.tick)` is due on the monotonic clock, if ever.
    public var nextDeadline: Duration? { timers.next }

    /// Looks at all services and deployments that something happened to, until nothing happens any more. Each round
    /// takes a deployment at least one step further, or is the last.
    mutating func settle() {
        while !dirty.isEmpty || !dirtyDeployments.isEmpty {
            let some = dirty.sorted()
            dirty = []
            for id in some {
                workTowardsGoal(id)
                if let deployment = locks[id] { dirtyDeployments.insert(deployment) }
            }
            let running = dirtyDeployments.sorted()
            dirtyDeployments = []
            for id in running { advance(id) }
        }
    }

    // MARK: what is said and stored

    mutating func say(_ effect: ServicesEffect) { turn.effects.append(effect) }
    mutating func publish(_ event: ServicesEvent) { turn.effects.append(.publish(event)) }
    mutating func store(_ change: ServicesChange) { turn.changes.append(change) }
    /// Says something to the master if it listens; what is lost is said again after the next connection.
    mutating func call(_ call: SchedulerCall) {
        if isConnected { turn.effects.append(.call(call)) }
    }

    mutating func storeService(_ id: ServiceID) {
        store(
            .putService(
                ServiceRecord(id: id, target: root.workload(id)?.version, goal: services[id]?.goal?.record)))
    }

    /// A version that no other has.
    mutating func newVersion() -> ServiceVersion {
        let millisecond: Int64 = 1_000_000
        let present = now.wall.nanoseconds - now.wall.nanoseconds % millisecond
        lastVersion.nanoseconds = max(present, lastVersion.nanoseconds + millisecond)
        return lastVersion
    }
}
