internal import CatalogService
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import JobsFramework
internal import ServicesFramework

/// What a path of the master's port leads to.
///
/// Mesos' paths exist with and without `/mesos` and `/master` in front, its documents with and without `.json`; double
/// and trailing slashes are gone already (``RequestTarget``).
enum Route: Hashable, Sendable {
    case scheduler
    case agent
    case agentStream(String)
    case operatorCalls
    case document(Document)
    case file(FileAction)
    case teardown
    case redirect
    /// A request for an agent's own routes; `target` is what the agent gets, query included.
    case agentProxy(AgentID, target: String)
    case prometheus
    /// `/`, which leads to the console.
    case root
    case rondo([String])
    /// `pong`.
    case ping
    /// The release of DC/OS that its command line is to expect.
    case dcosVersion
    /// What the command line of DC/OS looks at to see whether it has to log in.
    case buildInfo
    /// Which cluster this is, for the command line of DC/OS.
    case metadata
    /// Which of DC/OS' services there are, for its command line.
    case capabilities
    case loginProviders
    case login
    /// The console's pages.
    case console(ConsoleRoute)
    case clusterCertificate
    /// Users in DC/OS' shapes: all of them, or one.
    case dcosUsers(String?)
    /// A secret of a store by its path, or the list of those below.
    case secret(store: String, path: String, lists: Bool)
    /// Whether a store of secrets is ready.
    case sealStatus(String)
    /// Metronome's interface.
    case jobs([String])
    /// Mesos-DNS' interface.
    case names([String])
    /// Marathon's interface.
    case services([String])
    /// Cosmos' interface.
    case cosmos([String])
    /// DC/OS' metrics of an agent; `target` is what the agent gets.
    case agentMetrics(AgentID, target: String)
    /// The health of nodes, as DC/OS' service has it.
    case nodeHealth([String])

    /// Mesos' read endpoints.
    enum Document: String, Hashable, Sendable {
        case state, frameworks, roles, tasks, version, health, flags
        case stateSummary = "state-summary"
        case agents = "slaves"
        case metrics = "metrics/snapshot"
    }

    enum FileAction: String, Hashable, Sendable {
        case read, browse, download
    }

    /// Where a path leads; nil when it leads nowhere.
    init?(_ target: RequestTarget) {
        var segments = target.segments[...]
        if segments.first == "rondo" {
            guard segments.dropFirst().first == "v1" else { return nil }
            self = .rondo(Array(segments.dropFirst(2)))
            return
        }
        if segments.first == "ui" {
            guard let route = ConsoleRoute(Array(segments.dropFirst())) else { return nil }
            self = .console(route)
            return
        }
        if segments.starts(with: ["service", "metronome"]) {
            self = .jobs(Array(segments.dropFirst(2)))
            return
        }
        if segments.first == "mesos_dns" {
            self = .names(Array(segments.dropFirst()))
            return
        }
        if let path = Self.marathon(target.segments) {
            self = .services(path)
            return
        }
        if CatalogService.serves(target.segments) {
            self = .cosmos(target.segments)
            return
        }
        if segments.starts(with: ["system", "v1", "agent"]) {
            guard segments.count > 6, segments[4] == "metrics", segments[5] == "v0" else { return nil }
            self = .agentMetrics(AgentID(segments[3]), target: Self.rest(of: target, after: 4))
            return
        }
        if segments.starts(with: ["system", "health", "v1", "nodes"]) {
            self = .nodeHealth(Array(segments.dropFirst(4)))
            return
        }
        if let route = Self.secrets(target) ?? Self.dcos(target.segments) {
            self = route
            return
        }
        if segments.first == "mesos" { segments = segments.dropFirst() }
        if segments.first == "agent" || segments.first == "slave" {
            guard let id = segments.dropFirst().first else { return nil }
            let consumed = target.segments.count - segments.count + 2
            self = .agentProxy(AgentID(id), target: Self.rest(of: target, after: consumed))
            return
        }
        if segments.first == "master" { segments = segments.dropFirst() }
        guard let route = Self.plain(Array(segments), isRoot: target.segments.isEmpty) else { return nil }
        self = route
    }

