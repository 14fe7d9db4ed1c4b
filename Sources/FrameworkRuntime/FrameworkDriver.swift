public import ClusterModel
public import Logging
public import StateStore
internal import Synchronization

/// Runs a framework of this program: one logic, one inbox, one store, and a connection to the master that is made again
/// whenever it ends.
///
/// ```
/// events of the master ─┐
/// commands of people ───┼─► inbox ─► logic.handle ─► commit ─► calls to the master, replies, log
/// the clock ────────────┘
/// ```
/// "Commit, then speak": nothing leaves before the changes of its turn are durable. When a commit fails, the turn is
/// dropped, commands are refused, the stream is closed, and the logic is made anew from the store, again and again until
/// the store takes writes.
///
/// The framework's id is the driver's choice and is stored before the first subscription, so that a process that ends
/// at any point comes back as the same framework and finds its tasks.
public final class FrameworkDriver<Logic: FrameworkLogic>: Sendable {
    /// What a driver works with.
    public struct Parts: Sendable {
        /// The framework's short name, such as `jobs`: the key of its id in the store.
        public var name: String
        /// As it describes itself; the id is added.
        public var info: FrameworkInfo
        /// Where its state is.
        public var store: any StateStore
        /// The way to the master.
        public var connector: any SchedulerConnector
        /// The clocks.
        public var clock: FrameworkClock
        /// Gets what operators should know.
        public var logger: Logger
        /// Makes an id that nobody has.
        public var newID: @Sendable () -> FrameworkID
        /// Makes the logic from the store.
        public var load: @Sendable (any StateStore, Moment) async throws -> Logic
        /// Commands and events that may wait.
        public var inboxLimit = 4_096
        /// The most of them in one turn.
        public var batchLimit = 256

        /// Puts the parts together.
        public init(
            name: String, info: FrameworkInfo, store: any StateStore, connector: any SchedulerConnector,
            clock: FrameworkClock, logger: Logger, newID: @escaping @Sendable () -> FrameworkID,
            load: @escaping @Sendable (any StateStore, Moment) async throws -> Logic
        ) {
            self.name = name
            self.info = info
            self.store = store
            self.connector = connector
            self.clock = clock
            self.logger = logger
            self.newID = newID
            self.load = load
        }
    }

    enum Entry: Sendable {
        case command(Logic.Command, Promise<Logic.Reply>)
        case snapshot(Promise<Logic>)
        /// The stream with this number is open.
        case opened(Int, any SchedulerSession, FrameworkID)
        case event(Int, SchedulerEvent)
        case ended(Int)
        /// The master will not have the framework with this id again.
        case removed(FrameworkID)
    }

    /// An answer that is given exactly once.
    struct Promise<Value: Sendable>: Sendable {
        let continuation: CheckedContinuation<Result<Value, FrameworkFailure>, Never>

        func give(_ value: Value) { continuation.resume(returning: .success(value)) }
        func refuse(_ failure: FrameworkFailure) { continuation.resume(returning: .failure(failure)) }
    }

    let parts: Parts
    /// The clocks.
    public var clock: FrameworkClock { parts.clock }
    let inbox: FrameworkInbox<Entry>

    /// A driver that does nothing yet; ``run()`` makes it work.
    public init(_ parts: Parts) {
        self.parts = parts
        inbox = FrameworkInbox(limit: parts.inboxLimit, clock: parts.clock)
    }

    /// Works until ``stop()`` is called or the task is cancelled.
    ///
    /// - Throws: ``FrameworkFailure/outcomeUnknown(_:)``, after which the process must end.
    public func run() async throws(FrameworkFailure) {
        var turns = FrameworkTurns(driver: self)
        let result: Result<Void, FrameworkFailure> = await withTaskCancellationHandler {
            do throws(FrameworkFailure) {
                try await turns.run()
                return .success(())
            } catch { return .failure(error) }
        } onCancel: {
            inbox.close()
        }
        await turns.end()
        try result.get()
    }

    /// Ends the work; the framework's tasks go on.
    public func stop() { inbox.close() }

    /// Hands a command in and waits for its reply, which comes when all that it means is durable.
    ///
    /// - Throws: ``FrameworkFailure`` when there is none.
    public func ask(_ command: Logic.Command) async throws(FrameworkFailure) -> Logic.Reply {
        try await promised { .command(command, $0) }
    }

    /// A copy of all that the framework knows, as of its last turn.
    ///
    /// - Throws: ``FrameworkFailure/stopped``.
    public func snapshot() async throws(FrameworkFailure) -> Logic {
        try await promised { .snapshot($0) }
    }

    private func promised<Value: Sendable>(
        _ entry: @escaping @Sendable (Promise<Value>) -> Entry
    ) async throws(FrameworkFailure) -> Value {
        let result = await withCheckedContinuation { continuation in
            let promise = Promise<Value>(continuation: continuation)
            // The continuation may wait for room longer than this function could hold it.
            Task { if !(await inbox.put(entry(promise))) { promise.refuse(.stopped) } }
        }
        return try result.get()
    }
}
