internal import Access
internal import Packages
internal import ServicesFramework

/// Packages that became services.
extension CosmosFacade {
    func install(_ fields: CosmosFields, _ version: Int) async throws -> JSONObject {
        let found = try found(fields)
        let package = found.package
        visitor.note("package.install", "\(package.name) \(package.version)")
        try visitor.require(.installPackage(catalog.role))
        var answer = JSONObject([
            "packageName": .text(package.name), "packageVersion": .text(package.version),
        ])
        // Some packages are a command line only; there is nothing to run then.
        if package.template != nil || version == 1 {
            let app = try app(found, options: try fields.object("options"), id: try fields.appID())
            answer["appId"] = .text(try await door.create(app))
        }
        guard version > 1 else { return answer }
        if let notes = package.postInstallNotes { answer["postInstallNotes"] = .text(notes) }
        if let cli = package.resource?["cli"] { answer["cli"] = cli }
        return answer
    }

    func list(_ fields: CosmosFields) async throws -> JSONObject {
        let (name, app) = (try fields.text("packageName"), try fields.appID())
        let installed = try await door.installed().filter {
            (name == nil || $0.package == name) && (app == nil || $0.id == app)
        }
        let packages = installed.sorted { ($0.package, $0.id) < ($1.package, $1.id) }.compactMap { service -> JSON? in
            guard let package = service.definition else { return nil }
            var information = JSONObject(["packageDefinition": .object(PackageLabels.summary(of: package))])
            if let resource = package.resource {
                var kept = JSONObject()
                for part in ["assets", "images"] { kept[part] = resource[part] }
                if !kept.isEmpty { information["resourceDefinition"] = .object(kept) }
            }
            return .object(
                JSONObject(["appId": .text(service.id), "packageInformation": .object(information)]))
        }
        return JSONObject(["packages": .list(packages)])
    }

    func uninstall(_ fields: CosmosFields) async throws -> JSONObject {
        let (name, app) = (try fields.required("packageName"), try fields.appID())
        visitor.note("package.uninstall", name)
        try visitor.require(.installPackage(catalog.role))
        var installed = try await door.installed()
        if let app {
            installed = installed.filter { $0.id == app }
            guard !installed.isEmpty else { throw CatalogProblem.notInstalled(name, as: app) }
        }
        installed = installed.filter { $0.package == name }
        guard !installed.isEmpty else { throw CatalogProblem.notInstalled(name) }
        if installed.count > 1, try fields.flag("all") != true {
            throw CatalogProblem.ambiguous(name, installed.map(\.id))
        }
        var results: [JSON] = []
        for service in installed {
            try await door.remove(service.id)
            if let framework = service.labels[CatalogService.frameworkLabel] {
                try await endFramework(framework, of: service)
            }
            var result = JSONObject(["packageName": .text(name), "appId": .text(service.id)])
            if let version = service.version { result["packageVersion"] = .text(version) }
            if let notes = service.definition?.postUninstallNotes { result["postUninstallNotes"] = .text(notes) }
            results.append(.object(result))
        }
        return JSONObject(["results": .list(results)])
    }

    /// The framework that a package's service was is told to the master as ended, so that its tasks end, too.
    private func endFramework(_ name: String, of service: ServiceDoor.Installed) async throws {
        let ids = try await catalog.frameworks.named(name)
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
        for id in ids { try await catalog.frameworks.end(id, visitor) }
    }

    // MARK: what is installed, one by one

    private func service(_ fields: CosmosFields) async throws -> ServiceDoor.Installed {
        let id = try fields.appID()
        guard let id else { throw CatalogProblem.undecodable("ServiceRequest", "/appId is missing") }
        guard let service = try await door.installed().first(where: { $0.id == id }) else {
            throw CatalogProblem.noService(id)
        }
        return service
    }

    /// The package as it was installed; where its label cannot be read, as the catalog has it.
    private func package(of service: ServiceDoor.Installed) throws(CatalogProblem) -> PackageDefinition {
        if let definition = service.definition { return definition }
        return try catalog.find(service.package, service.version).package
    }

    func describeService(_ fields: CosmosFields) async throws -> JSONObject {
        let service = try await service(fields)
        let package = try package(of: service)
        var answer = JSONObject([
            "package": .object(package.json),
            "upgradesTo": .list(catalog.shelf.upgrades(of: package.name, from: package.version).map(JSON.text)),
            "downgradesTo": .list(catalog.shelf.downgrades(of: package).map(JSON.text)),
        ])
        if let options = service.options {
            answer["resolvedOptions"] = .object((try? package.options(with: options)) ?? options)
            answer["userProvidedOptions"] = .object(options)
        }
        return answer
    }

    func updateService(_ fields: CosmosFields) async throws -> JSONObject {
        let service = try await service(fields)
        visitor.note("package.update", service.id)
        try visitor.require(.installPackage(catalog.role))
        let present = try package(of: service)
        let found = try target(of: try fields.text("packageVersion"), present, service)
        let given = try fields.object("options")
        var options = given ?? JSONObject()
        if try fields.flag("replace") != true {
            guard let stored = service.options else { throw CatalogProblem.optionsNotStored }
            options = stored.merging(options)
        }
        let app = try app(found, options: options)
        let id = app["id"]?.text.map { $0.hasPrefix("/") ? $0 : "/" + $0 }
        // Where somebody gave the service another name than its package does, it stays.
        var kept = app
        if id != service.id {
            guard try isRenamed(service, present) else {
                throw CatalogProblem.changedID(id ?? "", service.id)
            }
            kept["id"] = .text(service.id)
        }
        let deployment = try await door.replace(service.id, by: kept)
        let resolved = (try? found.package.options(with: options)) ?? options
        return JSONObject([
            "package": .object(found.package.json), "resolvedOptions": .object(resolved),
            "marathonDeploymentId": .text(deployment),
        ])
    }

    /// Whether the service has another id than its package and its options give it.
    private func isRenamed(_ service: ServiceDoor.Installed, _ package: PackageDefinition) throws -> Bool {
        guard let app = try? package.app(with: service.options ?? JSONObject()), let id = app["id"]?.text else {
            return true
        }
        return (id.hasPrefix("/") ? id : "/" + id) != service.id
    }

    /// What the service shall be an installation of.
    private func target(
        of version: String?, _ present: PackageDefinition, _ service: ServiceDoor.Installed
    ) throws(CatalogProblem) -> PackageCatalog.Found {
        let source = service.labels[PackageLabels.source] ?? ""
        guard let version, version != present.version else {
            return PackageCatalog.Found(package: present, source: source)
        }
        let shelf = catalog.shelf
        do throws(CatalogError) { return try shelf.update(present, to: version) } catch {
            guard case .updateNotAllowed = error else { return try catalog.find(present.name, version) }
            let valid =
                shelf.upgrades(of: present.name, from: present.version) + shelf.downgrades(of: present)
            throw .badUpdate(from: present.version, to: version, valid: valid)
        }
    }
}
