import FoundationEssentials
import SwiftProtobuf

/// Walks a decoded message and finds what a decoder lets pass: numbers that are not finite, required fields that are
/// absent. Names the field by its path.
struct MessageCheck: Visitor {
    private let type: String
    private let looksForMissing: Bool
    private var seen: Set<Int> = []

    /// Reports the first number in a message that is not finite.
    /// - Throws: `.invalidField`.
    static func requireFinite(_ message: some Message) throws(WireError) {
        try run(message, looksForMissing: false)
    }

    /// Reports the first required field that is absent; to be called when one is.
    /// - Throws: `.missingField`.
    static func reportMissing(_ message: some Message) throws(WireError) -> Never {
        try run(message, looksForMissing: true)
        throw .missingField(path: "")
    }

    private static func run<M: Message>(_ message: M, looksForMissing: Bool) throws(WireError) {
        // A part that has all it needs is not worth a walk.
        if looksForMissing, message.isInitialized { return }
        var check = MessageCheck(type: M.protoMessageName, looksForMissing: looksForMissing)
        do {
            try message.traverse(visitor: &check)
        } catch let error as WireError {
            throw error
        } catch {
            throw .malformedProtobuf(problem: "it cannot be walked")
        }
        if looksForMissing, let missing = FieldTable.shared.missing(in: check.type, seen: check.seen) {
            throw .missingField(path: missing)
        }
    }

    private init(type: String, looksForMissing: Bool) {
        self.type = type
        self.looksForMissing = looksForMissing
    }

    private func name(_ number: Int) -> String { FieldTable.shared.name(of: number, in: type) }

    mutating func visitSingularDoubleField(value: Double, fieldNumber: Int) throws {
        if looksForMissing { seen.insert(fieldNumber) }
        guard value.isFinite else { throw WireError.invalidField(path: name(fieldNumber), problem: "must be finite") }
    }

    mutating func visitSingularInt64Field(value: Int64, fieldNumber: Int) throws { saw(fieldNumber) }
    mutating func visitSingularUInt64Field(value: UInt64, fieldNumber: Int) throws { saw(fieldNumber) }
    mutating func visitSingularBoolField(value: Bool, fieldNumber: Int) throws { saw(fieldNumber) }
    mutating func visitSingularStringField(value: String, fieldNumber: Int) throws { saw(fieldNumber) }
    mutating func visitSingularBytesField(value: Data, fieldNumber: Int) throws { saw(fieldNumber) }
    mutating func visitSingularEnumField<E: SwiftProtobuf.Enum>(value: E, fieldNumber: Int) throws { saw(fieldNumber) }

    mutating func visitSingularMessageField<M: Message>(value: M, fieldNumber: Int) throws {
        saw(fieldNumber)
        do { try Self.run(value, looksForMissing: looksForMissing) } catch { throw error.inside(name(fieldNumber)) }
    }

    mutating func visitRepeatedMessageField<M: Message>(value: [M], fieldNumber: Int) throws {
        for (index, element) in value.enumerated() {
            do { try Self.run(element, looksForMissing: looksForMissing) } catch {
                throw error.inside("\(name(fieldNumber))[\(index)]")
            }
        }
    }

    // No required field is repeated and none has these types in a repeated form with numbers in it.
    mutating func visitRepeatedStringField(value: [String], fieldNumber: Int) throws {}
    mutating func visitRepeatedUInt32Field(value: [UInt32], fieldNumber: Int) throws {}
    mutating func visitRepeatedEnumField<E: SwiftProtobuf.Enum>(value: [E], fieldNumber: Int) throws {}
    mutating func visitUnknown(bytes: Data) throws {}

    mutating func visitMapField<KeyType, ValueType: MapValueType>(
        fieldType: _ProtobufMap<KeyType, ValueType>.Type, value: _ProtobufMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws {}

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufEnumMap<KeyType, ValueType>.Type, value: _ProtobufEnumMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws where ValueType.RawValue == Int {}

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufMessageMap<KeyType, ValueType>.Type,
        value: _ProtobufMessageMap<KeyType, ValueType>.BaseType, fieldNumber: Int
    ) throws {
        // The one place where infinity means something, no limit; who reads limits refuses the rest.
        if !looksForMissing, type == "mesos.v1.TaskInfo", name(fieldNumber) == "limits" { return }
        for (key, element) in value {
            do { try Self.run(element, looksForMissing: looksForMissing) } catch {
                throw error.inside("\(name(fieldNumber))[\(key)]")
            }
        }
    }

    private mutating func saw(_ fieldNumber: Int) {
        if looksForMissing { seen.insert(fieldNumber) }
    }
}

/// Names of fields by number, read from the generated table when the first error needs them.
struct FieldTable: Sendable {
    static let shared = FieldTable(String(describing: fieldTable))

    private struct Field {
        var number: Int
        var name: String
        var isRequired: Bool
    }

    private let fields: [String: [Field]]

    private init(_ table: String) {
        var fields: [String: [Field]] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let message = words.first else { continue }
            fields[String(message)] = words.dropFirst().compactMap { word in
                guard let mark = word.firstIndex(where: { $0 == "!" || $0 == ":" }), let number = Int(word[..<mark])
                else { return nil }
                return Field(
                    number: number, name: String(word[word.index(after: mark)...]), isRequired: word[mark] == "!")
            }
        }
        self.fields = fields
    }

    /// The name of a field, or its number when the table does not know it.
    func name(of number: Int, in message: String) -> String {
        fields[message]?.first { $0.number == number }?.name ?? "#\(number)"
    }

    /// The first required field of a message that is not among those seen.
    func missing(in message: String, seen: Set<Int>) -> String? {
        fields[message]?.first { $0.isRequired && !seen.contains($0.number) }?.name
    }

    /// How many messages the table knows.
    var count: Int { fields.count }
}
