/// Lists, objects, and schemas made of schemas.
extension SchemaValidation {
    mutating func checkList(_ list: [JSON], _ scope: Scope) {
        if let least = scope.count("minItems"), list.count < least {
            note(scope.violation("minItems", "has \(list.count) elements, expected at least \(least)"))
        }
        if let most = scope.count("maxItems"), list.count > most {
            note(scope.violation("maxItems", "has \(list.count) elements, expected at most \(most)"))
        }
        if scope.schema["uniqueItems"] == .flag(true) { checkUnique(list, scope) }
        guard let items = scope.schema["items"] else { return }
        for (index, element) in list.enumerated() where !isExhausted {
            var (schema, place) = (items, scope.place + "/items")
            if let each = items.list {
                if each.indices.contains(index) {
                    (schema, place) = (each[index], place + "/\(index)")
                } else if scope.schema["additionalItems"] == .flag(false) {
                    note(scope.violation("additionalItems", "has \(list.count) elements, expected \(each.count)"))
                    break
                } else {
                    (schema, place) = (scope.schema["additionalItems"] ?? .null, scope.place + "/additionalItems")
                }
            }
            check(element, at: scope.path + "/\(index)", against: schema, at: place, depth: scope.depth + 1)
        }
    }

    private mutating func checkUnique(_ list: [JSON], _ scope: Scope) {
        stepsLeft -= list.count
        var seen: [String: [JSON]] = [:]
        for element in list {
            // Equal values are written alike but for numbers and the order of fields.
            let key = element.isPlain ? String(decoding: element.bytes, as: UTF8.self) : element.kind
            stepsLeft -= seen[key]?.count ?? 0
            guard stepsLeft > 0 else { return exhaust(at: scope.path, scope.place) }
            if seen[key]?.contains(element) == true {
                note(scope.violation("uniqueItems", "has an element twice"))
                return
            }
            seen[key, default: []].append(element)
        }
    }

    mutating func checkObject(_ object: JSONObject, _ scope: Scope) {
        if let least = scope.count("minProperties"), object.count < least {
            note(scope.violation("minProperties", "has \(object.count) fields, expected at least \(least)"))
        }
        if let most = scope.count("maxProperties"), object.count > most {
            note(scope.violation("maxProperties", "has \(object.count) fields, expected at most \(most)"))
        }
        let missing = (scope.schema["required"]?.list ?? []).compactMap(\.text).filter { object[$0] == nil }
        if !missing.isEmpty {
            let names = missing.prefix(64).joined(separator: ", ")
            var violation = scope.violation(
                "required", "lacks the required option\(missing.count == 1 ? "" : "s") \(names)")
            violation.missing = missing
            note(violation)
        }
        checkFields(object, scope)
        checkDependencies(object, scope)
    }

    private mutating func checkFields(_ object: JSONObject, _ scope: Scope) {
        let properties = scope.schema["properties"]?.object
        let byPattern = scope.schema["patternProperties"]?.object
        let additional = scope.schema["additionalProperties"]
        var unwanted: [String] = []
        for (name, value) in object.fields where !isExhausted {
            let path = scope.path + "/" + Self.pointer(name)
            var isKnown = false
            if let schema = properties?[name] {
                isKnown = true
                check(
                    value, at: path, against: schema, at: scope.place + "/properties/" + Self.pointer(name),
                    depth: scope.depth + 1)
            }
            for (pattern, schema) in zip(byPattern?.names ?? [], byPattern?.values ?? []) {
                guard found(pattern, in: name) != false else { continue }
                isKnown = true
                let place = scope.place + "/patternProperties/" + Self.pointer(pattern)
                check(value, at: path, against: schema, at: place, depth: scope.depth + 1)
            }
            if isKnown { continue }
            if additional == .flag(false) {
                unwanted.append(name)
            } else if let additional {
                check(
                    value, at: path, against: additional, at: scope.place + "/additionalProperties",
                    depth: scope.depth + 1)
            }
        }
        guard !unwanted.isEmpty else { return }
        unwanted.sort()
        let names = unwanted.prefix(64).map { String($0.prefix(128)) }
        var violation = scope.violation(
            "additionalProperties",
            "has \(unwanted.count == 1 ? "an option" : "options") that the schema does not know: "
                + names.joined(separator: ", "))
        violation.unwanted = names
        note(violation)
    }

    private mutating func checkDependencies(_ object: JSONObject, _ scope: Scope) {
        guard let dependencies = scope.schema["dependencies"]?.object else { return }
        for (name, dependency) in dependencies.fields where object[name] != nil && !isExhausted {
            if let names = dependency.list ?? dependency.text.map({ [.text($0)] }) {
                let missing = names.compactMap(\.text).filter { object[$0] == nil }
                guard !missing.isEmpty else { continue }
                var violation = scope.violation(
                    "dependencies", "has \(name), which needs \(missing.prefix(64).joined(separator: ", ")) beside it")
                violation.missing = missing
                note(violation)
            } else {
                check(
                    scope.value, at: scope.path, against: dependency,
                    at: scope.place + "/dependencies/" + Self.pointer(name), depth: scope.depth + 1)
            }
        }
    }

    mutating func checkCombinations(_ scope: Scope) {
        for (index, schema) in (scope.schema["allOf"]?.list ?? []).enumerated() {
            check(
                scope.value, at: scope.path, against: schema, at: scope.place + "/allOf/\(index)",
                depth: scope.depth + 1)
        }
        if let schemas = scope.schema["anyOf"]?.list {
            if !schemas.contains(where: { holds($0, scope) }) {
                note(scope.violation("anyOf", "holds to none of the \(schemas.count) alternatives of the schema"))
            }
        }
        if let schemas = scope.schema["oneOf"]?.list {
            let count = schemas.count { holds($0, scope) }
            if count != 1 {
                note(
                    scope.violation(
                        "oneOf",
                        "holds to \(count == 0 ? "none" : "\(count)") of the \(schemas.count) alternatives of the"
                            + " schema, expected exactly one"))
            }
        }
        if let schema = scope.schema["not"], schema.object != nil, holds(schema, scope) {
            note(scope.violation("not", "is just what the schema rules out"))
        }
    }

    /// Whether the value holds to another schema; what would be wrong is of no interest.
    private mutating func holds(_ schema: JSON, _ scope: Scope) -> Bool {
        if isExhausted { return false }
        let before = violations
        violations = []
        check(scope.value, at: scope.path, against: schema, at: scope.place, depth: scope.depth + 1)
        let holds = violations.isEmpty
        // That the schema cannot be followed at all is always said.
        let exhaustion = isExhausted ? violations.filter { $0.keyword == "$ref" } : []
        violations = Array((before + exhaustion).prefix(SchemaLimits.violations))
        return holds
    }
}

extension JSON {
    /// Whether equal values have the same text.
    fileprivate var isPlain: Bool {
        switch self {
        case .text, .flag, .null: true
        case .number, .list, .object: false
        }
    }
}
