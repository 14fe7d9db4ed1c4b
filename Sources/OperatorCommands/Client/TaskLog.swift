internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// A task's output file on its node, read through the master.
struct TaskLog: Sendable {
    let node: String
    let path: String

    /// Hands out the file's bytes in order, from a position on.
    func copy(
        _ client: ClusterClient, follow: Bool, from offset: Int = 0, to take: ([UInt8]) async throws -> Void
    ) async throws {
        let target =
            "/agent/\(PathText.escaped(node))/rondo/v1/logs?path=\(PathText.escaped(path))&follow=\(follow)"
            + "&offset=\(offset)"
        let response = try await client.caller.stream(
            .get, client.endpoint, target, headers: client.authorization)
        guard response.status.code == 200 else {
            let body = try await response.body.collect(upTo: 64 << 10)
            throw ClusterClient.refusal(response.status.code, [UInt8](body.readableBytesView))
        }
        for try await piece in response.body { try await take([UInt8](piece.readableBytesView)) }
    }

    private struct Piece: Decodable {
        var data: String
        var offset: Int
    }

    private func piece(_ client: ClusterClient, offset: Int, length: Int) async throws -> Piece {
        let target =
            "/agent/\(PathText.escaped(node))/files/read?path=\(PathText.escaped(path))&offset=\(offset)&length=\(length)"
        return try JSONDecoder().decode(Piece.self, from: Data(try await client.request(.get, target)))
    }

    /// How many bytes the file has now.
    func size(_ client: ClusterClient) async throws -> Int {
        try await piece(client, offset: -1, length: 0).offset
    }

    /// Where the last lines begin, in the file as it is now: what was rotated away is not looked at.
    func start(ofLast lines: Int, _ client: ClusterClient) async throws -> Int {
        let end = try await size(client)
        var start = end
        var missing = lines
        // Backwards by pieces.
        while start > 0, missing > 0 {
            let length = min(Self.step, start)
            let bytes = try await bytes(client, from: start - length, count: length)
            guard bytes.count == length else { return 0 }
            for index in bytes.indices.reversed() where bytes[index] == 10 {
                // The line feed at the very end ends the last line.
                if start - length + index == end - 1 { continue }
                missing -= 1
                if missing == 0 { return start - length + index + 1 }
            }
            start -= length
        }
        return start
    }

    private static let step = 64 << 10

    /// Bytes of the file from a position on.
    private func bytes(_ client: ClusterClient, from offset: Int, count: Int) async throws -> [UInt8] {
        var found: [UInt8] = []
        struct Enough: Error {}
        do {
            try await copy(client, follow: false, from: offset) { bytes in
                found += bytes.prefix(count - found.count)
                if found.count == count { throw Enough() }
            }
        } catch is Enough {}
        return found
    }
}
