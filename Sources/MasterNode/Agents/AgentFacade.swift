internal import Access
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import NIOCore

/// `/api/v1/agent`: how agents take part.
///
/// SUBSCRIBE `{"type":"SUBSCRIBE","subscribe":AgentRegistration}` answers with a stream of `AgentEvent`s and the header
/// `Rondo-Session`; all other calls, `{"type":"CALLS","calls":[AgentCall, …]}`, carry that header and are answered
/// together. All are JSON as `Codable` writes the values of ClusterModel, in RecordIO frames on the stream.
struct AgentFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    /// A registration lists every task of an agent, so it may be longer than other bodies. Only nodes may send one.
    static let registrationLimit = 64 << 20
    /// Calls in one body.
    static let callLimit = 1_000

    private struct Message: Decodable {
        var type: String
        var subscribe: AgentRegistration?
        var calls: [AgentCall]?
    }

    func respond(to request: GatewayRequest) async throws -> GatewayResponse {
        guard let type = request.headers[.contentType], type.lowercased().hasPrefix("application/json") else {
            let isMissing = request.headers[.contentType] == nil
            throw GatewayError(
                isMissing ? .badRequest : .unsupportedMediaType, "calls of agents are JSON; send application/json")
        }
        if let name = request.headers[.rondoSession] {
            let session = try session(name)
            let body = try await request.body.collect(upTo: node.settings.bodyLimit)
            if let calls = body.withUnsafeReadableBytes({ AgentCallText.read($0) }), calls.count <= Self.callLimit {
                return try await node.ask { .agentCalls($0, connection: session.connection, calls) }.response()
            }
            let message = try await read(body)
            guard message.type == "CALLS", let calls = message.calls, (1...Self.callLimit).contains(calls.count) else {
                throw GatewayError(
                    .badRequest,
                    "a body with the header Rondo-Session must be {\"type\":\"CALLS\",\"calls\":[…]} with 1 to "
                        + "\(Self.callLimit) calls")
            }
            return try await node.ask { .agentCalls($0, connection: session.connection, calls) }.response()
        }
        try authorize()
        let message = try await read(try await request.body.collect(upTo: Self.registrationLimit))
        guard message.type == "SUBSCRIBE", let registration = message.subscribe else {
            throw GatewayError(
                .badRequest,
                message.type == "CALLS"
                    ? "the header Rondo-Session is missing; every call but SUBSCRIBE must have it"
                    : "a call without the header Rondo-Session must be {\"type\":\"SUBSCRIBE\",\"subscribe\":…}")
        }
        return try await subscribe(try own(registration))
    }

    /// Where nodes have keys, a node's agent has the node's id, so that no node can speak for the agent of another.
    private func own(_ registration: AgentRegistration) throws -> AgentRegistration {
        guard visitor.mode == .enforced, case .node(let node, _) = visitor.caller else { return registration }
        var registration = registration
        guard registration.info.id == nil || registration.info.id?.value == node else {
            throw GatewayError(
                .forbidden,
                "the agent's id is not that of its node \(node.prefix(64)); remove the agent's data to register anew")
        }
        registration.info.id = AgentID(node)
        return registration
    }

    private func subscribe(_ registration: AgentRegistration) async throws -> GatewayResponse {
        if let id = registration.info.id, let defect = id.defect {
            throw GatewayError(.badRequest, "field 'subscribe.info.id' \(defect)")
        }
        guard NodeRegistry.fits(registration.info) else {
            throw GatewayError(
                .badRequest,
                "field 'subscribe.info' is larger than \(NodeRegistry.recordLimit) bytes; shorten its attributes")
        }
        if let refusal = node.condition.readOnly { throw refusal }
        node.metrics.called("AGENT_SUBSCRIBE")
        let name = RandomName.uuid()
        let connection = node.directory.open(name: name, caller: visitor.caller)
        let stream = EventStream(
            limits: node.streamLimits,
            onClose: { [inbox = node.inbox] _ in inbox.notify(.closed(connection)) })
        node.directory.setEnd(of: connection) { stream.finish() }
        try await node.put(
            .agent(connection, registration, AgentSink(stream: stream, session: name)), opening: connection)
        return .events(stream, headers: [.contentType: "application/json", .rondoSession: name])
    }

    /// The agent has dialled back for a request: `POST /api/v1/agent/streams/{id}`.
    func takeStream(_ id: String, _ request: GatewayRequest) async throws -> GatewayResponse {
        guard let agent = node.relays.agent(of: id) else {
            throw GatewayError(.notFound, "no request waits for this stream; it may have timed out")
        }
        try authorize()
        // The stream's id is a secret between the master and this agent; the caller must be the session's as well.
        guard let session = node.directory.session(of: agent), session.caller == visitor.caller else {
            throw GatewayError(.forbidden, "this stream is another agent's; answer those of your own session")
        }
        return node.relays.broker.accept(id, from: agent.value, request)
    }

    private func session(_ name: String) throws -> StreamDirectory.Session {
        guard let session = node.directory.session(name) else {
            throw GatewayError(.forbidden, "the session of the header Rondo-Session has ended; subscribe again")
        }
        guard session.caller == visitor.caller else { throw Self.unauthorized }
        return session
    }

    private func authorize() throws {
        switch visitor.caller {
        case .node, .root: return
        case .user: try visitor.require(.takePart(.agent))
        case .anonymous: throw Self.unauthorized
        }
    }

    private func read(_ body: ByteBuffer) async throws -> Message {
        do {
            return try await Decoding.message(of: body.readableBytes) {
                try JSONDecoder().decode(Message.self, from: Data(body.readableBytesView))
            }
        } catch {
            throw GatewayError(.badRequest, "the body is not a call of an agent: \(JSONFault.text(error))")
        }
    }

    private static let unauthorized = GatewayError(
        .unauthorized, "the node's credential is missing or wrong; join the cluster with `rondo cluster join`",
        headers: [.wwwAuthenticate: "Bearer"])
}

/// Says what was wrong with JSON that `Codable` could not read.
enum JSONFault {
    static func text(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "it cannot be read" }
        switch error {
        case .keyNotFound(let key, let context): return "field '\(path(context, key))' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "field '\(path(context))' has the wrong type"
        case .dataCorrupted(let context):
            let place = path(context)
            return place.isEmpty ? "it is not valid JSON" : "field '\(place)' has a value that it cannot have"
        @unknown default: return "it cannot be read"
        }
    }

    private static func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
        let keys = context.codingPath + (last.map { [$0] } ?? [])
        return String(keys.map(\.stringValue).joined(separator: ".").prefix(120))
    }
}
