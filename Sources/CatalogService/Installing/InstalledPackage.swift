public import Packages

/// A service that a package became.
public struct InstalledPackage: Sendable {
    /// The service's path.
    public var id: String
    var labels: [String: String]

    /// The package's name.
    public var package: String { labels[PackageLabels.name] ?? "" }
    /// The package's version.
    public var version: String? { labels[PackageLabels.version] }
    /// Where its repository comes from.
    public var source: String? { labels[PackageLabels.source] }
    /// What somebody asked for when it was installed or changed last; nil when that is not known.
    public var options: JSONObject? { PackageLabels.readOptions(labels) }
    /// As it was when it was installed, whatever its repository has now.
    public var definition: PackageDefinition? {
        PackageLabels.readDefinition(labels) { Gzip.expanded($0, limit: $1) }
    }
}
