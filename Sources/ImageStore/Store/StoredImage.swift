/// An image that is in the store with all that it needs.
public struct StoredImage: Hashable, Sendable {
    /// A layer of it.
    public struct Layer: Hashable, Sendable {
        /// The blob, compressed as it came.
        public var blob: Descriptor
        /// The digest of its archive, which names the unpacked layer.
        public var diffID: Digest
        /// The digest of it and all layers below it; that of the lowest is its ``diffID``.
        public var chainID: Digest

        /// Whether nothing is below it.
        var isLowest: Bool { chainID == diffID }
    }

    /// The name that it was asked for; `nil` when it has none any more.
    public var reference: ImageReference?
    /// The digest of its manifest.
    public var digest: Digest
    /// How its processes are to be run.
    public var config: ImageConfig
    /// Its layers, the lowest first.
    public var layers: [Layer]
    /// The sizes of its blobs together.
    public var size: Int64 { layers.reduce(0) { $0 + $1.blob.size } }

    /// The manifest, for export.
    var manifest: ImageManifest
}

/// An image with what its name stands for.
public struct NamedImage: Hashable, Sendable {
    /// The image.
    public var image: StoredImage
    /// The digest of its manifest, or of an index that has it and that its name asks for by digest.
    public var top: Digest

    /// An image whose name stands for itself unless something else is said.
    public init(_ image: StoredImage, top: Digest? = nil) {
        self.image = image
        self.top = top ?? image.digest
    }
}

/// What happens while an image is pulled.
public enum PullProgress: Sendable, Equatable {
    /// The manifest is known: how many layers there are, and how many bytes of them are not here yet.
    case found(layers: Int, bytes: Int64)
    /// More bytes of layers have arrived; negative when some have to come again.
    case received(bytes: Int64)
    /// A layer is unpacked, or was already.
    case unpacked(Digest)
}
