/// One validation of a value against a schema. Every place is looked at, so that all that is wrong is said at once.
struct SchemaValidation {
    private let root: JSONObject
    var stepsLeft = SchemaLimits.steps
    private var patterns: [String: SchemaPattern?] = [:]
    var violations: [SchemaViolation] = []
    private(set) var isExhausted = false

    init(_ root: JSONObject) { self.root = root }

    /// A name as it stands in a JSON pointer.
    static func pointer(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        var result = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Gives up, and says so once.
    mutating func exhaust(at path: String, _ place: String) {
        guard !isExhausted else { return }
        isExhausted = true
        let reason = stepsLeft > 0 ? "is nested too deeply or refers to itself" : "takes too long to follow"
        note(SchemaViolation(path: path, keyword: "$ref", schemaPath: place, message: "the schema \(reason)"))
    }

    mutating func note(_ violation: SchemaViolation) {
        if violations.count < SchemaLimits.violations { violations.append(violation) }
    }

    /// Notes everything that is wrong with a value.
    mutating func check(_ value: JSON, at path: String, against schema: JSON, at place: String, depth: Int) {
        guard let schema = schema.object, !isExhausted else { return }
        stepsLeft -= 1
        guard stepsLeft > 0, depth <= SchemaLimits.depth else { return exhaust(at: path, place) }
        if let reference = schema["$ref"]?.text {
            // What stands beside a reference does not count.
            if let (target, place) = resolve(reference) {
                check(value, at: path, against: target, at: place, depth: depth + 1)
            }
            return
        }
        let scope = Scope(value: value, path: path, schema: schema, place: place, depth: depth)
        checkAny(scope)
        switch value {
        case .text(let text): checkText(text, scope)
        case .number(let number): checkNumber(number, scope)
        case .list(let list): checkList(list, scope)
        case .object(let object): checkObject(object, scope)
        case .null, .flag: break
        }
        checkCombinations(scope)
    }

    /// What is looked at, and what it is held against.
    struct Scope {
        var value: JSON
        var path: String
        var schema: JSONObject
        var place: String
        var depth: Int

        func violation(_ keyword: String, _ message: String) -> SchemaViolation {
            SchemaViolation(path: path, keyword: keyword, schemaPath: place, message: message)
        }

        /// A count that the schema states.
        func count(_ keyword: String) -> Int? { schema[keyword]?.integer.flatMap { $0 >= 0 ? $0 : nil } }
    }

    /// What a reference to a part of the schema is to; nil when there is nothing, or it is to another document.
    func target(of reference: String) -> JSON? { resolve(reference)?.0 }

    private func resolve(_ reference: String) -> (JSON, String)? {
        guard reference.utf8.first == UInt8(ascii: "#"), reference.utf8.count <= 1_024 else { return nil }
        var target = JSON.object(root)
        for part in reference.dropFirst().split(separator: "/", maxSplits: SchemaLimits.depth) {
            let name = Self.unpointed(part)
            if let next = target[name] {
                target = next
            } else if let list = target.list, let index = Int(name), list.indices.contains(index) {
                target = list[index]
            } else {
                return nil
            }
        }
        return (target, String(reference.dropFirst()))
    }

    private static func unpointed(_ part: Substring) -> String {
        guard part.utf8.contains(UInt8(ascii: "~")) else { return String(part) }
        var result = ""
        var rest = part
        while let character = rest.popFirst() {
            switch (character, rest.first) {
            case ("~", "0"?), ("~", "1"?): result += rest.removeFirst() == "0" ? "~" : "/"
            default: result.append(character)
            }
        }
        return result
    }

    private mutating func checkAny(_ scope: Scope) {
        let types = (scope.schema["type"].map { $0.list ?? [$0] } ?? []).compactMap(\.text).filter(Self.isType)
        let kind = scope.value.kind
        if !types.isEmpty, !types.contains(kind), !(kind == "integer" && types.contains("number")) {
            let wanted = types.joined(separator: " or ")
            var violation = scope.violation("type", "is of type \(kind), expected \(wanted)")
            violation.found = kind
            violation.expected = types
            note(violation)
        }
        if let allowed = scope.schema["enum"]?.list, !allowed.contains(scope.value) {
            stepsLeft -= allowed.count
            let texts = allowed.prefix(64).map { String(decoding: $0.bytes.prefix(128), as: UTF8.self) }
            let value = String(decoding: scope.value.bytes.prefix(128), as: UTF8.self)
            var violation = scope.violation("enum", "\(value) is not one of \(texts.joined(separator: ", "))")
            violation.found = value
            violation.expected = texts
            note(violation)
        }
    }

    private static func isType(_ word: String) -> Bool {
        ["array", "boolean", "integer", "null", "number", "object", "string"].contains(word)
    }

    private mutating func checkNumber(_ number: JSONNumber, _ scope: Scope) {
        func limit(_ keyword: String, _ message: String, _ bound: JSONNumber) -> SchemaViolation {
            var violation = scope.violation(
                keyword, "is \(number.text.prefix(40)), \(message) \(bound.text.prefix(40))")
            violation.found = number.text
            violation.limit = bound.text
            return violation
        }
        if case .number(let least)? = scope.schema["minimum"] {
            if number.decimal.isLess(than: least.decimal) {
                note(limit("minimum", "expected at least", least))
            } else if scope.schema["exclusiveMinimum"] == .flag(true), number == least {
                note(limit("minimum", "expected more than", least))
            }
        }
        if case .number(let most)? = scope.schema["maximum"] {
            if most.decimal.isLess(than: number.decimal) {
                note(limit("maximum", "expected at most", most))
            } else if scope.schema["exclusiveMaximum"] == .flag(true), number == most {
                note(limit("maximum", "expected less than", most))
            }
        }
        if case .number(let unit)? = scope.schema["multipleOf"],
            number.decimal.isMultiple(of: unit.decimal) == false
        {
            note(limit("multipleOf", "expected a multiple of", unit))
        }
    }

    private mutating func checkText(_ text: String, _ scope: Scope) {
        let (least, most) = (scope.count("minLength"), scope.count("maxLength"))
        if least != nil || most != nil {
            let count = text.unicodeScalars.count
            if let least, count < least {
                note(scope.violation("minLength", "has \(count) characters, expected at least \(least)"))
            }
            if let most, count > most {
                note(scope.violation("maxLength", "has \(count) characters, expected at most \(most)"))
            }
        }
        guard let pattern = scope.schema["pattern"]?.text else { return }
        switch found(pattern, in: text) {
        case true?: break
        case false?:
            note(scope.violation("pattern", "\"\(text.prefix(128))\" does not fit the pattern \(pattern.prefix(256))"))
        case nil: note(scope.violation("pattern", "takes too long to compare with the pattern \(pattern.prefix(256))"))
        }
    }

    /// A pattern that nobody here understands holds for everything: it would keep a package from being used at all, and
    /// protects nothing. The notes of the schema tell of it.
    mutating func found(_ pattern: String, in text: String) -> Bool? {
        let compiled: SchemaPattern?
        if let known = patterns[pattern] {
            compiled = known
        } else {
            compiled = SchemaPattern(pattern)
            patterns[pattern] = .some(compiled)
        }
        stepsLeft -= 10
        guard let compiled else { return true }
        let (result, steps) = compiled.search(text, stepsMax: patternStepsLeft)
        patternStepsLeft -= steps
        return result
    }

    /// All patterns of a validation share this: many that are just bearable are not.
    private var patternStepsLeft = 4 * SchemaPattern.stepsMax
}
