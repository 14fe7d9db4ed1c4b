/// A form for a package's options, made from their schema: what there is to fill in, in which groups, and what stands
/// there at first. It knows nothing of how it is drawn.
///
/// Everything in it comes from a package, which is not to be trusted: how much of a schema becomes a form is bounded, and
/// what is left out can still be given as JSON.
public struct OptionForm: Sendable {
    /// The options that belong together: an object of the schema.
    public struct Section: Sendable {
        /// Where they are.
        public var path: OptionPath
        /// What it is called; empty for the root.
        public var title: String
        /// What it is for.
        public var description: String
        /// What is in it: first the fields, those first that must be filled in, then the sections.
        public var items: [Item] = []

        /// A section with nothing in it.
        public init(path: OptionPath, title: String, description: String) {
            self.path = path
            self.title = title
            self.description = description
        }

        /// All fields in it and below.
        public var fields: [Field] {
            items.flatMap { item in
                switch item {
                case .field(let field): [field]
                case .section(let section): section.fields
                }
            }
        }
    }

    /// One thing in a section.
    public enum Item: Sendable {
        case field(Field)
        case section(Section)

        /// How many fields in it must be filled in.
        var needed: Int {
            switch self {
            case .field(let field): field.isNeeded ? 1 : 0
            case .section(let section): section.fields.count { $0.isNeeded }
            }
        }
    }

    /// One option.
    public struct Field: Sendable {
        /// Where it is.
        public var path: OptionPath
        /// What it is called.
        public var title: String
        /// What it is for.
        public var description: String
        /// What can be put in.
        public var kind: Kind
        /// What holds when nothing is put in.
        public var usual: JSON?
        /// What holds now: what somebody asked for, or else the default.
        public var value: JSON?
        /// Whether the schema requires it.
        public var isRequired: Bool
        /// Whether it looks like a password, which is not shown.
        public var isSecret = false
        /// Whether what holds now is kept from the page: it is a secret, or has characters that no page gives back.
        public var isUnshown = false
        /// The pattern that a text must fit, for people.
        public var pattern: String?

        /// Whether nothing can be installed before somebody fills it in.
        public var isNeeded: Bool { isRequired && value == nil }
        /// What stands in the input at first; for what is not shown nothing, which also means that it stays.
        public var input: String { isUnshown ? "" : value.flatMap(kind.input) ?? "" }
    }

    /// What can be put into a field.
    public enum Kind: Hashable, Sendable {
        /// Yes or no: `true` or `false`.
        case flag
        /// One of several values; whether none is a choice.
        case choice([Choice], orNone: Bool)
        /// A number; whether it is a whole one, and the range as texts of JSON numbers.
        case number(isWhole: Bool, least: String?, most: String?)
        /// A text of one line.
        case line
        /// A text of several lines, which the option holds in base64 if the package wants that.
        case lines(isEncoded: Bool)
        /// Any value as JSON.
        case json
    }

    /// A value to choose.
    public struct Choice: Hashable, Sendable {
        /// What is sent.
        public var input: String
        /// The value, as JSON.
        var json: String

        /// For people.
        public var label: String { input.isEmpty ? "(empty)" : input }
    }

    /// All there is.
    public let root: Section
    /// How many properties of the schema have no place in the form, because there are too many or they are too deep.
    public let leftOut: Int
    let defaults: JSONObject
    let given: JSONObject
    let schema: OptionSchema

    /// Makes a form.
    ///
    /// - Parameters:
    ///   - schema: the schema.
    ///   - options: what somebody asked for already.
    public init(_ schema: OptionSchema, options: JSONObject = JSONObject()) {
        let defaults = schema.defaults
        var builder = OptionFormBuilder(
            root: schema.root, defaults: defaults, current: defaults.merging(options))
        root = builder.section(schema.root, at: OptionPath(), title: "", isThere: true, depth: 0)
        leftOut = builder.leftOut
        self.defaults = defaults
        self.schema = schema
        given = options
    }

    /// All fields, in the order in which they are shown.
    public var fields: [Field] { root.fields }
}

/// How much of a schema becomes a form.
enum OptionFormLimits {
    /// The most fields.
    static let fields = 800
    /// The most properties that are looked at.
    static let properties = 6_000
    /// How deep sections may be in each other.
    static let depth = 12
    /// The most values to choose from.
    static let choices = 300
    /// The most characters of titles and of descriptions.
    static let title = 200
    static let description = 4_000
    /// The longest text that gets an input of one line.
    static let line = 120
    /// The longest text of one option, in bytes.
    static let input = 256 << 10
}

extension OptionForm.Kind {
    /// What stands in an input that holds a value; nil when the input cannot hold it so that it would come back as it
    /// was: browsers change line ends and take away what cannot be shown.
    func input(_ value: JSON) -> String? {
        switch (self, value) {
        case (.flag, .flag(let flag)): flag ? "true" : "false"
        case (.choice(let choices, _), _): choices.first { $0.json == value.wire }?.input
        case (.number, .number(let number)): number.text
        case (.line, .text(let text)): text.isPrintable(lines: false) ? text : nil
        case (.lines(isEncoded: false), .text(let text)): text.isPrintable(lines: true) ? text : nil
        case (.lines(isEncoded: true), .text(let text)):
            Base64.bytes(text).flatMap { String(validating: $0, as: UTF8.self) }.flatMap {
                $0.isPrintable(lines: true) && Base64.text(Array($0.utf8)) == text ? $0 : nil
            }
        case (.json, _): value.indented
        default: nil
        }
    }
}

extension JSON {
    var wire: String { String(decoding: bytes, as: UTF8.self) }

    /// Laid out over several lines for people, with two blanks for each level. What is short stays on its line.
    public var indented: String {
        var bytes: [UInt8] = []
        writeIndented(to: &bytes, level: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func writeIndented(to bytes: inout [UInt8], level: Int) {
        func line(_ level: Int) { bytes += [0x0a] + [UInt8](repeating: 0x20, count: 2 * level) }
        switch self {
        case .list(let list) where list.contains { $0.list != nil || $0.object != nil } || list.count > 8:
            bytes.append(UInt8(ascii: "["))
            for (index, element) in list.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                line(level + 1)
                element.writeIndented(to: &bytes, level: level + 1)
            }
            line(level)
            bytes.append(UInt8(ascii: "]"))
        case .object(let object) where !object.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in object.fields.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                line(level + 1)
                Self.write(field.name, to: &bytes)
                bytes += Array(": ".utf8)
                field.value.writeIndented(to: &bytes, level: level + 1)
            }
            line(level)
            bytes.append(UInt8(ascii: "}"))
        case .list(let list) where !list.isEmpty:
            bytes.append(UInt8(ascii: "["))
            for (index, element) in list.enumerated() {
                if index > 0 { bytes += Array(", ".utf8) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        default: write(to: &bytes)
        }
    }
}

extension String {
    /// Whether a browser gives a text back as it was, and a page shows it so: no control characters, and none that turn
    /// the direction of text around.
    func isPrintable(lines: Bool) -> Bool {
        unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x09: true
            case 0x0a: lines
            case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x202a...0x202e, 0x2066...0x2069, 0xfffe...0xffff: false
            default: true
            }
        }
    }
}
