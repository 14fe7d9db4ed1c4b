import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Transport

@testable import ImageStore

/// An image made in memory, and a registry that serves it and misbehaves as it is told.
final class FakeRegistry: Sendable {
    /// What a request is answered with in place of the right thing; `nil` leaves it.
    typealias Fault = @Sendable (_ path: String, _ count: Int, _ request: GatewayRequest) -> GatewayResponse?

    struct Seen: Sendable, Equatable {
        var path: String
        var authorization: String?
        var range: String?
    }

    private struct State {
        var fault: Fault = { _, _, _ in nil }
        var seen: [Seen] = []
        var blobs: [String: [UInt8]] = [:]
        var manifests: [String: (type: String, bytes: [UInt8])] = [:]
        var server: HTTPServer?
    }

    private let state = Mutex(State())
    let transport: Transport
    let honoursRanges: Bool

    init(_ transport: Transport, honoursRanges: Bool = true) {
        self.transport = transport
        self.honoursRanges = honoursRanges
    }

    static func with(
        honoursRanges: Bool = true, _ body: (FakeRegistry, ImageStore, Scratch) async throws -> Void
    ) async throws {
        let transport = Transport(threads: 1)
        let registry = FakeRegistry(transport, honoursRanges: honoursRanges)
        let scratch = try Scratch()
        do {
            try await registry.start()
            try await body(registry, ImageStore(root: scratch.path + "/images"), scratch)
            await registry.stop()
            await transport.shutDown()
        } catch {
            await registry.stop()
            await transport.shutDown()
            throw error
        }
    }

    func start(on address: String = "127.0.0.1") async throws {
        let endpoint = Endpoint.tcp(try IPAddress(parsing: address), port: 0)
        let server = try await HTTPServer.start(on: endpoint, transport: transport) { [weak self] request in
            self?.answer(request) ?? .text(.serviceUnavailable, "gone")
        }
        state.withLock { $0.server = server }
    }

    func stop() async { await state.withLock { $0.server }?.stop(grace: .milliseconds(10)) }

    var host: String { state.withLock { $0.server }?.endpoint.description ?? "" }
    var seen: [Seen] { state.withLock { $0.seen } }
    func count(_ part: String) -> Int { seen.count { $0.path.contains(part) } }

    func misbehave(_ fault: @escaping Fault) { state.withLock { $0.fault = fault } }

    /// What to pull, with settings that do not wait long.
    func options() -> PullOptions {
        var options = PullOptions()
        options.transport = transport
        options.registry.firstPause = .milliseconds(1)
        options.registry.timeout = .seconds(20)
        return options
    }

    func reference(_ name: String = "app:1") throws -> ImageReference { try ImageReference(parsing: "\(host)/\(name)") }

    @discardableResult
    func add(blob: [UInt8]) -> Digest {
        let digest = Digest(of: blob)
        state.withLock { $0.blobs[digest.description] = blob }
        return digest
    }

    /// Puts an image of some layers, each an archive before compression, under a name.
    @discardableResult
    func put(
        _ tag: String, layers: [[UInt8]], platform: Platform = .own, compress: ([UInt8]) -> [UInt8] = { gzip($0) }
    ) throws -> Digest {
        var config = ImageConfig()
        config.entrypoint = ["/bin/app"]
        config.platform = platform
        config.diffIDs = layers.map { Digest(of: $0) }
        let document = try config.encoded()
        let manifest = ImageManifest(
            mediaType: MediaType.manifest,
            config: Descriptor(mediaType: MediaType.config, digest: add(blob: document), size: Int64(document.count)),
            layers: layers.map { layer in
                let blob = compress(layer)
                return Descriptor(
                    mediaType: MediaType.layer + "+gzip", digest: add(blob: blob), size: Int64(blob.count))
            })
        return put(tag, MediaType.manifest, try writeJSON(manifest))
    }

    @discardableResult
    func put(_ tag: String, _ type: String, _ bytes: [UInt8]) -> Digest {
        let digest = Digest(of: bytes)
        state.withLock { state in
            state.manifests[tag] = (type, bytes)
            state.manifests[digest.description] = (type, bytes)
        }
        return digest
    }

    private func answer(_ request: GatewayRequest) -> GatewayResponse {
        let path = request.target.raw
        let (fault, count, state) = state.withLock { state in
            state.seen.append(
                Seen(path: path, authorization: request.headers[.authorization], range: request.headers[.range]))
            return (state.fault, state.seen.count { $0.path == path }, state)
        }
        if let response = fault(path, count, request) { return response }
        let name = String(path.split(separator: "/").last ?? "")
        if path.contains("/manifests/"), let (type, bytes) = state.manifests[name] {
            return .complete(.ok, headers: [.contentType: type], bytes: ByteBuffer(bytes: bytes))
        }
        guard path.contains("/blobs/"), let blob = state.blobs[name] else { return .text(.notFound, "{}") }
        return Self.blob(blob, request, honoursRanges)
    }

    static func blob(_ blob: [UInt8], _ request: GatewayRequest, _ honoursRanges: Bool) -> GatewayResponse {
        guard honoursRanges, let range = request.headers[.range], let from = Int(range.dropFirst(6).dropLast()) else {
            return .complete(.ok, bytes: ByteBuffer(bytes: blob))
        }
        guard from < blob.count else { return .text(.rangeNotSatisfiable, "") }
        return .complete(
            .partialContent, headers: [.contentRange: "bytes \(from)-\(blob.count - 1)/\(blob.count)"],
            bytes: ByteBuffer(bytes: blob[from...]))
    }

    /// The first bytes of a blob, then a connection that breaks.
    static func cut(_ blob: [UInt8], after count: Int) -> GatewayResponse {
        .stream(.ok) { writer in
            try await writer.write(ByteBuffer(bytes: blob[..<count]))
            throw GatewayError(.internalServerError, "cut")
        }
    }
}
