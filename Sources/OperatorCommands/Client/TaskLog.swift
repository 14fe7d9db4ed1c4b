internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// A task's output file on its node, read through the master.
struct TaskLog: Sendable {
    let node: String
    let path: String

    /// Where to begin.
    enum Start {
        /// With the oldest bytes that are kept.
        case oldest
        /// So many lines before the end.
        case lastLines(Int)
        /// At a position of the file as it is now: what was rotated away is not looked at.
        case offset(Int)

        fileprivate var query: String {
            switch self {
            case .oldest: "&tail=-1"
            case .lastLines(let count): "&tail=\(count)"
            case .offset(let offset): "&offset=\(offset)"
            }
        }
    }

    /// Hands out the file's bytes in order.
    func copy(
        _ client: ClusterClient, follow: Bool, from start: Start = .oldest,
        to take: ([UInt8]) async throws -> Void
    ) async throws {
        let target =
            "/agent/\(PathText.escaped(node))/rondo/v1/logs?path=\(PathText.escaped(path))&follow=\(follow)"
            + start.query
        let response = try await client.caller.stream(
            .get, client.endpoint, target, headers: client.authorization)
        guard response.status.code == 200 else {
            let body = try await response.body.collect(upTo: 64 << 10)
            throw ClusterClient.refusal(response.status.code, [UInt8](body.readableBytesView))
        }
        for try await piece in response.body { try await take([UInt8](piece.readableBytesView)) }
    }
}
