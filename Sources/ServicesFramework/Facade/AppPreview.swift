public import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import ServicesCore

/// What making an app would take, told before it is made.
public struct AppPreview: Sendable {
    /// Its path, such as `/shop/db`; nil when the definition has none.
    public var id: String?
    /// What is wrong with its definition, each with its place; empty when nothing is.
    public var defects: [String]
    /// The rights that making it takes.
    public var rights: [Action]
}

extension ServicesFramework {
    /// Looks at an app's definition as if it were to be made. Nothing is made or stored.
    ///
    /// - Parameter definition: JSON as `POST /v2/apps` takes it.
    /// - Returns: what is wrong with it and what it takes.
    public func preview(_ definition: [UInt8]) -> AppPreview {
        guard let json = JSONValue(parsing: definition) else {
            return AppPreview(id: nil, defects: ["/: is not JSON, or nested too deeply"], rights: [])
        }
        var reader = FieldReader(json, at: "")
        reader.require("id")
        var app = ServiceDefinition(id: .root)
        AppReading.read(&reader, over: &app, in: .root)
        let defects = reader.finished().map { "\($0.path): \($0.message)" }
        return AppPreview(
            id: app.id == .root ? nil : app.id.path, defects: defects,
            rights: defects.isEmpty ? rights(toRun: .service(app)) : [])
    }

    /// What somebody needs to run the same tasks by a framework of one's own.
    func rights(toRun workload: Workload) -> [Action] {
        var users: Set<String> = []
        var secrets: [String: String] = [:]
        var reachesHost = false
        switch workload {
        case .service(let app):
            users.insert(app.user ?? settings.user)
            secrets = app.secrets
            for case .secret(let name) in app.environment.values where secrets[name] == nil { secrets[name] = name }
            if let container = app.container {
                let mountsHost = container.volumes.contains {
                    if case .host(let path) = $0.source { path.hasPrefix("/") } else { false }
                }
                let parameters = container.image?.parameters ?? []
                let widens = parameters.contains {
                    ["cap-add", "device", "privileged"].contains($0.key)
                        || $0.key == "volume" && $0.value.hasPrefix("/")
                }
                reachesHost =
                    container.image?.isPrivileged == true || mountsHost
                    || widens || container.linux?.isSeccompUnconfined == true
            }
        case .pod(let pod):
            for container in pod.containers { users.insert(container.user ?? pod.user ?? settings.user) }
            secrets = pod.secrets
            reachesHost = pod.volumes.contains {
                if case .host(let path) = $0.source { path.hasPrefix("/") } else { false }
            }
        }
        if reachesHost { users.insert("root") }
        return [.registerFramework(settings.role)] + users.sorted().map { .runAs($0) }
            + Set(secrets.values).sorted().map { .secret(.read, path: $0) }
    }
}
