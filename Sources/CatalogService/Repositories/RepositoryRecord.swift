internal import ClusterModel
internal import FrameworkRuntime
internal import StateStore

/// A repository as it is stored.
struct RepositoryRecord: Hashable, Sendable {
    /// What people call it.
    var name: String
    var address: RepositoryAddress
    /// The key that signs its entries, as ``EntryKey`` has it; entries by nobody are taken where there is none.
    var key: EntryKey?
    /// The document that was fetched last and is used, by its digest; nil before the first.
    var document: String?
    /// When that was.
    var fetchedAt: UnixTime?

    static let nameLimit = 100
    static let countLimit = 100
}

/// The list of repositories in the store: one value, so that order and uniqueness are one comparison.
///
/// `/rondo/catalog/repositories` is `{"format": 1, "value": [{"name", "uri", "key", "document", "fetchedAt"}, …]}`.
struct RepositoryList: Sendable {
    var records: [RepositoryRecord]
    var revision: Revision?

    private static let key = "/rondo/catalog/repositories"
    private static let format = 1

    /// The list; nil in a store that has never had one.
    static func load(_ store: any StateStore) async throws -> RepositoryList? {
        guard let entry = try await store.get(key) else { return nil }
        guard let document = JSONValue(parsing: entry.value) else {
            throw RepositoryFailure("\(key) in the store is not JSON")
        }
        var reader = FieldReader(document, at: "")
        let found = reader.integer("format") ?? 0
        guard (1...format).contains(found) else {
            throw RepositoryFailure("\(key) has format \(found), which a newer release wrote; this one reads \(format)")
        }
        var records: [RepositoryRecord] = []
        _ = reader.each("value") { reader -> Bool? in
            guard let name = reader.text("name"), let uri = reader.text("uri"),
                let address = try? RepositoryAddress(uri)
            else { return nil }
            var record = RepositoryRecord(name: name, address: address)
            record.key = reader.text("key").flatMap(EntryKey.init)
            record.document = reader.text("document")
            record.fetchedAt = reader.number("fetchedAt").map { UnixTime(seconds: $0) }
            records.append(record)
            return true
        }
        let defects = reader.finished()
        guard defects.isEmpty else {
            throw RepositoryFailure("\(key) in the store cannot be read: \(defects[0].path) \(defects[0].message)")
        }
        return RepositoryList(records: records, revision: entry.modRevision)
    }

    /// Stores the list unless somebody else has changed it meanwhile.
    mutating func save(_ store: any StateStore) async throws {
        var text = JSONText()
        text.object { json in
            json.field("format", Self.format)
            json.list("value") { json in
                for record in records {
                    json.object { json in
                        json.field("name", record.name)
                        json.field("uri", record.address.text)
                        json.field("key", record.key?.text)
                        json.field("document", record.document)
                        json.field("fetchedAt", record.fetchedAt.map { Int($0.nanoseconds / 1_000_000_000) })
                    }
                }
            }
        }
        let isUnchanged: StoreTransaction.Compare =
            revision.map { .modRevision(key: Self.key, $0) } ?? .absent(key: Self.key)
        let outcome = try await store.transact(
            StoreTransaction(compares: [isUnchanged], operations: [.put(key: Self.key, value: text.bytes)]))
        guard case .committed(let revision) = outcome else {
            throw RepositoryFailure("the list of repositories was changed by another master")
        }
        self.revision = revision
    }
}

extension RepositoryRecord {
    /// Checks what people want to call a repository.
    static func check(name: String) throws(CatalogProblem) {
        guard !name.isEmpty, name.utf8.count <= nameLimit,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            throw CatalogProblem(
                "RepositoryNameInvalid", "A repository's name has 1 to \(nameLimit) printable bytes")
        }
    }

    /// The key that somebody gave for a repository, if any.
    static func key(_ text: String?) throws(CatalogProblem) -> EntryKey? {
        guard let text else { return nil }
        guard let key = EntryKey(text) else {
            throw CatalogProblem(
                "RepositoryKeyInvalid", "The key is none: it is a point of P-256 in base64, 44 characters")
        }
        return key
    }
}
