/// Settings of a master's decisions. Durations of zero are refused by the driver's configuration, not here.
public struct MasterSettings: Hashable, Sendable {
    /// How often frameworks get HEARTBEAT. Shorter finds dead connections sooner and wakes everybody more often.
    public var frameworkHeartbeat: Duration = .seconds(15)
    /// How often agents get and send heartbeats; a third of `unreachableAfter` or less, so that one may be lost.
    public var agentHeartbeat: Duration = .seconds(5)
    /// Silence after which an agent is unreachable. Shorter reschedules sooner and forgives fewer stalls; Mesos has 75 s.
    public var unreachableAfter: Duration = .seconds(15)
    /// How long an agent whose presence is doubted, by gossip or because a second one with its key has come, may take
    /// to answer before its session is ended. Longer forgives busier hosts and bad networks.
    public var lookTimeout: Duration = .seconds(2)
    /// When an agent with a copied key may ask again.
    public var copyRetry: Duration = .seconds(60)
    /// How long a restarted master waits for its agents before it offers the resources of those that came and gives
    /// up those that did not. Longer keeps fairness exact after a restart and delays offers when an agent is dead.
    /// Frameworks have at least this long to come back, too: it was not they who went away.
    public var recoveryWindow: Duration = .seconds(30)
    /// Time between allocation cycles when frameworks only decline; Mesos has 1 s.
    public var allocationInterval: Duration = .seconds(1)
    /// How soon a cycle runs when something came free or arrived. Longer gathers more into one cycle.
    public var allocationDelay: Duration = .milliseconds(5)
    /// Ended tasks kept for display, per framework.
    public var completedTasksKept = 1_000
    /// Removed frameworks kept for display and to refuse their return; the oldest is forgotten first.
    public var completedFrameworksKept = 50
    /// Frameworks that may take part at once, those that are away among them. More are turned away.
    public var frameworksMax = 2_000
    /// Agents remembered, unreachable and gone ones among them. Further new ones are turned away.
    public var agentsMax = 50_000
    /// Statuses kept per task for display.
    public var statusesKept = 10

    /// Production defaults.
    public init() {}

    /// An agent's session as Mesos times it: five pings of 15 s.
    public static var mesosTiming: MasterSettings {
        var settings = MasterSettings()
        settings.agentHeartbeat = .seconds(15)
        settings.unreachableAfter = .seconds(75)
        settings.recoveryWindow = .seconds(600)
        return settings
    }
}
