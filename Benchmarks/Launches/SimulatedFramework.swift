import ClusterModel
import FoundationEssentials
import MesosWire
import NIOCore

/// A framework that launches its share of tasks as offers come, and acknowledges every update.
final class SimulatedFramework {
    private static let path = "/api/v1/scheduler"
    /// Tasks of one ACCEPT at most; an agent has room for this many.
    private static let tasksPerOffer = 16

    private let number: Int
    private let media: MediaType
    private let tasks: Int
    private let progress: Progress
    private let events: LeanConnection
    private let calls: [LeanConnection]
    private let credential: String?
    private var nextCall = 0
    private var form = RequestForm("/", [])
    private var framework = FrameworkID("")
    private var launched = 0

    init(
        number: Int, media: MediaType, tasks: Int, progress: Progress, events: LeanConnection, calls: [LeanConnection],
        credential: String?
    ) {
        self.credential = credential
        self.number = number
        self.media = media
        self.tasks = tasks
        self.progress = progress
        self.events = events
        self.calls = calls
    }

    func start() throws {
        let info = FrameworkInfo(
            user: "nobody", name: "framework-\(number)", roles: [RoleName("role-\(number)")],
            capabilities: [.multiRole])
        let subscribe = WireSchedulerCall(.subscribe(Subscription(info: info)))
        let fields =
            [("Content-Type", media.headerValue), ("Accept", media.headerValue)]
            + (credential.map { [("Authorization", "token=\($0)")] } ?? [])
        events.send(
            RequestForm(Self.path, fields).with(ByteBuffer(bytes: try WireCodec.encode(subscribe, as: media))),
            .stream(
                head: { [self] head in
                    guard let stream = LeanConnection.field("mesos-stream-id", of: head) else {
                        fail("the master named no stream")
                    }
                    form = RequestForm(Self.path, fields + [("Mesos-Stream-Id", stream)])
                },
                records: { [self] records in
                    do { for record in records { try take(record) } } catch { fail("\(error)") }
                }))
    }

    func stop() {
        events.close()
        for each in calls { each.close() }
    }

    private func take(_ record: ByteBuffer) throws {
        if media == .json, record.text(after: "\"type\":\"") == "UPDATE" { return try acknowledge(json: record) }
        let wire = try WireCodec.decode(WireSchedulerEvent.self, from: Array(record.readableBytesView), as: media)
        switch try SchedulerEvent(wire, role: RoleName("role-\(number)")) {
        case .subscribed(let id, _, _)?: framework = id
        case .offers(let offers)?: for offer in offers { try send(answer(offer)) }
        case .update(let status)?:
            if status.state.isTerminal, status.state != .finished {
                throw Failure("task \(status.taskID) ended as \(status.state.wireName): \(status.message ?? "")")
            }
            guard let agent = status.agentID, let uuid = status.uuid else { return }
            try send(.acknowledge(agent: agent, task: status.taskID, uuid: uuid), isEnd: status.state.isTerminal)
        case .error(let message)?: throw Failure("a framework was told: \(message)")
        default: break
        }
    }

    private func acknowledge(json record: ByteBuffer) throws {
        guard let task = record.text(after: "\"task_id\":{\"value\":\""),
            let agent = record.text(after: "\"agent_id\":{\"value\":\""), let state = record.text(after: "\"state\":\"")
        else { throw Failure("an update cannot be read: \(String(buffer: record))") }
        guard ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"].contains(state) else {
            throw Failure("a task ended as \(state)")
        }
        guard let uuid = record.text(after: "\"uuid\":\"") else { return }
        let body = ByteBuffer(
            string: """
                {"framework_id":{"value":"\(framework.value)"},"type":"ACKNOWLEDGE","acknowledge":\
                {"agent_id":{"value":"\(agent)"},"task_id":{"value":"\(task)"},"uuid":"\(uuid)"}}
                """)
        send(body, isEnd: state == "TASK_FINISHED")
    }

    private func answer(_ offer: Offer) throws -> SchedulerCall {
        var cpus = 0.0
        for item in offer.resources.items where item.kind.name == "cpus" {
            if case .scalar(let quantity) = item.value { cpus += quantity.value }
        }
        let count = min(tasks - launched, Self.tasksPerOffer, Int(cpus))
        if count == 0 {
            return .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(launched == tasks ? 3_600 : 0)))
        }
        progress.accepting()
        var infos: [TaskInfo] = []
        for _ in 0..<count {
            let name = "task-\(number)-\(launched)"
            infos.append(
                TaskInfo(
                    name: name, taskID: TaskID(name), agentID: offer.agentID,
                    resources: try Resources([.scalar("cpus", 1), .scalar("mem", 32)]),
                    command: CommandInfo(value: "true")))
            launched += 1
        }
        return .accept(offers: [offer.id], operations: [.launch(infos)], filters: OfferFilters(refuse: .zero))
    }

    private func send(_ call: SchedulerCall, isEnd: Bool = false) throws {
        let body = try WireCodec.encode(WireSchedulerCall(.call(framework, call)), as: media)
        send(ByteBuffer(bytes: body), isEnd: isEnd)
    }

    private func send(_ body: ByteBuffer, isEnd: Bool) {
        nextCall = (nextCall + 1) % calls.count
        calls[nextCall].send(form.with(body), .status { [progress] _ in if isEnd { progress.acknowledgedEnd() } })
    }
}
