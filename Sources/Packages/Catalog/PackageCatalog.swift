/// All packages of all repositories, for choosing and searching.
///
/// A name and version that several repositories have is that of the first one. Of a name, the newest version is the one
/// with the largest release version in the first repository that has the name.
public struct PackageCatalog: Sendable {
    /// The repositories, in their order.
    public let repositories: [PackageRepository]
    /// The packages that this cluster can run: those of one name together, newest first.
    private let places: [Place]
    /// Those that ask for a newer release of the cluster's software.
    private var tooNew: [Place] = []
    private let byName: [String: Range<Int>]
    let search: PackageSearch

    /// Where a package is.
    struct Place: Sendable {
        var repository: Int
        var entry: Int
    }

    /// A package and the repository that it is from.
    public struct Found: Sendable {
        /// The package.
        public var package: PackageDefinition
        /// Where its repository comes from.
        public var source: String

        /// A package and where its repository comes from.
        public init(package: PackageDefinition, source: String) {
            self.package = package
            self.source = source
        }
    }

    /// Makes a catalog.
    ///
    /// - Parameters:
    ///   - repositories: the repositories; the first ones count most.
    ///   - release: the release of the cluster's software; packages that ask for a newer one are not offered. All are
    ///     when it is nil.
    public init(_ repositories: [PackageRepository], release: ReleaseNumber? = nil) {
        self.repositories = repositories
        var all: [Place] = []
        for (number, repository) in repositories.enumerated() {
            all += repository.entries.indices.map { Place(repository: number, entry: $0) }
        }
        func entry(_ place: Place) -> PackageRepository.Entry { repositories[place.repository].entries[place.entry] }
        let sorted = all.map { (place: $0, entry: entry($0)) }.sorted { left, right in
            if left.entry.name != right.entry.name { return left.entry.name < right.entry.name }
            if left.place.repository != right.place.repository { return left.place.repository < right.place.repository }
            if left.entry.releaseVersion != right.entry.releaseVersion {
                return left.entry.releaseVersion > right.entry.releaseVersion
            }
            return left.place.entry < right.place.entry
        }
        var seen: Set<[String]> = []
        var fit: [Place] = []
        var byName: [String: Range<Int>] = [:]
        for (place, entry) in sorted where seen.insert([entry.name, entry.version]).inserted {
            if let release, let least = entry.minimumRelease, release < least {
                tooNew.append(place)
            } else {
                byName[entry.name] = (byName[entry.name]?.lowerBound ?? fit.count)..<fit.count + 1
                fit.append(place)
            }
        }
        search = PackageSearch(byName.values.map { fit[$0] }, of: repositories)
        places = fit
        self.byName = byName
    }

    /// How many packages there are, each version counted.
    public var count: Int { places.count }
    /// The names of all packages, in order.
    public var names: [String] { byName.keys.sorted() }

    private func entry(_ place: Place) -> PackageRepository.Entry {
        repositories[place.repository].entries[place.entry]
    }

    private func places(of name: String) -> ArraySlice<Place> { byName[name].map { places[$0] } ?? [] }

    /// A package.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - version: its version; the newest when nil.
    /// - Returns: the package as it is in its repository.
    /// - Throws: ``CatalogError`` when there is none.
    public func find(_ name: String, version: String? = nil) throws(CatalogError) -> Found {
        let candidates = places(of: name)
        let place = version.map { wanted in candidates.first { entry($0).version == wanted } } ?? candidates.first
        guard let place else {
            let newer = tooNew.map(entry).first { $0.name == name && (version == nil || $0.version == version) }
            if let newer, let least = newer.minimumRelease {
                throw .needsRelease(name: name, version: newer.version, release: least)
            }
            guard let version, !candidates.isEmpty || tooNew.contains(where: { entry($0).name == name }) else {
                throw .packageNotFound(name: name)
            }
            throw .versionNotFound(name: name, version: version)
        }
        let repository = repositories[place.repository]
        do throws(PackageRefusal) {
            return Found(package: try repository.definition(of: entry(place)), source: repository.source)
        } catch {
            throw .refused(error)
        }
    }

    /// A package's definition as short JSON, without making values of it.
    public func text(of name: String, version: String? = nil) -> [UInt8]? {
        let candidates = places(of: name)
        let place = version.map { wanted in candidates.first { entry($0).version == wanted } } ?? candidates.first
        return place.map { Array(repositories[$0.repository].text(of: entry($0))) }
    }

    /// Where the repository of a package's newest version comes from; nil when there is no such package.
    public func source(of name: String) -> String? {
        places(of: name).first.map { repositories[$0.repository].source }
    }

    /// The versions of a package with their release versions, newest first; empty when there is no such package.
    public func versions(of name: String) -> [(version: String, releaseVersion: Int)] {
        places(of: name).map { (entry($0).version, entry($0).releaseVersion) }
    }

    /// The versions that a version of a package may become.
    public func upgrades(of name: String, from version: String) -> [String] {
        places(of: name).map(entry).filter { $0.upgradesFrom.contains { $0.contains(version) } }.map(\.version)
    }

    /// The versions that a package may go back to. It need not be in a repository any more.
    public func downgrades(of package: PackageDefinition) -> [String] {
        places(of: package.name).map { entry($0).version }.filter(package.downgrades)
    }

    /// Whether a package may become another version of itself: that one names it, or it names that one.
    ///
    /// - Parameters:
    ///   - package: what is installed.
    ///   - version: what it shall become.
    /// - Returns: the definition to install.
    /// - Throws: ``CatalogError`` when there is none, or neither allows it.
    public func update(_ package: PackageDefinition, to version: String) throws(CatalogError) -> Found {
        let target = try find(package.name, version: version)
        guard
            package.version == version || target.package.upgrades(from: package.version)
                || package.downgrades(to: version)
        else { throw .updateNotAllowed(name: package.name, from: package.version, to: version) }
        return target
    }
}

/// Why a package is not to be had.
public enum CatalogError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No repository has the name.
    case packageNotFound(name: String)
    /// No repository has the version.
    case versionNotFound(name: String, version: String)
    /// The package asks for a newer release of the cluster's software.
    case needsRelease(name: String, version: String, release: ReleaseNumber)
    /// Neither version allows the other.
    case updateNotAllowed(name: String, from: String, to: String)
    /// What the repository has cannot be used.
    case refused(PackageRefusal)

    /// In Cosmos' words where it has some.
    public var description: String {
        switch self {
        case .packageNotFound(let name): "Package [\(name)] not found"
        case .versionNotFound(let name, let version): "Version [\(version)] of package [\(name)] not found"
        case .needsRelease(let name, let version, let release):
            "Version [\(version)] of package [\(name)] needs at least release \(release) of the cluster"
        case .updateNotAllowed(let name, let from, let to):
            "Cannot update package [\(name)] from version [\(from)] to [\(to)]: neither version allows it"
        case .refused(let refusal): refusal.description
        }
    }
}
