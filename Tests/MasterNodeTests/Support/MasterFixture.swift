import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Logging
import MasterCore
import MasterNode
import MesosWire
import NIOCore
import StateStore
import Testing
import Transport

/// A master on a free loopback port, with a store in memory, and a client for it.
struct MasterFixture {
    let transport: Transport
    let caller: HTTPCaller
    let node: MasterNode
    let endpoint: Endpoint

    /// Runs a test against a master and takes everything down afterwards.
    static func with<Result>(
        store: any StateStore = MemoryStore(), credentials: any NodeCredentials = OpenCredentials(),
        clock: any NodeClock = SystemClock(), change: (inout MasterNode.Settings) -> Void = { _ in },
        _ test: (MasterFixture) async throws -> Result
    ) async throws -> Result {
        let transport = Transport(threads: 1)
        let caller = HTTPCaller(transport: transport)
        var settings = MasterNode.Settings(
            hostname: "master.test", advertisedAddress: "127.0.0.1", advertisedPort: 0, version: "0.0.1-test")
        settings.core.allocationInterval = .milliseconds(50)
        change(&settings)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let node: MasterNode
        do {
            node = try await MasterNode.start(
                settings, listeningOn: [.tcp(.loopback, port: 0)], transport: transport, store: store,
                credentials: credentials, clock: clock, logger: logger)
        } catch {
            await caller.shutDown()
            await transport.shutDown()
            throw error
        }
        let fixture = MasterFixture(
            transport: transport, caller: caller, node: node, endpoint: try #require(node.endpoints.first))
        do {
            let result = try await test(fixture)
            await fixture.end()
            return result
        } catch {
            await fixture.end()
            throw error
        }
    }

    private func end() async {
        await caller.shutDown()
        await node.stop()
        await transport.shutDown()
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> HTTPCaller.Response {
        try await caller.call(.get, endpoint, path, headers: headers)
    }

    func post(
        _ path: String, _ body: String, type: String? = "application/json", headers: HTTPFields = [:]
    ) async throws -> HTTPCaller.Response {
        var headers = headers
        if let type { headers[.contentType] = type }
        return try await caller.call(.post, endpoint, path, headers: headers, body: ByteBuffer(string: body))
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", headers: HTTPFields = [:]
    ) async throws -> HTTPCaller.Response {
        var headers = headers
        if !body.isEmpty { headers[.contentType] = "application/json" }
        return try await caller.call(
            method, endpoint, path, headers: headers, body: body.isEmpty ? nil : ByteBuffer(string: body))
    }

    func json(_ path: String, headers: HTTPFields = [:]) async throws -> JSONNode {
        let response = try await get(path, headers: headers)
        try #require(response.status == .ok, "\(path): \(String(buffer: response.bytes))")
        return try JSONNode(response.bytes)
    }
}

extension HTTPField.Name {
    static let streamID = Self("Mesos-Stream-Id")!
    static let session = Self("Rondo-Session")!
}

/// JSON of any shape.
enum JSONNode: Decodable, Equatable {
    case object([String: JSONNode])
    case list([JSONNode])
    case text(String)
    case number(Double)
    case bool(Bool)
    case null

    init(_ buffer: ByteBuffer) throws {
        self = try JSONDecoder().decode(JSONNode.self, from: Data(buffer.readableBytesView))
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSONNode.self, from: Data(bytes)) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONNode].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONNode].self))
        }
    }

    /// Follows a path such as `slaves.0.resources.cpus`.
    subscript(_ path: String) -> JSONNode? {
        var node = self
        for part in path.split(separator: ".") {
            switch node {
            case .object(let fields):
                guard let next = fields[String(part)] else { return nil }
                node = next
            case .list(let items):
                guard let index = Int(part), items.indices.contains(index) else { return nil }
                node = items[index]
            default: return nil
            }
        }
        return node
    }

    var text: String? { if case .text(let value) = self { value } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    var items: [JSONNode] { if case .list(let value) = self { value } else { [] } }
}

/// Reads the records of a stream.
struct RecordReader {
    private var iterator: GatewayBody.Iterator
    private var decoder = RecordIO.Decoder(maximumLength: 64 << 20)
    private var ready: [[UInt8]] = []

    init(_ body: GatewayBody) { iterator = body.makeAsyncIterator() }

    /// The next record, nil at the end of the stream.
    mutating func next() async throws -> [UInt8]? {
        while ready.isEmpty {
            guard let piece = try await iterator.next() else { return nil }
            ready = try decoder.feed(Array(piece.readableBytesView))
        }
        return ready.removeFirst()
    }
}
