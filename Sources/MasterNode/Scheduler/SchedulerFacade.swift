internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import MesosWire
internal import NIOCore

/// `/api/v1/scheduler`: Mesos' v1 scheduler interface.
struct SchedulerFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    /// Bytes of a stream id; Mesos' clients keep that many.
    static let streamIDLimit = 128

    func respond(to request: GatewayRequest) async throws -> GatewayResponse {
        let media = try media(of: request)
        let body = try await request.body.collect(upTo: node.settings.bodyLimit)
        let call: SchedulerRequest
        do {
            call = try await Decoding.message(of: body.readableBytes) {
                let bytes = [UInt8](body.readableBytesView)
                return try SchedulerRequest(try WireCodec.decode(WireSchedulerCall.self, from: bytes, as: media))
            }
        } catch let error as WireError {
            throw GatewayError(error)
        }
        let streamID = request.headers[.mesosStreamID]
        switch call {
        case .subscribe(let subscription):
            return try await subscribe(try await admitted(subscription), request.headers[.accept], streamID)
        case .call(let framework, let call):
            node.metrics.called(call.name)
            return try await carryOut(call, of: framework, streamID)
        }
    }

    /// The subscription as the visitor may make it.
    private func admitted(_ subscription: Subscription) async throws -> Subscription {
        var subscription = subscription
        let info = subscription.info
        visitor.noteChange(
            "framework.subscribe",
            "\(info.name) (\(info.id?.value ?? "new")) in \(info.roles.prefix(16).map(\.value).joined(separator: " "))",
            work: true)
        subscription.info = try await FrameworkAccess(node: node, visitor: visitor).admitted(info)
        return subscription
    }

    private func media(of request: GatewayRequest) throws -> MediaType {
        do { return try MediaType(contentType: request.headers[.contentType]) } catch { throw GatewayError(error) }
    }

    private func subscribe(
        _ subscription: Subscription, _ accept: String?, _ streamID: String?
    ) async throws -> GatewayResponse {
        let media: MediaType
        do { media = try MediaType(accept: accept) } catch { throw GatewayError(error) }
        if streamID != nil {
            throw GatewayError(.badRequest, "SUBSCRIBE must not have the header Mesos-Stream-Id; leave it out")
        }
        let name = RandomName.uuid()
        let tooSlow = EventEncoding.error(
            "the stream was read too slowly and is closed; read events as they come, then subscribe again", as: media)
        let stream = try await open(subscription, name) { connection in
            let stream = EventStream(
                limits: node.streamLimits, overflowRecord: tooSlow ?? ByteBuffer(),
                onClose: { [inbox = node.inbox] _ in inbox.notify(.closed(connection)) })
            return (FrameworkSink(way: .wire(stream, media), streamID: name), stream)
        }
        return .events(stream, headers: [.contentType: media.headerValue, .mesosStreamID: name])
    }

    /// Opens a stream of either way, for a subscription that was looked at already. Its calls carry the name; `make` makes
    /// the sink for the stream's number, and what the caller wants of it.
    private func open<Stream>(
        _ subscription: Subscription, _ name: String, _ make: (ConnectionID) -> (FrameworkSink, Stream)
    ) async throws -> Stream {
        guard NodeRegistry.fits(subscription.info) else {
            throw GatewayError(
                .badRequest,
                "field 'subscribe.framework_info' is larger than \(NodeRegistry.recordLimit) bytes; shorten its labels")
        }
        if let refusal = node.condition.readOnly { throw refusal }
        node.metrics.called("SUBSCRIBE")
        let connection = node.directory.open(name: name, caller: visitor.caller)
        let (sink, stream) = make(connection)
        try await node.put(.framework(connection, subscription, sink), opening: connection)
        return stream
    }

    /// Opens a stream for a framework of this program.
    func subscribe(_ subscription: Subscription) async throws -> LocalSession {
        let name = RandomName.uuid()
        return try await open(try await admitted(subscription), name) { connection in
            let queue = SchedulerEventQueue(limit: node.settings.streamRecords)
            let session = LocalSession(facade: self, queue: queue, name: name, connection: connection)
            return (FrameworkSink(way: .local(queue), streamID: name), session)
        }
    }

    private func carryOut(
        _ call: SchedulerCall, of framework: FrameworkID, _ streamID: String?
    ) async throws -> GatewayResponse {
        guard let streamID else {
            throw GatewayError(
                .badRequest, "the header Mesos-Stream-Id is missing; every call but SUBSCRIBE must have the stream's")
        }
        guard streamID.utf8.count <= Self.streamIDLimit else {
            throw GatewayError(.badRequest, "the header Mesos-Stream-Id is longer than \(Self.streamIDLimit) bytes")
        }
        return try await perform(call, of: framework, streamID).response()
    }

    /// Carries out a call that came on behalf of a stream, whichever way it came.
    func perform(_ call: SchedulerCall, of framework: FrameworkID, _ streamID: String) async throws -> Reply {
        if case .updateFramework(let info, _) = call, !NodeRegistry.fits(info) {
            throw GatewayError(
                .badRequest,
                "field 'update_framework.framework_info' is larger than \(NodeRegistry.recordLimit) bytes; "
                    + "shorten its labels")
        }
        let session = node.directory.session(streamID)
        if visitor.mode == .enforced, let session, session.caller != visitor.caller {
            throw GatewayError(.forbidden, "this stream is another user's; send the credential that subscribed it")
        }
        noteWork(call, framework)
        var checked = try await checked(call, framework)
        var secrets: LaunchSecrets = [:]
        if case .accept(let offers, var operations, let filters) = checked, SecretResolver.concerns(operations) {
            var resolver = SecretResolver(node: node, visitor: visitor)
            (operations, secrets) = try await resolver.resolve(operations, of: framework)
            checked = .accept(offers: offers, operations: operations, filters: filters)
        }
        let ready = checked
        return try await node.ask(secrets: secrets) {
            .call($0, framework: framework, connection: session?.connection, ready)
        }
    }

    /// The call as the caller may make it.
    private func checked(_ call: SchedulerCall, _ framework: FrameworkID) async throws -> SchedulerCall {
        guard visitor.mode == .enforced else { return call }
        let access = FrameworkAccess(node: node, visitor: visitor)
        switch call {
        case .accept(let offers, let operations, let filters):
            return .accept(offers: offers, operations: access.checked(operations), filters: filters)
        case .updateFramework(var info, let suppressed):
            info.id = framework
            return .updateFramework(try await access.admitted(info), suppressedRoles: suppressed)
        default: return call
        }
    }

    /// What a framework does goes to the part of the audit log that only frameworks fill. Declining, acknowledging and
    /// asking change nothing that lasts.
    private func noteWork(_ call: SchedulerCall, _ framework: FrameworkID) {
        guard node.trail.work != nil else { return }
        switch call {
        case .accept(_, let operations, _):
            let tasks = operations.flatMap(\.tasks).map(\.taskID.value)
            if tasks.isEmpty { return }
            let names = tasks.prefix(8).joined(separator: " ")
            visitor.noteChange("task.launch", "\(framework): \(tasks.count) tasks: \(names)", work: true)
        case .kill(let task, _, _, _): visitor.noteChange("task.kill", "\(framework)/\(task)", work: true)
        case .teardown, .updateFramework, .shutdown:
            visitor.noteChange("framework.\(call.name.lowercased())", framework.value, work: true)
        default: break
        }
    }
}

