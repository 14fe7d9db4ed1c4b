internal import Access
internal import CatalogService
internal import ClusterModel
internal import Console
internal import Deployments
internal import HTTPGateway
internal import HTTPTypes
internal import Packages
internal import ServicesCore
internal import ServicesFramework

/// `/ui/catalog…`
extension ConsoleDesk {
    func catalog(_ path: [String]) async throws -> GatewayResponse {
        do {
            return try await catalogPage(path)
        } catch let problem as CatalogProblem {
            // What the catalog does not have is nothing here; the rest is for whoever filled in the form.
            let status: HTTPResponse.Status =
                ["PackageNotFound", "VersionNotFound", "MarathonAppNotFound"].contains(problem.type)
                ? .notFound : problem.status
            throw GatewayError(status, ([problem.message] + problem.details.prefix(20)).joined(separator: "; "))
        }
    }

    private func catalogPage(_ path: [String]) async throws -> GatewayResponse {
        let catalog = try node.catalog()
        switch (path.first, path.count) {
        case (nil, _): return try await catalogSearch(catalog)
        case ("installed"?, 1): return try await catalogInstalled(catalog)
        case ("installed"?, _):
            let service = try await catalog.installed("/" + path[1])
            switch path.dropFirst(2) {
            case []: return try await catalogProgress(catalog, service)
            case ["edit"]: return try await catalogChange(catalog, service)
            case ["uninstall"]: return try await catalogUninstall(catalog, service)
            default: throw Self.nothingInCatalog
            }
        case ("repositories"?, _): return try await catalogRepositories(catalog, path.dropFirst().first)
        case ("package"?, 2...): return try await catalogPackage(catalog, path[1], path.dropFirst(2))
        case (let name?, _): return try await catalogPackage(catalog, name, path.dropFirst())
        }
    }

    private static var nothingInCatalog: GatewayError {
        GatewayError(.notFound, "there is no such page in the catalog")
    }

    private func mayInstall(_ catalog: CatalogService) -> Bool { visitor.may(.installPackage(catalog.role)) }

    // MARK: looking

    private func catalogSearch(_ catalog: CatalogService) async throws -> GatewayResponse {
        let shelf = catalog.shelf
        let query = listQuery(["catalog"], sorts: ["best", "name"], choices: ["kind", "repository"])
        let repositories = catalog.repositories
        let names = repositories.reduce(into: [String: String]()) { $0[$1.address] = $1.name }
        let all = shelf.search("")
        let owner = { (result: SearchResult) -> String in
            shelf.source(of: result.name).flatMap { names[$0] } ?? ""
        }
        var found = query.text.isEmpty ? all : shelf.search(query.text, order: .bestFirst)
        switch query.choices["kind"] {
        case "selected"?: found = found.filter { $0.isSelected == true }
        case "framework"?: found = found.filter(\.isFramework)
        default: break
        }
        if let repository = query.choices["repository"] { found = found.filter { owner($0) == repository } }
        if query.sort == "name" { found.sort { $0.name < $1.name } }
        let installed = try await catalog.installed()
        let counts = installed.reduce(into: [String: Int]()) { $0[$1.package, default: 0] += 1 }
        let cards = query.listing(found, of: all.count).map { result in
            CatalogPage.Card(
                name: result.name, version: result.currentVersion, versions: shelf.versions(of: result.name).count,
                description: result.description, tags: result.tags, isSelected: result.isSelected == true,
                isFramework: result.isFramework, repository: owner(result), installed: counts[result.name] ?? 0)
        }
        return page(
            CatalogPage(
                packages: cards, repositories: repositories.map(\.name), installed: installed.count,
                problems: repositories.compactMap { repository in
                    repository.problem.map { "\(repository.name): \($0)" }
                }))
    }

