extension Template {
    /// How much a template may make: small ones can ask for endless repetition.
    public struct Limits: Hashable, Sendable {
        /// The most bytes of text.
        public var bytes = 4 << 20
        /// The most parts that are shown or looked up.
        public var steps = 500_000
        /// How often a text that was shown may be a template in turn.
        var depth = 4

        /// The usual limits.
        public init() {}
    }

    /// The text that the template makes of values.
    ///
    /// - Parameters:
    ///   - values: what its names stand for.
    ///   - limits: how much it may make.
    /// - Returns: the text.
    /// - Throws: ``TemplateFault`` when it makes too much.
    public func rendered(with values: JSONObject, limits: Limits = Limits()) throws(TemplateFault) -> String {
        var rendering = TemplateRendering(root: values, limits: limits)
        try rendering.show(parts)
        return String(decoding: rendering.output, as: UTF8.self)
    }
}

/// A value in a template. Cosmos hands texts to it as they stand in JSON, so that they can be put between quotes; those
/// in lists keep their quotes, so that a whole list can be put where JSON wants one.
private struct Value {
    var json: JSON
    /// Whether it is an element of a list.
    var isElement = false

    /// Whether a section of it is shown.
    var isTruthy: Bool {
        switch json {
        case .null: false
        case .flag(let flag): flag
        case .text(let text): isElement || !text.isEmpty
        case .list(let list): !list.isEmpty
        case .number, .object: true
        }
    }

    /// What a name stands for in it. Java's templates see the parameterless methods of texts and lists, and packages
    /// use them.
    func member(_ name: String) -> Value? {
        switch (json, name) {
        case (.object(let object), _): return object[name].map { Value(json: $0) }
        case (.list(let list), "isEmpty"), (.list(let list), "empty"): return Value(json: .flag(list.isEmpty))
        case (.list(let list), "size"): return Value(json: .integer(list.count))
        case (.text, "isEmpty"), (.text, "empty"): return Value(json: .flag(!isTruthy))
        case (.text, "length"):
            var bytes: [UInt8] = []
            write(to: &bytes, limit: .max)
            return Value(json: .integer(String(decoding: bytes, as: UTF8.self).utf16.count))
        default: return nil
        }
    }

    /// Writes it as Java does, and stops soon after the limit.
    func write(to bytes: inout [UInt8], limit: Int) {
        guard bytes.count <= limit else { return }
        switch json {
        case .null: bytes += Array("null".utf8)
        case .flag(let flag): bytes += Array((flag ? "true" : "false").utf8)
        case .number(let number): bytes += Array(number.rendered.utf8)
        case .text(let text):
            if isElement { JSON.write(text, to: &bytes) } else { JSON.escape(text, into: &bytes) }
        case .list(let list):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in list.enumerated() {
                if index > 0 { bytes += Array(", ".utf8) }
                Value(json: element, isElement: true).write(to: &bytes, limit: limit)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in object.fields.enumerated() {
                if index > 0 { bytes += Array(", ".utf8) }
                bytes += Array(field.name.utf8)
                bytes.append(UInt8(ascii: "="))
                Value(json: field.value).write(to: &bytes, limit: limit)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}

/// One making of a text.
private struct TemplateRendering {
    private let root: JSONObject
    private let limits: Template.Limits
    private var scopes: [Value]
    private var stepsLeft: Int
    private var templatesLeft: Int
    private(set) var output: [UInt8] = []

    /// The section whose text is the name of an option that holds JSON.
    private static let lambda = "asJson"

    init(root: JSONObject, limits: Template.Limits) {
        self.root = root
        self.limits = limits
        scopes = [Value(json: .object(root))]
        stepsLeft = limits.steps
        templatesLeft = limits.depth
    }

    private mutating func step(_ count: Int = 1) throws(TemplateFault) {
        stepsLeft -= count
        guard stepsLeft >= 0 else { throw TemplateFault(line: 1, reason: "takes more than \(limits.steps) steps") }
        guard output.count <= limits.bytes else {
            throw TemplateFault(line: 1, reason: "makes more than \(limits.bytes) bytes")
        }
    }

    mutating func show(_ parts: [Template.Part]) throws(TemplateFault) {
        for part in parts {
            try step()
            switch part {
            case .text(let text): output += Array(text.utf8)
            case .value(let name):
                guard let value = try find(name), value.json != .null else { continue }
                value.write(to: &output, limit: limits.bytes)
            case .inverted(let name, let inner):
                if try find(name)?.isTruthy != true { try show(inner) }
            case .section(let name, let inner, let raw):
                if name.whole == Self.lambda {
                    try showJSON(of: raw)
                } else if let value = try find(name), value.isTruthy {
                    try show(inner, for: value)
                }
            }
        }
        try step(0)
    }

    private mutating func show(_ inner: [Template.Part], for value: Value) throws(TemplateFault) {
        guard case .list(let list) = value.json else {
            scopes.append(value)
            try show(inner)
            scopes.removeLast()
            return
        }
        for element in list {
            try step()
            scopes.append(Value(json: element, isElement: true))
            try show(inner)
            scopes.removeLast()
        }
    }

    /// What a name stands for: in the innermost scope that knows its beginning.
    private mutating func find(_ name: Template.Name) throws(TemplateFault) -> Value? {
        if name.whole == "." { return scopes.last }
        try step(name.parts.count)
        next: for scope in scopes.reversed() {
            try step()
            if let value = scope.member(name.whole) { return value }
            guard name.parts.count > 1 else { continue }
            var value = scope
            for part in name.parts.dropLast() {
                // A part in the middle that is not there: perhaps an outer scope has the whole way.
                guard let below = value.member(part) else { continue next }
                value = below
            }
            return name.parts.last.flatMap { value.member($0) }
        }
        return nil
    }

    /// Shows the JSON that an option holds as a text: `null` unless there is such an option. What it holds is a
    /// template in turn, as in Java, which can only happen a few times.
    private mutating func showJSON(of name: String) throws(TemplateFault) {
        guard let text = root[name]?.text else {
            output += Array("null".utf8)
            return
        }
        guard text.utf8.contains(UInt8(ascii: "{")), templatesLeft > 0 else {
            output += Array(text.utf8)
            return
        }
        templatesLeft -= 1
        defer { templatesLeft += 1 }
        try show(try Template(text).parts)
    }
}
