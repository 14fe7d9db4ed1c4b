/// A JSON text as values: what `config.json`, `state.json` and the answers of the commands are made of.
///
/// Numbers stay as they were written, so that no digit is lost before the reader of a field decides what it may be.
enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// The number as written, which is valid by RFC 8259 §6.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// In the order of the text. Of members with one name the last counts, as in Go's readers.
    case object([JSONMember])

    /// A whole number.
    static func int(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// An array of strings.
    static func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

    /// An object with the given members, in this order.
    static func members(_ members: (String, JSONValue)...) -> JSONValue {
        .object(members.map { JSONMember(name: $0.0, value: $0.1) })
    }

    /// The last member of this name; nil when there is none or this is no object.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// The text of a `.string`.
    var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value of a `.bool`.
    var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements of an `.array`.
    var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members of an `.object`, in the order of the text.
    var object: [JSONMember]? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The value of a `.number` that is whole and fits; nil otherwise, also for `1.0` and `1e3`, as Go has it.
    func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        if case .number(let text) = self { Value(text) } else { nil }
    }
}

/// A name and its value in an object.
struct JSONMember: Equatable, Sendable {
    var name: String
    var value: JSONValue
}
