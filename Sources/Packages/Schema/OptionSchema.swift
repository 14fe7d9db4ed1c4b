/// The schema of a package's options: JSON Schema, draft 4, as far as packages use it.
///
/// What a schema says that has no meaning in that draft is passed over, as validators do; ``notes`` tells of it. A
/// schema refers to parts of itself only: nothing is ever fetched.
public struct OptionSchema: Sendable {
    let root: JSONObject

    /// Makes a schema of a package's `config`.
    public init(_ config: JSONObject) { root = config }

    /// The options that hold when nobody says otherwise: what the properties of the schema, and theirs in turn, give as
    /// their defaults.
    public var defaults: JSONObject { Self.defaults(of: root, depth: 0) }

    private static func defaults(of schema: JSONObject, depth: Int) -> JSONObject {
        var result = JSONObject()
        guard depth < SchemaLimits.depth, let properties = schema["properties"]?.object else { return result }
        for (name, property) in properties.fields {
            guard let property = property.object else { continue }
            if let value = property["default"] {
                result[name] = value
            } else {
                let below = defaults(of: property, depth: depth + 1)
                if !below.isEmpty { result[name] = .object(below) }
            }
        }
        return result
    }

    /// What somebody asked for, over the defaults.
    public func options(over defaults: JSONObject, with wanted: JSONObject) -> JSONObject { defaults.merging(wanted) }

    /// What is wrong with options, at most a hundred things; empty when they hold to the schema.
    public func violations(of options: JSONObject) -> [SchemaViolation] {
        var validation = SchemaValidation(root)
        validation.check(.object(options), at: "", against: .object(root), at: "", depth: 0)
        return validation.violations
    }

    /// What in the schema is not understood or cannot be, each with its place; empty for most.
    public var notes: [String] {
        var notes: [String] = []
        var left = SchemaLimits.steps
        Self.collect(.object(root), at: "", depth: 0, left: &left, into: &notes)
        return Array(notes.prefix(SchemaLimits.violations))
    }

    private static let types: Set<String> = ["array", "boolean", "integer", "null", "number", "object", "string"]

    private static func collect(
        _ schema: JSON, at path: String, depth: Int, left: inout Int, into notes: inout [String]
    ) {
        left -= 1
        guard let schema = schema.object, depth < SchemaLimits.depth, left > 0, notes.count < 100 else { return }
        let types = schema["type"].map { $0.list ?? [$0] } ?? []
        for type in types where !Self.types.contains(type.text ?? "") {
            notes.append("\(path)/type: names no type of JSON; it is passed over")
        }
        if let pattern = schema["pattern"]?.text, SchemaPattern(pattern) == nil {
            notes.append("\(path)/pattern: is no regular expression that can be checked here; it is passed over")
        }
        if let reference = schema["$ref"]?.text, !reference.hasPrefix("#") {
            notes.append("\(path)/$ref: refers to another document, which is never fetched; it is passed over")
        }
        for (keyword, value) in schema.fields {
            switch keyword {
            case "properties", "patternProperties", "definitions":
                for (name, below) in zip(value.object?.names ?? [], value.object?.values ?? []) {
                    let place = path + "/" + keyword + "/" + SchemaValidation.pointer(name)
                    collect(below, at: place, depth: depth + 1, left: &left, into: &notes)
                }
            case "items", "additionalItems", "additionalProperties", "allOf", "anyOf", "oneOf", "not":
                for (index, below) in (value.list ?? [value]).enumerated() {
                    let place = path + "/" + keyword + (value.list == nil ? "" : "/\(index)")
                    collect(below, at: place, depth: depth + 1, left: &left, into: &notes)
                }
            default: break
            }
        }
    }
}

/// How much of a schema is followed: it comes from outside and may refer to itself.
enum SchemaLimits {
    static let depth = 100
    static let steps = 400_000
    static let violations = 100
}
