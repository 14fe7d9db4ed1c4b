internal import Access
internal import Packages
internal import ServicesFramework

/// Packages that became services.
extension CosmosFacade {
    func install(_ fields: CosmosFields, _ version: Int) async throws -> JSONObject {
        let found = try found(fields)
        let package = found.package
        var answer = JSONObject([
            "packageName": .text(package.name), "packageVersion": .text(package.version),
        ])
        // Some packages are a command line only; there is nothing to run then.
        if package.template != nil || version == 1 {
            answer["appId"] = .text(
                try await catalog.install(
                    found, options: try fields.object("options"), id: try fields.appID(), visitor: visitor))
        } else {
            visitor.note("package.install", "\(package.name) \(package.version)")
            try visitor.require(.installPackage(catalog.role))
        }
        guard version > 1 else { return answer }
        if let notes = package.postInstallNotes { answer["postInstallNotes"] = .text(notes) }
        if let cli = package.resource?["cli"] { answer["cli"] = cli }
        return answer
    }

    func list(_ fields: CosmosFields) async throws -> JSONObject {
        let (name, app) = (try fields.text("packageName"), try fields.appID())
        let installed = try await catalog.installed().filter {
            (name == nil || $0.package == name) && (app == nil || $0.id == app)
        }
        let packages = installed.compactMap { service -> JSON? in
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
        var installed = try await catalog.installed()
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
            let lost = try await catalog.uninstall(service, visitor: visitor)
            var result = JSONObject(["packageName": .text(name), "appId": .text(service.id)])
            if let version = service.version { result["packageVersion"] = .text(version) }
            let notes = [service.definition?.postUninstallNotes, lost].compactMap { $0 }
            if !notes.isEmpty { result["postUninstallNotes"] = .text(notes.joined(separator: "\n")) }
            results.append(.object(result))
        }
        await catalog.tidyImages()
        return JSONObject(["results": .list(results)])
    }

    // MARK: what is installed, one by one

    private func service(_ fields: CosmosFields) async throws -> InstalledPackage {
        let id = try fields.appID()
        guard let id else { throw CatalogProblem.undecodable("ServiceRequest", "/appId is missing") }
        return try await catalog.installed(id)
    }

    func describeService(_ fields: CosmosFields) async throws -> JSONObject {
        let service = try await service(fields)
        let package = try catalog.definition(of: service)
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
        // Who may not is told so, whatever else is wrong.
        visitor.note("package.update", service.id)
        try visitor.require(.installPackage(catalog.role))
        var options = try fields.object("options") ?? JSONObject()
        if try fields.flag("replace") != true {
            guard let stored = service.options else { throw CatalogProblem.optionsNotStored }
            options = stored.merging(options)
        }
        let (package, deployment) = try await catalog.update(
            service, to: try fields.text("packageVersion"), options: options, visitor: visitor)
        let resolved = (try? package.options(with: options)) ?? options
        return JSONObject([
            "package": .object(package.json), "resolvedOptions": .object(resolved),
            "marathonDeploymentId": .text(deployment),
        ])
    }
}
