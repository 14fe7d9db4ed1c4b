internal import ClusterModel
internal import JobsCore

/// Reads the fields of one object, notes everything that is wrong with them, and says in the end which fields it does
/// not know.
struct FieldReader {
    let path: String
    private var fields: [String: JSONValue]
    private var known: Set<String> = []
    private(set) var defects: [JobDefect] = []

    /// - Parameters:
    ///   - value: what should be an object.
    ///   - path: where it stands; empty for the whole body.
    init(_ value: JSONValue, at path: String) {
        self.path = path
        if case .object(let fields) = value {
            self.fields = fields
        } else {
            fields = [:]
            defects.append(JobDefect(path.isEmpty ? "/" : path, "Wrong type. Expected object, was \(value.kind)."))
        }
    }

    /// The path of a field.
    func path(of name: String) -> String { name.isEmpty ? path : path + "/" + name }

    mutating func note(_ name: String, _ message: String) { defects.append(JobDefect(path(of: name), message)) }
    mutating func add(_ more: [JobDefect]) { defects += more }

    /// The value of a field; nil when it is absent or null.
    mutating func value(_ name: String) -> JSONValue? {
        known.insert(name)
        guard let value = fields[name], value != .null else { return nil }
        return value
    }

    /// Says that a field must be there.
    mutating func require(_ name: String) {
        if fields[name] == nil || fields[name] == .null { note(name, "Property \(name) missing.") }
    }

    private mutating func mistyped<Result>(_ name: String, _ expected: String, _ found: JSONValue) -> Result? {
        note(name, "Wrong type. Expected \(expected), was \(found.kind).")
        return nil
    }

    mutating func text(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        guard case .text(let text) = value else { return mistyped(name, "string", value) }
        return text
    }

    mutating func flag(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .flag(let flag) = value else { return mistyped(name, "boolean", value) }
        return flag
    }

    mutating func number(_ name: String) -> Double? {
        guard let value = value(name) else { return nil }
        guard case .number(let number) = value else { return mistyped(name, "number", value) }
        return number
    }

    mutating func integer(_ name: String) -> Int? {
        guard let value = value(name) else { return nil }
        guard case .number(let number) = value, let whole = Int(exactly: number) else {
            return mistyped(name, "integer", value)
        }
        return whole
    }

    /// An amount in thousandths of its unit.
    mutating func quantity(_ name: String) -> Quantity? {
        guard let number = number(name) else { return nil }
        if let quantity = Quantity(number) { return quantity }
        note(name, "must be between 0 and 9000000000000")
        return nil
    }

    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ type: Value.Type = Value.self
    ) -> Value? {
        guard let text = text(name) else { return nil }
        if let value = Value(rawValue: text) { return value }
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        note(name, "'\(text.prefix(64))' is not a valid value. Allowed values: \(names)")
        return nil
    }

    mutating func list(_ name: String) -> [JSONValue]? {
        guard let value = value(name) else { return nil }
        guard case .list(let list) = value else { return mistyped(name, "array", value) }
        return list
    }

    mutating func object(_ name: String) -> [String: JSONValue]? {
        guard let value = value(name) else { return nil }
        guard case .object(let object) = value else { return mistyped(name, "object", value) }
        return object
    }

    /// An object of texts.
    mutating func texts(_ name: String) -> [String: String]? {
        guard let object = object(name) else { return nil }
        var texts: [String: String] = [:]
        for (key, value) in object.sorted(by: { $0.key < $1.key }) {
            if case .text(let text) = value {
                texts[key] = text
            } else {
                note(name + "/" + key.prefix(64), "Wrong type. Expected string, was \(value.kind).")
            }
        }
        return texts
    }

    /// Reads each element of a list as an object.
    mutating func each<Element>(
        _ name: String, _ read: (inout FieldReader) -> Element?
    ) -> [Element]? {
        guard let list = list(name) else { return nil }
        var elements: [Element] = []
        for (index, value) in list.prefix(JobLimits.items + 1).enumerated() {
            var reader = FieldReader(value, at: path(of: name) + "(\(index))")
            if let element = read(&reader) { elements.append(element) }
            add(reader.finished())
        }
        return elements
    }

    /// Reads a field as an object.
    mutating func one<Element>(_ name: String, _ read: (inout FieldReader) -> Element?) -> Element? {
        guard let value = value(name) else { return nil }
        var reader = FieldReader(value, at: path(of: name))
        let element = read(&reader)
        add(reader.finished())
        return element
    }

    /// All that is wrong, with the fields that nobody asked for.
    func finished(allowsMore: Bool = false) -> [JobDefect] {
        guard !allowsMore else { return defects }
        let others = fields.keys.filter { !known.contains($0) }.sorted().prefix(16)
        return defects
            + others.map { JobDefect(path(of: String($0.prefix(64))), "Additional properties are not allowed.") }
    }
}
