/// A package in one version, as a repository has it, in any of the forms of packaging version 2.0 to 5.0. It is kept as
/// it came, with what nobody here knows; what is read from it here is checked.
public struct PackageDefinition: Equatable, Sendable {
    /// The whole definition in the form in which repositories combine it: with `config`, `resource`, `command`, and the
    /// template in `marathon`.
    public let json: JSONObject
    /// The form.
    public let packagingVersion: PackagingVersion
    /// The package's name.
    public let name: String
    /// The version that people know it by.
    public let version: String
    /// Counts the versions in the order of their publication; the largest is the newest.
    public let releaseVersion: Int
    /// The least release of the cluster's software that it works with.
    public let minimumRelease: ReleaseNumber?

    /// Reads a definition.
    ///
    /// - Parameter json: what a repository has.
    /// - Throws: ``PackageRefusal`` with everything that is wrong.
    public init(_ json: JSON) throws(PackageRefusal) {
        var reading = DefinitionReading(json)
        reading.readAll()
        guard reading.defects.isEmpty, let packagingVersion = reading.packagingVersion, let object = json.object else {
            throw PackageRefusal(name: reading.name, version: reading.version, defects: reading.defects)
        }
        self.json = object
        self.packagingVersion = packagingVersion
        name = reading.name ?? ""
        version = reading.version ?? ""
        releaseVersion = reading.releaseVersion
        minimumRelease = reading.minimumRelease
    }

    private func texts(_ name: String) -> [String] { json[name]?.list?.compactMap(\.text) ?? [] }

    /// What it is, in a few lines.
    public var description: String { json["description"]?.text ?? "" }
    /// Words it is found by.
    public var tags: [String] { texts("tags") }
    /// Whether it is one of those that are shown first.
    public var isSelected: Bool? { json["selected"]?.flag }
    /// Whether it brings a framework.
    public var isFramework: Bool { json["framework"]?.flag ?? false }
    /// What to read before, after the installation, and after the end.
    public var preInstallNotes: String? { json["preInstallNotes"]?.text }
    /// What to read after the installation.
    public var postInstallNotes: String? { json["postInstallNotes"]?.text }
    /// What to read after it was uninstalled.
    public var postUninstallNotes: String? { json["postUninstallNotes"]?.text }
    /// The versions that may become this one.
    public var upgradesFrom: [VersionRange] { texts("upgradesFrom").map(VersionRange.init) }
    /// The versions that this one may go back to.
    public var downgradesTo: [VersionRange] { texts("downgradesTo").map(VersionRange.init) }
    /// The schema of its options; nil when it takes none.
    public var schema: OptionSchema? { json["config"]?.object.map(OptionSchema.init) }
    /// Where its parts are found: images, files, command lines.
    public var resource: JSONObject? { json["resource"]?.object }
    /// Its pictures.
    public var images: JSON? { resource?["images"] }

    /// The source of the template of its service; nil when there is none, as in packages that are a command line only.
    public var template: String? {
        guard let text = json["marathon"]?["v2AppMustacheTemplate"]?.text else { return nil }
        return Base64.bytes(text).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Whether another version may become this one.
    public func upgrades(from version: String) -> Bool { upgradesFrom.contains { $0.contains(version) } }
    /// Whether this one may go back to another version.
    public func downgrades(to version: String) -> Bool { downgradesTo.contains { $0.contains(version) } }
}

/// Why a package cannot be used.
public struct PackageRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Defect: Hashable, Sendable {
        /// Where in the definition, as a JSON pointer; or the file.
        public var path: String
        /// What is wrong there.
        public var message: String

        /// Makes a defect.
        public init(_ path: String, _ message: String) {
            self.path = path
            self.message = message
        }
    }

    /// The package's name, as far as it is known.
    public var name: String?
    /// Its version, as far as it is known.
    public var version: String?
    /// What is wrong.
    public var defects: [Defect]

    /// Makes a refusal.
    public init(name: String? = nil, version: String? = nil, defects: [Defect]) {
        self.name = name
        self.version = version
        self.defects = defects
    }

    /// All of it in a line.
    public var description: String {
        let who = [name ?? "a package", version].compactMap(\.self).joined(separator: " ")
        return who + ": " + defects.map { "\($0.path) \($0.message)" }.joined(separator: "; ")
    }
}
