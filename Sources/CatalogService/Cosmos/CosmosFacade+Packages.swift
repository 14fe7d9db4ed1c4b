internal import Packages

/// Looking for packages.
extension CosmosFacade {
    func search(_ query: String?) -> JSONObject {
        let found = catalog.shelf.search(query ?? "").map { result -> JSON in
            var versions = JSONObject()
            for (version, number) in catalog.shelf.versions(of: result.name) {
                versions[version] = .text(String(number))
            }
            var fields = JSONObject([
                "name": .text(result.name), "currentVersion": .text(result.currentVersion),
                "versions": .object(versions),
                "description": .text(result.description), "framework": .flag(result.isFramework),
                "tags": .list(result.tags.map(JSON.text)),
            ])
            if let isSelected = result.isSelected { fields["selected"] = .flag(isSelected) }
            if let images = result.images { fields["images"] = images }
            return .object(fields)
        }
        return JSONObject(["packages": .list(found)])
    }

    /// A package in the version that is asked for, or the newest.
    func found(_ fields: CosmosFields) throws(CatalogProblem) -> PackageCatalog.Found {
        try catalog.find(try fields.required("packageName"), try fields.text("packageVersion"))
    }

    func describe(_ fields: CosmosFields, _ version: Int) throws(CatalogProblem) -> JSONObject {
        let package = try found(fields).package
        guard version == 2 else { return JSONObject(["package": .object(package.json)]) }
        // The second form has no room for versions that packages go to.
        guard package.packagingVersion != .v5, package.upgradesFrom.isEmpty, package.downgradesTo.isEmpty else {
            throw CatalogProblem(
                "ConversionFromPackageToV2DescribeResponse",
                "A v4 package cannot be converted into a v2 DescribeResponse")
        }
        var json = package.json
        for field in ["upgradesFrom", "downgradesTo", "releaseVersion"] { json[field] = nil }
        if package.packagingVersion == .v4 { json["packagingVersion"] = .text(PackagingVersion.v3.rawValue) }
        json["selected"] = .flag(package.isSelected ?? false)
        json["framework"] = .flag(package.isFramework)
        return json
    }

    func versions(_ fields: CosmosFields) throws(CatalogProblem) -> JSONObject {
        let name = try fields.required("packageName")
        var results = JSONObject()
        for (version, number) in catalog.shelf.versions(of: name) { results[version] = .text(String(number)) }
        guard !results.isEmpty else { throw CatalogProblem.noPackage(name) }
        return JSONObject(["results": .object(results)])
    }

    func render(_ fields: CosmosFields) throws(CatalogProblem) -> JSONObject {
        let app = try catalog.app(
            try found(fields), options: try fields.object("options"), id: try fields.appID())
        return JSONObject(["marathonJson": .object(app)])
    }
}
