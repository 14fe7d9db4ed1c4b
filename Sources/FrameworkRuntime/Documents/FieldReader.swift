public import ClusterModel

/// Something that is wrong with a document, and where.
public struct FieldDefect: Hashable, Sendable {
    /// Which part, as in `/run/artifacts(0)/uri`.
    public var path: String
    /// What is wrong.
    public var message: String

    /// Makes a defect.
    public init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }
}

/// Reads the fields of one object, notes everything that is wrong with them, and says in the end which fields it does
/// not know.
public struct FieldReader {
    /// Where it stands; empty for the whole document.
    public let path: String
    private var fields: [String: JSONValue]
    private var known: Set<String> = []
    /// What was wrong so far.
    public private(set) var defects: [FieldDefect] = []

    /// The most elements of a list that are looked at; whoever reads it refuses lists that are longer than its own limit.
    public static let elementsMax = 10_000

    /// A reader of an object.
    ///
    /// - Parameters:
    ///   - value: what should be an object.
    ///   - path: where it stands; empty for the whole body.
    public init(_ value: JSONValue, at path: String) {
        self.path = path
        if case .object(let fields) = value {
            self.fields = fields
        } else {
            fields = [:]
            defects.append(FieldDefect(path.isEmpty ? "/" : path, "Wrong type. Expected object, was \(value.kind)."))
        }
    }

    /// The path of a field.
    public func path(of name: String) -> String {
        name.isEmpty ? (path.isEmpty ? "/" : path) : path + "/" + name
    }

    /// Notes what is wrong with a field; with an empty name, with the object.
    public mutating func note(_ name: String, _ message: String) {
        defects.append(FieldDefect(path(of: name), message))
    }
    /// Notes what somebody else found.
    public mutating func add(_ more: [FieldDefect]) { defects += more }

    /// The value of a field; nil when it is absent or null.
    public mutating func value(_ name: String) -> JSONValue? {
        known.insert(name)
        guard let value = fields[name], value != .null else { return nil }
        return value
    }

    /// Says that a field must be there.
    public mutating func require(_ name: String) {
        if fields[name] == nil || fields[name] == .null { note(name, "Property \(name) missing.") }
    }

    private mutating func mistyped<Result>(_ name: String, _ expected: String, _ found: JSONValue) -> Result? {
        note(name, "Wrong type. Expected \(expected), was \(found.kind).")
        return nil
    }

    /// The text of a field.
    public mutating func text(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        guard case .text(let text) = value else { return mistyped(name, "string", value) }
        return text
    }

    /// The truth value of a field.
    public mutating func flag(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .flag(let flag) = value else { return mistyped(name, "boolean", value) }
        return flag
    }

    /// The number of a field.
    public mutating func number(_ name: String) -> Double? {
        guard let value = value(name) else { return nil }
        guard case .number(let number) = value else { return mistyped(name, "number", value) }
        return number
    }

    /// The whole number of a field.
    public mutating func integer(_ name: String) -> Int? {
        guard let value = value(name) else { return nil }
        guard case .number(let number) = value, let whole = Int(exactly: number) else {
            return mistyped(name, "integer", value)
        }
        return whole
    }

    /// An amount in thousandths of its unit.
    public mutating func quantity(_ name: String) -> Quantity? {
        guard let number = number(name) else { return nil }
        if let quantity = Quantity(number) { return quantity }
        note(name, "must be between 0 and 9000000000000")
        return nil
    }

    /// One of several words.
    public mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ type: Value.Type = Value.self
    ) -> Value? {
        guard let text = text(name) else { return nil }
        if let value = Value(rawValue: text) { return value }
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        note(name, "'\(text.prefix(64))' is not a valid value. Allowed values: \(names)")
        return nil
    }

    /// The elements of a field.
    public mutating func list(_ name: String) -> [JSONValue]? {
        guard let value = value(name) else { return nil }
        guard case .list(let list) = value else { return mistyped(name, "array", value) }
        return list
    }

    /// The fields of a field.
    public mutating func object(_ name: String) -> [String: JSONValue]? {
        guard let value = value(name) else { return nil }
        guard case .object(let object) = value else { return mistyped(name, "object", value) }
        return object
    }

    /// An object of texts.
    public mutating func texts(_ name: String) -> [String: String]? {
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

    /// A list of texts.
    public mutating func strings(_ name: String) -> [String]? {
        guard let list = list(name) else { return nil }
        return list.prefix(Self.elementsMax).enumerated().compactMap { index, value in
            if case .text(let text) = value { return text }
            note("\(name)(\(index))", "Wrong type. Expected string, was \(value.kind).")
            return nil
        }
    }

    /// Takes a text over, if there is one.
    public mutating func read(_ name: String, into target: inout String) { if let it = text(name) { target = it } }
    /// Takes a text over, if there is one.
    public mutating func read(_ name: String, into target: inout String?) { if let it = text(name) { target = it } }
    /// Takes a truth value over, if there is one.
    public mutating func read(_ name: String, into target: inout Bool) { if let it = flag(name) { target = it } }
    /// Takes a number over, if there is one.
    public mutating func read(_ name: String, into target: inout Double) { if let it = number(name) { target = it } }
    /// Takes a whole number over, if there is one.
    public mutating func read(_ name: String, into target: inout Int) { if let it = integer(name) { target = it } }
    /// Takes a whole number over, if there is one.
    public mutating func read(_ name: String, into target: inout Int?) { if let it = integer(name) { target = it } }

    /// Whether a field is there and not null.
    public func has(_ name: String) -> Bool { fields[name].map { $0 != .null } ?? false }

    /// Lets fields pass unread.
    public mutating func ignore(_ names: String...) { known.formUnion(names) }

    /// The names of all fields, in order.
    public var names: [String] { fields.keys.sorted() }

    /// Reads each element of a list as an object.
    public mutating func each<Element>(
        _ name: String, _ read: (inout FieldReader) -> Element?
    ) -> [Element]? {
        guard let list = list(name) else { return nil }
        var elements: [Element] = []
        for (index, value) in list.prefix(Self.elementsMax).enumerated() {
            var reader = FieldReader(value, at: path(of: name) + "(\(index))")
            if let element = read(&reader) { elements.append(element) }
            add(reader.finished())
        }
        return elements
    }

    /// Reads a field as an object.
    public mutating func one<Element>(_ name: String, _ read: (inout FieldReader) -> Element?) -> Element? {
        guard let value = value(name) else { return nil }
        var reader = FieldReader(value, at: path(of: name))
        let element = read(&reader)
        add(reader.finished())
        return element
    }

    /// All that is wrong, with the fields that nobody asked for.
    public func finished(allowsMore: Bool = false) -> [FieldDefect] {
        guard !allowsMore else { return defects }
        let others = fields.keys.filter { !known.contains($0) }.sorted().prefix(16)
        return defects
            + others.map { FieldDefect(path(of: String($0.prefix(64))), "Additional properties are not allowed.") }
    }
}
