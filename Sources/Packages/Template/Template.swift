/// A template in the language that packages write the definition of their service in: Mustache, as the Java
/// implementation has it that Cosmos uses, without the escaping of HTML.
///
/// It is data: it can show values, leave parts out and repeat parts, and nothing else. What would take other files in
/// (partials, inheritance) is refused.
public struct Template: Sendable {
    /// A part of a template.
    indirect enum Part: Sendable {
        case text(String)
        case value(Name)
        /// Shown once for each element, or once for a value that is neither empty nor false; `raw` is its source.
        case section(Name, [Part], raw: String)
        /// Shown when the value is absent, empty or false.
        case inverted(Name, [Part])
    }

    /// A name as it is looked up: whole, or part by part.
    struct Name: Sendable {
        var whole: String
        var parts: [String]

        init(_ whole: String) {
            self.whole = whole
            // As many parts as Java sees: a point at the end makes an empty part, which no value has.
            parts = whole.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        }
    }

    let parts: [Part]

    /// The longest template, and how deep its sections may be nested.
    public static let bytesMax = 1 << 20
    static let depthMax = 64

    /// Reads a template.
    ///
    /// - Parameter text: its source.
    /// - Throws: ``TemplateFault`` with what is wrong and in which line.
    public init(_ text: String) throws(TemplateFault) {
        guard text.utf8.count <= Self.bytesMax else {
            throw TemplateFault(line: 1, reason: "has \(text.utf8.count) bytes, at most \(Self.bytesMax) are taken")
        }
        var parser = TemplateParser(text)
        parts = try parser.parse()
    }

    /// The names that it looks up, in the order of their first use.
    public var names: [String] {
        var names: [String] = []
        var seen: Set<String> = []
        func collect(_ parts: [Part]) {
            for part in parts {
                switch part {
                case .text: break
                case .value(let name): if seen.insert(name.whole).inserted { names.append(name.whole) }
                case .section(let name, let inner, _), .inverted(let name, let inner):
                    if seen.insert(name.whole).inserted { names.append(name.whole) }
                    collect(inner)
                }
            }
        }
        collect(parts)
        return names
    }
}

/// Why a template cannot be read or shown.
public struct TemplateFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line in the template, from 1.
    public var line: Int
    /// What is wrong there.
    public var reason: String
    /// Both, for people.
    public var description: String { "line \(line): \(reason)" }
}
