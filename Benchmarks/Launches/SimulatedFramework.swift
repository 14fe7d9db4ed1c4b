import ClusterModel
import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore

/// A framework that launches its share of tasks as offers come, and acknowledges every update.
struct SimulatedFramework {
    let number: Int
    let shared: Shared
    let media: MediaType
    let tasks: Int

    private static let path = "/api/v1/scheduler"
    /// Tasks of one ACCEPT at most; an agent has room for this many.
    private static let tasksPerOffer = 16

    func run() async throws {
        var headers: HTTPFields = [.contentType: media.headerValue, .accept: media.headerValue]
        let info = FrameworkInfo(
            user: "nobody", name: "framework-\(number)", roles: [RoleName("role-\(number)")],
            capabilities: [.multiRole])
        let subscribe = WireSchedulerCall(.subscribe(Subscription(info: info)))
        let response = try await shared.stream(Self.path, headers, try WireCodec.encode(subscribe, as: media))
        guard let name = HTTPField.Name("Mesos-Stream-Id"), let stream = response.headers[name] else {
            throw Failure("the master named no stream")
        }
        headers[name] = stream
        let calls = CallQueue()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await calls.run(atOnce: 32) }
            var framework = FrameworkID("")
            var launched = 0
            var decoder = RecordIO.Decoder(maximumLength: 64 << 20)
            for try await piece in response.body {
                for record in try decoder.feed(Array(piece.readableBytesView)) {
                    let wire = try WireCodec.decode(WireSchedulerEvent.self, from: record, as: media)
                    let event = try SchedulerEvent(wire, role: RoleName("role-\(number)"))
                    var answers: [(SchedulerCall, isEnd: Bool)] = []
                    switch event {
                    case .subscribed(let id, _, _)?: framework = id
                    case .offers(let offers)?:
                        for offer in offers { answers.append((try answer(offer, &launched), false)) }
                    case .update(let status)?: if let answer = try answer(status) { answers.append(answer) }
                    case .error(let message)?: throw Failure("a framework was told: \(message)")
                    default: break
                    }
                    for (answer, isEnd) in answers {
                        let body = try WireCodec.encode(WireSchedulerCall(.call(framework, answer)), as: media)
                        calls.add { [headers] in
                            try await shared.call(Self.path, headers, body)
                            if isEnd { shared.progress.acknowledgedEnd() }
                        }
                    }
                }
            }
        }
    }

    private func answer(_ offer: Offer, _ launched: inout Int) throws -> SchedulerCall {
        var cpus = 0.0
        for item in offer.resources.items where item.kind.name == "cpus" {
            if case .scalar(let quantity) = item.value { cpus += quantity.value }
        }
        let count = min(tasks - launched, Self.tasksPerOffer, Int(cpus))
        if count == 0 {
            return .decline(offers: [offer.id], filters: OfferFilters(refuse: .seconds(launched == tasks ? 3_600 : 0)))
        }
        shared.progress.accepting()
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

    private func answer(_ status: TaskStatus) throws -> (SchedulerCall, isEnd: Bool)? {
        if status.state.isTerminal, status.state != .finished {
            throw Failure("task \(status.taskID) ended as \(status.state.wireName): \(status.message ?? "")")
        }
        guard let agent = status.agentID, let uuid = status.uuid else { return nil }
        return (.acknowledge(agent: agent, task: status.taskID, uuid: uuid), status.state.isTerminal)
    }
}
