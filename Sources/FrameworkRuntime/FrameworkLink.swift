internal import ClusterModel
internal import Logging
internal import Synchronization

/// A framework's connection to its master: subscribes again whenever the stream ends, reads events, and sends calls in
/// the order in which they were said.
final class FrameworkLink: Sendable {
    enum News: Sendable {
        case opened(any SchedulerSession, FrameworkID)
        case event(SchedulerEvent)
        case ended
        case removed
    }

    private struct State {
        var session: (any SchedulerSession)?
        var calls: AsyncStream<SchedulerCall>.Continuation?
        var isClosed = false
    }

    private let connector: any SchedulerConnector
    private let subscription: Subscription
    private let clock: FrameworkClock
    private let logger: Logger
    private let state = Mutex(State())

    /// Calls that may wait for a slow master; more ends the stream, after which tasks are reconciled.
    private static let callLimit = 20_000

    /// What a master says to a framework that it has removed, as Mesos does.
    private static let removal = "Framework has been removed"

    init(connector: any SchedulerConnector, subscription: Subscription, clock: FrameworkClock, logger: Logger) {
        self.connector = connector
        self.subscription = subscription
        self.clock = clock
        self.logger = logger
    }

    /// Says something on the open stream; nothing when there is none.
    func say(_ call: SchedulerCall) {
        let session = state.withLock { state -> (any SchedulerSession)? in
            if case .dropped? = state.calls?.yield(call) { return state.session }
            return nil
        }
        if let session { Task { await session.close() } }
    }

    /// Ends the stream for good.
    func close() async {
        let session = state.withLock { state in
            state.isClosed = true
            state.calls?.finish()
            return state.session
        }
        await session?.close()
    }

    /// Works until the task is cancelled, or the master has removed the framework.
    ///
    /// - Parameter tell: takes what is new; false when nobody wants it any more.
    func work(_ tell: @Sendable (News) async -> Bool) async {
        var wait = Duration.milliseconds(50)
        while !Task.isCancelled, !state.withLock({ $0.isClosed }) {
            do throws(SchedulerCallError) {
                let session = try await connector.subscribe(subscription)
                if await serve(session, tell) { wait = .milliseconds(50) }
                await session.close()
                if state.withLock({ $0.isClosed }) { return }
            } catch {
                logger.debug("the master cannot be reached", metadata: ["error": "\(error)"])
            }
            wait = min(wait * 2, .seconds(4))
            do { try await clock.sleep(clock.now().elapsed + wait) } catch { return }
        }
    }

    /// Reads a stream to its end.
    ///
    /// - Returns: whether it was open.
    private func serve(_ session: any SchedulerSession, _ tell: @Sendable (News) async -> Bool) async -> Bool {
        guard case .subscribed(let id, _, _)? = await refusedOrFirst(session, tell) else { return false }
        let (calls, continuation) = AsyncStream.makeStream(
            of: SchedulerCall.self, bufferingPolicy: .bufferingOldest(Self.callLimit))
        let isClosed = state.withLock { state in
            state.session = session
            state.calls = continuation
            return state.isClosed
        }
        let sender = Task { await send(calls, to: session, as: id) }
        var goesOn = !isClosed
        if goesOn { goesOn = await tell(.opened(session, id)) }
        while goesOn, let event = await session.next() {
            switch event {
            case .heartbeat, .subscribed: break
            case .error(let message):
                logger.notice("the master ends the stream of a framework", metadata: ["reason": "\(message)"])
                if message.hasPrefix(Self.removal) { _ = await tell(.removed) }
                goesOn = false
            default: goesOn = await tell(.event(event))
            }
        }
        state.withLock { state in
            state.session = nil
            state.calls = nil
        }
        continuation.finish()
        await session.close()
        sender.cancel()
        await sender.value
        _ = await tell(.ended)
        return true
    }

    /// The first event; a removed framework is turned away with it.
    private func refusedOrFirst(
        _ session: any SchedulerSession, _ tell: @Sendable (News) async -> Bool
    ) async -> SchedulerEvent? {
        let first = await session.next()
        guard case .error(let message)? = first else { return first }
        logger.notice("the master turns a framework away", metadata: ["reason": "\(message)"])
        if message.hasPrefix(Self.removal) { _ = await tell(.removed) }
        return nil
    }

    private func send(_ calls: AsyncStream<SchedulerCall>, to session: any SchedulerSession, as id: FrameworkID) async {
        for await call in calls {
            do throws(SchedulerCallError) {
                try await session.call(call, of: id)
            } catch {
                // What was not taken may have been an acceptance: the next stream reconciles.
                logger.notice("the master refused a framework's call", metadata: ["error": "\(error)"])
                await session.close()
                return
            }
        }
    }
}
