public import Identity
internal import Packages

/// Making a repository document out of a folder.
public enum RepositoryBuilding {
    /// What came of a folder.
    public struct Document: Sendable {
        /// `{"packages": […]}`.
        public var bytes: [UInt8]
        /// How many versions of packages are in it.
        public var count: Int
        /// What is wrong with those that are not, one line for each.
        public var refusals: [String]
    }

    /// Reads a folder in Universe's layout and combines it.
    ///
    /// - Parameters:
    ///   - folder: its path.
    ///   - key: who signs each entry; nil leaves them unsigned.
    /// - Returns: the document, the same for the same folder and, without a key, byte for byte.
    /// - Throws: ``CatalogProblem`` when the folder cannot be read.
    public static func document(folder: String, key: NodeKey? = nil) throws -> Document {
        let repository: PackageRepository
        do throws(RepositoryFailure) {
            repository = PackageRepository(try RepositoryFolder(folder).tree(), source: "file://" + folder)
        } catch { throw CatalogProblem("RepositoryUnreadable", "\(folder) is no repository: \(error)") }
        let refusals = repository.refusals.map(\.description)
        guard let key else {
            return Document(bytes: repository.document, count: repository.count, refusals: refusals)
        }
        var entries: [JSON] = []
        for package in repository.packages {
            var entry = package.json
            entry[EntrySignature.field] = .text(try EntrySignature.sign(entry, with: key))
            entries.append(.object(entry))
        }
        let document = JSON.object(JSONObject(["packages": .list(entries)]))
        return Document(bytes: document.bytes, count: entries.count, refusals: refusals)
    }
}
