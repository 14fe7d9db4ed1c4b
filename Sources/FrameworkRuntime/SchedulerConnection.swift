public import ClusterModel
internal import Synchronization

/// The scheduler interface as a framework uses it, whichever way its words travel.
///
/// This is the one door between a framework of this program and its master: SUBSCRIBE, events, calls, nothing else. A
/// master opens it in process, with the checks that a call over HTTP gets; a client of `/api/v1/scheduler` opens it over
/// the network, and a framework cannot tell the difference.
public protocol SchedulerConnector: Sendable {
    /// Opens an event stream.
    ///
    /// - Parameter subscription: who subscribes; with an id, which a new framework may choose itself.
    /// - Returns: the stream, whose first event is `subscribed`, or `error` when the master turns the framework away.
    /// - Throws: ``SchedulerCallError`` when there is no stream.
    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession
}

/// An open event stream, and the calls that go with it.
public protocol SchedulerSession: Sendable {
    /// Waits for the next event.
    ///
    /// - Returns: nil when the stream has ended.
    func next() async -> SchedulerEvent?

    /// Makes a call on behalf of the stream. One at a time: the order of calls is the order in which they are made.
    ///
    /// - Parameters:
    ///   - call: what to say.
    ///   - framework: who says it, as `subscribed` named it.
    /// - Throws: ``SchedulerCallError`` when the master did not take it.
    func call(_ call: SchedulerCall, of framework: FrameworkID) async throws(SchedulerCallError)

    /// Ends the stream.
    func close() async
}

/// Why the master did not take a call.
public struct SchedulerCallError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status that it has or would have; 0 when there was no answer.
    public var status: Int
    /// Why.
    public var message: String

    /// Makes an error.
    public init(status: Int, message: String) {
        self.status = status
        self.message = message
    }

    /// The status and the reason.
    public var description: String { status == 0 ? message : "\(status) \(message)" }
}

/// Events on their way from a master to a framework in the same process: bounded, as a stream over HTTP is.
public final class SchedulerEventQueue: Sendable {
    private struct State {
        var events: [SchedulerEvent] = []
        var first = 0
        var isEnded = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let limit: Int

    /// An open queue.
    ///
    /// - Parameter limit: how many events may wait.
    public init(limit: Int = 50_000) { self.limit = limit }

    /// What became of an event.
    public enum Outcome: Sendable {
        /// It can be read.
        case queued
        /// The reader was too slow, and the queue has ended with this.
        case overflow
        /// The queue had ended before.
        case ended
    }

    /// Puts an event; from any thread, without waiting.
    @discardableResult
    public func send(_ event: SchedulerEvent) -> Outcome {
        let (outcome, reader) = state.withLock { state -> (Outcome, CheckedContinuation<Void, Never>?) in
            if state.isEnded { return (.ended, nil) }
            if state.events.count - state.first >= limit {
                state.isEnded = true
                return (.overflow, state.reader.take())
            }
            state.events.append(event)
            return (.queued, state.reader.take())
        }
        reader?.resume()
        return outcome
    }

    /// Ends the queue; what is in it can still be read.
    ///
    /// - Parameter last: one more event, which ignores the limit.
    public func finish(after last: SchedulerEvent? = nil) {
        let reader = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if !state.isEnded, let last { state.events.append(last) }
            state.isEnded = true
            return state.reader.take()
        }
        reader?.resume()
    }

    /// Waits for the next event; for one reader.
    ///
    /// - Returns: nil at the end.
    public func next() async -> SchedulerEvent? {
        while true {
            let (event, isEnded) = state.withLock { state -> (SchedulerEvent?, Bool) in
                guard state.first < state.events.count else { return (nil, state.isEnded) }
                let event = state.events[state.first]
                state.first += 1
                // What was read is let go of in larger pieces.
                if state.first == state.events.count || state.first >= 1_024 {
                    state.events.removeFirst(state.first)
                    state.first = 0
                }
                return (event, false)
            }
            if let event { return event }
            if isEnded { return nil }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.first < state.events.count || state.isEnded { return true }
                    state.reader = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }
}
