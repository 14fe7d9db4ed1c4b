public import ClusterModel
public import FrameworkRuntime
internal import HTTPTypes
public import JobsCore
public import Logging
internal import Schedules
public import StateStore

/// Jobs: what runs once, again and again, or after something else, by the interface of Metronome.
///
/// ```
///  HTTP ─► JobsFacade ─► FrameworkDriver ─► JobsLogic (JobsCore) ─► store, then master
///              ▲                │
///              └── replies, copies of the core
/// ```
/// It is a framework as any other: it subscribes, gets offers in its role, and launches tasks on them. It keeps its
/// state below `/rondo/job…` in the store and nothing anywhere else.
public final class JobsFramework: Sendable {
    let driver: FrameworkDriver<JobsLogic>
    let zones: ZoneFiles
    /// What its tasks run as when a job names no account.
    let user: String
    /// Where its interface is reached, for `/leader`.
    let address: String
    let version: String

    /// What the framework is told when it starts.
    public struct Settings: Sendable {
        /// The account of tasks whose job names none.
        public var user: String
        /// Where its interface is reached, as `HOST:PORT`.
        public var address: String
        /// The release of this program.
        public var version: String
        /// The role in which it takes offers.
        public var role = RoleName.everyone
        /// Chance for names, and an id for the framework's first start.
        public var seed: UInt64
        /// See ``seed``.
        public var newID: @Sendable () -> FrameworkID
        /// Directories of TZif files; when none of them has a zone, the copy in this program is asked.
        public var zoneDirectories = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"]

        /// Settings of a framework.
        public init(
            user: String, address: String, version: String, seed: UInt64,
            newID: @escaping @Sendable () -> FrameworkID
        ) {
            self.user = user
            self.address = address
            self.version = version
            self.seed = seed
            self.newID = newID
        }
    }

    /// What is before the port, without the brackets of version 6.
    private static func host(_ address: String) -> String {
        let end = address.lastIndex(of: ":") ?? address.endIndex
        return address[..<end].filter { $0 != "[" && $0 != "]" }
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
        let files = ZoneFiles(directories: settings.zoneDirectories)
        zones = files
        user = settings.user
        address = settings.address
        version = settings.version
        let seed = settings.seed
        // As Metronome: its tasks outlive a week without it.
        var info = FrameworkInfo(
            user: settings.user, name: "metronome", failoverTimeout: .seconds(604_800), checkpoint: true,
            roles: [settings.role], hostname: Self.host(settings.address), principal: "rondo-jobs",
            capabilities: [.partitionAware, .taskKillingState])
        info.labels = [Label(key: "built-in", value: "jobs")]
        driver = FrameworkDriver(
            FrameworkDriver.Parts(
                name: "jobs", info: info, store: store, connector: connector, clock: clock, logger: logger,
                newID: settings.newID,
                load: { store, now in
                    let records = try await JobsStore.load(store)
                    var rules: [String: TimeZoneRules] = [:]
                    for zone in Set(records.jobs.flatMap { $0.schedules.map(\.zone) }) {
                        rules[zone] = files.rules(zone)
                        if rules[zone] == nil {
                            logger.error(
                                "a schedule's time zone is not known any more; it waits", metadata: ["zone": "\(zone)"])
                        }
                    }
                    // Another seed in every life of the logic: names must not come twice.
                    let seed = seed ^ UInt64(bitPattern: now.wall.nanoseconds)
                    return JobsLogic(core: JobsCore(records: records, zones: rules, seed: seed, now: now))
                }))
    }

    /// Works until ``stop()`` is called or the task is cancelled.
    ///
    /// - Throws: ``FrameworkFailure/outcomeUnknown(_:)``, after which the process must end.
    public func run() async throws(FrameworkFailure) { try await driver.run() }

    /// A copy of all that the framework knows, as of its last turn, for pages that show it.
    ///
    /// - Throws: ``FrameworkFailure`` when it is not at work.
    public func view() async throws(FrameworkFailure) -> JobsCore { try await driver.snapshot().core }

    /// Ends the work; tasks go on.
    public func stop() { driver.stop() }
}
