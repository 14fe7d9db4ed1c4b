internal import ClusterModel
internal import Deployments
internal import HTTPTypes

/// What a path of Marathon's interface leads to.
enum ServicesRoute: Hashable, Sendable {
    case ping
    case metrics
    case info
    case leader
    case plugins
    case events
    case apps
    /// All apps of a group and of the groups in it.
    case appsOf(ServiceID)
    case app(ServiceID)
    case restart(ServiceID)
    case versions(ServiceID)
    case version(ServiceID, String)
    case tasksOf(ServiceID)
    case taskOf(ServiceID, TaskID)
    case tasks
    case deleteTasks
    case deployments
    case deployment(DeploymentID)
    case queue
    case delay(ServiceID)
    case groups
    case group(ServiceID)
    case groupVersions(ServiceID)
    case groupVersion(ServiceID, String)
    case pods
    case podStatuses
    case pod(ServiceID)
    /// `status`, `versions`, `instances`, and what follows them.
    case podPart(ServiceID, String, String?)

    /// - Parameter path: the segments after `/service/marathon`.
    init?(_ path: [String]) {
        switch (path.first, path.count) {
        case ("ping", 1): self = .ping
        case ("metrics", 1): self = .metrics
        case ("v2", _):
            guard let route = Self.second(Array(path.dropFirst())) else { return nil }
            self = route
        default: return nil
        }
    }

    private static func second(_ path: [String]) -> ServicesRoute? {
        let rest = Array(path.dropFirst())
        switch (path.first, rest.count) {
        case ("info", 0): return .info
        case ("leader", 0): return .leader
        case ("plugins", 0): return .plugins
        case ("events", 0): return .events
        case ("apps", 0): return .apps
        case ("apps", _): return app(rest)
        case ("tasks", 0): return .tasks
        case ("tasks", 1): return rest[0] == "delete" ? .deleteTasks : nil
        case ("deployments", 0): return .deployments
        case ("deployments", 1): return .deployment(DeploymentID(rest[0]))
        case ("queue", 0): return .queue
        case ("queue", 2...): return rest.last == "delay" ? .delay(id(rest.dropLast())) : nil
        case ("groups", 0): return .groups
        case ("groups", _): return group(rest)
        case ("pods", 0): return .pods
        case ("pods", _): return pod(rest)
        default: return nil
        }
    }

    private static func id(_ path: some Sequence<String>) -> ServiceID {
        ServiceID("/" + path.joined(separator: "/"))
    }

    /// Names cannot end with the words that stand for parts of an app.
    private static func app(_ path: [String]) -> ServicesRoute {
        let count = path.count
        if path[count - 1] == "*" { return .appsOf(id(path.dropLast())) }
        if count >= 2 {
            switch path[count - 1] {
            case "restart": return .restart(id(path.dropLast()))
            case "versions": return .versions(id(path.dropLast()))
            case "tasks": return .tasksOf(id(path.dropLast()))
            default: break
            }
        }
        if count >= 3 {
            switch path[count - 2] {
            case "versions": return .version(id(path.dropLast(2)), path[count - 1])
            case "tasks": return .taskOf(id(path.dropLast(2)), TaskID(path[count - 1]))
            default: break
            }
        }
        return .app(id(path))
    }

    private static func group(_ path: [String]) -> ServicesRoute {
        let count = path.count
        if path[count - 1] == "versions" { return .groupVersions(id(path.dropLast())) }
        if count >= 2, path[count - 2] == "versions" { return .groupVersion(id(path.dropLast(2)), path[count - 1]) }
        return .group(id(path))
    }

    private static func pod(_ path: [String]) -> ServicesRoute {
        // `/v2/pods/::status`, `/v2/pods/a/b::instances/INSTANCE`.
        let text = path.joined(separator: "/")
        let pieces = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard pieces.count == 2, pieces[1].first == ":" else { return .pod(id(path)) }
        let parts = pieces[1].dropFirst().split(separator: "/", maxSplits: 1).map(String.init)
        guard let part = parts.first else { return .pod(id(path)) }
        if pieces[0].isEmpty { return .podStatuses }
        return .podPart(ServiceID("/" + pieces[0]), part, parts.count > 1 ? parts[1] : nil)
    }

    /// The methods that it answers; HEAD goes with GET.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .ping, .metrics, .info, .plugins, .events, .appsOf, .versions, .version, .tasks, .deployments, .queue,
            .groupVersions, .podStatuses:
            [.get, .head]
        // Marathon's client for Python rolls groups back so.
        case .groupVersion: [.get, .head, .put]
        case .leader: [.get, .head, .delete]
        case .apps: [.get, .head, .post, .put, .patch]
        case .app: [.get, .head, .put, .patch, .delete]
        case .restart, .deleteTasks: [.post]
        case .tasksOf: [.get, .head, .delete]
        case .taskOf, .deployment, .delay: [.delete]
        case .groups, .group: [.get, .head, .post, .put, .patch, .delete]
        case .pods: [.get, .head, .post]
        case .pod: [.get, .head, .put, .delete]
        case .podPart(_, let part, _): part == "instances" ? [.delete] : [.get, .head]
        }
    }
}
