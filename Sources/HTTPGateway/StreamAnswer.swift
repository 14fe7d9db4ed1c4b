public import HTTPTypes
internal import NIOCore
public import Transport

/// The agent's side of ``OpenStream``: dials the master and lets a local handler answer over that connection.
public struct StreamAnswer: Sendable {
    private let caller: HTTPCaller
    private let handler: HTTPServer.Handler

    /// An answerer for all streams of an agent.
    ///
    /// - Parameters:
    ///   - caller: opens the connections.
    ///   - handler: the same handler that the agent's own server uses.
    public init(caller: HTTPCaller, handler: @escaping HTTPServer.Handler) {
        self.caller = caller
        self.handler = handler
    }

    /// Answers one stream; returns when it is over.
    ///
    /// The handler's request is told through ``GatewayRequest/onDisconnect(_:)``, and what it streams is cancelled, when
    /// the master or the operator behind it goes away.
    ///
    /// - Parameters:
    ///   - stream: what the master asked for.
    ///   - master: where to dial.
    ///   - headers: header fields for the dialled call, such as the agent's credential.
    /// - Throws: ``HTTPCallError`` when the master cannot be reached or no longer waits, ``GatewayError`` when `stream`
    ///   is malformed.
    public func answer(_ stream: OpenStream, at master: Endpoint, headers: HTTPFields = [:]) async throws {
        guard stream.hasValidID, let method = HTTPRequest.Method(rawValue: stream.method) else {
            throw GatewayError(.badRequest, "the master sent a malformed stream")
        }
        let target = try RequestTarget(parsing: stream.path)
        let up = BytePipe()
        let call = GatewayBody { try await up.next() }
        let response: HTTPCaller.StreamedResponse
        do {
            response = try await caller.duplex(.post, master, stream.dialPath, headers: headers, body: call)
        } catch {
            up.abandon(error)
            throw error
        }
        guard response.status == .ok else {
            up.abandon(CancellationError())
            throw HTTPCallError.badResponse(master, reason: "status \(response.status.code) to a stream")
        }
        let lifetime = ClientLifetime()
        let request = GatewayRequest(
            method: method, target: target, headers: stream.headers, body: response.body, remote: nil,
            peerCertificates: [], isProtected: false, lifetime: lifetime)
        let work = Task { await run(request, into: up, lifetime: lifetime) }
        response.lifetime?.onDisconnect {
            up.abandon(GatewayError.clientGone)
            lifetime.clientHasGone()
            work.cancel()
        }
        await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            up.abandon(CancellationError())
            lifetime.clientHasGone()
            work.cancel()
        }
        // The master ends its side once it has everything; leaving earlier would cut the last bytes off.
        do {
            for try await _ in response.body {}
        } catch {
            up.abandon(GatewayError.clientGone)
        }
    }

    private func run(_ request: GatewayRequest, into up: BytePipe, lifetime: ClientLifetime) async {
        let response: GatewayResponse
        do {
            response = try await handler(request)
        } catch let error as GatewayError {
            response = .failure(error)
        } catch {
            response = .failure(GatewayError(.internalServerError, "the request failed: \(error)"))
        }
        do {
            try await send(response, isHead: request.method == .head, into: up, lifetime: lifetime)
            up.finish()
            lifetime.responseIsComplete()
        } catch {
            if case .events(let events) = response.content { events.close(gone: true) }
            up.abandon(error)
        }
    }

    private func send(
        _ response: GatewayResponse, isHead: Bool, into up: BytePipe, lifetime: ClientLifetime
    ) async throws {
        try await up.send(StreamHead(response).encoded())
        let writer = ResponseWriter(
            write: { try await up.send($0) },
            finish: { up.finish() })
        switch response.content {
        case .bytes(let bytes):
            var rest = bytes
            while !isHead, let slice = rest.readSlice(length: min(rest.readableBytes, 64 << 10)),
                slice.readableBytes > 0
            {
                try await up.send(slice)
            }
        case .stream(let produce), .duplex(let produce):
            if !isHead { try await produce(writer) }
        case .events(let events):
            lifetime.onDisconnect { events.close(gone: true) }
            while !isHead, let batch = await events.nextBatch() { try await up.send(batch) }
            events.close(gone: false)
        }
    }
}
