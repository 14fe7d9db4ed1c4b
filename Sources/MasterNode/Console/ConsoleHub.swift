internal import Access
internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Synchronization

/// Those who have a page open, and what has changed for them.
///
/// While somebody follows, what the pages show is looked at once in a second; a follower is told the names of what has
/// changed, and reads its page again. Nothing is looked at while nobody follows.
final class ConsoleHub: Sendable {
    private struct Follower {
        var stream: EventStream
        var topics: Set<Topic>
        /// What was there when it was last told of a change, or when it began.
        var seen: [Topic: Int]
        var until: Duration
    }

    private struct State {
        var followers: [UInt64: Follower] = [:]
        var next: UInt64 = 0
        var isRunning = false
    }

    /// The master, which does not live on because somebody looks at it.
    private struct Master: Sendable {
        weak let node: MasterNode?
    }

    private let state = Mutex(State())

    /// More than that are turned away.
    static let limit = 256
    /// How often what the pages show is looked at.
    private static let interval = Duration.seconds(1)
    /// How often something is sent when nothing changes.
    private static let pulse = 15
    /// A stream ends after this, and the browser opens another one, which asks again who it is.
    private static let lifetime = Duration.seconds(600)

    /// Opens a stream.
    ///
    /// What there is when it opens is looked at first: a page that is read again once its stream is open, and whenever it
    /// is told of a change, misses none.
    ///
    /// - Parameters:
    ///   - topics: what the follower's page shows.
    ///   - node: the master that is looked at.
    /// - Returns: nil when there are too many.
    func follow(_ topics: Set<Topic>, on node: MasterNode) async -> EventStream? {
        guard count < Self.limit else { return nil }
        let seen = await ConsoleChanges(node: node).marks(of: topics)
        let now = node.clock.now().elapsed
        let (stream, starts) = state.withLock { state -> (EventStream?, Bool) in
            guard state.followers.count < Self.limit else { return (nil, false) }
            state.next += 1
            let id = state.next
            let stream = EventStream(
                limits: EventStream.Limits(bytes: 64 << 10, records: 64),
                onClose: { [weak self] _ in self?.state.withLock { $0.followers[id] = nil } })
            state.followers[id] = Follower(
                stream: stream, topics: topics, seen: seen, until: now + Self.lifetime)
            defer { state.isRunning = true }
            return (stream, !state.isRunning)
        }
        stream?.send(Array("retry: 2000\n\n".utf8))
        if starts { Task.detached { [weak self, master = Master(node: node)] in await self?.run(master) } }
        return stream
    }

    /// How many follow.
    var count: Int { state.withLock { $0.followers.count } }

    private func run(_ master: Master) async {
        var turns = 0
        while let node = master.node {
            let now = node.clock.now().elapsed
            let wanted = state.withLock { state -> Set<Topic>? in
                if state.followers.isEmpty {
                    state.isRunning = false
                    return nil
                }
                return state.followers.values.reduce(into: []) { $0.formUnion($1.topics) }
            }
            guard let wanted else { return }
            let found = await ConsoleChanges(node: node).marks(of: wanted)
            turns += 1
            tell(found, pulses: turns % Self.pulse == 0, now: now)
            do { try await node.clock.sleep(until: now + Self.interval) } catch { break }
        }
        endAll()
    }

    private func tell(_ found: [Topic: Int], pulses: Bool, now: Duration) {
        let told = state.withLock { state in
            state.followers.map { id, follower in
                let mine = found.filter { follower.topics.contains($0.key) }
                let changed = mine.filter { follower.seen[$0.key] != $0.value }.keys
                for topic in changed { state.followers[id]?.seen[topic] = mine[topic] }
                return (follower, changed.map(\.rawValue).sorted())
            }
        }
        for (follower, changed) in told {
            if now >= follower.until {
                follower.stream.finish()
            } else if !changed.isEmpty {
                follower.stream.send(Array("event: changed\ndata: \(changed.joined(separator: " "))\n\n".utf8))
            } else if pulses {
                follower.stream.send(Array(":\n\n".utf8))
            }
        }
    }

    private func endAll() {
        let followers = state.withLock { state in
            state.isRunning = false
            return Array(state.followers.values)
        }
        for follower in followers { follower.stream.finish() }
    }
}

extension ConsoleDesk {
    /// `GET /ui/events?topics=tasks,nodes`: server-sent events with the names of what has changed.
    func events() async throws -> GatewayResponse {
        let names = (request.query["topics"] ?? "").split { $0 == "," || $0 == " " }.prefix(32)
        let topics = Set(names.compactMap { Topic(rawValue: String($0)) })
            .filter { $0 != .audit || visitor.may(.readAudit) }
        guard !topics.isEmpty else { throw GatewayError(.badRequest, "no topic that can be followed was named") }
        guard let stream = await node.console.hub.follow(topics, on: node) else {
            throw GatewayError(
                .serviceUnavailable, "too many pages are open on this master; load this one again by hand",
                headers: [.retryAfter: "60"])
        }
        return .events(
            stream,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            ])
    }
}
