public import HTTPGateway
internal import HTTPTypes
internal import ImageStore
internal import NIOCore

/// `/rondo/v1/registry/v2/…`: the cluster's images for its nodes, in the shape of the distribution specification, to
/// read only. The name of a repository is the whole name of its images, with their registry in front.
extension CatalogService {
    private static let pieceBytes = 256 << 10

    /// Answers one request.
    ///
    /// - Parameters:
    ///   - path: the segments behind `registry`.
    ///   - request: what is asked for.
    /// - Returns: a manifest or a blob.
    /// - Throws: ``GatewayError``.
    public func registry(_ path: [String], _ request: GatewayRequest) throws -> GatewayResponse {
        guard path.first == "v2" else { throw Self.nothing }
        if path.count == 1 { return .text(.ok, "{}", type: "application/json") }
        guard path.count >= 4 else { throw Self.nothing }
        let (kind, last) = (path[path.count - 2], path[path.count - 1])
        let name = path[1..<path.count - 2].joined(separator: "/")
        do throws(ImageError) {
            switch kind {
            case "manifests":
                guard let document = try images.shelf().manifest(name, last) else {
                    throw ImageError(.notFound, "the cluster keeps no image \(name.prefix(255)) \(last.prefix(128))")
                }
                return .complete(
                    .ok,
                    headers: [.contentType: document.mediaType, .contentDigest: document.digest.description],
                    bytes: ByteBuffer(bytes: document.bytes))
            case "blobs":
                let digest = try Digest(parsing: last)
                guard let blob = try images.shelf().blob(digest) else {
                    throw ImageError(.notFound, "the cluster has no blob \(digest)")
                }
                return Self.stream(blob, digest, from: Self.start(request.headers[.range], blob.size))
            default: throw ImageError(.notFound, "there are manifests and blobs")
            }
        } catch { throw GatewayError(error) }
    }

    private static let nothing = GatewayError(.notFound, "there are /v2/NAME/manifests/… and /v2/NAME/blobs/…")

    /// Where `bytes=START-` begins; nil for everything else, which is answered with the whole.
    private static func start(_ range: String?, _ size: Int64) -> Int64? {
        guard let range, range.hasPrefix("bytes="), range.hasSuffix("-"),
            let start = Int64(range.dropFirst("bytes=".count).dropLast()), (0..<size).contains(start)
        else { return nil }
        return start
    }

    private static func stream(_ blob: OpenBlob, _ digest: Digest, from start: Int64?) -> GatewayResponse {
        var headers: HTTPFields = [
            .contentType: "application/octet-stream", .contentDigest: digest.description, .acceptRanges: "bytes",
        ]
        if let start { headers[.contentRange] = "bytes \(start)-\(blob.size - 1)/\(blob.size)" }
        return .stream(start == nil ? .ok : .partialContent, headers: headers) { writer in
            var offset = start ?? 0
            while offset < blob.size {
                let bytes = try blob.read(at: offset, count: Int(min(Int64(pieceBytes), blob.size - offset)))
                try await writer.write(ByteBuffer(bytes: bytes))
                offset += Int64(bytes.count)
            }
        }
    }
}

extension HTTPField.Name {
    /// The digest of what is sent, as registries say it.
    fileprivate static let contentDigest = Self("Docker-Content-Digest") ?? .eTag
}
