import ClusterModel
import FrameworkRuntime
import Logging
import StateStore
import Synchronization
import Testing

/// A master that a test plays: it hands out streams, and every call is there to be looked at.
final class PlayedMaster: SchedulerConnector {
    final class Session: SchedulerSession {
        let queue = SchedulerEventQueue(limit: 100)
        let calls: AsyncStream<SchedulerCall>
        private let said: AsyncStream<SchedulerCall>.Continuation
        let subscription: Subscription
        let refusal = Mutex<SchedulerCallError?>(nil)

        init(_ subscription: Subscription) {
            self.subscription = subscription
            (calls, said) = AsyncStream.makeStream()
        }

        func next() async -> SchedulerEvent? { await queue.next() }

        func call(_ call: SchedulerCall, of framework: FrameworkID) async throws(SchedulerCallError) {
            if let error = refusal.withLock({ $0 }) { throw error }
            said.yield(call)
        }

        func close() async {
            queue.finish()
            said.finish()
        }

        func welcome() {
            queue.send(.subscribed(subscription.info.id!, heartbeatInterval: .seconds(15), master: Self.master))
            queue.send(.heartbeat)
        }

        static let master = MasterInfo(
            id: MasterID("M"), hostname: "m.test", address: "127.0.0.1", port: 5050, version: "1.11.0")
    }

    let sessions: AsyncStream<Session>
    private let opened: AsyncStream<Session>.Continuation
    private let isAway = Mutex(false)

    init() { (sessions, opened) = AsyncStream.makeStream() }

    func setAway(_ away: Bool) { isAway.withLock { $0 = away } }

    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession {
        if isAway.withLock({ $0 }) { throw SchedulerCallError(status: 503, message: "away") }
        let session = Session(subscription)
        opened.yield(session)
        return session
    }
}

/// Counts what it is told to count, and says so to the master.
struct Counter: FrameworkLogic {
    enum Command: Sendable { case add(Int), both, big }

    var total = 0
    var events: [String] = []
    var tickAt: Duration?
    var nextDeadline: Duration? { tickAt }

    mutating func handle(_ input: FrameworkInput<Command>, now: Moment) -> FrameworkTurn<Int> {
        switch input {
        case .connected(let id):
            events.append("connected \(id)")
            return FrameworkTurn(effects: [.call(.reconcile([])), .call(.suppress(roles: []))])
        case .disconnected: events.append("disconnected")
        case .removed: events.append("removed")
        case .event: events.append("event")
        case .tick:
            tickAt = nil
            events.append("tick")
            return FrameworkTurn(effects: [.call(.request)])
        case .command(let number, .add(let amount)):
            total += amount
            return FrameworkTurn(
                transactions: [[.put(key: "/total", value: Array(String(total).utf8))]],
                effects: [.reply(number, total), .call(.revive(roles: []))])
        case .command(let number, .both):
            tickAt = now.elapsed + .milliseconds(5)
            return FrameworkTurn(
                transactions: [
                    [.put(key: "/a", value: [1]), .put(key: "/a", value: [2])], [.put(key: "/b/1", value: [3])],
                    [.deletePrefix("/b/")], [.put(key: "/b/2", value: [4]), .delete(key: "/a")],
                ], effects: [.reply(number, 0)])
        case .command(let number, .big):
            return FrameworkTurn(
                transactions: (0..<300).map { [.put(key: "/big/\($0)", value: [UInt8](repeating: 7, count: 9_000))] },
                effects: [.reply(number, 0)])
        }
        return FrameworkTurn()
    }
}

struct DriverFixture {
    let master: PlayedMaster
    let store: any StateStore
    let driver: FrameworkDriver<Counter>

    static func driver(_ master: PlayedMaster, _ store: any StateStore) -> FrameworkDriver<Counter> {
        let origin = ContinuousClock.now
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return FrameworkDriver(
            .init(
                name: "counter", info: FrameworkInfo(user: "nobody", name: "counter"), store: store, connector: master,
                clock: FrameworkClock(
                    now: { Moment(elapsed: origin.duration(to: .now), wall: UnixTime(seconds: 1)) },
                    sleep: { try await ContinuousClock().sleep(until: origin + $0) }),
                logger: logger,
                newID: {
                    var generator = SystemRandomNumberGenerator()
                    return FrameworkID("counter-" + StatusUUID(using: &generator).text)
                },
                load: { store, _ in
                    var counter = Counter()
                    if let entry = try await store.get("/total") {
                        counter.total = Int(String(decoding: entry.value, as: UTF8.self)) ?? 0
                    }
                    return counter
                }))
    }

    static func with(
        store: MemoryStore = MemoryStore(), _ test: (DriverFixture) async throws -> Void
    ) async throws {
        let master = PlayedMaster()
        let driver = driver(master, store)
        let work = Task { try await driver.run() }
        let result: Result<Void, any Error>
        do {
            try await test(DriverFixture(master: master, store: store, driver: driver))
            result = .success(())
        } catch { result = .failure(error) }
        driver.stop()
        _ = await work.result
        try result.get()
    }

    func text(_ key: String) async throws -> String? {
        try await store.get(key).map { String(decoding: $0.value, as: UTF8.self) }
    }
}

