import ClusterModel
import FoundationEssentials
import NIOCore
import NIOPosix

/// An agent that runs nothing, and does all else: registers, keeps, reports, and waits for acknowledgements.
final class SimulatedAgent {
    private static let path = "/api/v1/agent"

    private struct Subscribe: Encodable {
        var type = "SUBSCRIBE"
        var subscribe: AgentRegistration
    }

    /// A task whose newest update waits to be acknowledged. The next one waits for that.
    private struct Waiting {
        var uuid: String
        var state: TaskState
    }

    private let number: Int
    private let journal: Journal
    private let calls: LeanConnection
    private let events: LeanConnection
    private let loop: any EventLoop
    /// Shown with each call; nil when the connection's certificate says who it is.
    private let credential: String?
    /// Tasks end at once where this is nil; else they stay, and it is told of each.
    private let whenRunning: (() -> Void)?
    private var form = RequestForm("/", [])
    private var id = ""
    private var tasks: [String: Waiting] = [:]
    private var said: [ByteBuffer] = []
    private var isCalling = false
    /// Bodies sent.
    private(set) var requests = 0
    private var heartbeat: Scheduled<Void>?
    private var generator = SystemRandomNumberGenerator()

    init(
        number: Int, journal: Journal, calls: LeanConnection, events: LeanConnection, loop: any EventLoop,
        credential: String?, whenRunning: (() -> Void)? = nil
    ) {
        self.credential = credential
        self.whenRunning = whenRunning
        self.number = number
        self.journal = journal
        self.calls = calls
        self.events = events
        self.loop = loop
    }

    var flushes: Int { journal.flushes }

    func start() throws {
        let info = AgentInfo(
            hostname: "agent-\(number)", address: "127.0.0.1", port: 5051,
            resources: try Resources([
                .scalar("cpus", 16), .scalar("mem", 16_384), .scalar("disk", 100_000), .ports(31_000, 32_000),
            ]), attributes: [], version: "0.0.0")
        let body = try JSONEncoder().encode(Subscribe(subscribe: AgentRegistration(info: info)))
        let fields =
            [("Content-Type", "application/json")] + (credential.map { [("Authorization", "Bearer \($0)")] } ?? [])
        events.send(
            RequestForm(Self.path, fields).with(ByteBuffer(bytes: body)),
            .stream(
                head: { [self] head in
                    guard let session = LeanConnection.field("rondo-session", of: head) else {
                        fail("the master named no session")
                    }
                    form = RequestForm(Self.path, fields + [("Rondo-Session", session)])
                    beat()
                },
                records: { [self] in take($0) }))
    }

    func stop() {
        heartbeat?.cancel()
        calls.close()
        events.close()
    }

    private func beat() {
        heartbeat = loop.assumeIsolated().scheduleTask(in: .seconds(5)) { [self] in
            send(ByteBuffer(string: "{\"heartbeat\":{}}"))
            beat()
        }
    }

    /// What came together is kept together: launches and ends in one flush, then the first updates of new tasks.
    private func take(_ records: [ByteBuffer]) {
        var launched: [(framework: String, task: String)] = []
        var kept = ByteBuffer()
        var due: [ByteBuffer] = []
        for record in records {
            if record.begins(with: "{\"acknowledge\"") {
                guard let framework = record.text(after: "\"framework\":\""),
                    let task = record.text(after: "\"task\":\""), let uuid = record.text(after: "\"_1\":\"")
                else { fail("an acknowledgement cannot be read: \(String(buffer: record))") }
                guard let waiting = tasks[task], waiting.uuid == uuid else { continue }
                switch waiting.state {
                case .starting: due.append(update(framework, task, .running))
                case .running:
                    if let whenRunning {
                        tasks[task] = nil
                        whenRunning()
                        continue
                    }
                    let end = update(framework, task, .finished)
                    kept.writeImmutableBuffer(end)
                    due.append(end)
                default: tasks[task] = nil
                }
            } else if record.begins(with: "{\"run\"") {
                guard let framework = record.text(after: "\"frameworkID\":\""),
                    let task = record.text(after: "\"taskID\":\"")
                else { fail("a launch cannot be read: \(String(buffer: record))") }
                kept.writeImmutableBuffer(record)
                launched.append((framework, task))
            } else if record.begins(with: "{\"subscribed\"") {
                id = record.text(after: "\"_0\":\"") ?? ""
            }
        }
        keep(kept) { [self] in
            for each in due { send(each) }
            let updates = launched.map { update($0.framework, $0.task, .starting) }
            var kept = ByteBuffer()
            for each in updates { kept.writeImmutableBuffer(each) }
            keep(kept) { [self] in
                for each in updates { send(each) }
            }
        }
    }

    private func keep(_ bytes: ByteBuffer, then: @escaping () -> Void) {
        if bytes.readableBytes == 0 { then() } else { journal.append(bytes, then: then) }
    }

    /// One body at a time, as real agents do: what is to be said meanwhile goes together in the next one.
    private func send(_ call: ByteBuffer) {
        said.append(call)
        if !isCalling { sendAll() }
    }

    private func sendAll() {
        var body = ByteBuffer(string: "{\"type\":\"CALLS\",\"calls\":[")
        for (index, call) in said.enumerated() {
            if index > 0 { body.writeStaticString(",") }
            body.writeImmutableBuffer(call)
        }
        body.writeStaticString("]}")
        said = []
        isCalling = true
        requests += 1
        calls.send(
            form.with(body),
            .status { [self] _ in
                isCalling = false
                if !said.isEmpty { sendAll() }
            })
    }

    /// Notes and words an update, as `Codable` would.
    private func update(_ framework: String, _ task: String, _ state: TaskState) -> ByteBuffer {
        let uuid = StatusUUID(using: &generator).text
        tasks[task] = Waiting(uuid: uuid, state: state)
        return ByteBuffer(
            string: """
                {"status":{"_0":{"framework":"\(framework)","task":"\(task)"},\
                "_1":{"taskID":"\(task)","state":"\(state.wireName)","source":"SOURCE_EXECUTOR","agentID":"\(id)",\
                "executorID":"\(task)","timestamp":\(Self.timestamp),"uuid":"\(uuid)","containerID":"c-\(task)",\
                "addresses":[]},"directory":"/var/lib/work/\(task)"}}
                """)
    }

    private static let timestamp: String = {
        let bytes = (try? JSONEncoder().encode(UnixTime(seconds: 1_700_000_000))) ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }()
}
