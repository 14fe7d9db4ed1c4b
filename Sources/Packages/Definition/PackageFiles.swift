/// The files of one version of a package in the folder layout: `packages/K/kafka/12/package.json` and what is beside
/// it.
public struct PackageFiles: Sendable {
    /// What is in each file, by its name.
    private var files: [Name: [UInt8]] = [:]
    /// The number of the folder, which is the release version.
    public let releaseVersion: Int

    /// The files that mean something.
    public enum Name: String, Hashable, Sendable, CaseIterable {
        case package = "package.json"
        case config = "config.json"
        case resource = "resource.json"
        case command = "command.json"
        case template = "marathon.json.mustache"
        /// What templates were called in the first layout.
        case oldTemplate = "marathon.json"
    }

    /// Files that are still to come.
    public init(releaseVersion: Int) { self.releaseVersion = releaseVersion }

    /// What is in a file.
    public subscript(_ name: Name) -> [UInt8]? {
        get { files[name] }
        set { files[name] = newValue }
    }

    /// All of them in one definition, as repositories combine them.
    ///
    /// - Throws: ``PackageRefusal`` with the file that is wrong.
    public func combined() throws(PackageRefusal) -> PackageDefinition {
        var defects: [PackageRefusal.Defect] = []
        func read(_ name: Name) -> JSON? {
            guard let bytes = files[name] else { return nil }
            do throws(JSONFault) {
                return try JSON(parsing: bytes, limits: PackageLimits.package)
            } catch {
                defects.append(.init(name.rawValue, error.description))
                return nil
            }
        }
        guard files[.package] != nil else { throw PackageRefusal(defects: [.init("package.json", "is missing")]) }
        var fields = read(.package)?.object ?? JSONObject()
        fields["releaseVersion"] = .integer(releaseVersion)
        for (file, field) in [(Name.config, "config"), (.resource, "resource"), (.command, "command")] {
            if let value = read(file) { fields[field] = value }
        }
        if let source = files[.template] ?? files[.oldTemplate] {
            let template = JSONObject(["v2AppMustacheTemplate": .text(Base64.text(source))])
            fields["marathon"] = .object(template)
        }
        let name = fields["name"]?.text
        guard defects.isEmpty else {
            throw PackageRefusal(name: name, version: fields["version"]?.text, defects: defects)
        }
        return try PackageDefinition(.object(fields))
    }
}
