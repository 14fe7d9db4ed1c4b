internal import Access
internal import CatalogService
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import ImageStore
internal import JobsFramework
internal import Logging
internal import MasterCore
internal import ServicesFramework

/// The frameworks of this program that live on a master, from the master's start to its end.
struct BuiltInFrameworks: Sendable {
    let jobs: JobsFramework?
    let services: ServicesFramework?
    let catalog: CatalogService?
    private let work: [Task<Void, any Error>]
    /// Fetches repositories, and has nothing that must end well.
    private let fetching: Task<Void, any Error>?

    /// Starts them. `failed` is called when the process must end because a commit may or may not be on disk.
    init(on node: MasterNode, failed: @escaping @Sendable (String) -> Void) {
        jobs = node.settings.servesJobs ? Self.jobs(on: node) : nil
        services = node.settings.servesServices ? Self.services(on: node) : nil
        var work: [Task<Void, any Error>] = []
        if let jobs { work.append(Self.work(failed) { () throws(FrameworkFailure) in try await jobs.run() }) }
        if let services { work.append(Self.work(failed) { () throws(FrameworkFailure) in try await services.run() }) }
        self.work = work
        let catalog = services.flatMap { Self.catalog(on: node, $0) }
        self.catalog = catalog
        let logger = node.logger
        fetching = catalog.map { catalog in
            Task.detached {
                do { try await catalog.run() } catch is CancellationError {} catch {
                    logger.error("the catalog of packages cannot be read: \(error)")
                }
            }
        }
    }

    private static func work(
        _ failed: @escaping @Sendable (String) -> Void,
        _ run: @escaping @Sendable () async throws(FrameworkFailure) -> Void
    ) -> Task<Void, any Error> {
        Task.detached {
            do throws(FrameworkFailure) { try await run() } catch {
                failed(error.description)
                throw error
            }
        }
    }

    private static func clock(of node: MasterNode) -> FrameworkClock {
        let clock = node.clock
        return FrameworkClock(now: { clock.now() }, sleep: { try await clock.sleep(until: $0) })
    }

    private static func jobs(on node: MasterNode) -> JobsFramework {
        var generator = SystemRandomNumberGenerator()
        let settings = JobsFramework.Settings(
            user: node.settings.builtInUser, address: node.master.authority,
            version: node.settings.version, seed: generator.next(),
            newID: { FrameworkID("rondo-jobs-" + RandomName.uuid()) })
        return JobsFramework(
            settings, store: node.store, connector: LocalScheduler(node: node), clock: clock(of: node),
            logger: node.logger)
    }

    private static func services(on node: MasterNode) -> ServicesFramework {
        var settings = ServicesFramework.Settings(
            user: node.settings.builtInUser, master: node.master, version: node.settings.version,
            abilities: [.images, .networks, .healthChecks, .terminals],
            newSeed: {
                var generator = SystemRandomNumberGenerator()
                return (generator.next(), generator.next())
            },
            newID: { FrameworkID("rondo-services-" + RandomName.uuid()) })
        settings.drain = node.settings.serviceDrain
        return ServicesFramework(
            settings, store: node.store, connector: LocalScheduler(node: node), clock: clock(of: node),
            logger: node.logger)
    }

    /// Packages become services, and what they were as frameworks ends with them.
    private static func catalog(on node: MasterNode, _ services: ServicesFramework) -> CatalogService? {
        guard let directory = node.settings.catalogDirectory else { return nil }
        var settings = CatalogService.Settings(
            directory: directory, release: LoginFacade.dcosVersion, builtIn: node.settings.builtInCatalog)
        settings.credentials = { [unowned node] registry in
            guard let value = try? await node.secrets?.value(RegistryLogin.path(of: registry)) else { return nil }
            return try? RegistryCredentials(value.bytes, name: "")
        }
        let frameworks = CatalogService.Frameworks(
            named: { [unowned node] name in
                try await node.snapshot().frameworks.values.filter { $0.info.name == name }.map(\.id.value).sorted()
            },
            end: { [unowned node] id, visitor in
                guard let visitor = visitor as? Visitor else { return }
                try await FrameworkAccess(node: node, visitor: visitor).mayTearDown(FrameworkID(id))
                _ = try await node.ask { .command($0, .teardown(FrameworkID(id))) }
            })
        let clock = node.clock
        return CatalogService(
            settings, store: node.store, services: services, frameworks: frameworks, now: { clock.now().wall },
            logger: node.logger)
    }

    func stop() async {
        jobs?.stop()
        services?.stop()
        fetching?.cancel()
        for task in work + (fetching.map { [$0] } ?? []) { _ = await task.result }
    }
}

extension MasterNode {
    /// `/service/metronome/…`.
    func jobs(
        _ path: [String], _ request: GatewayRequest, _ visitor: Visitor
    ) async throws -> GatewayResponse {
        guard let jobs = builtIns?.jobs else {
            throw GatewayError(.notFound, "this master has no jobs; they are served where `frameworks.jobs` is on")
        }
        return try await jobs.respond(to: request, path: path, visitor: visitor)
    }

    /// `/service/marathon/…`.
    func services(
        _ path: [String], _ request: GatewayRequest, _ visitor: Visitor
    ) async throws -> GatewayResponse {
        guard let services = builtIns?.services else {
            throw GatewayError(
                .notFound, "this master has no services; they are served where `frameworks.services` is on")
        }
        return try await services.respond(to: request, path: path, visitor: visitor)
    }
}

extension MasterNode {
    /// The catalog of packages.
    func catalog() throws -> CatalogService {
        guard let catalog = builtIns?.catalog else {
            throw GatewayError(
                .notFound, "this master has no catalog; packages are served where `frameworks.services` is on")
        }
        return catalog
    }
}

extension Visitor: JobsVisitor, ServicesVisitor {
    func note(_ action: String, _ object: String) { noteChange(action, object) }
}
