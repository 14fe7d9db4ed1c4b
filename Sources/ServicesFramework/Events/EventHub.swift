internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import NIOCore
internal import ServicesCore
internal import Synchronization

/// Those who follow what happens to services, as server-sent events.
final class EventHub: Sendable {
    private struct Follower {
        var stream: EventStream
        /// The types that it wants; all that clients know when empty.
        var types: Set<String>
    }

    private struct State {
        var followers: [Int: Follower] = [:]
        var last = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let clock: FrameworkClock

    /// More than that are turned away.
    private static let followersMax = 256
    /// How often something is sent when nothing happens, so that whatever stands between knows that there is life.
    private static let pulse = Duration.seconds(10)

    init(clock: FrameworkClock) { self.clock = clock }

    /// Opens a stream.
    ///
    /// - Returns: nil when there are too many, or all is over.
    func follow(_ types: Set<String>, from address: String) -> EventStream? {
        let number = state.withLock { state -> Int? in
            guard !state.isClosed, state.followers.count < Self.followersMax else { return nil }
            state.last += 1
            return state.last
        }
        guard let number else { return nil }
        let stream = EventStream(onClose: { [weak self] _ in
            self?.state.withLock { _ = $0.followers.removeValue(forKey: number) }
            self?.publish(EventText("event_stream_detached") { $0.field("remoteAddress", address) })
        })
        state.withLock { $0.followers[number] = Follower(stream: stream, types: types) }
        publish(EventText("event_stream_attached") { $0.field("remoteAddress", address) })
        let clock = clock
        Task { [weak stream] in
            while true {
                do { try await clock.sleep(clock.now().elapsed + Self.pulse) } catch { return }
                guard let stream, stream.closeReason == nil else { return }
                stream.send(Array(":\n\n".utf8))
            }
        }
        return stream
    }

    /// Tells those who listen; nothing is written when nobody does.
    func publish(_ event: ServicesEvent) {
        if state.withLock({ $0.followers.isEmpty }) { return }
        for text in EventText.texts(of: event) { publish(text) }
    }

    /// Tells of a request that changed something.
    func publish(_ text: @autoclosure () -> EventText) {
        let followers = state.withLock { $0.followers.values.map { $0 } }
        if followers.isEmpty { return }
        let text = text()
        let wanting = followers.filter { $0.types.isEmpty ? text.isCommon : $0.types.contains(text.type) }
        if wanting.isEmpty { return }
        let record = ByteBuffer(bytes: text.record(at: clock.now().wall))
        for follower in wanting { follower.stream.send(record) }
    }

    func close() {
        let followers = state.withLock { state in
            state.isClosed = true
            return state.followers.values.map { $0 }
        }
        for follower in followers { follower.stream.finish() }
    }
}
