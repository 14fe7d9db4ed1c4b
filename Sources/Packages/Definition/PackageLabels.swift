/// The labels of a service that say which package it is: Cosmos' own, which its clients read.
public enum PackageLabels {
    /// The package's name.
    public static let name = "DCOS_PACKAGE_NAME"
    /// The package's version.
    public static let version = "DCOS_PACKAGE_VERSION"
    /// The repository it came from.
    public static let source = "DCOS_PACKAGE_SOURCE"
    /// The options that somebody asked for.
    public static let options = "DCOS_PACKAGE_OPTIONS"
    /// The whole package, so that it can be described and changed when its repository is gone.
    public static let definition = "DCOS_PACKAGE_DEFINITION"
    /// What older clients and pages show of it.
    public static let metadata = "DCOS_PACKAGE_METADATA"

    private static let contentType = "Content-Type"
    private static let contentEncoding = "Content-Encoding"
    /// What the metadata have of a definition.
    private static let metadataFields = [
        "packagingVersion", "name", "version", "maintainer", "description", "tags", "selected", "scm", "website",
        "framework", "preInstallNotes", "postInstallNotes", "postUninstallNotes", "licenses",
    ]

    /// Puts the labels into a service's definition. What the package's template says of the same labels does not count.
    ///
    /// - Parameters:
    ///   - app: the service's definition.
    ///   - id: the service's id, where it is not the template's.
    ///   - package: the package.
    ///   - source: the address of its repository.
    ///   - options: what somebody asked for.
    ///   - compress: makes a gzip file of bytes; nil to leave them as they are, which readers take as well.
    /// - Returns: the definition with labels.
    public static func decorated(
        _ app: JSONObject, id: String? = nil, package: PackageDefinition, source: String, options: JSONObject,
        compress: (([UInt8]) -> [UInt8])? = nil
    ) -> JSONObject {
        var own = JSONObject()
        own[name] = .text(package.name)
        own[version] = .text(package.version)
        own[self.source] = .text(source)
        own[self.options] = .text(encoded(.object(options)))
        own[definition] = .text(encoded(envelope(package, compress)))
        own[metadata] = .text(encoded(.object(shortened(package))))
        var app = app
        if let id { app["id"] = .text(id) }
        app["labels"] = .object((app["labels"]?.object ?? JSONObject()).merging(own))
        return app
    }

    private static func encoded(_ json: JSON) -> String { Base64.text(json.withoutNulls.bytes) }

    private static func envelope(_ package: PackageDefinition, _ compress: (([UInt8]) -> [UInt8])?) -> JSON {
        let bytes = JSON.object(package.json).bytes
        var about = JSONObject([contentType: .text(package.packagingVersion.mediaType)])
        if compress != nil { about[contentEncoding] = .text("gzip") }
        let data = Base64.text(compress.map { $0(bytes) } ?? bytes)
        return .object(JSONObject(["metadata": .object(about), "data": .text(data)]))
    }

    private static func shortened(_ package: PackageDefinition) -> JSONObject {
        var fields = summary(of: package)
        if let images = package.images { fields["images"] = images }
        return fields
    }

    /// What lists of installed packages say of a package.
    public static func summary(of package: PackageDefinition) -> JSONObject {
        var fields = JSONObject()
        for field in metadataFields { fields[field] = package.json[field] }
        return fields
    }

    /// The options that a service was installed with; nil when the label is absent or none.
    public static func readOptions(_ labels: [String: String]) -> JSONObject? {
        labels[options].flatMap { decoded($0, PackageLimits.options)?.object }
    }

    /// The package that a service was installed from; nil when the label is absent or none.
    ///
    /// - Parameters:
    ///   - labels: the service's labels.
    ///   - expand: reads a gzip file, up to that many bytes; nil when it is none or too large.
    /// - Returns: the package.
    public static func readDefinition(
        _ labels: [String: String], expand: ([UInt8], Int) -> [UInt8]?
    ) -> PackageDefinition? {
        guard let envelope = labels[definition].flatMap({ decoded($0, PackageLimits.package) }),
            var data = envelope["data"]?.text.flatMap(Base64.bytes)
        else { return nil }
        switch envelope["metadata"]?[contentEncoding]?.text {
        case nil: break
        case "gzip"?:
            guard let expanded = expand(data, PackageLimits.package.bytes) else { return nil }
            data = expanded
        default: return nil
        }
        guard let json = try? JSON(parsing: data, limits: PackageLimits.package) else { return nil }
        return try? PackageDefinition(json)
    }

    private static func decoded(_ text: String, _ limits: JSONLimits) -> JSON? {
        guard text.utf8.count <= 2 * limits.bytes, let bytes = Base64.bytes(text) else { return nil }
        return try? JSON(parsing: bytes, limits: limits)
    }
}
