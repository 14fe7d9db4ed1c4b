/// What a path of Cosmos' interface leads to.
enum CosmosRoute: Hashable, Sendable, CaseIterable {
    case search, describe, listVersions, render, install, list, uninstall
    case repositories, addRepository, deleteRepository
    case describeService, updateService

    /// The segments of its path.
    var path: [String] {
        switch self {
        case .search: ["package", "search"]
        case .describe: ["package", "describe"]
        case .listVersions: ["package", "list-versions"]
        case .render: ["package", "render"]
        case .install: ["package", "install"]
        case .list: ["package", "list"]
        case .uninstall: ["package", "uninstall"]
        case .repositories: ["package", "repository", "list"]
        case .addRepository: ["package", "repository", "add"]
        case .deleteRepository: ["package", "repository", "delete"]
        case .describeService: ["cosmos", "service", "describe"]
        case .updateService: ["cosmos", "service", "update"]
        }
    }

    /// Nil when a path leads nowhere. Services are below `/cosmos/service`, as at DC/OS' front end; `/service` belongs to
    /// the frameworks.
    init?(_ path: [String]) {
        guard let route = Self.allCases.first(where: { $0.path == path }) else { return nil }
        self = route
    }

    /// How its media types are called.
    private var name: String {
        switch self {
        case .repositories: "package.repository.list"
        case .addRepository: "package.repository.add"
        case .deleteRepository: "package.repository.delete"
        case .describeService: "service.describe"
        case .updateService: "service.update"
        default: "package." + (path.last ?? "")
        }
    }

    /// What a request must be.
    var request: CosmosMedia { CosmosMedia(name + "-request") }

    /// What an answer can be, the one that a client gets without a wish first.
    var responses: [CosmosMedia] {
        let name = name + "-response"
        return switch self {
        case .describe: [CosmosMedia(name, 3), CosmosMedia(name, 2)]
        case .install: [CosmosMedia(name, 2), CosmosMedia(name, 1)]
        default: [CosmosMedia(name)]
        }
    }

    /// Whether it changes anything.
    var isChange: Bool {
        switch self {
        case .install, .uninstall, .addRepository, .deleteRepository, .updateService: true
        default: false
        }
    }
}
