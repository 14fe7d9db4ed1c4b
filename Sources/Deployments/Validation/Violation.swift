/// One thing that is wrong with a definition.
public struct Violation: Hashable, Sendable {
    /// Where, as Marathon writes it: `/constraints(0)`, `/container/docker/image`; `/` for the whole.
    public var path: String
    /// What, in Marathon's words where it has some.
    public var message: String

    /// Makes a violation.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    /// The same of something that is part of something else, at a path there.
    public func below(_ path: String) -> Violation {
        Violation(path: path + (self.path == "/" && !path.isEmpty ? "" : self.path), message: message)
    }
}

/// Something a definition can ask for that a cluster may be unable to do. What it cannot do is refused, and never left
/// out in silence.
public enum WorkloadFeature: String, Hashable, Sendable, CaseIterable {
    /// Containers from images.
    case images
    /// Images whose registry asks for credentials of the definition's own.
    case pullSecrets
    /// Networks other than the agent's own.
    case networks
    /// A health check that is part of the task.
    case healthChecks
    /// More than one of them.
    case severalHealthChecks
    /// Checks whose result is only shown.
    case statusChecks
    /// Readiness checks.
    case readinessChecks
    /// Limits above what was asked for.
    case resourceLimits
    /// Seccomp profiles and shared memory.
    case linuxSettings
    /// Terminals.
    case terminals
    /// Executors of somebody's own.
    case executors
    /// Secrets outside the work directory.
    case secretMounts
    /// Pods.
    case pods
}

/// What validation needs to know beside the definition.
public struct ValidationRules: Hashable, Sendable {
    /// Roles that may be used.
    public var roles: Set<String>
    /// What an unnamed container network stands for, if anything.
    public var defaultNetworkName: String?
    /// The isolation levels there are.
    public var isolationLevels: Set<String>
    /// What the cluster can do.
    public var features: Set<WorkloadFeature>

    /// Makes rules.
    public init(
        roles: Set<String> = ["*"], defaultNetworkName: String? = nil, isolationLevels: Set<String> = ["container"],
        features: Set<WorkloadFeature> = Set(WorkloadFeature.allCases)
    ) {
        self.roles = roles
        self.defaultNetworkName = defaultNetworkName
        self.isolationLevels = isolationLevels
        self.features = features
    }
}

/// Collects violations below a path.
struct Violations {
    private(set) var found: [Violation] = []
    private let base: String

    init(at base: String = "") { self.base = base }

    /// Notes the message for the path unless all is well.
    mutating func check(_ isWell: Bool, _ path: String, _ message: @autoclosure () -> String) {
        if !isWell { add(path, message()) }
    }

    mutating func add(_ path: String, _ message: String) {
        let whole = base + (path == "/" && !base.isEmpty ? "" : path)
        found.append(Violation(path: whole, message: message))
    }

    /// Takes over what was found elsewhere.
    mutating func add(_ others: [Violation], below path: String = "") {
        for other in others { add(path + (other.path == "/" && !path.isEmpty ? "" : other.path), other.message) }
    }

    mutating func atLeast(_ value: Double, _ least: Double, _ path: String) {
        check(
            value >= least && value.isFinite, path, "got \(Self.text(value)), expected \(Self.text(least)) or more")
    }

    mutating func atLeast(_ value: Int, _ least: Int, _ path: String) {
        check(value >= least, path, "got \(value), expected \(least) or more")
    }

    mutating func atMost(_ count: Int, _ most: Int, _ path: String) {
        check(count <= most, path, "has \(count) elements, at most \(most) are allowed")
    }

    mutating func within(_ value: Double, _ range: ClosedRange<Double>, _ path: String) {
        check(
            range.contains(value), path,
            "got \(Self.text(value)), expected between \(Self.text(range.lowerBound)) and "
                + Self.text(range.upperBound))
    }

    mutating func port(_ value: Int?, _ path: String) {
        guard let value else { return }
        check((0...65_535).contains(value), path, "got \(value), expected between 0 and 65535")
    }

    mutating func unique(_ values: [some Hashable], _ path: String, _ message: String) {
        check(Set(values).count == values.count, path, message)
    }

    /// What becomes an argument or a variable of a process cannot hold a zero byte.
    mutating func plain(_ text: String?, _ path: String) {
        check(text?.utf8.contains(0) != true, path, "must not contain a zero byte")
    }

    mutating func length(_ text: String, _ range: ClosedRange<Int>, _ path: String) {
        check(
            range.contains(text.utf8.count), path,
            "got \(text.utf8.count) bytes, expected between \(range.lowerBound) and \(range.upperBound)")
    }

    private static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

/// How much of anything a definition may have: it comes from outside, is stored whole and copied often.
enum DefinitionLimits {
    static let instances = 50_000
    static let containers = 64
    static let ports = 256
    static let checks = 32
    static let constraints = 64
    static let volumes = 128
    static let artifacts = 256
    static let networks = 32
    static let variables = 2_048
    static let dependencies = 1_024
    static let texts = 4_096
    static let text = 1_024
}
