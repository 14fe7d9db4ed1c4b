internal import Access
internal import CatalogService
internal import ClusterModel
internal import HTTPTypes

/// What a route asks of its visitor before anything else.
enum Requirement: Hashable, Sendable {
    /// Nothing: it answers everybody.
    case open
    /// To be known; what more it takes depends on the body, and the facade asks for it.
    case known
    /// A right.
    case right(Action)
}

/// The one table of who may ask for what. It has no default case on purpose: a new route does not compile without a line
/// here.
extension Route {
    func requirement(_ method: HTTPRequest.Method) -> Requirement {
        let reads = method == .get || method == .head
        switch self {
        // Open: what clients need to find out where they are and to log in, and nothing else.
        case .document(.version), .ping, .dcosVersion, .loginProviders, .login, .clusterCertificate:
            return .open
        // The body says what it takes.
        case .scheduler, .operatorCalls, .teardown, .buildInfo, .metadata, .capabilities: return .known
        case .agent, .agentStream: return .right(.takePart(.agent))
        case .document, .prometheus, .root, .redirect, .names, .agentMetrics, .nodeHealth:
            return .right(.view(.state, of: nil))
        case .file: return .right(.view(.logs, of: nil))
        // The call names a container, and its task has a role.
        case .agentProxy where !reads && isContainerCalls: return .known
        case .agentProxy: return .right(reads ? .view(.files, of: nil) : .execute(nil))
        case .dcosUsers(let name): return Self.users(name, reads: reads)
        case .sealStatus: return .right(.view(.state, of: nil))
        // A list holds what its visitor may see.
        case .secret(_, _, lists: true): return .known
        case .secret(_, let path, lists: false): return .right(.secret(reads ? .read : .write, path: path))
        // What a change takes depends on the job or the app.
        case .cosmos(let path): return CatalogService.isChange(path) ? .known : .right(.view(.state, of: nil))
        case .jobs, .services: return reads ? .right(.view(.state, of: nil)) : .known
        case .rondo(let path): return RondoRoute(path)?.requirement(method) ?? .known
        case .console(let route): return route.requirement(method)
        }
    }

    /// Whether a request changes something, as far as its line says; for the others their facades know.
    func isChange(_ method: HTTPRequest.Method) -> Bool {
        switch self {
        case .scheduler, .agent, .agentStream, .operatorCalls, .redirect, .login: false
        case .cosmos(let path): CatalogService.isChange(path)
        case .console(.login), .console(.logout), .console(.theme): false
        // What is typed into a terminal; that it was started is written down.
        case .console(.task(let path)) where path.count == 5 && path[2] == "terminal": false
        default: method != .get && method != .head
        }
    }

    fileprivate static func users(_ name: String?, reads: Bool) -> Requirement {
        if let name, reads { return .right(.manageAccount(name)) }
        return .right(.manageUsers)
    }
}

extension ConsoleRoute {
    func requirement(_ method: HTTPRequest.Method) -> Requirement {
        let reads = method == .get || method == .head
        switch self {
        // What a browser needs before anybody has logged in.
        case .login, .asset: return .open
        case .logout, .theme: return .known
        case .audit: return .right(.readAudit)
        // Forms are calls of other interfaces, which ask for what they take.
        case .overview, .nodes, .node, .frameworks, .framework, .services, .service, .deployment, .tasks, .task, .jobs,
            .catalog, .membership, .events:
            return reads ? .right(.view(.state, of: nil)) : .known
        }
    }
}

extension RondoRoute {
    func requirement(_ method: HTTPRequest.Method) -> Requirement {
        let reads = method == .get || method == .head
        switch self {
        // Its token is its credential.
        case .join: return .open
        case .cluster, .health, .tasks, .task, .nodes, .node, .frameworks, .framework, .roles, .why, .catalog,
            .catalogPackages:
            return .right(.view(.state, of: nil))
        // What it takes depends on the task's or framework's role, or on the body.
        case .killTask, .teardown, .tokens, .token: return .known
        case .certificate, .keys, .leave, .names, .registry: return .right(.takePart(.agent))
        case .members: return .right(.view(.state, of: nil))
        case .rotateKeys: return .right(.manageKeys)
        case .refreshCatalog, .catalogArchives: return .right(.changeCatalog)
        case .catalogImages: return .right(reads ? .view(.state, of: nil) : .changeCatalog)
        case .evict(let id): return .right(.changeNode(.evict, id))
        case .users: return .right(.manageUsers)
        // Users may change their own password; the facade tells that from other changes.
        case .user(let name):
            return reads || method == .patch ? .right(.manageAccount(name)) : .right(.manageUsers)
        case .userTokens(let name), .userToken(let name, _): return .right(.manageAccount(name))
        case .audit: return .right(.readAudit)
        }
    }
}
