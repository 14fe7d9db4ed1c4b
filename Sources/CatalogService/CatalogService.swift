public import ClusterModel
internal import FrameworkRuntime
public import ImageStore
public import Logging
public import Packages
public import ServicesFramework
public import StateStore
internal import Synchronization
public import Transport

/// The catalog: packages in Universe's format from several repositories, which become services; by the interface of
/// Cosmos.
///
/// ```
///  HTTP ─► CosmosFacade ─► PackageCatalog (pure) ─► ServiceDoor ─► ServicesFramework
///                              ▲
///          repositories ───────┘   built in, folders, web servers, registries
/// ```
/// A package is text: schema, template, texts for people. Nothing of it is executed here. What is installed is a service
/// with labels that say which package it is, so the catalog keeps nothing about installations. It stores the list of
/// repositories, and keeps the last good document of each on disk: a repository that is gone, or has become something
/// else, takes nothing away. Images that came in archives are kept beside them and served to the cluster's nodes.
public final class CatalogService: Sendable {
    /// What the catalog is told when it starts.
    public struct Settings: Sendable {
        /// Where documents of repositories are kept.
        public var directory: String
        /// The release of DC/OS that packages may ask for.
        public var release: String
        /// The document of the repository that this program brings along.
        public var builtIn: @Sendable () -> [UInt8]
        /// How web servers and registries are spoken to.
        public var registry = RegistrySettings()
        /// Who to be at a registry that asks; nil where nobody is known.
        public var credentials: @Sendable (_ registry: String) async -> RegistryCredentials? = { _ in nil }
        /// How often repositories are fetched again.
        public var interval: Duration = .seconds(6 * 3_600)
        /// The role of the services.
        public var role = RoleName.everyone

        /// Settings of a catalog.
        public init(directory: String, release: String, builtIn: @escaping @Sendable () -> [UInt8]) {
            self.directory = directory
            self.release = release
            self.builtIn = builtIn
        }
    }

    /// What the catalog asks of the master about frameworks that packages were.
    public struct Frameworks: Sendable {
        /// The ids of the frameworks of a name that are not over.
        public var named: @Sendable (String) async throws -> [String]
        /// Ends a framework with all its tasks, for a visitor who may.
        public var end: @Sendable (String, any ServicesVisitor) async throws -> Void

        /// Ways to frameworks.
        public init(
            named: @escaping @Sendable (String) async throws -> [String],
            end: @escaping @Sendable (String, any ServicesVisitor) async throws -> Void
        ) {
            self.named = named
            self.end = end
        }
    }

    let settings: Settings
    let services: ServicesFramework
    let frameworks: Frameworks
    let desk: RepositoryDesk
    let images: ClusterImages
    let logger: Logger

    /// A catalog that has nothing yet; ``run()`` fills it.
    ///
    /// - Parameters:
    ///   - settings: what it is told.
    ///   - store: where the list of repositories is.
    ///   - services: what packages are installed by.
    ///   - frameworks: what packages may have been.
    ///   - now: the wall clock.
    ///   - transport: the transport for fetching; by default one is made for each time.
    ///   - logger: gets what operators should know.
    public init(
        _ settings: Settings, store: any StateStore, services: ServicesFramework, frameworks: Frameworks,
        now: @escaping @Sendable () -> UnixTime, transport: Transport? = nil, logger: Logger
    ) {
        self.settings = settings
        self.services = services
        self.frameworks = frameworks
        self.logger = logger
        images = ClusterImages(directory: settings.directory + "/images", logger: logger)
        let fetcher = RepositoryFetcher(
            builtIn: settings.builtIn, settings: settings.registry, credentials: settings.credentials,
            transport: transport)
        desk = RepositoryDesk(
            store: store, shelf: DocumentShelf(directory: settings.directory), fetcher: fetcher,
            release: ReleaseNumber(settings.release), now: now, logger: logger)
    }

    /// Reads what is stored, and fetches repositories from time to time, until the task is cancelled.
    public func run() async throws {
        try await desk.load()
        await images.open(repositories: Set(desk.repositories.map(\.record.name)))
        while true {
            try await Task.sleep(for: settings.interval)
            await desk.refresh()
            await tidyImages()
        }
    }

    /// The role of the services that packages become.
    public var role: RoleName { settings.role }
    /// The label of a service whose framework ends with it.
    static let frameworkLabel = "DCOS_PACKAGE_FRAMEWORK_NAME"

    /// All packages of all repositories, as they are now.
    public var shelf: PackageCatalog { desk.catalog }
}
