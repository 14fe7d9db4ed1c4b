import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore

/// An agent that runs nothing, and does all else: registers, keeps, reports, and waits for acknowledgements.
struct SimulatedAgent {
    let number: Int
    let shared: Shared
    let journal: Journal

    private static let path = "/api/v1/agent"

    private struct Subscribe: Encodable {
        var type = "SUBSCRIBE"
        var subscribe: AgentRegistration
    }

    private struct Call: Encodable {
        var type = "CALL"
        var call: AgentCall
    }

    func run() async throws {
        let info = AgentInfo(
            hostname: "agent-\(number)", address: "127.0.0.1", port: 5051,
            resources: try Resources([
                .scalar("cpus", 16), .scalar("mem", 16_384), .scalar("disk", 100_000), .ports(31_000, 32_000),
            ]), attributes: [], version: "0.0.0")
        let body = try JSONEncoder().encode(Subscribe(subscribe: AgentRegistration(info: info)))
        let response = try await shared.stream(Self.path, Self.headers, [UInt8](body))
        guard let name = HTTPField.Name("Rondo-Session"), let session = response.headers[name] else {
            throw Failure("the master named no session")
        }
        var fields = Self.headers
        fields[name] = session
        let headers = fields
        let calls = CallQueue()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await calls.run(atOnce: 8) }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(5))
                    try await shared.call(Self.path, headers, try Self.encode(.heartbeat))
                }
            }
            var tasks = Tasks()
            var decoder = RecordIO.Decoder(maximumLength: 16 << 20)
            for try await piece in response.body {
                let records = try decoder.feed(Array(piece.readableBytesView))
                try await take(records, &tasks) { body in
                    calls.add { try await shared.call(Self.path, headers, body) }
                }
            }
        }
    }

    /// What came together is kept together: launches and ends in one flush, first updates of new tasks in a second.
    private func take(_ records: [[UInt8]], _ tasks: inout Tasks, send: ([UInt8]) -> Void) async throws {
        var launches: [TaskLaunch] = []
        var kept: [UInt8] = []
        var due: [[UInt8]] = []
        for record in records {
            switch try JSONDecoder().decode(AgentEvent.self, from: Data(record)) {
            case .subscribed(let id, _, _): tasks.agent = id
            case .run(let launch):
                kept += record
                launches.append(launch)
            case .acknowledge(let key, let uuid):
                guard let next = try tasks.acknowledge(key, uuid) else { continue }
                if next.isNew { kept += next.body }
                due.append(next.body)
            default: break
            }
        }
        try await journal.append(kept)
        for body in due { send(body) }
        kept = []
        due = []
        for launch in launches {
            let (starting, running) = try tasks.start(launch.key)
            kept += starting
            kept += running
            due.append(starting)
        }
        try await journal.append(kept)
        for body in due { send(body) }
    }

    private static let headers: HTTPFields = [
        .contentType: "application/json", .authorization: "Bearer \(ServingProcess.administrator)",
    ]

    fileprivate static func encode(_ call: AgentCall) throws -> [UInt8] {
        [UInt8](try JSONEncoder().encode(Call(call: call)))
    }
}

/// Where the tasks of one agent stand. The next update waits for the acknowledgement of the one before it.
private struct Tasks {
    var agent: AgentID?
    private var waiting: [TaskKey: (uuid: StatusUUID, state: TaskState, next: [UInt8])] = [:]
    private var generator = SystemRandomNumberGenerator()

    /// The first two updates of a new task, of which the first is to be sent.
    mutating func start(_ key: TaskKey) throws -> (starting: [UInt8], running: [UInt8]) {
        let (uuid, starting) = try update(key, .starting)
        let (next, running) = try update(key, .running)
        waiting[key] = (uuid, .starting, running)
        second[key] = next
        return (starting, running)
    }

    private var second: [TaskKey: StatusUUID] = [:]

    /// The update that is due now, and whether it has yet to be kept; the task ends once RUNNING is acknowledged.
    mutating func acknowledge(_ key: TaskKey, _ uuid: StatusUUID) throws -> (body: [UInt8], isNew: Bool)? {
        guard let task = waiting[key], task.uuid == uuid else { return nil }
        switch task.state {
        case .starting:
            guard let next = second.removeValue(forKey: key) else { return nil }
            waiting[key] = (next, .running, [])
            return (task.next, false)
        case .running:
            let (last, finished) = try update(key, .finished)
            waiting[key] = (last, .finished, [])
            return (finished, true)
        default:
            waiting[key] = nil
            return nil
        }
    }

    private mutating func update(_ key: TaskKey, _ state: TaskState) throws -> (StatusUUID, [UInt8]) {
        let uuid = StatusUUID(using: &generator)
        let status = TaskStatus(
            taskID: key.task, state: state, source: .executor, agentID: agent, executorID: ExecutorID(key.task.value),
            timestamp: UnixTime(seconds: 1_700_000_000), uuid: uuid, containerID: ContainerID("c-" + key.task.value))
        return (uuid, try SimulatedAgent.encode(.status(key, status, directory: "/var/lib/work/" + key.task.value)))
    }
}
