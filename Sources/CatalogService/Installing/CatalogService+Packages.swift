internal import Access
public import Packages
public import ServicesFramework

/// What can be done with packages, for every interface that offers it. Who asks must have the rights that it takes.
extension CatalogService {
    /// A package, in a version or the newest.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - version: its version; the newest when nil.
    /// - Returns: the package and where it is from.
    /// - Throws: ``CatalogProblem`` when there is none that can be used.
    public func find(_ name: String, _ version: String?) throws(CatalogProblem) -> PackageCatalog.Found {
        do throws(CatalogError) { return try shelf.find(name, version: version) } catch {
            switch error {
            case .packageNotFound(let name): throw .noPackage(name)
            case .versionNotFound(let name, let version): throw .noVersion(version, of: name)
            case .updateNotAllowed(_, let from, let to): throw .badUpdate(from: from, to: to, valid: [])
            case .needsRelease, .refused: throw CatalogProblem("PackageNotUsable", error.description)
            }
        }
    }

    /// The service that a package becomes, with the labels that say so.
    ///
    /// - Parameters:
    ///   - found: the package.
    ///   - options: what somebody asked for.
    ///   - id: the service's path, where it is not the template's.
    /// - Returns: the service's definition.
    /// - Throws: ``CatalogProblem`` when options or template are wrong.
    public func app(
        _ found: PackageCatalog.Found, options: JSONObject?, id: String? = nil
    ) throws(CatalogProblem) -> JSONObject {
        let (package, options) = (found.package, options ?? JSONObject())
        let app: JSONObject
        do throws(RenderingError) { app = try package.app(with: options) } catch {
            switch error {
            case .noTemplate: throw .noTemplate(package.name, package.version)
            case .optionsNotAllowed: throw .noSchema
            case .optionsMismatch(let violations): throw .wrongOptions(violations.map(\.json))
            case .notObject:
                throw CatalogProblem(
                    "MarathonTemplateMustBeJsonObject", "Rendered Marathon JSON must be a JSON object")
            case .template, .notJSON, .labelsNotTexts: throw .unreadable(error.description)
            }
        }
        return PackageLabels.decorated(
            app, id: id, package: package, source: found.source, options: options, compress: Gzip.compressed)
    }

    /// Makes a service of a package.
    ///
    /// - Parameters:
    ///   - found: the package.
    ///   - options: what somebody asked for.
    ///   - id: the service's path, where it is not the template's.
    ///   - visitor: who asks.
    /// - Returns: the service's path.
    /// - Throws: ``CatalogProblem``, and what the visitor's rights refuse.
    public func install(
        _ found: PackageCatalog.Found, options: JSONObject?, id: String? = nil, visitor: any ServicesVisitor
    ) async throws -> String {
        visitor.note("package.install", "\(found.package.name) \(found.package.version)")
        try visitor.require(.installPackage(role))
        let app = try app(found, options: options, id: id)
        return try await ServiceDoor(services: services, visitor: visitor).create(app)
    }

    /// What is installed, in the order of packages and paths.
    public func installed() async throws -> [InstalledPackage] {
        try await services.services(labelled: PackageLabels.name).map { InstalledPackage(id: $0.id, labels: $0.labels) }
            .sorted { ($0.package, $0.id) < ($1.package, $1.id) }
    }

    /// One service that a package became.
    ///
    /// - Parameter id: its path.
    /// - Returns: the service.
    /// - Throws: ``CatalogProblem`` when it is none.
    public func installed(_ id: String) async throws -> InstalledPackage {
        guard let service = try await installed().first(where: { $0.id == id }) else {
            throw CatalogProblem.noService(id)
        }
        return service
    }

    /// The package as it was installed; where its label cannot be read, as the catalog has it.
    ///
    /// - Throws: ``CatalogProblem`` when it is nowhere.
    public func definition(of service: InstalledPackage) throws(CatalogProblem) -> PackageDefinition {
        if let definition = service.definition { return definition }
        return try find(service.package, service.version).package
    }

    /// The versions that what is installed may become: newer ones that name it, and those that it names.
    public func updates(of package: PackageDefinition) -> (newer: [String], others: [String]) {
        let ways = shelf.upgrades(of: package.name, from: package.version) + shelf.downgrades(of: package)
        let numbers = shelf.versions(of: package.name).reduce(into: [String: Int]()) {
            $0[$1.version] = $1.releaseVersion
        }
        var seen: Set<String> = [package.version]
        let all = ways.filter { seen.insert($0).inserted }.sorted { (numbers[$0] ?? 0) > (numbers[$1] ?? 0) }
        let own = numbers[package.version] ?? package.releaseVersion
        return (all.filter { (numbers[$0] ?? 0) > own }, all.filter { (numbers[$0] ?? 0) <= own })
    }

