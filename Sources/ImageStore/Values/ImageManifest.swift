internal import FoundationEssentials

/// What a document says of some bytes elsewhere.
public struct Descriptor: Hashable, Sendable, Codable {
    /// What they are.
    public var mediaType: String
    /// Their digest.
    public var digest: Digest
    /// How many.
    public var size: Int64
    /// What they are for, in an index.
    public var platform: Platform?
    /// Remarks, such as names.
    public var annotations: [String: String]?
    /// What a manifest is of that is no image; nil for images.
    public var artifactType: String?

    /// A descriptor of its parts.
    init(
        mediaType: String, digest: Digest, size: Int64, platform: Platform? = nil,
        annotations: [String: String]? = nil, artifactType: String? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.platform = platform
        self.annotations = annotations
        self.artifactType = artifactType
    }
}

/// The document that an image is: its configuration and its layers, the lowest first.
public struct ImageManifest: Hashable, Sendable, Codable {
    /// Always 2.
    public var schemaVersion = 2
    /// OCI's or Docker's.
    public var mediaType: String?
    /// The configuration.
    public var config: Descriptor
    /// The layers, the lowest first.
    public var layers: [Descriptor]
    /// Remarks.
    public var annotations: [String: String]?
}

/// Several images under one name, usually one for each platform.
struct ImageIndex: Hashable, Sendable, Codable {
    var schemaVersion = 2
    var mediaType: String?
    var manifests: [Descriptor]

    /// The one that suits a platform best; with equals, the first.
    func choose(_ platform: Platform) throws(ImageError) -> Descriptor {
        var best: (distance: Int, descriptor: Descriptor)?
        for descriptor in manifests {
            let isManifest = MediaType.manifests.contains(descriptor.mediaType)
            guard isManifest || MediaType.indexes.contains(descriptor.mediaType) else { continue }
            // An index of one image may leave the platform out; the configuration is looked at later.
            let distance = descriptor.platform.map { platform.distance(to: $0) } ?? 100
            guard let distance else { continue }
            if distance < best?.distance ?? .max { best = (distance, descriptor) }
        }
        if let best { return best.descriptor }
        let there = manifests.compactMap(\.platform).filter { $0.os != "unknown" }.map(\.description).prefix(20)
        throw ImageError(
            .notFound,
            "there is no image for \(platform); there is \(there.isEmpty ? "none" : there.joined(separator: ", "))")
    }
}

/// A manifest or an index, read strictly.
enum ImageDocument: Equatable, Sendable {
    case manifest(ImageManifest)
    case index(ImageIndex)

    /// The longest that a document may be, as registries have it.
    static let sizeLimit = 4 << 20
    /// The most layers: what overlay can stack is less than 500, what Docker makes 127.
    static let layerLimit = 256
    private static let indexLimit = 1_000
    /// A tebibyte; the sum of all layers is far from where numbers end.
    private static let layerSizeLimit: Int64 = 1 << 40

    /// What both have, so that a document that is both shows.
    private struct Raw: Decodable {
        var schemaVersion: Int
        var mediaType: String?
        var config: Descriptor?
        var layers: [Descriptor]?
        var manifests: [Descriptor]?
        var annotations: [String: String]?
        var fsLayers: [Digestless]?
    }

    /// The obsolete form's layers, of which only the presence is of interest.
    private struct Digestless: Decodable {}