@Suite("The driver of built-in frameworks", .timeLimit(.minutes(2)))
struct FrameworkDriverTests {
    @Test func `it subscribes with an id that it stored before, and keeps it over restarts`() async throws {
        let store = MemoryStore()
        var ids: [FrameworkID] = []
        for _ in 0..<2 {
            try await DriverFixture.with(store: store) { fixture in
                var sessions = fixture.master.sessions.makeAsyncIterator()
                let session = try #require(await sessions.next())
                let id = try #require(session.subscription.info.id)
                #expect(try await fixture.text("/rondo/builtin/counter") == id.value)
                ids.append(id)
            }
        }
        #expect(ids.count == 2 && ids[0] == ids[1])
    }

    @Test func `replies and calls come after the commit, calls in their order`() async throws {
        try await DriverFixture.with { fixture in
            var sessions = fixture.master.sessions.makeAsyncIterator()
            let session = try #require(await sessions.next())
            session.welcome()
            var calls = session.calls.makeAsyncIterator()
            #expect(await calls.next() == .reconcile([]))
            #expect(await calls.next() == .suppress(roles: []))
            #expect(try await fixture.driver.ask(.add(3)) == 3)
            #expect(try await fixture.text("/total") == "3")
            #expect(await calls.next() == .revive(roles: []))
            #expect(try await fixture.driver.snapshot().total == 3)
        }
    }

    @Test func `a stream that ends is opened again`() async throws {
        try await DriverFixture.with { fixture in
            var sessions = fixture.master.sessions.makeAsyncIterator()
            let first = try #require(await sessions.next())
            first.welcome()
            var calls = first.calls.makeAsyncIterator()
            _ = await calls.next()
            fixture.master.setAway(true)
            first.queue.finish()
            #expect(try await fixture.driver.ask(.add(1)) == 1)
            fixture.master.setAway(false)
            let second = try #require(await sessions.next())
            #expect(second.subscription.info.id == first.subscription.info.id)
            second.welcome()
            var more = second.calls.makeAsyncIterator()
            #expect(await more.next() == .reconcile([]))
            let events = try await fixture.driver.snapshot().events
            #expect(events.map { $0.prefix(4) } == ["conn", "disc", "conn"])
        }
    }

    @Test func `a call that is refused ends the stream, so that all is reconciled`() async throws {
        try await DriverFixture.with { fixture in
            var sessions = fixture.master.sessions.makeAsyncIterator()
            let first = try #require(await sessions.next())
            first.welcome()
            var calls = first.calls.makeAsyncIterator()
            _ = await calls.next()
            _ = await calls.next()
            first.refusal.withLock { $0 = SchedulerCallError(status: 503, message: "no") }
            _ = try await fixture.driver.ask(.add(1))
            #expect(await sessions.next() != nil)
        }
    }

    @Test func `a removed framework begins anew under another id`() async throws {
        try await DriverFixture.with { fixture in
            var sessions = fixture.master.sessions.makeAsyncIterator()
            let first = try #require(await sessions.next())
            first.queue.send(.error("Framework has been removed"))
            first.queue.finish()
            var next = try #require(await sessions.next())
            // The old link may have tried once more before it was taken down.
            while next.subscription.info.id == first.subscription.info.id {
                next.queue.finish(after: .error("Framework has been removed"))
                next = try #require(await sessions.next())
            }
            next.welcome()
            var calls = next.calls.makeAsyncIterator()
            _ = await calls.next()
            #expect(try await fixture.text("/rondo/builtin/counter") == next.subscription.info.id?.value)
        }
    }

    @Test func `what belongs together is one transaction, within the limits of the store`() async throws {
        try await DriverFixture.with { fixture in
            var sessions = fixture.master.sessions.makeAsyncIterator()
            let session = try #require(await sessions.next())
            session.welcome()
            var calls = session.calls.makeAsyncIterator()
            _ = await calls.next()
            _ = await calls.next()
            _ = try await fixture.driver.ask(.both)
            #expect(try await fixture.store.get("/a") == nil)
            #expect(
                try await fixture.store.range(prefix: "/b/", limit: 10, startAfter: nil).entries.map(\.key) == ["/b/2"])
            // The deadline that the command set.
            #expect(await calls.next() == .request)
            _ = try await fixture.driver.ask(.big)
            #expect(try await fixture.store.range(prefix: "/big/", limit: 1_000, startAfter: nil).entries.count == 300)
        }
    }

    @Test func `a queue that is full ends, and what is in it can be read`() async {
        let queue = SchedulerEventQueue(limit: 2)
        #expect(queue.send(.heartbeat) == .queued)
        #expect(queue.send(.rescind(OfferID("a"))) == .queued)
        #expect(queue.send(.rescind(OfferID("b"))) == .overflow)
        #expect(queue.send(.rescind(OfferID("c"))) == .ended)
        #expect(await queue.next() == .heartbeat)
        #expect(await queue.next() == .rescind(OfferID("a")))
        #expect(await queue.next() == nil)
    }

    @Test func `after the stop everybody is refused`() async throws {
        let driver = DriverFixture.driver(PlayedMaster(), MemoryStore())
        let work = Task { try await driver.run() }
        driver.stop()
        _ = await work.result
        await #expect(throws: FrameworkFailure.stopped) { try await driver.ask(.add(1)) }
        await #expect(throws: FrameworkFailure.stopped) { try await driver.snapshot() }
    }
}
