internal import NIOCore
internal import Synchronization
internal import Transport

/// The connections of one caller: those in use, and those kept for the next call.
final class ClientPool: Sendable {
    private struct State {
        var open: [ObjectIdentifier: (connection: ClientConnection, channel: any Channel)] = [:]
        var idle: [Endpoint: [(connection: ClientConnection, timer: Scheduled<Void>)]] = [:]
        var closed = false
    }

    private let state = Mutex(State())
    private let transport: Transport
    private let security: TransportSecurity?
    private let timeout: Duration

    /// How long a connection is kept; less than servers do.
    private static let idleTime = TimeAmount.seconds(60)
    /// How many are kept for one endpoint.
    private static let idleLimit = 64

    init(transport: Transport, security: TransportSecurity?, timeout: Duration) {
        self.transport = transport
        self.security = security
        self.timeout = timeout
    }

    private var generation: Int { security?.generation ?? 0 }

    /// A kept connection, the one used last; those that were opened with an older identity are not used any more.
    func take(_ endpoint: Endpoint) throws(HTTPCallError) -> ClientConnection? {
        guard !state.withLock({ $0.closed }) else { throw .shutDown }
        let generation = self.generation
        while let next = state.withLock({ $0.idle[endpoint]?.popLast() }) {
            next.timer.cancel()
            if next.connection.generation == generation { return next.connection }
            next.connection.close(.shutDown)
        }
        return nil
    }

    private func keep(_ connection: ClientConnection) {
        let timer = transport.eventLoops.any().scheduleTask(in: Self.idleTime) { [weak self] () -> Void in
            self?.forget(connection)
        }
        let kept = state.withLock { state in
            guard !state.closed, state.idle[connection.endpoint, default: []].count < Self.idleLimit else {
                return false
            }
            state.idle[connection.endpoint, default: []].append((connection, timer))
            return true
        }
        if !kept {
            timer.cancel()
            connection.close(.shutDown)
        }
    }

    /// A kept connection is closed, unless it is in use again.
    private func forget(_ connection: ClientConnection) {
        let found = state.withLock { state in
            guard let index = state.idle[connection.endpoint]?.firstIndex(where: { $0.connection === connection })
            else { return false }
            state.idle[connection.endpoint]?.remove(at: index).timer.cancel()
            if state.idle[connection.endpoint]?.isEmpty == true { state.idle[connection.endpoint] = nil }
            return true
        }
        if found { connection.close(.shutDown) }
    }

    /// Opens a connection; a caller who is cancelled does not wait for it.
    func open(_ endpoint: Endpoint, within time: Duration) async throws -> ClientConnection {
        let connection = ClientConnection(endpoint: endpoint, generation: generation) { [weak self] in
            if let self { keep($0) } else { $0.close(.shutDown) }
        }
        let promise = transport.eventLoops.any().makePromise(of: Void.self)
        let attempt = Attempt(promise)
        Task { await attempt.end(with: self.connect(connection, within: time), connection) }
        try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            attempt.cancel()
        }
        return connection
    }

    private func connect(_ connection: ClientConnection, within time: Duration) async -> Result<Void, any Error> {
        do {
            let channel = try await transport.connect(
                to: connection.endpoint, security: security, protocols: ["http/1.1"], timeout: min(time, timeout)
            ) { channel in
                channel.eventLoop.makeCompletedFuture { try connection.attach(to: channel) }
            }
            let id = ObjectIdentifier(channel)
            let closed = state.withLock { state in
                if !state.closed { state.open[id] = (connection, channel) }
                return state.closed
            }
            channel.closeFuture.whenComplete { [weak self] _ in
                self?.state.withLock { $0.open[id] = nil }
                self?.forget(connection)
            }
            if closed { throw HTTPCallError.shutDown }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// Closes all connections.
    func shutDown() async {
        let open = state.withLock { state in
            state.closed = true
            for kept in state.idle.values.joined() { kept.timer.cancel() }
            state.idle = [:]
            return Array(state.open.values)
        }
        for (connection, _) in open { connection.close(.shutDown) }
        for (_, channel) in open { try? await channel.closeFuture.get() }
    }
}

/// A connection being made for somebody who may give up.
private final class Attempt: Sendable {
    private let promise: EventLoopPromise<Void>
    private let wanted = Mutex(true)

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func end(with result: Result<Void, any Error>, _ connection: ClientConnection) {
        let wanted = wanted.withLock { wanted in
            defer { wanted = false }
            return wanted
        }
        if wanted { promise.completeWith(result) }
        if case .failure = result { connection.close(.shutDown) } else if !wanted { connection.close(.cancelled) }
    }

    func cancel() {
        let wanted = wanted.withLock { wanted in
            defer { wanted = false }
            return wanted
        }
        if wanted { promise.fail(HTTPCallError.cancelled) }
    }
}
