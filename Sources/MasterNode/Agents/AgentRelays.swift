internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import Synchronization

/// Requests on their way to agents: which agent each stream is for, and how many an agent has.
final class AgentRelays: Sendable {
    let broker: StreamBroker
    private let perAgent: Int
    private let state = Mutex(State())

    private struct State {
        var agents: [String: AgentID] = [:]
        var counts: [AgentID: Int] = [:]
    }

    init(broker: StreamBroker, perAgent: Int) {
        self.broker = broker
        self.perAgent = perAgent
    }

    /// The agent that a waiting stream is for.
    func agent(of stream: String) -> AgentID? { state.withLock { $0.agents[stream] } }

    /// - Returns: whether the agent may be asked for one more.
    func begin(_ agent: AgentID) -> Bool {
        state.withLock { state in
            let count = state.counts[agent, default: 0]
            if count >= perAgent { return false }
            state.counts[agent] = count + 1
            return true
        }
    }

    func end(_ agent: AgentID) {
        state.withLock { state in
            let count = state.counts[agent, default: 0] - 1
            state.counts[agent] = count > 0 ? count : nil
        }
    }

    func wait(_ stream: String, for agent: AgentID) { state.withLock { $0.agents[stream] = agent } }
    func forget(_ stream: String) { state.withLock { $0.agents[stream] = nil } }
}

extension MasterNode {
    /// Has an agent answer a request, by OPEN_STREAM; the master never connects to an agent.
    func relay(_ request: GatewayRequest, to agent: AgentID, _ target: String) async throws -> GatewayResponse {
        if let defect = agent.defect { throw GatewayError(.badRequest, "the agent's id \(defect)") }
        guard relays.begin(agent) else {
            throw GatewayError(
                .serviceUnavailable, "\(settings.streamsPerAgent) requests are on their way to this agent; try again")
        }
        let place = Place(relays: relays, agent: agent)
        let opened = Mutex<String?>(nil)
        let refusal = Mutex<GatewayError?>(nil)
        defer { if let id = opened.withLock({ $0 }) { relays.forget(id) } }
        let response = await relays.broker.relay(
            request, to: agent.value, path: target, timeout: settings.agentAnswerTimeout
        ) { [self] stream in
            opened.withLock { $0 = stream.id }
            relays.wait(stream.id, for: agent)
            let question = StreamRequest(
                id: StreamID(stream.id), method: stream.method, target: stream.path,
                headers: stream.headers.filter { $0.name != .authorization && $0.name != .cookie }
                    .map { Label(key: $0.name.rawName, value: $0.value) })
            do {
                _ = try await ask { .openStream($0, agent, question) }.response()
            } catch let error as GatewayError {
                refusal.withLock { $0 = error }
                throw error
            }
        }
        if let refusal = refusal.withLock({ $0 }) { throw refusal }
        return place.held(during: response)
    }
}

/// A request's place among those of an agent; given back when nobody needs the response any more.
private final class Place: Sendable {
    private let relays: AgentRelays
    private let agent: AgentID

    init(relays: AgentRelays, agent: AgentID) {
        self.relays = relays
        self.agent = agent
    }

    deinit { relays.end(agent) }

    /// Does nothing, and so is held until here.
    private func keep() {}

    /// The response, which keeps the place as long as it exists.
    func held(during response: GatewayResponse) -> GatewayResponse {
        var response = response
        switch response.content {
        case .stream(let produce):
            response.content = .stream { [self] writer in
                try await produce(writer)
                keep()
            }
        case .duplex(let produce):
            response.content = .duplex { [self] writer in
                try await produce(writer)
                keep()
            }
        case .bytes, .events: break
        }
        return response
    }
}
