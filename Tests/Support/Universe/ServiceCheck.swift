import Deployments
import FrameworkRuntime
import Packages

@testable import ServicesFramework

/// Holds the definition of a service against what Marathon's API takes.
enum ServiceCheck {
    /// What is wrong with it, each with its path; empty when it may be deployed.
    static func defects(in app: JSONObject) -> [String] {
        guard let value = JSONValue(parsing: JSON.object(app).bytes) else { return ["is not taken as JSON"] }
        var reader = FieldReader(value, at: "")
        var service = ServiceDefinition(id: .root)
        AppReading.read(&reader, over: &service, in: .root)
        let defects = reader.finished()
        guard defects.isEmpty else { return defects.map { "\($0.path): \($0.message)" } }
        let role = service.role ?? "*"
        return service.normalized(role: role).violations(ValidationRules(roles: ["*", role]))
            .map { "\($0.path): \($0.message)" }
    }
}
