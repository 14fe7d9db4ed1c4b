/// The kinds of documents and layers that images are made of, in OCI's words and in Docker's.
public enum MediaType {
    /// A manifest of OCI.
    public static let manifest = "application/vnd.oci.image.manifest.v1+json"
    /// An index of OCI.
    public static let index = "application/vnd.oci.image.index.v1+json"
    /// A configuration of OCI.
    public static let config = "application/vnd.oci.image.config.v1+json"
    /// A layer that is not compressed.
    public static let layer = "application/vnd.oci.image.layer.v1.tar"

    static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
    static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"

    static let manifests: Set = [manifest, dockerManifest]
    static let indexes: Set = [index, dockerList]
    static let configs: Set = [config, dockerConfig]

    /// Layers, compressed in any way that is told from their first bytes.
    static let layers: Set = [
        layer, layer + "+gzip", layer + "+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        dockerLayer, dockerLayer + ".gzip", dockerLayer + ".zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ]

    /// What a registry is told to be welcome.
    static let accepted = [manifest, index, dockerManifest, dockerList]

    /// The form that Docker had before 2016, which cannot be verified.
    static func isObsolete(_ type: String) -> Bool {
        type.hasPrefix("application/vnd.docker.distribution.manifest.v1+")
    }
}
