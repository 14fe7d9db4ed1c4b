/// Reads the HTML that the console writes, strictly: what it cannot read is a fault of the page.
struct MiniParser {
    struct Element: Equatable {
        struct Attribute: Equatable {
            var name: String
            var value: String
        }

        var name: String
        var attributes: [Attribute]

        subscript(name: String) -> String? { attributes.first { $0.name == name }?.value }
    }

    private static let empty: Set<String> = ["input", "br", "hr", "img", "meta", "link", "col", "wbr"]

    private(set) var elements: [Element] = []
    private(set) var text = ""

    /// Nil when elements do not end in order, or a character stands where it must not.
    init?(_ html: String) {
        var rest = Substring(html)
        var open: [String] = []
        if rest.hasPrefix("<!doctype html>") { rest = rest.dropFirst(15) }
        while let character = rest.first {
            guard character == "<" else {
                let end = rest.firstIndex(of: "<") ?? rest.endIndex
                guard let plain = Self.unescaped(rest[..<end]) else { return nil }
                text += plain
                rest = rest[end...]
                continue
            }
            guard let end = Self.end(of: rest) else { return nil }
            let inside = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
            if inside.hasPrefix("/") {
                guard open.popLast() == String(inside.dropFirst()) else { return nil }
                continue
            }
            guard let element = Self.element(inside) else { return nil }
            elements.append(element)
            if !Self.empty.contains(element.name) { open.append(element.name) }
        }
        if !open.isEmpty { return nil }
    }

    /// The `>` that ends a tag, which is not in quotes.
    private static func end(of text: Substring) -> String.Index? {
        var isQuoted = false
        for index in text.indices {
            if text[index] == "\"" { isQuoted.toggle() }
            if text[index] == ">", !isQuoted { return index }
        }
        return nil
    }

    private static func element(_ inside: Substring) -> Element? {
        let name = inside.prefix { $0 != " " }
        guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else { return nil }
        var element = Element(name: String(name), attributes: [])
        var rest = inside[name.endIndex...]
        while rest.first == " " {
            rest = rest.dropFirst()
            let name = rest.prefix { $0 != "=" && $0 != " " }
            guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }) else {
                return nil
            }
            rest = rest[name.endIndex...]
            guard rest.first == "=" else {
                element.attributes.append(.init(name: String(name), value: ""))
                continue
            }
            rest = rest.dropFirst()
            guard rest.first == "\"" else { return nil }
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: "\""), let value = unescaped(rest[..<end]) else { return nil }
            element.attributes.append(.init(name: String(name), value: value))
            rest = rest[rest.index(after: end)...]
        }
        return rest.isEmpty ? element : nil
    }

    private static func unescaped(_ text: Substring) -> String? {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.first {
            switch scalar {
            case "<", ">", "\"", "'": return nil
            case "&":
                let names: [(String, Unicode.Scalar)] = [
                    ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\""), ("&#39;", "'"),
                ]
                guard let (name, meaning) = names.first(where: { Substring(rest).hasPrefix($0.0) }) else { return nil }
                result.append(meaning)
                rest = rest.dropFirst(name.unicodeScalars.count)
            default:
                result.append(scalar)
                rest = rest.dropFirst()
            }
        }
        return String(result)
    }
}
