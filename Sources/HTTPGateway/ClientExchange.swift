internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// One request and its response on one connection, as its handler and its caller share it.
final class ClientExchange: Sendable {
    /// How long a response may take.
    enum Limit: Sendable {
        /// For all of it, body included.
        case total(TimeAmount)
        /// For its head, and then between two pieces of its body.
        case head(TimeAmount, idle: TimeAmount?)

        /// For the head.
        var first: TimeAmount {
            switch self {
            case .total(let time), .head(let time, _): time
            }
        }

        /// What is left after some of it was used.
        func less(_ used: TimeAmount) -> Limit {
            let left = max(first - used, .milliseconds(1))
            switch self {
            case .total: return .total(left)
            case .head(_, let idle): return .head(left, idle: idle)
            }
        }
    }

    let limit: Limit
    /// Whether the request is of use after the response has ended.
    let duplex: Bool
    let head: EventLoopPromise<HTTPResponseHead>
    let body: BytePipe
    let lifetime = ClientLifetime()
    private let upload = Mutex<Task<Void, Never>?>(nil)

    init(limit: Limit, duplex: Bool, loop: any EventLoop, onDemand: @escaping @Sendable () -> Void) {
        self.limit = limit
        self.duplex = duplex
        head = loop.makePromise()
        body = BytePipe(highWater: 64 << 10, onDemand: onDemand)
    }

    func carry(_ task: Task<Void, Never>) { upload.withLock { $0 = task } }

    /// Nobody wants the rest of the request any more.
    func stopUpload() { upload.withLock { $0.take() }?.cancel() }

    /// Ends everything that has not ended; what has arrived may still be read.
    func fail(_ error: any Error, discarding: Bool = false) {
        stopUpload()
        head.fail(error)
        if discarding { body.abandon(error) } else { body.finish(throwing: error) }
        // Also behind a response that is complete: the request may still be flowing, and its producer has to stop.
        lifetime.clientHasGone()
    }
}

/// The caller's end of a response; letting go of it ends a call that is not complete.
final class ClientResponse: Sendable {
    let head: HTTPResponseHead
    let exchange: ClientExchange
    private let connection: ClientConnection

    init(_ head: HTTPResponseHead, _ exchange: ClientExchange, on connection: ClientConnection) {
        self.head = head
        self.exchange = exchange
        self.connection = connection
    }

    deinit {
        // A response that is complete does not end a request still being sent.
        guard !exchange.body.isFinished else { return }
        connection.drop(exchange, HTTPCallError.cancelled)
    }
}

/// A connection that was kept has turned out to be closed before anything came back over it.
struct StaleConnection: Error {
    /// Whether it is certain that no byte of the request left.
    var nothingSent: Bool
}
