internal import HTTPTypes

/// What a path below `/ui` leads to.
enum ConsoleRoute: Hashable, Sendable {
    case overview
    case nodes
    case node(String)
    case frameworks
    case framework(String)
    case services
    /// A service by its path without the first slash, and what is done with it.
    case service(String, String?)
    /// A deployment that is to be cancelled.
    case deployment(String)
    case tasks
    /// `/ui/tasks/…`
    case task([String])
    /// `/ui/jobs…`
    case jobs([String])
    /// `/ui/catalog…`
    case catalog([String])
    /// `/ui/membership…`
    case membership([String])
    case audit
    case login
    case logout
    case theme
    case events
    case asset(hash: String, name: String)

    /// - Parameter path: the segments after `/ui`.
    init?(_ path: [String]) {
        let rest = Array(path.dropFirst())
        switch (path.first, rest.count) {
        case (nil, _): self = .overview
        case ("nodes", 0): self = .nodes
        case ("nodes", 1): self = .node(rest[0])
        case ("frameworks", 0): self = .frameworks
        case ("frameworks", 1): self = .framework(rest[0])
        case ("services", 0): self = .services
        case ("services", 1): self = .service(rest[0], nil)
        case ("services", 2): self = .service(rest[0], rest[1])
        case ("deployments", 1): self = .deployment(rest[0])
        case ("tasks", 0): self = .tasks
        case ("tasks", _): self = .task(rest)
        case ("jobs", _): self = .jobs(rest)
        case ("catalog", _): self = .catalog(rest)
        case ("membership", _): self = .membership(rest)
        case ("audit", 0): self = .audit
        case ("login", 0): self = .login
        case ("logout", 0): self = .logout
        case ("theme", 0): self = .theme
        case ("events", 0): self = .events
        case ("assets", 2): self = .asset(hash: rest[0], name: rest[1])
        default: return nil
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .overview, .nodes, .node, .frameworks, .framework, .services, .service(_, nil), .tasks, .audit, .events,
            .asset:
            [.get, .head]
        case .service, .deployment, .task, .jobs, .catalog, .membership, .login: [.get, .head, .post]
        case .logout, .theme: [.post]
        }
    }
}
