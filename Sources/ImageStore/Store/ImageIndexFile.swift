internal import Glibc
internal import LinuxSystem

/// What the store knows beside its blobs and layers: names, and who uses what. `images.json`, replaced as a whole.
struct ImageIndexFile: Codable, Equatable, Sendable {
    /// Names and the digests of their manifests.
    var references: [String: Digest] = [:]
    /// Users of images, such as containers, and the digest that each holds.
    var retained: [String: Digest] = [:]
    var format = 1

    static let sizeLimit = 64 << 20
    static let retainedLimit = 100_000

    /// The digests that must stay.
    var roots: Set<Digest> { Set(references.values).union(retained.values) }

    /// Who holds an image.
    func users(of digest: Digest) -> [String] { retained.filter { $0.value == digest }.keys.sorted() }

    static func load(_ directory: StoreDirectory) throws(ImageError) -> ImageIndexFile {
        let path = directory.index
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(path, limit: sizeLimit)
        } catch {
            guard error.errno == ENOENT else { throw ImageError(error) }
            return ImageIndexFile()
        }
        let file = try parseJSON(ImageIndexFile.self, bytes, path)
        guard file.format == 1 else {
            throw ImageError(.unsupported, "\(path) was written by a newer release; use that one")
        }
        return file
    }

    func save(_ directory: StoreDirectory) throws(ImageError) {
        let bytes = try writeJSON(self)
        let path = directory.index
        try system { () throws(SystemError) in try writeFileAtomically(path, bytes) }
    }
}