    /// The app that a service would become.
    ///
    /// - Parameters:
    ///   - service: what is installed.
    ///   - version: the version it shall become; nil to stay.
    ///   - options: all that is asked for, beside the defaults.
    /// - Returns: the package, and the app with its labels.
    /// - Throws: ``CatalogProblem`` when the version is none of those, or options or template are wrong.
    public func changed(
        _ service: InstalledPackage, to version: String?, options: JSONObject
    ) throws(CatalogProblem) -> (package: PackageDefinition, app: JSONObject) {
        let present = try definition(of: service)
        let found = try target(of: version, present, service)
        var app = try app(found, options: options)
        let id = app["id"]?.text.map { $0.hasPrefix("/") ? $0 : "/" + $0 }
        // Where somebody gave the service another name than its package does, it stays.
        if id != service.id {
            guard Self.isRenamed(service, present) else { throw CatalogProblem.changedID(id ?? "", service.id) }
            app["id"] = .text(service.id)
        }
        return (found.package, app)
    }

    /// Changes the version or the options of what is installed.
    ///
    /// - Parameters:
    ///   - service: what is installed.
    ///   - version: the version it shall become; nil to stay.
    ///   - options: all that is asked for, beside the defaults.
    ///   - visitor: who asks.
    /// - Returns: the package, and the id of the deployment.
    /// - Throws: ``CatalogProblem``, and what the visitor's rights refuse.
    public func update(
        _ service: InstalledPackage, to version: String?, options: JSONObject, visitor: any ServicesVisitor
    ) async throws -> (package: PackageDefinition, deployment: String) {
        visitor.note("package.update", service.id)
        try visitor.require(.installPackage(role))
        let (package, app) = try changed(service, to: version, options: options)
        let door = ServiceDoor(services: services, visitor: visitor)
        return (package, try await door.replace(service.id, by: app))
    }

    /// Ends a service that a package became, and the framework that it was.
    ///
    /// - Parameters:
    ///   - service: what is installed.
    ///   - visitor: who asks.
    /// - Returns: what could not be reached and is not waited for, in words; nil when there is nothing.
    /// - Throws: ``CatalogProblem``, and what the visitor's rights refuse.
    @discardableResult
    public func uninstall(_ service: InstalledPackage, visitor: any ServicesVisitor) async throws -> String? {
        visitor.note("package.uninstall", service.package)
        try visitor.require(.installPackage(role))
        let door = ServiceDoor(services: services, visitor: visitor)
        let lost = await door.unreachable(service.id)
        try await door.remove(service.id)
        if let framework = service.labels[Self.frameworkLabel] {
            try await endFramework(framework, of: service, visitor)
        }
        return Self.notes(about: lost)
    }

    private static func notes(about lost: [ServiceDoor.Instance]) -> String? {
        guard !lost.isEmpty else { return nil }
        let names = lost.prefix(5).map { "\($0.task) on \($0.host)" }.joined(separator: ", ")
        let more = lost.count > 5 ? " and \(lost.count - 5) more" : ""
        return "Could not be reached: \(names)\(more). Nothing is kept about it in the cluster; if its node comes "
            + "back, what still runs there is ended."
    }

    /// The framework that a package's service was is told to the master as ended, so that its tasks end, too.
    private func endFramework(_ name: String, of service: InstalledPackage, _ visitor: any ServicesVisitor) async throws
    {
        let ids = try await frameworks.named(name)
        guard ids.count <= 1 else {
            throw CatalogProblem(
                "MultipleFrameworkIds",
                "Uninstalled package [\(service.package)]\nUnable to shutdown [\(service.package)] service framework with "
                    + "name [\(name)] because there are multiple framework ids matching this name: "
                    + "[\(ids.joined(separator: ", "))]",
                [
                    "packageName": .text(service.package), "frameworkName": .text(name),
                    "ids": .list(ids.map(JSON.text)),
                ])
        }
        for id in ids { try await frameworks.end(id, visitor) }
    }

    /// Whether the service has another id than its package and its options give it.
    private static func isRenamed(_ service: InstalledPackage, _ package: PackageDefinition) -> Bool {
        guard let app = try? package.app(with: service.options ?? JSONObject()), let id = app["id"]?.text else {
            return true
        }
        return (id.hasPrefix("/") ? id : "/" + id) != service.id
    }

    /// What the service shall be an installation of.
    private func target(
        of version: String?, _ present: PackageDefinition, _ service: InstalledPackage
    ) throws(CatalogProblem) -> PackageCatalog.Found {
        let source = service.labels[PackageLabels.source] ?? ""
        guard let version, version != present.version else {
            return PackageCatalog.Found(package: present, source: source)
        }
        let shelf = shelf
        do throws(CatalogError) { return try shelf.update(present, to: version) } catch {
            guard case .updateNotAllowed = error else { return try find(present.name, version) }
            let valid =
                shelf.upgrades(of: present.name, from: present.version) + shelf.downgrades(of: present)
            throw .badUpdate(from: present.version, to: version, valid: valid)
        }
    }
}
