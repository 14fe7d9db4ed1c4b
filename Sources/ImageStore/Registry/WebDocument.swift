internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
public import Transport

/// Documents that are no images, by the ways on which images come and go: web servers with the machine's authorities,
/// and registries with credentials.
public struct WebDocument: Sendable {
    private let settings: RegistrySettings
    private let transport: Transport?

    /// A way to documents.
    ///
    /// - Parameters:
    ///   - settings: how servers are spoken to.
    ///   - transport: the transport to use; by default one is made and shut down again.
    public init(settings: RegistrySettings = RegistrySettings(), transport: Transport? = nil) {
        self.settings = settings
        self.transport = transport
    }

    /// Gets a document from a web server; what is compressed by gzip or zstd is unpacked.
    ///
    /// - Parameters:
    ///   - address: its URL.
    ///   - accept: the media types that are wanted, for the server to choose from.
    ///   - limit: the most bytes, before and after unpacking.
    /// - Returns: its bytes.
    /// - Throws: ``ImageError``.
    public func get(_ address: String, accept: String, limit: Int) async throws(ImageError) -> [UInt8] {
        guard let url = WebAddress(address) else {
            throw ImageError(.invalidName, "\"\(address.prefix(200))\" is no http or https URL")
        }
        return try await with { web throws(ImageError) in
            var headers = HTTPFields()
            headers[.accept] = accept
            let answer = try await web.fetch(.get, url, headers: headers, authorization: nil)
            guard answer.response.status == .ok else {
                throw ImageError(
                    answer.response.status == .notFound ? .notFound : .registry,
                    "\(url.authority) answers \(answer.response.status.code) to \(url.target.prefix(200))")
            }
            do {
                return try Self.unpacked(try await WebClient.collect(answer.response.body, limit: limit), limit)
            } catch let error as ImageError {
                throw error
            } catch {
                throw WebClient.translate(error, answer.address)
            }
        }
    }

    /// Gets the document in an OCI artifact: the one layer that is of a media type.
    ///
    /// - Parameters:
    ///   - reference: the artifact's name.
    ///   - types: the media types of layers that will do.
    ///   - limit: the most bytes, before and after unpacking.
    /// - Returns: its bytes; their digest was verified.
    /// - Throws: ``ImageError``.
    public func artifact(
        _ reference: ImageReference, types: Set<String>, limit: Int
    ) async throws(ImageError) -> [UInt8] {
        try await with { web throws(ImageError) in
            let registry = try RegistryClient(reference.registry, web, settings)
            let (bytes, _) = try await registry.manifest(reference.repository, reference.manifestName)
            let layers = try parseJSON(Artifact.self, bytes, "the manifest").layers ?? []
            guard let layer = layers.first(where: { types.contains($0.mediaType) }) else {
                throw ImageError(
                    .unsupported, "\(reference) has no layer of \(types.sorted().joined(separator: " or "))")
            }
            guard layer.size >= 0, layer.size <= limit else {
                throw ImageError(.tooLarge, "\(reference) has more than \(limit) bytes")
            }
            return try Self.unpacked(try await registry.bytes(reference.repository, layer), limit)
        }
    }

    /// Publishes a document as an OCI artifact. Its name is the old one's until all of it is there.
    ///
    /// - Parameters:
    ///   - document: the document.
    ///   - reference: the artifact's name.
    /// - Returns: the digest of its manifest.
    /// - Throws: ``ImageError``.
    public func push(_ document: LayoutDocument, to reference: ImageReference) async throws(ImageError) -> Digest {
        guard reference.digest == nil, let tag = reference.tag else {
            throw ImageError(.invalidName, "\(reference) has a digest; what is published gets a tag")
        }
        return try await with { web throws(ImageError) in
            let registry = try RegistryClient(reference.registry, web, settings)
            let (top, files) = try document.artifact()
            for file in files where file.descriptor.digest != top.digest {
                try await registry.push(reference.repository, file.descriptor, file.bytes)
            }
            for file in files where file.descriptor.digest == top.digest {
                try await registry.push(reference.repository, tag, file.bytes, mediaType: top.mediaType)
            }
            return top.digest
        }
    }

    /// What a registry has under a name now.
    ///
    /// - Parameter reference: the name of an image.
    /// - Returns: the digest of its manifest, or of the index of its manifests.
    /// - Throws: ``ImageError``.
    public func digest(of reference: ImageReference) async throws(ImageError) -> Digest {
        try await with { web throws(ImageError) in
            let registry = try RegistryClient(reference.registry, web, settings)
            let (bytes, _) = try await registry.manifest(reference.repository, reference.manifestName)
            return Digest(of: bytes)
        }
    }

    private struct Artifact: Decodable {
        var layers: [Descriptor]?
    }

    private func with<Value: Sendable>(
        _ work: (WebClient) async throws(ImageError) -> Value
    ) async throws(ImageError) -> Value {
        let web = WebClient(transport, settings)
        let result: Result<Value, ImageError>
        do throws(ImageError) { result = .success(try await work(web)) } catch { result = .failure(error) }
        await web.shutDown()
        return try result.get()
    }

    private static func unpacked(_ bytes: [UInt8], _ limit: Int) throws(ImageError) -> [UInt8] {
        let compression = bytes.withUnsafeBytes { Inflater.Compression($0) }
        guard compression != .none else { return bytes }
        let inflater = try Inflater(compression)
        let result = bytes.withUnsafeBytes { input in
            Result { () throws(ImageError) in
                var rest = input
                return try withBuffer { buffer throws(ImageError) in
                    var output: [UInt8] = []
                    while true {
                        let count = try inflater.inflate(&rest, into: buffer)
                        output += UnsafeRawBufferPointer(rebasing: buffer[..<count])
                        guard output.count <= limit else {
                            throw ImageError(.tooLarge, "the document has more than \(limit) bytes unpacked")
                        }
                        if count == 0, rest.isEmpty { return output }
                    }
                }
            }
        }
        let output = try result.get()
        guard inflater.isAtEnd else { throw ImageError(.invalidContent, "the document is cut off") }
        return output
    }
}
