internal import ClusterModel
internal import Deployments
internal import FoundationEssentials
internal import FrameworkRuntime
internal import ServicesCore
internal import StateStore

/// How services are stored, and under which keys.
///
/// ```
/// /rondo/service-framework                    the id under which the framework is subscribed
/// /rondo/service-definitions/<path>@<version> an app or a pod in Marathon's JSON
/// /rondo/services/<path>                      ServiceRecord
/// /rondo/service-groups/<path>                GroupRecord
/// /rondo/service-deployments/<id>             DeploymentRecord, while it runs
/// /rondo/service-instances/<id>               InstanceRecord, while it is there
/// ```
/// Every value is JSON, `{"format": 1, "value": …}`. Older formats stay readable, newer ones are refused. Definitions
/// are in the form in which they are shown, because that one has to stay readable for ever.
enum ServicesStore {
    static let format = 1
    private static let framework = "/rondo/service-framework"
    private static let definitions = "/rondo/service-definitions"
    private static let services = "/rondo/services"
    private static let groups = "/rondo/service-groups"
    private static let deployments = "/rondo/service-deployments/"
    private static let instances = "/rondo/service-instances/"

    private struct Stored<Value: Codable>: Codable {
        var format: Int
        var value: Value
    }

    /// Why what is stored cannot be read.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    static func operation(_ change: ServicesChange) throws -> StoreTransaction.Operation {
        switch change {
        case .putFramework(let id): .put(key: framework, value: try encode(id))
        case .removeFramework: .delete(key: framework)
        case .putDefinition(let workload): .put(key: key(workload.id, workload.version), value: definition(workload))
        case .removeDefinition(let id, let version): .delete(key: key(id, version))
        case .putService(let record): .put(key: services + record.id.path, value: try encode(record))
        case .removeService(let id): .delete(key: services + id.path)
        case .putGroup(let record): .put(key: groups + record.id.path, value: try encode(record))
        case .removeGroup(let id): .delete(key: groups + id.path)
        case .putDeployment(let record): .put(key: deployments + record.id.value, value: try encode(record))
        case .removeDeployment(let id): .delete(key: deployments + id.value)
        case .putInstance(let record): .put(key: instances + record.id.value, value: try encode(record))
        case .removeInstance(let id): .delete(key: instances + id.value)
        }
    }

    static func load(_ store: any StateStore) async throws -> ServicesRegistry {
        var registry = ServicesRegistry()
        if let entry = try await store.get(framework) { registry.framework = try decode(entry) as FrameworkID }
        for entry in try await all(definitions + "/", store) { registry.apply(.putDefinition(try workload(entry))) }
        for entry in try await all(services + "/", store) { registry.apply(.putService(try decode(entry))) }
        for entry in try await all(groups + "/", store) { registry.apply(.putGroup(try decode(entry))) }
        for entry in try await all(deployments, store) { registry.apply(.putDeployment(try decode(entry))) }
        for entry in try await all(instances, store) { registry.apply(.putInstance(try decode(entry))) }
        return registry
    }

    private static func key(_ id: ServiceID, _ version: ServiceVersion) -> String {
        "\(definitions)\(id.path)@\(version.nanoseconds / 1_000_000)"
    }

    private static func all(_ prefix: String, _ store: any StateStore) async throws -> [StoreEntry] {
        var entries: [StoreEntry] = []
        while true {
            let page = try await store.range(prefix: prefix, limit: 1_000, startAfter: entries.last?.key)
            entries += page.entries
            if !page.more || page.entries.isEmpty { return entries }
        }
    }

    // MARK: definitions

    static func definition(_ workload: Workload) -> [UInt8] {
        var text = JSONText()
        text.object { json in
            json.field("format", format)
            json.object("value") { json in
                switch workload {
                case .service(let app): json.object("app") { $0.app(app, isComplete: false) }
                case .pod(let pod): json.object("pod") { $0.storedPod(pod) }
                }
            }
        }
        return text.bytes
    }

    private static func workload(_ entry: StoreEntry) throws -> Workload {
        guard let document = JSONValue(parsing: entry.value) else {
            throw Unreadable(description: "\(entry.key) is not JSON")
        }
        var reader = FieldReader(document, at: "")
        try check(reader.integer("format") ?? 0, entry)
        var found: Workload?
        _ = reader.one("value") { reader -> Bool? in
            found = reader.one("app") { reader in
                var app = ServiceDefinition(id: .root)
                AppReading.read(&reader, over: &app, in: .root)
                return .service(app)
            }
            let pod = reader.one("pod") { reader -> Workload? in
                var pod = PodDefinition(id: .root)
                PodReading.read(&reader, over: &pod, in: .root)
                return .pod(pod)
            }
            found = found ?? pod
            return true
        }
        let defects = reader.finished()
        guard let found, defects.isEmpty else {
            let why = defects.prefix(3).map { "\($0.path) \($0.message)" }.joined(separator: "; ")
            throw Unreadable(description: "\(entry.key) cannot be read: \(why)")
        }
        return found
    }

    private static func check(_ found: Int, _ entry: StoreEntry) throws {
        guard found <= format else {
            throw Unreadable(
                description: "\(entry.key) has format \(found), which a newer release wrote; this one reads \(format)")
        }
    }

    // MARK: records

    private static func encode(_ value: some Codable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(Stored(format: format, value: value)))
    }

    private struct FormatOnly: Decodable {
        var format: Int
    }

    private static func decode<Value: Codable>(_ entry: StoreEntry) throws -> Value {
        let decoder = JSONDecoder()
        let data = Data(entry.value)
        do {
            try check(try decoder.decode(FormatOnly.self, from: data).format, entry)
            return try decoder.decode(Stored<Value>.self, from: data).value
        } catch let error as Unreadable {
            throw error
        } catch {
            throw Unreadable(description: "\(entry.key) cannot be read: \(error)")
        }
    }
}
