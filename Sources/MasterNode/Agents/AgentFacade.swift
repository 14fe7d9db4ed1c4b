internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import MasterCore
internal import Membership
internal import NIOCore

/// `/api/v1/agent`: how agents take part.
///
/// SUBSCRIBE `{"type":"SUBSCRIBE","subscribe":AgentRegistration}` answers with a stream of `AgentEvent`s and the header
/// `Rondo-Session`; all other calls, `{"type":"CALLS","calls":[AgentCall, …]}`, carry that header and are answered
/// together. All are JSON as `Codable` writes the values of ClusterModel, in RecordIO frames on the stream.
struct AgentFacade: Sendable {
    let node: MasterNode

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
            let session = try session(name, request)
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
        let caller = try await authorize(request)
        let message = try await read(try await request.body.collect(upTo: Self.registrationLimit))
        guard message.type == "SUBSCRIBE", let registration = message.subscribe else {
            throw GatewayError(
                .badRequest,
                message.type == "CALLS"
                    ? "the header Rondo-Session is missing; every call but SUBSCRIBE must have it"
                    : "a call without the header Rondo-Session must be {\"type\":\"SUBSCRIBE\",\"subscribe\":…}")
        }
        return try await subscribe(registration, authorization: request.headers[.authorization], from: caller)
    }

    private func subscribe(
        _ registration: AgentRegistration, authorization: String?, from caller: NodeID?
    ) async throws -> GatewayResponse {
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
        let connection = node.directory.open(name: name, authorization: authorization, node: caller)
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
        let caller = try await authorize(request)
        // The stream's id is a secret between the master and this agent; the caller must be the session's as well.
        guard let session = node.directory.session(of: agent), isSame(session, caller, request) else {
            throw GatewayError(.forbidden, "this stream is another agent's; answer those of your own session")
        }
        return node.relays.broker.accept(id, from: agent.value, request)
    }

    private func session(_ name: String, _ request: GatewayRequest) throws -> StreamDirectory.Session {
        guard let session = node.directory.session(name) else {
            throw GatewayError(.forbidden, "the session of the header Rondo-Session has ended; subscribe again")
        }
        guard isSame(session, try caller(of: request), request) else { throw Self.unauthorized }
        return session
    }

    /// Whether a call comes from who opened a session: the same node, or, where nodes have no certificates, the same
    /// credential.
    private func isSame(_ session: StreamDirectory.Session, _ caller: NodeID?, _ request: GatewayRequest) -> Bool {
        guard session.node == nil else { return session.node == caller }
        return StoredCredentials.isEqual(request.headers[.authorization] ?? "", session.authorization ?? "")
    }

    /// Lets nodes and administrators pass; returns the node whose certificate the connection carries.
    private func authorize(_ request: GatewayRequest) async throws -> NodeID? {
        if let id = try caller(of: request) { return id }
        switch try await node.credentials.caller(authorization: request.headers[.authorization]) {
        case .node, .administrator: return nil
        case .anonymous: throw Self.unauthorized
        }
    }

    /// The node whose certificate the connection carries; nil without one. A connection lives long: eviction and
    /// expiry count for each call.
    private func caller(of request: GatewayRequest) throws(GatewayError) -> NodeID? {
        guard let admission = node.admission, !request.peerCertificates.isEmpty else { return nil }
        do throws(IdentityError) {
            return try admission.trust.verifier.node(
                request.peerCertificates, requiring: .agent, now: node.clock.now().wall
            ).id
        } catch { throw GatewayError(.unauthorized, error.description) }
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
