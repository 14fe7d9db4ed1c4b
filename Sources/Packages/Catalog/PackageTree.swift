/// A repository in the folder layout, while its files come in: from a folder, an archive or an image, whose names are
/// not to be trusted. Only names are looked at that are just as the layout has them; none is ever opened here.
public struct PackageTree: Sendable {
    private var files: [Key: PackageFiles] = [:]
    private var bytesLeft = PackageLimits.repositoryBytes
    /// What was left out.
    private(set) var refusals: [PackageRefusal] = []

    private struct Key: Hashable, Comparable {
        var name: String
        var release: Int

        static func < (left: Key, right: Key) -> Bool {
            left.name == right.name ? left.release < right.release : left.name < right.name
        }
    }

    /// What the path of a file says.
    public struct Place: Hashable, Sendable {
        /// The name of the package's folder.
        public var package: String
        /// The number of the version's folder.
        public var release: Int
        /// Which file it is.
        public var file: PackageFiles.Name
    }

    /// An empty tree.
    public init() {}

    /// What the path of a file says: `packages/K/kafka/12/config.json`, with `repo/` or the name of an archive's own
    /// folder before it. Nil for every other file.
    public static func place(of path: String) -> Place? {
        guard path.utf8.count <= 1_024 else { return nil }
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.first == "." { parts.removeFirst() }
        while parts.count > 5, let first = parts.first, first != "packages" {
            guard !first.isEmpty, first != ".", first != "..", parts.count <= 8 else { return nil }
            parts.removeFirst()
        }
        guard parts.count == 5, parts[0] == "packages", let file = PackageFiles.Name(rawValue: String(parts[4])) else {
            return nil
        }
        let name = parts[2]
        guard !name.isEmpty, name.utf8.first != UInt8(ascii: "."), parts[1].utf8.count == 1, parts[1] != ".",
            parts[1].lowercased() == name.prefix(1).lowercased(),
            name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }),
            parts[3].utf8.count <= 15, parts[3].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let release = Int(parts[3])
        else { return nil }
        return Place(package: String(name), release: release, file: file)
    }

    /// Takes a file; those that mean nothing are passed over.
    ///
    /// - Parameters:
    ///   - path: its path in the repository.
    ///   - bytes: what is in it.
    /// - Returns: false when the repository has become larger than is taken.
    @discardableResult
    public mutating func add(_ path: String, _ bytes: [UInt8]) -> Bool {
        guard let place = Self.place(of: path) else { return true }
        guard bytes.count <= bytesLeft else { return false }
        let key = Key(name: place.package, release: place.release)
        if files[key] == nil, files.count >= PackageLimits.packages { return false }
        bytesLeft -= bytes.count
        files[key, default: PackageFiles(releaseVersion: place.release)][place.file] = bytes
        return true
    }

    /// The packages in the order of their names and versions, each with its place.
    var packages: [(String, PackageFiles)] {
        files.sorted { $0.key < $1.key }.map { ("\($0.key.name)/\($0.key.release)", $0.value) }
    }
}
