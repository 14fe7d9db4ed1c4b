internal import ImageStore
public import Packages
internal import ServicesFramework

/// Looks for everything that is wrong with packages, as somebody who publishes them wants to know it before anybody
/// installs them. Nothing is deployed and nobody is asked.
public enum CatalogLint {
    /// How bad a finding is.
    public enum Severity: String, Hashable, Sendable {
        /// The package is left out, cannot be installed, or becomes something else than it says.
        case error
        /// It works, and somebody will miss something.
        case warning
    }

    /// What is looked for. Names are public: they are added and never used for something else.
    public enum Rule: String, Hashable, Sendable, CaseIterable {
        /// What keeps a package out of every catalog: files, formats, names.
        case format
        /// A version that is there twice.
        case duplicate
        /// A file that belongs to no package.
        case file
        /// Parts of a schema that are passed over.
        case schema
        /// Defaults that do not hold to the schema.
        case defaults
        /// Options that somebody must give, as they have no default.
        case required
        /// A template that cannot be shown.
        case template
        /// An app that the services framework would refuse.
        case app
        /// Fields of the app or the package that nobody knows.
        case unknown
        /// An image without a name that can be one, or without tag and digest.
        case image
        /// An image that is written into the template instead of the assets, where it can be mirrored and pinned.
        case asset
        /// Nobody looks after the instances.
        case health
        /// Numbers of releases that are not there.
        case gap
        /// A way from or to a version that is not there.
        case upgrade
        /// Nobody says under which licence it is.
        case licence
        /// Nobody says who looks after it.
        case maintainer
    }

    /// One thing that is wrong.
    public struct Finding: Hashable, Sendable {
        /// How bad it is.
        public var severity: Severity
        /// What was looked for.
        public var rule: Rule
        /// The package, as far as it is known.
        public var package: String
        /// Its version, as far as it is known.
        public var version: String
        /// Where: a JSON pointer, or a file.
        public var path: String
        /// What is wrong there.
        public var message: String
    }

    /// Looks at a folder in Universe's layout.
    ///
    /// - Parameter folder: its path.
    /// - Returns: how many versions of packages there are, and everything that is wrong, in the order of packages.
    /// - Throws: ``CatalogProblem`` when it cannot be read at all.
    public static func look(at folder: String) throws -> (versions: Int, findings: [Finding]) {
        let repository: PackageRepository
        let strays: [String]
        do throws(RepositoryFailure) {
            let reader = RepositoryFolder(folder)
            repository = PackageRepository(try reader.tree(), source: "file://" + folder)
            strays = try reader.strays()
        } catch { throw CatalogProblem("RepositoryUnreadable", "\(folder) is no repository: \(error)") }
        let stray = strays.map { path in
            Finding(
                severity: .warning, rule: .file, package: "", version: "", path: path,
                message: "belongs to no package; the layout is packages/R/redis/0/package.json")
        }
        return (repository.count + repository.refusals.count, findings(in: repository) + stray)
    }

    /// Looks at packages.
    ///
    /// - Parameter repository: the packages.
    /// - Returns: everything that is wrong, in the order of packages and their releases.
    public static func findings(in repository: PackageRepository) -> [Finding] {
        var findings = repository.refusals.flatMap { refusal in
            refusal.defects.map {
                Finding(
                    severity: .error, rule: .format, package: refusal.name ?? "", version: refusal.version ?? "",
                    path: $0.path, message: $0.message)
            }
        }
        let packages = repository.packages.sorted {
            ($0.name, $0.releaseVersion, $0.version) < ($1.name, $1.releaseVersion, $1.version)
        }
        for (name, versions) in Dictionary(grouping: packages, by: \.name).sorted(by: { $0.key < $1.key }) {
            findings += VersionLint(name: name, versions: versions).findings
            for package in versions {
                var lint = PackageLint(package)
                lint.lookAtAll()
                findings += lint.findings
            }
        }
        return findings
    }
}

/// What versions of one package are to each other.
struct VersionLint {
    var name: String
    /// In the order of their releases.
    var versions: [PackageDefinition]

    var findings: [CatalogLint.Finding] {
        var findings: [CatalogLint.Finding] = []
        func note(
            _ severity: CatalogLint.Severity, _ rule: CatalogLint.Rule, _ version: String, _ path: String,
            _ message: String
        ) {
            findings.append(
                CatalogLint.Finding(
                    severity: severity, rule: rule, package: name, version: version, path: path, message: message))
        }
        let known = Set(versions.map(\.version))
        for (one, next) in zip(versions, versions.dropFirst()) {
            if one.releaseVersion == next.releaseVersion {
                note(
                    .error, .duplicate, next.version, "/releaseVersion", "release \(next.releaseVersion) is there twice"
                )
            } else if next.releaseVersion > one.releaseVersion + 1 {
                note(
                    .warning, .gap, next.version, "/releaseVersion",
                    "release \(next.releaseVersion) follows \(one.releaseVersion); those between are not there")
            }
        }
        for (version, same) in Dictionary(grouping: versions, by: \.version) where same.count > 1 {
            let releases = same.map { String($0.releaseVersion) }.joined(separator: " and ")
            note(
                .error, .duplicate, version, "/version", "releases \(releases) have this version; the newer one is seen"
            )
        }
        for package in versions {
            for (field, ranges) in [("upgradesFrom", package.upgradesFrom), ("downgradesTo", package.downgradesTo)] {
                for case .exactly(let version) in ranges where !known.contains(version) {
                    note(
                        .warning, .upgrade, package.version, "/\(field)", "names version \(version), which is not there"
                    )
                }
            }
        }
        return findings
    }
}
