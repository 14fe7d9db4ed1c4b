internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// Who may run commands in whose containers: asked before a call goes on to an agent, which asks nothing more.
struct ContainerAccess: Sendable {
    let node: MasterNode
    let visitor: Visitor

    /// Asks for the right that a call takes, and says to the audit log what it is about.
    ///
    /// - Parameters:
    ///   - request: the call, or a stream of them, of which the first names the container.
    ///   - agent: where it goes.
    /// - Returns: the request to go on with, whose body begins with what was read here.
    /// - Throws: ``GatewayError`` 400, 403, 413 or 415.
    func admit(_ request: GatewayRequest, to agent: AgentID) async throws -> GatewayRequest {
        visitor.noteChange("task.exec", "agent \(agent)")
        var request = request
        let call: ContainerCall
        do { call = try await Self.read(&request) } catch {
            // What is wrong with it is told to those who could send a right one.
            try visitor.require(.execute(nil))
            throw error
        }
        guard let path = call.container else {
            throw GatewayError(.badRequest, "the first record must be ATTACH_CONTAINER_INPUT with a CONTAINER_ID")
        }
        try await check(path, call, agent)
        return request
    }

    /// The call of a request, whose body stays as it was.
    private static func read(_ request: inout GatewayRequest) async throws -> ContainerCall {
        let type = (request.headers[.contentType] ?? "").split(separator: ";").first.map { $0.lowercased() } ?? ""
        switch type {
        case "application/json":
            let body = try await request.body.collect(upTo: ContainerCall.lengthLimit)
            request.body = GatewayBody(body)
            return try call(body.readableBytesView)
        case "application/recordio":
            let (call, body) = try await first(of: request.body)
            request.body = body
            return call
        default:
            throw GatewayError(
                .unsupportedMediaType,
                "an agent's calls are JSON; send Content-Type application/json, or application/recordio for "
                    + "ATTACH_CONTAINER_INPUT")
        }
    }

    private func check(_ path: ContainerPath, _ call: ContainerCall, _ agent: AgentID) async throws {
        let task = try await Self.task(in: ContainerID(path.root), on: agent, node.snapshot())
        let object = task.map { "\($0.key.framework)/\($0.key.task)" } ?? "\(agent)/\(path.root)"
        visitor.noteChange("task.exec", "\(object) \(Self.word(call)) \(path.last)")
        // A task that nobody knows could be anybody's.
        try visitor.require(.execute(task?.launch.role))
    }

    /// The task whose container it is.
    private static func task(in container: ContainerID, on agent: AgentID, _ core: MasterCore) -> TaskRecord? {
        for framework in core.frameworks.values {
            for task in framework.tasks.values where task.launch.task.agentID == agent {
                if task.statuses.contains(where: { $0.containerID == container }) { return task }
            }
        }
        return core.frameworks.values.lazy.flatMap(\.completedTasks).first { task in
            task.launch.task.agentID == agent && task.statuses.contains { $0.containerID == container }
        }
    }

    private static func word(_ call: ContainerCall) -> String {
        switch call {
        // The program alone: arguments often hold secrets.
        case .launchSession(_, let command): "run '\(command.words.first?.prefix(200) ?? "")' as"
        case .attachInput, .input: "attach input of"
        case .attachOutput: "attach output of"
        case .wait: "wait for"
        case .kill: "kill"
        case .remove: "remove"
        case .detach: "detach"
        }
    }

    private static func call(_ json: some Sequence<UInt8>) throws(GatewayError) -> ContainerCall {
        do throws(WireError) { return try ContainerCall(json: json) } catch {
            throw GatewayError(.badRequest, error.message)
        }
    }

    /// The first call of a stream, and the stream as it was.
    private static func first(of body: GatewayBody) async throws -> (ContainerCall, GatewayBody) {
        var pieces = body.makeAsyncIterator()
        var decoder = RecordIO.Decoder(maximumLength: ContainerCall.lengthLimit)
        var read = ByteBuffer()
        while let piece = try await pieces.next() {
            read.writeImmutableBuffer(piece)
            let records: [[UInt8]]
            do throws(WireError) { records = try decoder.feed(Array(piece.readableBytesView)) } catch {
                throw GatewayError(.badRequest, error.message)
            }
            guard let first = records.first else { continue }
            let start = Mutex<ByteBuffer?>(read)
            let whole = GatewayBody {
                if let start = start.withLock({ $0.take() }) { return start }
                var rest = body.makeAsyncIterator()
                return try await rest.next()
            }
            return (try call(first), whole)
        }
        throw GatewayError(.badRequest, "the body has no call; send ATTACH_CONTAINER_INPUT with a CONTAINER_ID first")
    }
}