extension HTTPField.Name {
    /// Names the event stream that a call belongs to.
    static let mesosStreamID = Self("Mesos-Stream-Id") ?? .eTag
    /// The same for agents.
    static let rondoSession = Self("Rondo-Session") ?? .eTag
}

extension GatewayError {
    /// The answer to bytes that could not be read.
    init(_ error: WireError) {
        self.init(HTTPResponse.Status(code: error.httpStatus), error.message)
    }
}

extension Reply {
    /// As an answer without a body.
    ///
    /// - Throws: ``GatewayError`` for a refusal.
    func response() throws -> GatewayResponse {
        switch self {
        case .accepted: .complete(.accepted)
        case .done: .complete(.ok)
        case .refused(let refusal, let message):
            throw GatewayError(HTTPResponse.Status(code: refusal.rawValue), message)
        }
    }
}

extension SchedulerCall {
    /// The name on the wire, for counters.
    var name: String {
        switch self {
        case .accept: "ACCEPT"
        case .decline: "DECLINE"
        case .acceptInverseOffers: "ACCEPT_INVERSE_OFFERS"
        case .declineInverseOffers: "DECLINE_INVERSE_OFFERS"
        case .revive: "REVIVE"
        case .suppress: "SUPPRESS"
        case .kill: "KILL"
        case .shutdown: "SHUTDOWN"
        case .acknowledge: "ACKNOWLEDGE"
        case .acknowledgeOperation: "ACKNOWLEDGE_OPERATION_STATUS"
        case .reconcile: "RECONCILE"
        case .reconcileOperations: "RECONCILE_OPERATIONS"
        case .message: "MESSAGE"
        case .request: "REQUEST"
        case .teardown: "TEARDOWN"
        case .updateFramework: "UPDATE_FRAMEWORK"
        }
    }
}
