internal import Deployments
internal import FrameworkRuntime

/// Holds the definition of an app against what the services framework takes, without deploying it.
public enum AppCheck {
    /// What is wrong with an app, each with its path.
    public struct Finding: Hashable, Sendable {
        /// What keeps it from being deployed; empty when it may be.
        public var defects: [(path: String, message: String)] { defectList.map { ($0.path, $0.message) } }
        /// Fields that no release of Marathon knows. Marathon lets them pass, and so packages have them.
        public internal(set) var strange: [String] = []
        /// Whether instances are looked after by health checks.
        public internal(set) var hasHealthChecks = false

        struct Defect: Hashable, Sendable {
            var path: String
            var message: String
        }

        var defectList: [Defect] = []
    }

    private static let isStrange = "Additional properties are not allowed."

    /// Looks at an app.
    ///
    /// - Parameter json: the app in Marathon's JSON.
    /// - Returns: what is wrong with it.
    public static func look(at json: [UInt8]) -> Finding {
        var finding = Finding()
        guard let value = JSONValue(parsing: json) else {
            finding.defectList = [.init(path: "", message: "is not taken as JSON")]
            return finding
        }
        var reader = FieldReader(value, at: "")
        var service = ServiceDefinition(id: .root)
        AppReading.read(&reader, over: &service, in: .root)
        finding.hasHealthChecks = !service.healthChecks.isEmpty
        for defect in reader.finished() {
            if defect.message == isStrange {
                finding.strange.append(defect.path)
            } else {
                finding.defectList.append(.init(path: defect.path, message: defect.message))
            }
        }
        guard finding.defectList.isEmpty else { return finding }
        let role = service.role ?? "*"
        let violations = service.normalized(role: role).violations(ValidationRules(roles: ["*", role]))
        finding.defectList = violations.map { .init(path: "\($0.path)", message: $0.message) }
        return finding
    }
}
