/// One object of a configuration and its place in the text, so that every complaint says where it belongs.
///
/// `null` counts as absent everywhere, as in Go's readers; members nobody asks for are ignored, as the runtime
/// specification demands of unknown properties.
struct ObjectReader {
    /// What the text is called in messages, such as `config.json`.
    let file: String
    /// Such as `linux.resources`; empty for the whole text.
    let path: String
    let members: [JSONMember]

    /// Elements that a list of objects, such as the mounts, may have.
    static let objectsMax = 100_000
    /// Elements that a list of strings, such as the arguments, may have.
    static let stringsMax = 1_000_000

    init(_ value: JSONValue, file: String, path: String = "") throws(RuntimeFailure) {
        guard case .object(let members) = value else {
            throw .invalid(file, path, "expected an object, found \(value.found)")
        }
        self.file = file
        self.path = path
        self.members = members
    }

    /// The member, unless it is absent or null. As in Go's readers, letters of the other case are as good.
    func value(_ name: String) -> JSONValue? {
        let found = members.last { $0.name == name } ?? members.last { Self.isSame($0.name, name) }
        guard let value = found?.value else { return nil }
        if case .null = value { return nil }
        return value
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        one.utf8.count == other.utf8.count
            && zip(one.utf8, other.utf8).allSatisfy { $0 == $1 || ($0 ^ $1 == 0x20 && ($0 | 0x20) &- 0x61 < 26) }
    }
    /// Whether there is such a member that is not null.
    func has(_ name: String) -> Bool { value(name) != nil }

    /// The place of a member in messages.
    func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    func failure(_ name: String, _ reason: String) -> RuntimeFailure { .invalid(file, place(name), reason) }

    /// The complaint about a member that must be there.
    func missing(_ name: String) -> RuntimeFailure { failure(name, "missing, but required") }

    // MARK: - Strings

    /// A string that may end up with the kernel, which ends strings at the first NUL: none is let through.
    func string(_ name: String) throws(RuntimeFailure) -> String? {
        guard let value = value(name) else { return nil }
        return try string(value, name)
    }

    func requiredString(_ name: String) throws(RuntimeFailure) -> String {
        guard let text = try string(name) else { throw missing(name) }
        return text
    }

    /// As ``string(_:)``, with the empty string standing for nothing.
    func filledString(_ name: String) throws(RuntimeFailure) -> String? {
        guard let text = try string(name), !text.isEmpty else { return nil }
        return text
    }

