internal import FoundationEssentials
public import HTTPTypes
internal import NIOCore

/// The request that a master asks an agent to answer over a connection which the agent opens.
///
/// The master never connects to an agent. For logs, files and everything under `/agent/{id}/` it sends this over the
/// agent's session; the agent dials `POST /api/v1/agent/streams/{id}`. The body of that call carries the *response*: one
/// line of JSON, ``StreamHead``, then the bytes. The body of the master's answer to it carries the *request's* bytes.
public struct OpenStream: Hashable, Sendable, Codable {
    /// Names the waiting operator; unguessable, used once.
    public var id: String
    /// The operator's method.
    public var method: String
    /// Path and query for the agent, percent-encoded.
    public var path: String
    /// The operator's header fields, without those of his connection.
    public var headers: HTTPFields

    /// A request for an agent.
    ///
    /// - Parameters:
    ///   - id: the stream's id.
    ///   - method: the method.
    ///   - path: path and query.
    ///   - headers: the header fields.
    public init(id: String, method: String, path: String, headers: HTTPFields) {
        self.id = id
        self.method = method
        self.path = path
        self.headers = headers
    }

    /// Where the agent dials.
    public var dialPath: String { "/api/v1/agent/streams/\(id)" }

    /// Whether `id` can be a stream's id: 1 to 64 letters, digits and hyphens.
    var hasValidID: Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2D
            }
    }

    /// The header fields that may travel to the other side: all but those of one connection.
    static func endToEnd(_ headers: HTTPFields) -> HTTPFields {
        var headers = headers
        for name in connectionFields { headers[name] = nil }
        headers[.contentLength] = nil
        headers[.expect] = nil
        return headers
    }
}

/// The first line of what an agent sends for an ``OpenStream``: status and header fields as JSON, then a newline.
struct StreamHead: Codable, Equatable {
    var status: Int
    var headers: [[String]]

    /// The longest line in bytes.
    static let lengthLimit = 64 << 10

    init(_ response: GatewayResponse) {
        status = response.status.code
        headers = OpenStream.endToEnd(response.headers).map { [$0.name.rawName, $0.value] }
    }

    /// The line with its newline.
    func encoded() throws -> ByteBuffer {
        let json = try JSONEncoder().encode(self)
        guard json.count < Self.lengthLimit else {
            throw GatewayError(.badGateway, "response head is larger than \(Self.lengthLimit) bytes")
        }
        var buffer = ByteBuffer(bytes: json)
        buffer.writeInteger(UInt8(ascii: "\n"))
        return buffer
    }

    /// Takes the line from the front of a body.
    ///
    /// - Returns: the head and the bytes that came behind it in the same piece.
    /// - Throws: ``GatewayError`` with status 502 when there is no valid line.
    static func read(
        from iterator: inout GatewayBody.Iterator
    ) async throws -> (status: HTTPResponse.Status, headers: HTTPFields, rest: ByteBuffer) {
        var line = ByteBuffer()
        while var piece = try await iterator.next() {
            if let newline = piece.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let length = newline - piece.readerIndex
                guard line.readableBytes + length <= lengthLimit, var last = piece.readSlice(length: length) else {
                    break
                }
                line.writeBuffer(&last)
                piece.moveReaderIndex(forwardBy: 1)
                let (status, headers) = try decode(line)
                return (status, headers, piece)
            }
            line.writeBuffer(&piece)
            guard line.readableBytes <= lengthLimit else { break }
        }
        throw GatewayError(.badGateway, "the agent sent no response head")
    }

    private static func decode(_ line: ByteBuffer) throws -> (HTTPResponse.Status, HTTPFields) {
        let invalid = GatewayError(.badGateway, "the agent sent an invalid response head")
        guard let head = try? JSONDecoder().decode(StreamHead.self, from: Data(line.readableBytesView)),
            (200...599).contains(head.status)
        else { throw invalid }
        var fields = HTTPFields()
        for pair in head.headers {
            guard pair.count == 2, let name = HTTPField.Name(pair[0]), HTTPField.isValidValue(pair[1]) else {
                throw invalid
            }
            fields.append(HTTPField(name: name, value: pair[1]))
        }
        return (HTTPResponse.Status(code: head.status), OpenStream.endToEnd(fields))
    }
}
