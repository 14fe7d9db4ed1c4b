internal import Access
internal import Packages
internal import ServicesFramework

/// Where packages come from.
extension CosmosFacade {
    func repositories() -> JSONObject {
        let all = catalog.desk.repositories.map { repository in
            JSON.object(
                JSONObject([
                    "name": .text(repository.record.name), "uri": .text(repository.record.address.text),
                ]))
        }
        return JSONObject(["repositories": .list(all)])
    }

    func addRepository(_ fields: CosmosFields) async throws -> JSONObject {
        let (name, uri) = (try fields.required("name"), try fields.required("uri"))
        visitor.note("catalog.add", name)
        try visitor.require(.changeCatalog)
        guard !name.isEmpty, name.utf8.count <= RepositoryRecord.nameLimit,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            throw CatalogProblem(
                "RepositoryNameInvalid", "A repository's name has 1 to \(RepositoryRecord.nameLimit) printable bytes")
        }
        var record = RepositoryRecord(name: name, address: try RepositoryAddress(uri))
        if let text = try fields.text("key") {
            guard let key = EntryKey(text) else {
                throw CatalogProblem(
                    "RepositoryKeyInvalid", "The key is none: it is a point of P-256 in base64, 44 characters")
            }
            record.key = key
        }
        try await catalog.desk.add(record, at: try fields.integer("index"))
        return repositories()
    }

    func deleteRepository(_ fields: CosmosFields) async throws -> JSONObject {
        let (name, uri) = (try fields.text("name"), try fields.text("uri"))
        visitor.note("catalog.remove", name ?? uri ?? "")
        try visitor.require(.changeCatalog)
        guard name != nil || uri != nil else {
            throw CatalogProblem("RepoNameOrUriMissing", "Must specify either the name or URI of the repository")
        }
        try await catalog.desk.remove(name: name, uri: uri)
        return repositories()
    }
}
