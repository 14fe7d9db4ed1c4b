internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Synchronization

/// What an agent answers to a short question of the master's own, read to a bound.
struct AgentReads: Sendable {
    let node: MasterNode

    /// An answer.
    struct Answer: Sendable {
        var status: HTTPResponse.Status
        /// The body, or its beginning.
        var bytes: [UInt8]
        var isSuccess: Bool { status.kind == .successful }
        /// A refusal's text in one line.
        var message: String {
            String(String(decoding: bytes, as: UTF8.self).split(separator: "\n").first ?? "no answer").prefix(500)
                .description
        }
    }

    /// Enough was read.
    private struct Enough: Error {}

    /// Asks an agent, as a visitor's request to `/agent/ID/…` does.
    ///
    /// - Parameters:
    ///   - agent: which agent.
    ///   - target: path and query, percent-encoded.
    ///   - limit: the most bytes of the body; reading ends there.
    /// - Returns: what it answered.
    /// - Throws: ``GatewayError`` when the agent cannot be asked.
    func get(_ agent: AgentID, _ target: String, limit: Int) async throws -> Answer {
        let request = GatewayRequest(method: .get, target: try RequestTarget(parsing: target))
        let response = try await node.relay(request, to: agent, target)
        let read = Mutex<[UInt8]>([])
        switch response.content {
        case .bytes(let bytes): read.withLock { $0 = Array(bytes.readableBytesView.prefix(limit)) }
        case .stream(let produce), .duplex(let produce):
            let writer = ResponseWriter(
                write: { piece in
                    let isFull = read.withLock { read in
                        read += piece.readableBytesView.prefix(limit - read.count)
                        return read.count >= limit
                    }
                    if isFull { throw Enough() }
                },
                finish: {})
            do { try await produce(writer) } catch is Enough {}
        case .events: break
        }
        return Answer(status: response.status, bytes: read.withLock { $0 })
    }
}
