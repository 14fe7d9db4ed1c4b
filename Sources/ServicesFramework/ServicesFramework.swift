public import ClusterModel
internal import Deployments
public import FrameworkRuntime
public import Logging
public import ServicesCore
public import StateStore

/// Services: what shall run all the time, by the interface of Marathon.
///
/// ```
///  HTTP ─► ServicesFacade ─► FrameworkDriver ─► ServicesLogic (ServicesCore) ─► store, then master
///              ▲      ▲             │
///              │      └ replies, copies of the core
///              └──── events ◄── EventHub
/// ```
/// It is a framework as any other: it subscribes, gets offers in its role, and launches tasks on them. It keeps its
/// state below `/rondo/service…` in the store and nothing anywhere else.
public final class ServicesFramework: Sendable {
    let driver: FrameworkDriver<ServicesLogic>
    let hub: EventHub
    let settings: Settings

    /// What the framework is told when it starts.
    public struct Settings: Sendable {
        /// The account of tasks whose app names none.
        public var user: String
        /// The master that it lives on.
        public var master: MasterInfo
        /// The release of this program.
        public var version: String
        /// The role in which it takes offers.
        public var role = RoleName.everyone
        /// What the agents can do beside running commands.
        public var abilities: Set<Ability>
        /// How long instances that serve are only said to be on their way to their end; nil for what is usual.
        public var drain: Duration?
        /// Random numbers for ids, other ones at each call.
        public var newSeed: @Sendable () -> (UInt64, UInt64)
        /// An id for the framework's first start.
        public var newID: @Sendable () -> FrameworkID

        /// Something that agents can do.
        public enum Ability: String, Hashable, Sendable {
            /// Run containers from images.
            case images
            /// Give containers networks of their own, and publish their ports.
            case networks
            /// Check whether tasks are well.
            case healthChecks
            /// Give commands terminals.
            case terminals
        }

        /// Settings of a framework.
        public init(
            user: String, master: MasterInfo, version: String, abilities: Set<Ability> = [],
            newSeed: @escaping @Sendable () -> (UInt64, UInt64), newID: @escaping @Sendable () -> FrameworkID
        ) {
            self.user = user
            self.master = master
            self.version = version
            self.abilities = abilities
            self.newSeed = newSeed
            self.newID = newID
        }

        /// Where its interface is reached, as `HOST:PORT`.
        var address: String {
            master.address.contains(":") ? "[\(master.address)]:\(master.port)" : "\(master.address):\(master.port)"
        }

        var core: ServicesSettings {
            var core = ServicesSettings()
            core.role = role
            core.features = []
            if let drain { core.drain = drain }
            core.features.formUnion([.resourceLimits, .pods])
            if abilities.contains(.images) { core.features.formUnion([.images, .pullSecrets]) }
            if abilities.contains(.terminals) { core.features.insert(.terminals) }
            if abilities.contains(.networks) { core.features.insert(.networks) }
            if abilities.contains(.healthChecks) {
                core.features.formUnion([.healthChecks, .severalHealthChecks, .readinessChecks, .statusChecks])
            }
            return core
        }
    }

    /// A framework that does nothing yet; ``run()`` makes it work.
    ///
    /// - Parameters:
    ///   - settings: what it is told.
    ///   - store: where its state is.
    ///   - connector: the way to its master.
    ///   - clock: the clocks.
    ///   - logger: gets what operators should know.
    public init(
        _ settings: Settings, store: any StateStore, connector: any SchedulerConnector, clock: FrameworkClock,
        logger: Logger
    ) {
        let hub = EventHub(clock: clock)
        self.hub = hub
        self.settings = settings
        // As Marathon: its tasks outlive a week without it.
        var info = FrameworkInfo(
            user: settings.user, name: "marathon", failoverTimeout: .seconds(604_800), checkpoint: true,
            roles: [settings.role], hostname: settings.master.address, principal: "rondo-services",
            capabilities: [.partitionAware, .taskKillingState, .multiRole, .gpuResources])
        info.labels = [Label(key: "built-in", value: "services")]
        let described = info
        driver = FrameworkDriver(
            FrameworkDriver.Parts(
                name: "services", info: info, store: store, connector: connector, clock: clock, logger: logger,
                newID: settings.newID,
                load: { store, now in
                    ServicesLogic(
                        core: ServicesCore(
                            settings: settings.core, registry: try await ServicesStore.load(store),
                            seed: settings.newSeed(), now: now),
                        info: described, master: settings.master, hub: hub)
                }))
    }

    /// Works until ``stop()`` is called or the task is cancelled.
    ///
    /// - Throws: ``FrameworkFailure/outcomeUnknown(_:)``, after which the process must end.
    public func run() async throws(FrameworkFailure) { try await driver.run() }

    /// A copy of all that the framework knows, as of its last turn, for pages that show it.
    ///
    /// - Throws: ``FrameworkFailure`` when it is not at work.
    public func view() async throws(FrameworkFailure) -> ServicesCore { try await driver.snapshot().core }

    /// Ends the work; tasks go on.
    public func stop() {
        hub.close()
        driver.stop()
    }
}
