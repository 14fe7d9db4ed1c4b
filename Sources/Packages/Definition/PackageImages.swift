/// The container images that a package names.
extension PackageDefinition {
    /// The images in `resource.assets.container.docker`, by the name that templates use.
    public var dockerAssets: [(name: String, image: String)] {
        guard let assets = resource?["assets"]?["container"]?["docker"]?.object else { return [] }
        return assets.fields.compactMap { field in field.value.text.map { (field.name, $0) } }
    }

    /// Every image that it names: its assets, and what its service has with the defaults.
    public var imageNames: [String] {
        var names = dockerAssets.map(\.image)
        if let app = try? app() { names += Self.images(of: app) }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// The images of an app or a pod in Marathon's JSON.
    public static func images(of app: JSONObject) -> [String] {
        let own = app["container"]?["docker"]?["image"]?.text
        let pods = (app["containers"]?.list ?? []).compactMap { $0["image"]?["id"]?.text }
        return [own].compactMap(\.self) + pods
    }

    /// The same with other images in its assets.
    ///
    /// - Parameter replace: what stands in place of an image; nil leaves it as it is.
    /// - Returns: the definition, without its signature when something is different.
    public func replacingImages(_ replace: (String) -> String?) -> PackageDefinition {
        guard var resource, var assets = resource["assets"]?.object, var container = assets["container"]?.object,
            var docker = container["docker"]?.object
        else { return self }
        var isChanged = false
        for (name, image) in dockerAssets {
            guard let other = replace(image), other != image else { continue }
            docker[name] = .text(other)
            isChanged = true
        }
        guard isChanged else { return self }
        container["docker"] = .object(docker)
        assets["container"] = .object(container)
        resource["assets"] = .object(assets)
        var json = json
        json["resource"] = .object(resource)
        json["signature"] = nil
        return (try? PackageDefinition(.object(json))) ?? self
    }
}

/// Which packages somebody means: names, each perhaps with a version.
public struct PackageSelection: Sendable {
    private let wanted: [(name: String, version: String?)]
    private let takesAllVersions: Bool

    /// Reads what people write.
    ///
    /// - Parameters:
    ///   - words: `NAME` or `NAME@VERSION`; none for all packages.
    ///   - allVersions: whether every version of a package is meant that is named without one; else the newest.
    public init(_ words: [String], allVersions: Bool) {
        wanted = words.map { word in
            let parts = word.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (parts[0], parts.count == 2 ? parts[1] : nil)
        }
        takesAllVersions = allVersions
    }

    /// Chooses packages.
    ///
    /// - Parameter repository: what there is.
    /// - Returns: the packages in the order of their names, newest first, and the words that name nothing.
    public func choose(from repository: PackageRepository) -> (packages: [PackageDefinition], missing: [String]) {
        let catalog = PackageCatalog([repository])
        var chosen: [PackageDefinition] = []
        var missing: [String] = []
        var seen: Set<[String]> = []
        func take(_ name: String, _ version: String?) -> Bool {
            guard let package = try? catalog.find(name, version: version).package else { return false }
            if seen.insert([package.name, package.version]).inserted { chosen.append(package) }
            return true
        }
        let all = wanted.isEmpty ? catalog.names.map { ($0, String?.none) } : wanted
        for (name, version) in all {
            guard version == nil, takesAllVersions else {
                if !take(name, version) { missing.append(version.map { "\(name)@\($0)" } ?? name) }
                continue
            }
            let versions = catalog.versions(of: name)
            if versions.isEmpty { missing.append(name) }
            for each in versions { _ = take(name, each.version) }
        }
        return (chosen, missing)
    }
}