    private static func plain(_ segments: [String], isRoot: Bool) -> Route? {
        switch segments {
        case []: return isRoot ? .root : nil
        case ["api", "v1"], ["api", "v1", "operator"]: return .operatorCalls
        case ["api", "v1", "scheduler"]: return .scheduler
        case ["api", "v1", "agent"]: return .agent
        case ["teardown"]: return .teardown
        case ["redirect"]: return .redirect
        case ["metrics"]: return .prometheus
        default: break
        }
        if segments.count == 5, Array(segments.prefix(4)) == ["api", "v1", "agent", "streams"] {
            return .agentStream(segments[4])
        }
        let name = withoutSuffix(segments.joined(separator: "/"))
        if let document = Document(rawValue: name) { return .document(document) }
        if segments.count == 2, segments[0] == "files", let action = FileAction(rawValue: withoutSuffix(segments[1])) {
            return .file(action)
        }
        return nil
    }

    /// The paths of DC/OS' front end, which are nobody else's.
    private static func dcos(_ segments: [String]) -> Route? {
        switch segments {
        case ["ping"]: return .ping
        case ["dcos-metadata", "dcos-version.json"]: return .dcosVersion
        case ["pkgpanda", "active.buildinfo.full.json"]: return .buildInfo
        case ["metadata"]: return .metadata
        case ["capabilities"]: return .capabilities
        case ["ca", "dcos-ca.crt"]: return .clusterCertificate
        case ["acs", "api", "v1", "auth", "providers"]: return .loginProviders
        case ["acs", "api", "v1", "auth", "login"]: return .login
        case ["acs", "api", "v1", "users"]: return .dcosUsers(nil)
        default: break
        }
        if segments.count == 5, Array(segments.prefix(4)) == ["acs", "api", "v1", "users"] {
            return .dcosUsers(segments[4])
        }
        return nil
    }

    /// Marathon's interface stands where DC/OS has it, and where Marathon by itself would have it.
    private static func marathon(_ segments: [String]) -> [String]? {
        if segments.starts(with: ["service", "marathon"]) { return Array(segments.dropFirst(2)) }
        if segments.first == "marathon" { return Array(segments.dropFirst()) }
        return segments.first == "v2" ? segments : nil
    }

    private static func secrets(_ target: RequestTarget) -> Route? {
        let segments = target.segments
        guard segments.count >= 4, segments[0] == "secrets", segments[1] == "v1" else { return nil }
        if segments[2] == "seal-status" { return segments.count == 4 ? .sealStatus(segments[3]) : nil }
        guard segments[2] == "secret" else { return nil }
        return .secret(
            store: segments[3], path: segments.dropFirst(4).joined(separator: "/"),
            lists: target.query["list"] == "true")
    }

    private static func withoutSuffix(_ name: String) -> String {
        name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    }

    /// The target as it was sent, without its first segments.
    private static func rest(of target: RequestTarget, after count: Int) -> String {
        var seen = 0
        var index = target.raw.startIndex
        let end = target.raw.firstIndex(of: "?") ?? target.raw.endIndex
        while index < end {
            let next = target.raw.index(after: index)
            let isStart = target.raw[index] == "/" && next < end && target.raw[next] != "/"
            if isStart, seen == count { return String(target.raw[index...]) }
            if isStart { seen += 1 }
            index = next
        }
        return "/" + target.raw[end...]
    }

    /// Whether it leads to an agent's calls about containers.
    var isContainerCalls: Bool {
        guard case .agentProxy(_, let target) = self, let path = try? RequestTarget(parsing: target).segments else {
            return false
        }
        return path == ["api", "v1"] || path == ["slave(1)", "api", "v1"] || path == ["slave", "api", "v1"]
    }

