/// Something for each option that a package insists on, so that its template can be tried all the same.
public enum SampleOptions {
    /// Options for a package, with what it requires and has no default for.
    ///
    /// - Parameter package: the package.
    /// - Returns: options that mostly hold to its schema; patterns are not looked at.
    public static func options(for package: PackageDefinition) -> JSONObject {
        guard let schema = package.json["config"] else { return JSONObject() }
        return fill(schema, depth: 0).object ?? JSONObject()
    }

    /// A value for a schema: what it requires and has no default for.
    private static func fill(_ schema: JSON, depth: Int) -> JSON {
        if let value = schema["default"] ?? schema["enum"]?.list?.first { return value }
        let type = schema["type"]?.text ?? (schema["properties"] == nil ? "string" : "object")
        switch type {
        case "object":
            var object = JSONObject()
            guard depth < 16 else { return .object(object) }
            let required = Set(schema["required"]?.list?.compactMap(\.text) ?? [])
            for (name, property) in schema["properties"]?.object?.fields.map({ ($0.name, $0.value) }) ?? [] {
                if required.contains(name) {
                    object[name] = fill(property, depth: depth + 1)
                } else if property["default"] == nil, property["properties"] != nil,
                    case .object(let below) = fill(property, depth: depth + 1), !below.isEmpty
                {
                    object[name] = .object(below)
                }
            }
            return .object(object)
        case "integer", "number": return schema["minimum"] ?? schema["maximum"] ?? .integer(1)
        case "boolean": return .flag(true)
        case "array": return .list([])
        default: return .text("sample")
        }
    }
}
