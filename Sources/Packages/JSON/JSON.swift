/// A JSON value as it was written: numbers keep their text and objects the order of their names, because what a package
/// says is shown, stored and handed on, and not only read.
public enum JSON: Equatable, Sendable {
    case null
    case flag(Bool)
    case number(JSONNumber)
    case text(String)
    case list([JSON])
    case object(JSONObject)

    /// What kind of value it is, in the words of JSON Schema; a number without a fraction is an `integer`.
    public var kind: String {
        switch self {
        case .null: "null"
        case .flag: "boolean"
        case .number(let number): number.isInteger ? "integer" : "number"
        case .text: "string"
        case .list: "array"
        case .object: "object"
        }
    }

    /// The text, if it is one.
    public var text: String? { if case .text(let text) = self { text } else { nil } }
    /// The truth value, if it is one.
    public var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
    /// The elements, if it is a list.
    public var list: [JSON]? { if case .list(let list) = self { list } else { nil } }
    /// The fields, if it is an object.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    /// The whole number, if it is one that fits.
    public var integer: Int? { if case .number(let number) = self { number.integer } else { nil } }

    /// A whole number.
    public static func integer(_ value: Int) -> JSON { .number(JSONNumber(value)) }

    /// The value of a field; nil when there is none or this is no object.
    public subscript(_ name: String) -> JSON? { object?[name] }
}

/// An object's fields in the order they were written. Two objects are equal when they have the same fields in any
/// order. Of a name that comes twice, the first place and the last value count.
public struct JSONObject: Sendable {
    /// The names, in order.
    public private(set) var names: [String] = []
    /// The values, in the same order.
    public private(set) var values: [JSON] = []
    /// Only for objects with so many fields that looking through them would take long: objects come from outside.
    private var places: [String: Int] = [:]
    private static let placesFrom = 12

    /// Makes an empty object.
    public init() {}

    /// Makes an object of fields.
    public init(_ fields: KeyValuePairs<String, JSON>) {
        for (name, value) in fields { self[name] = value }
    }

    /// How many fields there are.
    public var count: Int { names.count }
    /// Whether there are none.
    public var isEmpty: Bool { names.isEmpty }

    private func place(of name: String) -> Int? {
        names.count < Self.placesFrom ? names.firstIndex(of: name) : places[name]
    }

    /// The value of a field; setting nil takes the field out.
    public subscript(_ name: String) -> JSON? {
        get { place(of: name).map { values[$0] } }
        set {
            switch (place(of: name), newValue) {
            case (let place?, let value?): values[place] = value
            case (nil, let value?):
                names.append(name)
                values.append(value)
                if names.count == Self.placesFrom { index() } else if !places.isEmpty { places[name] = names.count - 1 }
            case (let place?, nil):
                names.remove(at: place)
                values.remove(at: place)
                index()
            case (nil, nil): break
            }
        }
    }

    private mutating func index() {
        places = [:]
        guard names.count >= Self.placesFrom else { return }
        for (place, name) in names.enumerated() { places[name] = place }
    }

    /// The fields, in order.
    public var fields: some Sequence<(name: String, value: JSON)> {
        zip(names, values).lazy.map { (name: $0, value: $1) }
    }

    /// These fields with others over them: where both have an object it is merged in turn, anything else is replaced.
    public func merging(_ other: JSONObject) -> JSONObject {
        var result = self
        for (name, value) in other.fields {
            if case .object(let below)? = result[name], case .object(let above) = value {
                result[name] = .object(below.merging(above))
            } else {
                result[name] = value
            }
        }
        return result
    }
}

extension JSONObject: Equatable {
    /// Compares without regard to order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.fields.allSatisfy { right[$0.name] == $0.value }
    }
}