    /// Reads a document.
    ///
    /// - Parameters:
    ///   - bytes: its bytes, of which the digest was taken.
    ///   - mediaType: what it was said to be; `nil` leaves that to the document.
    /// - Throws: ``ImageError`` of code `image.invalid-content` or `image.unsupported`.
    init(parsing bytes: [UInt8], mediaType: String?) throws(ImageError) {
        guard bytes.count <= Self.sizeLimit else {
            throw ImageError(.tooLarge, "the manifest has more than \(Self.sizeLimit) bytes")
        }
        let raw = try parseJSON(Raw.self, bytes, "the manifest")
        let type = try Self.type(raw, mediaType)
        guard raw.schemaVersion == 2, raw.fsLayers == nil else {
            throw ImageError(
                .unsupported, "the manifest is of schema \(raw.schemaVersion), which is obsolete; only 2 is read")
        }
        if MediaType.indexes.contains(type) {
            guard let manifests = raw.manifests, raw.layers == nil, raw.config == nil else {
                throw Self.invalid("it is an index that is not of manifests alone")
            }
            guard manifests.count <= Self.indexLimit else { throw Self.invalid("it names too many manifests") }
            for descriptor in manifests { try Self.check(descriptor, limit: Int64(Self.sizeLimit)) }
            self = .index(ImageIndex(mediaType: type, manifests: manifests))
            return
        }
        guard let config = raw.config, let layers = raw.layers, raw.manifests == nil else {
            throw Self.invalid("it has not just a configuration and layers")
        }
        guard MediaType.configs.contains(config.mediaType) else {
            throw ImageError(
                .unsupported, "this is no container image but an artifact of \(config.mediaType.prefix(120))")
        }
        guard layers.count <= Self.layerLimit else {
            throw ImageError(.tooLarge, "the image has more than \(Self.layerLimit) layers")
        }
        try Self.check(config, limit: Int64(ImageConfig.sizeLimit))
        for layer in layers {
            guard MediaType.layers.contains(layer.mediaType) else {
                throw ImageError(.unsupported, "layers of \(layer.mediaType.prefix(120)) cannot be read")
            }
            try Self.check(layer, limit: Self.layerSizeLimit)
        }
        self = .manifest(
            ImageManifest(mediaType: type, config: config, layers: layers, annotations: raw.annotations))
    }

    /// What a document is, when all that say so agree.
    private static func type(_ raw: Raw, _ said: String?) throws(ImageError) -> String {
        if let own = raw.mediaType, let said, own != said {
            throw invalid("it says to be \(own.prefix(100)), and who sent it says \(said.prefix(100))")
        }
        guard let type = raw.mediaType ?? said else {
            return raw.manifests != nil ? MediaType.index : MediaType.manifest
        }
        if MediaType.isObsolete(type) {
            throw ImageError(.unsupported, "the image is in Docker's first format, which is obsolete; push it again")
        }
        guard MediaType.manifests.contains(type) || MediaType.indexes.contains(type) else {
            throw ImageError(.unsupported, "this is no image but \(type.prefix(120))")
        }
        return type
    }

    private static func check(_ descriptor: Descriptor, limit: Int64) throws(ImageError) {
        guard descriptor.size >= 0, descriptor.size <= limit else {
            throw invalid("\(descriptor.digest) has the impossible size \(descriptor.size)")
        }
    }

    private static func invalid(_ reason: String) -> ImageError {
        ImageError(.invalidContent, "the manifest is not valid: \(reason)")
    }
}

/// Reads JSON of a bounded length.
func parseJSON<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ what: String) throws(ImageError) -> Value {
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as ImageError {
        throw error.with(what)
    } catch DecodingError.dataCorrupted {
        throw ImageError(.invalidContent, "\(what) is not JSON of the right form")
    } catch DecodingError.keyNotFound(let key, let context) {
        throw ImageError(.invalidContent, "\(what) has no \(path(context, key))")
    } catch DecodingError.typeMismatch(_, let context) {
        throw ImageError(.invalidContent, "\(what) has another type of value at \(path(context, nil)) than it should")
    } catch DecodingError.valueNotFound(_, let context) {
        throw ImageError(.invalidContent, "\(what) has no value at \(path(context, nil))")
    } catch {
        throw ImageError(.invalidContent, "\(what) cannot be read")
    }
}

private func path(_ context: DecodingError.Context, _ key: (any CodingKey)?) -> String {
    let keys =
        context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue } + [key?.stringValue].compactMap { $0 }
    return "\"" + String(keys.joined(separator: ".").prefix(120)) + "\""
}

/// Writes JSON, always the same bytes for the same value.
func writeJSON(_ value: some Encodable) throws(ImageError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return Array(try encoder.encode(value)) } catch {
        throw ImageError(.invalidContent, "it cannot be written: \(error)")
    }
}