    private func catalogPackage(
        _ catalog: CatalogService, _ name: String, _ rest: ArraySlice<String>
    ) async throws -> GatewayResponse {
        let found = try catalog.find(name, request.query["version"])
        switch rest {
        case []: break
        case ["install"]: return try await catalogInstall(catalog, found)
        default: throw Self.nothingInCatalog
        }
        let names = catalog.repositories.reduce(into: [String: String]()) { $0[$1.address] = $1.name }
        return page(
            PackagePage(
                package: found.package, source: names[found.source].map { "\($0) (\(found.source))" } ?? found.source,
                versions: catalog.shelf.versions(of: name).map(\.version),
                installed: try await catalog.installed().filter { $0.package == name }.map(\.id),
                mayInstall: mayInstall(catalog)))
    }

    // MARK: what is installed

    private func catalogInstalled(_ catalog: CatalogService) async throws -> GatewayResponse {
        let query = listQuery(["catalog", "installed"], sorts: ["id", "package"])
        let all = try await catalog.installed()
        let core = try await node.builtIns?.services?.view()
        let matching = all.filter { query.matches($0.id, $0.package) }
        let listing = query.listing(matching, of: all.count) {
            query.sort == "package" ? ($0.package, $0.id) < ($1.package, $1.id) : $0.id < $1.id
        }
        let rows = listing.map { service -> InstalledPage.Row in
            let standing = core.map { ServiceStanding($0, service.id) }
            let definition = try? catalog.definition(of: service)
            return InstalledPage.Row(
                id: service.id, package: service.package, version: service.version ?? "",
                newer: definition.flatMap { catalog.updates(of: $0).newer.first }, tone: standing?.tone ?? .idle,
                state: standing?.word ?? "not known")
        }
        return page(InstalledPage(services: rows, mayChange: mayInstall(catalog)))
    }

    private func catalogProgress(
        _ catalog: CatalogService, _ service: InstalledPackage
    ) async throws -> GatewayResponse {
        guard let core = try await node.builtIns?.services?.view() else { throw Self.nothingInCatalog }
        let definition = try? catalog.definition(of: service)
        let standing = ServiceStanding(core, service.id)
        return page(
            ProgressPage(
                id: service.id, package: service.package, version: service.version ?? "",
                newer: definition.map { catalog.updates(of: $0).newer } ?? [], wanted: standing.wanted,
                running: standing.counts.running, healthy: standing.healthy, deployment: standing.deployment,
                waits: standing.waits, instances: standing.instances(limit: 100),
                moreInstances: max(0, standing.instanceCount - 100), failure: standing.failure,
                notes: definition?.postInstallNotes, mayChange: mayInstall(catalog)))
    }

    private func catalogUninstall(
        _ catalog: CatalogService, _ service: InstalledPackage
    ) async throws -> GatewayResponse {
        try visitor.require(.installPackage(catalog.role))
        let action = CatalogLinks.uninstall(service.id)
        guard request.method == .post else {
            var consequences = [
                "All instances of \(service.id) (\(service.package) \(service.version ?? "")) are ended, and it is "
                    + "removed. What it keeps in volumes of nodes stays there."
            ]
            if let notes = service.definition?.postUninstallNotes { consequences.append(notes) }
            return page(
                ConfirmPage(
                    title: "Uninstall \(service.id)?", section: .catalog,
                    crumbs: [Crumb("Catalog", CatalogLinks.search), Crumb("Installed", CatalogLinks.installed)],
                    consequences: consequences, verb: "Uninstall", action: action,
                    back: CatalogLinks.service(service.id)))
        }
        _ = try await form()
        try await catalog.uninstall(service, visitor: visitor)
        return redirect(to: CatalogLinks.installed, notice: .uninstalled)
    }

    // MARK: repositories

