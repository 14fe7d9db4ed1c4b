import Deployments
import FrameworkRuntime
import Packages

@testable import ServicesFramework

/// Holds the definition of a service against what Marathon's API takes.
enum ServiceCheck {
    /// What is wrong with it, each with its path.
    struct Finding {
        /// What keeps it from being deployed; empty when it may be.
        var defects: [String] = []
        /// Fields that no release of Marathon knows. Marathon lets them pass, and so packages have them.
        var strange: [String] = []
    }

    private static let isStrange = "Additional properties are not allowed."

    static func look(at app: JSONObject) -> Finding {
        guard let value = JSONValue(parsing: JSON.object(app).bytes) else {
            return Finding(defects: ["is not taken as JSON"])
        }
        var reader = FieldReader(value, at: "")
        var service = ServiceDefinition(id: .root)
        AppReading.read(&reader, over: &service, in: .root)
        var finding = Finding()
        for defect in reader.finished() {
            if defect.message == isStrange {
                finding.strange.append(defect.path)
            } else {
                finding.defects.append("\(defect.path): \(defect.message)")
            }
        }
        guard finding.defects.isEmpty else { return finding }
        let role = service.role ?? "*"
        let violations = service.normalized(role: role).violations(ValidationRules(roles: ["*", role]))
        finding.defects = violations.map { "\($0.path): \($0.message)" }
        return finding
    }
}
