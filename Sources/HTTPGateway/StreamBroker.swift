internal import HTTPTypes
internal import NIOCore
internal import Synchronization
public import Transport

/// Which operator's request waits for which agent's connection: the pairing alone, without time or connections.
struct PendingStreams<Waiter> {
    private var waiting: [String: (agent: String, waiter: Waiter)] = [:]
    let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { waiting.count }

    /// Lets a request wait.
    ///
    /// - Returns: whether there was room and the id is new.
    mutating func register(_ id: String, agent: String, waiter: Waiter) -> Bool {
        guard waiting.count < limit, waiting[id] == nil else { return false }
        waiting[id] = (agent, waiter)
        return true
    }

    /// Takes the request that waits for a connection with this id; an id is good for one connection, and for the agent
    /// that was asked only.
    mutating func take(_ id: String, agent: String) -> Waiter? {
        guard let found = waiting[id], found.agent == agent else { return nil }
        waiting[id] = nil
        return found.waiter
    }

    /// Forgets a request that waits no longer.
    mutating func remove(_ id: String) { waiting[id] = nil }
}

/// The master's side of ``OpenStream``: joins operators' requests with the connections that agents open for them.
///
/// Both directions are held to the speed of the slower side; when either side goes away, the other is cut off.
public final class StreamBroker: Sendable {
    private let transport: Transport
    private let pending: Mutex<PendingStreams<StreamWaiter>>

    /// A broker without streams.
    ///
    /// - Parameters:
    ///   - transport: gives the timers.
    ///   - limit: requests that may wait for their agent at once; further ones get 503.
    public init(transport: Transport, limit: Int = 1024) {
        self.transport = transport
        pending = Mutex(PendingStreams(limit: limit))
    }

    /// How many requests wait for their agent to connect.
    public var waitingCount: Int { pending.withLock { $0.count } }

    /// Has an agent answer a request.
    ///
    /// - Parameters:
    ///   - request: the operator's request.
    ///   - agent: the agent's id; no other agent can take the stream.
    ///   - path: path and query for the agent, percent-encoded.
    ///   - timeout: how long the agent may take to connect.
    ///   - send: sends the ``OpenStream`` over the agent's session.
    /// - Returns: the agent's response; 502 when the agent breaks off, 503 when too many wait or `send` fails, 504 when
    ///   the agent does not connect in time.
    public func relay(
        _ request: GatewayRequest, to agent: String, path: String, timeout: Duration = .seconds(10),
        send: @Sendable (OpenStream) async throws -> Void
    ) async -> GatewayResponse {
        do {
            let link = try await connect(request, to: agent, path: path, timeout: timeout, send: send)
            return await response(to: request, over: link)
        } catch let error as GatewayError {
            return .failure(error)
        } catch {
            return .failure(GatewayError(.badGateway, "the agent cannot be asked: \(error)"))
        }
    }

    /// Takes the connection that an agent has opened for a stream.
    ///
    /// - Parameters:
    ///   - id: the last segment of ``OpenStream/dialPath``.
    ///   - agent: the id of the agent that the caller has authenticated.
    ///   - request: the agent's request, whose body carries the response.
    /// - Returns: the answer to give; 404 when nobody waits for this id.
    public func accept(_ id: String, from agent: String, _ request: GatewayRequest) -> GatewayResponse {
        guard let waiter = pending.withLock({ $0.take(id, agent: agent) }) else {
            return .failure(GatewayError(.notFound, "no request waits for stream \(id); it may have timed out"))
        }
        let body = request.body
        return .duplex(.ok) { writer in
            let link = AgentLink(body: body, writer: writer)
            guard waiter.resume(with: .success(link)) else { throw GatewayError.clientGone }
            try await link.untilEnded()
        }
    }

