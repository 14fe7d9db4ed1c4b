internal import FoundationEssentials
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Transport

/// The node that runs on this machine, asked through its socket.
enum LocalNode {
    struct Answer: Decodable {
        var pid: Int32
    }

    /// The process that answers; nil when none does.
    static func pid(_ files: NodeFiles, _ transport: Transport) async -> Int32? {
        guard access(files.socketPath, F_OK) == 0, let socket = try? Endpoint(unixPath: files.socketPath) else {
            return nil
        }
        let caller = HTTPCaller(transport: transport)
        let bytes = try? await caller.call(.get, socket, "/rondo/v1/local", timeout: .seconds(3)).bytes
        await caller.shutDown()
        guard let bytes else { return nil }
        return (try? JSONDecoder().decode(Answer.self, from: Data(bytes.readableBytesView)))?.pid
    }
}
