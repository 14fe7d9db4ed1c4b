/// Where the packages of a repository come from.
public enum RepositoryAddress: Hashable, Sendable {
    /// What this program brings along.
    case builtIn
    /// A folder on the master's machine, in Universe's layout: `packages/R/redis/0/package.json`.
    case folder(String)
    /// A repository document or a zip archive of such a folder, by http or https.
    case web(String)
    /// An OCI artifact: a registry, a name, and a tag or a digest.
    case registry(String)
    /// An archive that was sent to the master, by the digest of the document in it; there is nothing to fetch again.
    case archive(String)

    /// How an address of the built-in repository is written.
    public static let builtInText = "rondo:built-in"
    private static let archivePrefix = "rondo:archive/"

    /// Reads what people write: `rondo:built-in`, `file:///srv/catalog`, `/srv/catalog`, `https://…`, `oci://HOST/NAME:TAG`.
    ///
    /// - Parameter text: the address.
    /// - Throws: ``CatalogProblem`` of the kind that Cosmos answers with.
    public init(_ text: String) throws(CatalogProblem) {
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .unsupportedAddress(text)
        }
        if text == Self.builtInText {
            self = .builtIn
        } else if text.hasPrefix(Self.archivePrefix) {
            let digest = text.dropFirst(Self.archivePrefix.count)
            guard digest.utf8.count == 64, digest.allSatisfy(\.isHexDigit) else { throw .unsupportedAddress(text) }
            self = .archive(String(digest))
        } else if text.hasPrefix("file://") || text.hasPrefix("/") {
            let path = text.hasPrefix("/") ? text : String(text.dropFirst("file://".count))
            guard path.hasPrefix("/"), path.count > 1 else { throw .unsupportedAddress(text) }
            self = .folder(path)
        } else if text.hasPrefix("https://") || text.hasPrefix("http://") {
            self = .web(text)
        } else if text.hasPrefix("oci://") {
            let name = String(text.dropFirst("oci://".count))
            guard name.contains("/") else { throw .unsupportedAddress(text) }
            self = .registry(name)
        } else {
            throw .unsupportedAddress(text)
        }
    }

    /// Whether it can be fetched again, and may be something else then.
    var isElsewhere: Bool {
        switch self {
        case .builtIn, .archive: false
        case .folder, .web, .registry: true
        }
    }

    /// The address as it is stored and shown.
    public var text: String {
        switch self {
        case .builtIn: Self.builtInText
        case .folder(let path): "file://" + path
        case .web(let address): address
        case .registry(let name): "oci://" + name
        case .archive(let digest): Self.archivePrefix + digest
        }
    }
}
