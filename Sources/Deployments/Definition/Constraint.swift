/// Where instances may run: a property of the agent, and what it must be.
public struct Constraint: Hashable, Sendable {
    /// What the property must be.
    public enum Operator: String, Hashable, Sendable, CaseIterable {
        /// Different for every instance.
        case unique = "UNIQUE"
        /// The same for all instances, or the value.
        case cluster = "CLUSTER"
        /// Spread over the values, at least as many as the value says.
        case groupBy = "GROUP_BY"
        /// Matched by the value, a regular expression.
        case like = "LIKE"
        /// Not matched by the value, or not there.
        case unlike = "UNLIKE"
        /// The same for at most so many instances.
        case maxPer = "MAX_PER"
        /// The value.
        case equals = "IS"
    }

    /// `hostname` (or `@hostname`), `@region`, `@zone`, or the name of an attribute.
    public var field: String
    /// What it must be.
    public var condition: Operator
    /// The value of the condition, for those that take one.
    public var value: String?

    /// Makes a constraint.
    public init(_ field: String, _ condition: Operator, _ value: String? = nil) {
        self.field = field
        self.condition = condition
        self.value = value
    }

    /// Reads the two or three texts of an app's constraint.
    /// - Throws: what is wrong with them, in Marathon's words, for the path of the constraint.
    public init(texts: [String]) throws(ConstraintError) {
        guard texts.count == 2 || texts.count == 3 else {
            throw ConstraintError(message: "Each constraint must have either 2 or 3 fields")
        }
        guard !texts[0].isEmpty else { throw ConstraintError(message: "illegal constraint specification") }
        guard let condition = Operator(rawValue: texts[1].uppercased()) else {
            throw ConstraintError(
                message: "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
            )
        }
        self.init(texts[0], condition, texts.count == 3 ? texts[2] : nil)
    }

    /// The two or three texts of an app's constraint.
    public var texts: [String] { [field, condition.rawValue] + (value.map { [$0] } ?? []) }

    /// What is wrong with it, in Marathon's words; nil when it may be used.
    public var defect: String? {
        if field.isEmpty { return "missing field for constraint declaration" }
        switch condition {
        case .unique: return value == nil ? nil : "UNIQUE does not accept a value"
        case .cluster: return nil
        case .groupBy:
            let isFit = value.map { $0.isEmpty || Int32($0) != nil } ?? true
            return isFit ? nil : "GROUP BY must define an integer value or else no value at all"
        case .maxPer: return value.flatMap { Int32($0) } == nil ? "MAX_PER requires an integer value" : nil
        case .like, .unlike:
            guard let value else { return "LIKE and UNLIKE require a non-empty, regular expression value" }
            return Pattern(value) == nil ? "is not a valid regular expression" : nil
        case .equals:
            let isFit = (value ?? "").utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "."),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
            return isFit
                ? nil
                : "IS only supports Mesos text and float values "
                    + "(see http://mesos.apache.org/documentation/latest/attributes-resources/)"
        }
    }
}

/// Why a constraint cannot be read.
public struct ConstraintError: Error, Hashable, Sendable {
    /// In Marathon's words.
    public var message: String

    /// Makes an error.
    public init(message: String) { self.message = message }
}
