internal import Packages

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
        try await catalog.addRepository(
            try fields.required("name"), address: try fields.required("uri"), key: try fields.text("key"),
            at: try fields.integer("index"), visitor: visitor)
        return repositories()
    }

    func deleteRepository(_ fields: CosmosFields) async throws -> JSONObject {
        try await catalog.removeRepository(
            name: try fields.text("name"), uri: try fields.text("uri"), visitor: visitor)
        return repositories()
    }
}
