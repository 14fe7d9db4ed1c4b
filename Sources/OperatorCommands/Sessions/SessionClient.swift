internal import Appliance
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import MesosWire
internal import NIOCore

/// A command in a task's container, at the other end of the cluster: the calls of the agent interface, sent to the
/// master, which passes them on.
struct SessionClient: Sendable {
    let client: ClusterClient
    let node: String
    let container: String
    /// The session in it; nil for the task's own command.
    let id: String?

    /// How it ended.
    enum End: Equatable {
        case ended(waitStatus: Int32)
        /// The person has left, and it goes on.
        case detached
    }

    private struct Record: Decodable {
        struct Content: Decodable {
            var type: String
            var data: String?
        }
        var type: String
        var data: Content?
    }

    private struct Waited: Decodable {
        struct Status: Decodable { var exit_status: Int32 }
        var wait_container: Status
    }

    private var path: String { "/agent/\(PathText.escaped(node))/api/v1" }
    private var name: JSONValue {
        guard let id else { return ["value": .text(container)] }
        return ["value": .text(id), "parent": ["value": .text(container)]]
    }

    private func call(_ kind: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        let fields = more.merging(["container_id": name]) { first, _ in first }
        return ["type": .text(kind), .init(kind.lowercased()): .object(fields)]
    }

    // MARK: Output

    /// Starts a command.
    func launch(_ words: [String], environment: [String], terminal: TerminalSize?) async throws -> GatewayBody {
        var more: [String: JSONValue] = [
            "command": [
                "shell": false, "value": .text(words[0]), "arguments": .list(words.map { .text($0) }),
                "environment": [
                    "variables": .list(
                        environment.map { text in
                            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                            return ["name": .text(String(parts[0])), "value": .text(String(parts.last ?? ""))]
                        })
                ],
            ]
        ]
        if let terminal { more["container"] = ["type": "MESOS", "tty_info": Self.window(terminal)] }
        return try await open(call("LAUNCH_NESTED_CONTAINER_SESSION", more))
    }

    /// Goes on with a command that somebody detached from.
    func attach() async throws -> GatewayBody { try await open(call("ATTACH_CONTAINER_OUTPUT")) }

    private func open(_ call: JSONValue) async throws -> GatewayBody {
        var headers = client.authorization
        headers[.contentType] = "application/json"
        headers[.accept] = "application/recordio"
        if let name = HTTPField.Name("Message-Accept") { headers[name] = "application/json" }
        let response = try await client.caller.stream(
            .post, client.endpoint, path, headers: headers, body: ByteBuffer(bytes: try call.encoded()))
        guard response.status.code == 200 else {
            let text = try await response.body.collect(upTo: 64 << 10)
            throw ClusterClient.refusal(response.status.code, [UInt8](text.readableBytesView))
        }
        return response.body
    }

    /// Hands out what the command writes, until it has ended.
    func read(_ body: GatewayBody, _ take: ([UInt8], _ isError: Bool) throws -> Void) async throws {
        var decoder = RecordIO.Decoder(maximumLength: ContainerCall.lengthLimit)
        for try await piece in body {
            for record in try decoder.feed(Array(piece.readableBytesView)) {
                guard let content = try JSONDecoder().decode(Record.self, from: Data(record)).data,
                    let bytes = content.data.flatMap({ Data(base64Encoded: $0) })
                else { continue }
                try take(Array(bytes), content.type == "STDERR")
            }
        }
    }

    // MARK: Input

    private static func window(_ size: TerminalSize) -> JSONValue {
        ["window_size": ["rows": .integer(Int64(size.rows)), "columns": .integer(Int64(size.columns))]]
    }

    private func record(_ content: JSONValue) throws -> ByteBuffer {
        let call: JSONValue = ["type": "ATTACH_CONTAINER_INPUT", "attach_container_input": content]
        return ByteBuffer(bytes: RecordIO.encode(try call.encoded()))
    }

    /// The record that says whose input follows.
    func inputHead() throws -> ByteBuffer { try record(["type": "CONTAINER_ID", "container_id": name]) }

    /// Bytes of input; none at all mean its end.
    func input(_ bytes: [UInt8]) throws -> ByteBuffer {
        let content = Data(bytes).base64EncodedString()
        return try record([
            "type": "PROCESS_IO",
            "process_io": ["type": "DATA", "data": ["type": "STDIN", "data": .text(content)]],
        ])
    }

    /// Another size of the terminal.
    func resize(_ size: TerminalSize) throws -> ByteBuffer {
        try record([
            "type": "PROCESS_IO",
            "process_io": ["type": "CONTROL", "control": ["type": "TTY_INFO", "tty_info": Self.window(size)]],
        ])
    }

    /// Sends input as it comes, until the session or the input is over.
    func send(_ body: GatewayBody) async throws {
        var headers = client.authorization
        headers[.contentType] = "application/recordio"
        if let name = HTTPField.Name("Message-Content-Type") { headers[name] = "application/json" }
        let response = try await client.caller.duplex(.post, client.endpoint, path, headers: headers, body: body)
        let text = try await response.body.collect(upTo: 64 << 10)
        guard response.status.code == 200 else {
            throw ClusterClient.refusal(response.status.code, [UInt8](text.readableBytesView))
        }
    }

    // MARK: Ends

    /// Waits for the end of the command.
    func wait() async throws -> Int32 {
        let bytes = try await client.request(.post, path, body: call("WAIT_CONTAINER"), timeout: .seconds(30))
        return try JSONDecoder().decode(Waited.self, from: Data(bytes)).wait_container.exit_status
    }

    /// Lets the command go on without anybody.
    func detach() async throws {
        if id == nil { return }
        _ = try await client.request(.post, path, body: call("DETACH_NESTED_CONTAINER_SESSION"))
    }
}