    func strings(_ name: String) throws(RuntimeFailure) -> [String] {
        let elements = try array(name, atMost: Self.stringsMax)
        var texts: [String] = []
        texts.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw failure("\(name)[\(index)]", "expected a string, found \(element.found)")
            }
            if text.utf8.contains(0) { throw failure("\(name)[\(index)]", "must not hold a NUL byte") }
            texts.append(text)
        }
        return texts
    }

    private func string(_ value: JSONValue, _ name: String) throws(RuntimeFailure) -> String {
        guard case .string(let text) = value else { throw failure(name, "expected a string, found \(value.found)") }
        if text.utf8.contains(0) { throw failure(name, "must not hold a NUL byte") }
        return text
    }

    // MARK: - Booleans and numbers

    func bool(_ name: String) throws(RuntimeFailure) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .bool(let bool) = value else { throw failure(name, "expected true or false, found \(value.found)") }
        return bool
    }

    /// False when absent.
    func flag(_ name: String) throws(RuntimeFailure) -> Bool { try bool(name) ?? false }

    func signed(_ name: String, _ range: ClosedRange<Int64>) throws(RuntimeFailure) -> Int64? {
        guard let text = try integer(name) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw failure(
                name, "expected an integer from \(range.lowerBound) to \(range.upperBound), found \(shortened(text))")
        }
        return number
    }

    func unsigned(_ name: String, _ range: ClosedRange<UInt64> = 0...UInt64.max) throws(RuntimeFailure) -> UInt64? {
        guard let text = try integer(name) else { return nil }
        guard let number = UInt64(text), range.contains(number) else {
            throw failure(
                name, "expected an integer from \(range.lowerBound) to \(range.upperBound), found \(shortened(text))")
        }
        return number
    }

    func uint32(_ name: String, _ range: ClosedRange<UInt32> = 0...UInt32.max) throws(RuntimeFailure) -> UInt32? {
        try unsigned(name, UInt64(range.lowerBound)...UInt64(range.upperBound)).map { UInt32(truncatingIfNeeded: $0) }
    }

    func requiredUInt32(
        _ name: String, _ range: ClosedRange<UInt32> = 0...UInt32.max
    ) throws(RuntimeFailure) -> UInt32 {
        guard let number = try uint32(name, range) else { throw missing(name) }
        return number
    }

    func uint16(_ name: String) throws(RuntimeFailure) -> UInt16? {
        try unsigned(name, 0...UInt64(UInt16.max)).map { UInt16(truncatingIfNeeded: $0) }
    }

    /// A limit where -1 stands for none.
    func limit(_ name: String) throws(RuntimeFailure) -> Int64? { try signed(name, -1...Int64.max) }

    /// The digits of a whole number.
    private func integer(_ name: String) throws(RuntimeFailure) -> String? {
        guard let value = value(name) else { return nil }
        return try integer(value, name)
    }

    private func integer(_ value: JSONValue, _ name: String) throws(RuntimeFailure) -> String {
        guard case .number(let text) = value, !text.utf8.contains(where: { $0 == 0x2E || $0 | 0x20 == 0x65 }) else {
            throw failure(name, "expected an integer, found \(value.found)")
        }
        return text
    }

    /// A list of user or group numbers.
    func ids(_ name: String) throws(RuntimeFailure) -> [UInt32] {
        var ids: [UInt32] = []
        for (index, element) in try array(name, atMost: Self.stringsMax).enumerated() {
            let text = try integer(element, "\(name)[\(index)]")
            guard let id = UInt32(text), id <= UserConfig.idMax else {
                throw failure(
                    "\(name)[\(index)]", "expected an integer from 0 to \(UserConfig.idMax), found \(shortened(text))")
            }
            ids.append(id)
        }
        return ids
    }

    // MARK: - Objects

    func object(_ name: String) throws(RuntimeFailure) -> ObjectReader? {
        guard let value = value(name) else { return nil }
        return try ObjectReader(value, file: file, path: place(name))
    }

    /// Readers of a list of objects; empty when absent.
    func objects(_ name: String) throws(RuntimeFailure) -> [ObjectReader] {
        let elements = try array(name, atMost: Self.objectsMax)
        if elements.isEmpty { return [] }
        let place = place(name)
        var readers: [ObjectReader] = []
        readers.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            readers.append(try ObjectReader(element, file: file, path: "\(place)[\(index)]"))
        }
        return readers
    }

    /// The members of a map, each name once with its last value, in the order of the last values.
    func map(_ name: String) throws(RuntimeFailure) -> [JSONMember] {
        guard let reader = try object(name) else { return [] }
        guard reader.members.count <= Self.objectsMax else {
            throw failure(name, "\(reader.members.count) entries, at most \(Self.objectsMax) are accepted")
        }
        if reader.members.count < 2 { return reader.members.filter { $0.value != .null } }
        var seen: Set<String> = []
        return reader.members.reversed().filter { seen.insert($0.name).inserted && $0.value != .null }.reversed()
    }

    /// A map from strings to strings that may go to the kernel.
    func stringMap(_ name: String) throws(RuntimeFailure) -> [(name: String, value: String)] {
        var entries: [(name: String, value: String)] = []
        for member in try map(name) {
            let key = "\(name)[\(member.name.quoted)]"
            if member.name.utf8.contains(0) { throw failure(key, "must not hold a NUL byte") }
            entries.append((name: member.name, value: try string(member.value, key)))
        }
        return entries
    }

    private func array(_ name: String, atMost count: Int) throws(RuntimeFailure) -> [JSONValue] {
        guard let value = value(name) else { return [] }
        guard case .array(let elements) = value else {
            throw failure(name, "expected an array, found \(value.found)")
        }
        guard elements.count <= count else {
            throw failure(name, "\(elements.count) entries, at most \(count) are accepted")
        }
        return elements
    }
}

extension RuntimeFailure {
    /// A configuration that cannot be accepted: `config.json: process.cwd: reason`.
    static func invalid(_ file: String, _ place: String, _ reason: String) -> RuntimeFailure {
        RuntimeFailure(place.isEmpty ? "\(file): \(reason)" : "\(file): \(place): \(reason)")
    }
}

extension JSONValue {
    /// What this is, for a message about what was expected instead.
    var found: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let text): shortened(text)
        case .string(let text): text.quoted
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension String {
    /// In quotes, without raw control characters and not endlessly long: fit for a message and a terminal.
    var quoted: String { JSONValue.string(shortened(self)).text() }
}

/// A message stays readable however long the wrong value is.
private func shortened(_ text: String) -> String {
    let max = 100
    guard text.utf8.count > max else { return text }
    var scalars = String.UnicodeScalarView()
    scalars.append(contentsOf: text.unicodeScalars.prefix(max))
    return "\(String(scalars))…"
}