    private func connect(
        _ request: GatewayRequest, to agent: String, path: String, timeout: Duration,
        send: @Sendable (OpenStream) async throws -> Void
    ) async throws -> AgentLink {
        let id = Self.randomID()
        let waiter = StreamWaiter()
        guard pending.withLock({ $0.register(id, agent: agent, waiter: waiter) }) else {
            throw GatewayError(.serviceUnavailable, "too many requests wait for agents; try again later")
        }
        defer { pending.withLock { $0.remove(id) } }
        let timer = transport.eventLoops.any().scheduleTask(in: TimeAmount(timeout)) {
            let late = GatewayError(.gatewayTimeout, "agent \(agent) did not open a connection in time")
            _ = waiter.resume(with: .failure(late))
        }
        defer { timer.cancel() }
        request.onDisconnect { _ = waiter.resume(with: .failure(GatewayError.clientGone)) }
        do {
            let headers = OpenStream.endToEnd(request.headers)
            try await send(OpenStream(id: id, method: request.method.rawValue, path: path, headers: headers))
        } catch {
            throw GatewayError(.serviceUnavailable, "agent \(agent) cannot be asked: \(error)")
        }
        return try await waiter.value()
    }

    private func response(to request: GatewayRequest, over link: AgentLink) async -> GatewayResponse {
        request.onDisconnect { link.end(GatewayError.clientGone) }
        let requestBody = request.body
        let upload = Task {
            do {
                for try await piece in requestBody { try await link.writer.write(piece) }
                try await link.writer.finish()
            } catch {
                link.end(error)
            }
        }
        var pieces = link.body.makeAsyncIterator()
        do {
            let (status, headers, rest) = try await StreamHead.read(from: &pieces)
            let remaining = link.body
            let produce: @Sendable (ResponseWriter) async throws -> Void = { writer in
                defer { upload.cancel() }
                do {
                    try await writer.write(rest)
                    for try await piece in remaining { try await writer.write(piece) }
                    link.end(nil)
                } catch {
                    link.end(error)
                    throw error
                }
            }
            // A request with a body may still be on its way when the agent answers already.
            let content: GatewayResponse.Content = request.body.isKnownEmpty ? .stream(produce) : .duplex(produce)
            return GatewayResponse(status, headers: headers, content: content)
        } catch {
            upload.cancel()
            link.end(error)
            let failure = error as? GatewayError
            guard failure?.status == .badGateway, let failure else {
                return .failure(GatewayError(.badGateway, "the agent broke off before it answered"))
            }
            return .failure(failure)
        }
    }

    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return [generator.next(), generator.next()].map { (half: UInt64) in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// An operator's request that waits for its agent: resumed exactly once, by the agent, the clock or the operator.
final class StreamWaiter: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<AgentLink, any Error>)
        case resumed(Result<AgentLink, any Error>)
    }

    private let state = Mutex(State.new)

    /// - Returns: whether this was the first result, which is the one that counts.
    func resume(with result: Result<AgentLink, any Error>) -> Bool {
        let (first, continuation) = state.withLock { state in
            switch state {
            case .new:
                state = .resumed(result)
                return (true, nil as CheckedContinuation<AgentLink, any Error>?)
            case .waiting(let continuation):
                state = .resumed(result)
                return (true, continuation)
            case .resumed: return (false, nil)
            }
        }
        continuation?.resume(with: result)
        return first
    }

    /// Waits; called once.
    func value() async throws -> AgentLink {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<AgentLink, any Error>? in
                if case .resumed(let result) = state { return result }
                state = .waiting(continuation)
                return nil
            }
            if let result { continuation.resume(with: result) }
        }
    }
}

/// An agent's connection while it carries one operator's request.
final class AgentLink: Sendable {
    private struct State {
        var result: Result<Void, any Error>?
        var holder: CheckedContinuation<Void, any Error>?
    }

    let body: GatewayBody
    let writer: ResponseWriter
    private let state = Mutex(State())

    init(body: GatewayBody, writer: ResponseWriter) {
        self.body = body
        self.writer = writer
    }

    /// Lets go of the connection: in order, or by closing it. Only the first call counts.
    func end(_ error: (any Error)?) {
        let result: Result<Void, any Error> = error.map { .failure($0) } ?? .success(())
        let holder = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            return state.holder.take()
        }
        holder?.resume(with: result)
    }

    /// Holds the connection until ``end(_:)``, or until the agent goes away.
    func untilEnded() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let result = state.withLock { state -> Result<Void, any Error>? in
                    if let result = state.result { return result }
                    state.holder = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            end(CancellationError())
        }
    }
}