    /// The methods that it answers; HEAD goes with GET.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .scheduler, .agent, .agentStream, .operatorCalls, .teardown, .cosmos: [.post]
        case .document, .file, .prometheus, .root, .ping, .dcosVersion, .buildInfo, .loginProviders,
            .clusterCertificate, .names, .metadata, .capabilities, .agentMetrics, .nodeHealth:
            [.get, .head]
        case .login: [.post]
        case .dcosUsers(let name): name == nil ? [.get, .head] : [.get, .head, .put, .patch, .delete]
        case .secret(_, _, let lists): lists ? [.get, .head] : [.get, .head, .put, .patch, .delete]
        case .sealStatus: [.get, .head]
        case .redirect: [.get, .head, .post]
        case .agentProxy: [.get, .head, .post, .put, .delete]
        case .jobs(let path): JobsFramework.methods(of: path) ?? [.get]
        case .services(let path): ServicesFramework.methods(of: path) ?? [.get]
        case .rondo(let path): RondoRoute(path)?.methods ?? [.get]
        case .console(let route): route.methods
        }
    }
}

/// What a path below `/rondo/v1` leads to.
enum RondoRoute: Hashable, Sendable {
    case cluster
    case health
    case tasks
    case task([String])
    case killTask(TaskKey)
    case nodes
    case node(AgentID)
    case frameworks
    case framework(FrameworkID)
    case teardown(FrameworkID)
    case roles
    case why(String)
    case join
    case certificate
    case keys
    case rotateKeys
    case leave
    case members
    case evict(String)
    case tokens
    case token(String)
    case users
    case user(String)
    case userTokens(String)
    case userToken(String, id: String)
    case audit
    case names
    case catalog
    case refreshCatalog
    /// All that repositories have, for archives.
    case catalogPackages
    case catalogArchives
    case catalogImages
    /// The cluster's images, as a registry has them.
    case registry([String])

    init?(_ path: [String]) {
        switch (path.first, path.count) {
        case ("cluster", 1): self = .cluster
        case ("health", 1): self = .health
        case ("tasks", 1): self = .tasks
        case ("tasks", 2), ("tasks", 3): self = .task(Array(path.dropFirst()))
        case ("tasks", 4) where path[3] == "kill":
            self = .killTask(TaskKey(framework: FrameworkID(path[1]), task: TaskID(path[2])))
        case ("nodes", 1): self = .nodes
        case ("nodes", 2): self = .node(AgentID(path[1]))
        case ("frameworks", 1): self = .frameworks
        case ("frameworks", 2): self = .framework(FrameworkID(path[1]))
        case ("frameworks", 3) where path[2] == "teardown": self = .teardown(FrameworkID(path[1]))
        case ("roles", 1): self = .roles
        case ("why", 2): self = .why(path[1])
        case ("why", 3): self = .why(path[1] + "/" + path[2])
        case ("join", 1): self = .join
        case ("certificate", 1): self = .certificate
        case ("keys", 1): self = .keys
        case ("keys", 2) where path[1] == "rotate": self = .rotateKeys
        case ("leave", 1): self = .leave
        case ("members", 1): self = .members
        case ("members", 3) where path[2] == "evict": self = .evict(path[1])
        case ("tokens", 1): self = .tokens
        case ("tokens", 2): self = .token(path[1])
        case ("users", 1): self = .users
        case ("users", 2): self = .user(path[1])
        case ("users", 3) where path[2] == "tokens": self = .userTokens(path[1])
        case ("users", 4) where path[2] == "tokens": self = .userToken(path[1], id: path[3])
        case ("audit", 1): self = .audit
        case ("names", 1): self = .names
        case ("catalog", 1): self = .catalog
        case ("catalog", 2) where path[1] == "refresh": self = .refreshCatalog
        case ("catalog", 2) where path[1] == "packages": self = .catalogPackages
        case ("catalog", 2) where path[1] == "archives": self = .catalogArchives
        case ("catalog", 2) where path[1] == "images": self = .catalogImages
        case ("registry", 2...): self = .registry(Array(path.dropFirst()))
        default: return nil
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .cluster, .health, .tasks, .task, .nodes, .node, .frameworks, .framework, .roles, .why, .audit, .keys,
            .members, .names, .catalog, .catalogPackages, .registry:
            [.get, .head]
        case .killTask, .teardown, .join, .certificate, .rotateKeys, .leave, .evict, .refreshCatalog, .catalogArchives:
            [.post]
        case .catalogImages: [.get, .head, .post, .delete]
        case .tokens, .users, .userTokens: [.get, .head, .post]
        case .token, .userToken: [.delete]
        case .user: [.get, .head, .patch, .delete]
        }
    }
}