    private func catalogRepositories(
        _ catalog: CatalogService, _ verb: String?
    ) async throws -> GatewayResponse {
        switch (verb, request.method) {
        case ("refresh"?, .post):
            _ = try await form()
            try await catalog.refresh(visitor: visitor)
            return redirect(to: CatalogLinks.repositories)
        case ("remove"?, _): return try await catalogRemoval(catalog)
        case (nil, .post):
            let fields = try await form()
            var entry = RepositoriesPage.Entry()
            entry.name = fields["name"] ?? ""
            entry.address = fields["uri"] ?? ""
            entry.key = fields["key"] ?? ""
            entry.index = fields["index"] ?? ""
            let index = Int(entry.index)
            do {
                guard index != nil || entry.index.isEmpty else {
                    throw GatewayError(.badRequest, "the place is no whole number: '\(entry.index.prefix(40))'")
                }
                try await catalog.addRepository(
                    entry.name, address: entry.address, key: entry.key.isEmpty ? nil : entry.key, at: index,
                    visitor: visitor)
                return redirect(to: CatalogLinks.repositories, notice: .added)
            } catch let problem as CatalogProblem {
                return repositoriesPage(catalog, entry, problem.message, status: problem.status)
            } catch let error as GatewayError where error.status == .badRequest {
                return repositoriesPage(catalog, entry, error.message, status: error.status)
            }
        case (nil, _): return repositoriesPage(catalog)
        default: throw Self.nothingInCatalog
        }
    }

    private func catalogRemoval(_ catalog: CatalogService) async throws -> GatewayResponse {
        try visitor.require(.changeCatalog)
        guard request.method == .post else {
            let name = request.query["name"] ?? ""
            guard let repository = catalog.repositories.first(where: { $0.name == name }) else {
                throw GatewayError(.notFound, "there is no repository '\(name.prefix(100))'")
            }
            return page(
                ConfirmPage(
                    title: "Remove \(name)?", section: .catalog,
                    crumbs: [Crumb("Catalog", CatalogLinks.search), Crumb("Repositories", CatalogLinks.repositories)],
                    consequences: [
                        "The \(repository.packages) packages of \(repository.address) are not offered any more. What is "
                            + "installed from it stays, and can be changed and uninstalled."
                    ], verb: "Remove", action: Link("catalog", "repositories", "remove"), fields: [("name", name)],
                    back: CatalogLinks.repositories))
        }
        let fields = try await form()
        try await catalog.removeRepository(name: fields["name"] ?? "", uri: nil, visitor: visitor)
        return redirect(to: CatalogLinks.repositories, notice: .removed)
    }

    private func repositoriesPage(
        _ catalog: CatalogService, _ entry: RepositoriesPage.Entry = .init(), _ problem: String? = nil,
        status: HTTPResponse.Status = .ok
    ) -> GatewayResponse {
        let rows = catalog.repositories.map { repository in
            RepositoriesPage.Row(
                name: repository.name, address: repository.address, packages: repository.packages,
                versions: repository.versions, key: repository.key, fetchedAt: repository.fetchedAt,
                problem: repository.problem)
        }
        return page(
            RepositoriesPage(
                repositories: rows, mayChange: visitor.may(.changeCatalog), entry: entry, problem: problem),
            status: status)
    }
}

extension ConsoleChanges {
    /// Differs when the catalog's pages differ.
    func catalog() async -> Int? {
        guard let catalog = node.builtIns?.catalog else { return nil }
        var hasher = Hasher()
        hasher.combine(catalog.shelf.count)
        for repository in catalog.repositories {
            hasher.combine(repository.name)
            hasher.combine(repository.fetchedAt)
            hasher.combine(repository.problem)
        }
        guard let core = try? await node.builtIns?.services?.view() else { return hasher.finalize() }
        for wait in core.queue {
            hasher.combine(wait.workload.id)
            hasher.combine(wait.rejectedLastOffers)
            hasher.combine(wait.delay > .zero)
        }
        for deployment in core.deploymentViews {
            hasher.combine(deployment.plan.id)
            for action in deployment.currentActions { hasher.combine(deployment.waitsFor[action.id]) }
            for action in deployment.currentActions {
                for instance in core.instances(of: action.id) {
                    hasher.combine(instance.condition)
                    hasher.combine(instance.isHealthy)
                    hasher.combine(instance.tasks.first?.message)
                }
            }
        }
        return hasher.finalize()
    }
}
