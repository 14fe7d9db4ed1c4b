import AgentNode
import ClusterModel
import Foundation
import HTTPGateway
import HTTPTypes
import LinuxSystem
import MesosWire
import NIOCore
import Synchronization
import Transport

/// A master over real HTTP on loopback that does what a test says: it takes one agent in, acknowledges what it hears,
/// and hands out streams.
final class FakeMaster: Sendable {
    static let agent = AgentID("A1")
    static let framework = FrameworkID("F1")

    private struct State {
        var stream: EventStream?
        var sessions = 0
        var registrations: [AgentRegistration] = []
        var statuses: [TaskStatus] = []
        var directories: [TaskID: String] = [:]
        var calls: [AgentCall] = []
        var authorizations: [String?] = []
        var acknowledges = true
        var watchers: [(check: @Sendable (borrowing State) -> Bool, waiting: CheckedContinuation<Void, Never>)] = []
    }

    let transport: Transport
    let broker: StreamBroker
    private let state = Mutex(State())
    private let server = Mutex<HTTPServer?>(nil)

    init(transport: Transport) async throws {
        self.transport = transport
        broker = StreamBroker(transport: transport)
        try await listen(on: .tcp(.loopback, port: 0))
    }

    var endpoint: Endpoint { server.withLock { $0!.endpoint } }

    private func listen(on endpoint: Endpoint) async throws {
        let started = try await HTTPServer.start(on: endpoint, transport: transport) { [self] request in
            try await answer(request)
        }
        server.withLock { $0 = started }
    }

    func stop() async {
        state.withLock { $0.stream }?.finish()
        await server.withLock { $0 }?.stop(grace: .milliseconds(200))
    }

    /// Cuts the session, as a crash of the master would.
    func cut() { state.withLock { $0.stream }?.finish() }

    func acknowledge(_ wanted: Bool) { state.withLock { $0.acknowledges = wanted } }

    func send(_ event: AgentEvent) {
        let stream = state.withLock { $0.stream }
        stream?.send(ByteBuffer(bytes: RecordIO.encode([UInt8](try! JSONEncoder().encode(event)))))
    }

    var registrations: [AgentRegistration] { state.withLock { $0.registrations } }
    var calls: [AgentCall] { state.withLock { $0.calls } }
    var authorizations: [String?] { state.withLock { $0.authorizations } }

    /// The states that were reported for a task, without repetitions.
    func states(_ task: TaskID) -> [TaskState] { statuses(task).map(\.state) }

    func statuses(_ task: TaskID) -> [TaskStatus] {
        state.withLock { state in
            var seen: Set<StatusUUID> = []
            return state.statuses.filter { $0.taskID == task && seen.insert($0.uuid!).inserted }
        }
    }

    func directory(_ task: TaskID) -> String { state.withLock { $0.directories[task] ?? "" } }

    // MARK: Waiting

    private func wait(_ check: @escaping @Sendable (borrowing State) -> Bool) async {
        await withCheckedContinuation { waiting in
            let isDone = state.withLock { state in
                if check(state) { return true }
                state.watchers.append((check, waiting))
                return false
            }
            if isDone { waiting.resume() }
        }
    }

    func waitForSession(_ number: Int) async { await wait { $0.registrations.count >= number && $0.stream != nil } }

    func waitForStatus(_ task: TaskID, _ wanted: @escaping @Sendable (TaskStatus) -> Bool) async {
        await wait { state in state.statuses.contains { $0.taskID == task && wanted($0) } }
    }

    func waitForEnd(_ task: TaskID) async -> TaskStatus {
        await waitForStatus(task) { $0.state.isTerminal }
        return statuses(task).last!
    }

    func waitForCall(_ call: AgentCall) async { await wait { $0.calls.contains(call) } }

    private func change(_ body: (inout State) -> Void) {
        let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            body(&state)
            var ready: [CheckedContinuation<Void, Never>] = []
            var waiting: [(check: @Sendable (borrowing State) -> Bool, waiting: CheckedContinuation<Void, Never>)] = []
            for watcher in state.watchers {
                if watcher.check(state) { ready.append(watcher.waiting) } else { waiting.append(watcher) }
            }
            state.watchers = waiting
            return ready
        }
        for waiting in ready { waiting.resume() }
    }

    // MARK: The wire

    private struct Message: Decodable {
        var type: String
        var subscribe: AgentRegistration?
        var calls: [AgentCall]?
    }

    private func answer(_ request: GatewayRequest) async throws -> GatewayResponse {
        if request.target.segments.starts(with: ["api", "v1", "agent", "streams"]) {
            return broker.accept(request.target.segments.last!, from: Self.agent.value, request)
        }
        if request.target.segments.first == "file" { return .text(.ok, "fetched over http") }
        guard request.path == "/api/v1/agent" else { return .text(.notFound, "no") }
        let body = try await request.body.collect()
        let message = try JSONDecoder().decode(Message.self, from: Data(body.readableBytesView))
        if let registration = message.subscribe { return subscribe(registration, request) }
        guard let calls = message.calls, request.headers[HTTPField.Name("Rondo-Session")!] == session else {
            return .text(.forbidden, "wrong session")
        }
        for call in calls { take(call) }
        return .complete(.accepted)
    }

    private var session: String { state.withLock { "session-\($0.sessions)" } }

    private func subscribe(_ registration: AgentRegistration, _ request: GatewayRequest) -> GatewayResponse {
        let stream = EventStream()
        let master = MasterInfo(id: MasterID("M"), hostname: "m", address: "127.0.0.1", port: 1, version: "1.11.0")
        let first = AgentEvent.subscribed(Self.agent, master: master, heartbeatInterval: .seconds(5))
        stream.send(ByteBuffer(bytes: RecordIO.encode([UInt8](try! JSONEncoder().encode(first)))))
        change { state in
            state.sessions += 1
            state.stream = stream
            state.registrations.append(registration)
            state.authorizations.append(request.headers[.authorization])
        }
        return .events(stream, headers: [HTTPField.Name("Rondo-Session")!: session])
    }

    private func take(_ call: AgentCall) {
        change { state in
            state.calls.append(call)
            if case .status(_, let status, let directory) = call {
                state.statuses.append(status)
                state.directories[status.taskID] = directory
            }
        }
        if case .status(let key, let status, _) = call, state.withLock({ $0.acknowledges }) {
            send(.acknowledge(key, status.uuid!))
        }
    }

    /// Has the agent answer a request over a stream that it opens; its status and body.
    func ask(_ target: String) async throws -> (status: Int, body: String) {
        let request = GatewayRequest(target: try RequestTarget(parsing: target))
        let response = await broker.relay(request, to: Self.agent.value, path: target) { [self] open in
            send(
                .openStream(
                    StreamRequest(id: StreamID(open.id), method: open.method, target: open.path, headers: [])))
        }
        let text = Mutex("")
        switch response.content {
        case .bytes(let bytes): text.withLock { $0 = String(buffer: bytes) }
        case .stream(let produce), .duplex(let produce):
            try await produce(
                ResponseWriter(
                    write: { bytes in text.withLock { $0 += String(buffer: bytes) } }, finish: {}))
        case .events: break
        }
        return (response.status.code, text.withLock { $0 })
    }
}
