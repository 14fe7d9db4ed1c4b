/// Reads the source of a template. Which line ends and which blanks are left out follows the Java implementation: a
/// line that holds nothing but the beginning or the end of a section of several lines leaves nothing behind.
struct TemplateParser {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    /// Whether a line has begun before; the first one is treated otherwise, as in Java.
    private var hasBegun = false
    private var tagsLeft = 50_000

    init(_ text: String) { bytes = Array(text.utf8) }

    private func fault(_ reason: String) -> TemplateFault { TemplateFault(line: line, reason: reason) }

    mutating func parse() throws(TemplateFault) -> [Template.Part] {
        var marks = Marks()
        return try section(nil, &marks, startOfLine: true, depth: 0).parts
    }

    /// What begins and ends a tag.
    private struct Marks {
        var open: [UInt8] = Array("{{".utf8)
        var close: [UInt8] = Array("}}".utf8)
    }

    private struct Section {
        var parts: [Template.Part] = []
        /// Where the tag that ended it begins.
        var end = 0

        mutating func add(_ text: inout [UInt8]) {
            if !text.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
            text = []
        }
    }

    /// The parts up to the end of the section of that name; of the whole template without a name.
    private mutating func section(
        _ name: String?, _ outer: inout Marks, startOfLine: Bool, depth: Int
    ) throws(TemplateFault) -> Section {
        guard depth <= Template.depthMax else {
            throw fault("sections are nested more than \(Template.depthMax) deep")
        }
        var (marks, startOfLine) = (outer, startOfLine)
        var result = Section()
        var text: [UInt8] = []
        var onlySpace = true
        var endsInside = hasBegun
        var sawReturn = false
        hasBegun = true
        let begin = line
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0d {
                sawReturn = true
                index += 1
                continue
            }
            if byte == 0x0a {
                index += 1
                line += 1
                if !endsInside || !onlySpace { text += sawReturn ? [0x0d, 0x0a] : [0x0a] }
                sawReturn = false
                result.add(&text)
                (endsInside, onlySpace, startOfLine) = (false, true, true)
                continue
            }
            sawReturn = false
            guard byte == marks.open[0], bytes[index...].starts(with: marks.open) else {
                onlySpace = onlySpace && (byte == 0x20 || byte == 0x09)
                text.append(byte)
                index += 1
                continue
            }
            let tagStart = index
            let tag = try tag(marks)
            switch tag.kind {
            case "#", "^":
                let atStart = startOfLine && onlySpace
                let first = line
                let source = index
                let inner = try section(tag.name, &marks, startOfLine: atStart, depth: depth + 1)
                let isOneLine = line == first
                if onlySpace, !isOneLine { text = [] }
                result.add(&text)
                if tag.kind == "#" {
                    let raw = String(decoding: bytes[source..<inner.end], as: UTF8.self)
                    result.parts.append(.section(.init(tag.name), inner.parts, raw: raw))
                } else {
                    result.parts.append(.inverted(.init(tag.name), inner.parts))
                }
                endsInside = !isOneLine
            case "/":
                if !startOfLine || !onlySpace { result.add(&text) }
                guard tag.name == name else {
                    throw fault(
                        name.map { "\($0.shown) ends with \(tag.name.shown)" }
                            ?? "\(tag.name.shown) ends and never began")
                }
                result.end = tagStart
                return result
            case "=":
                result.add(&text)
                marks = try self.marks(tag.name)
            case "v":
                result.add(&text)
                result.parts.append(.value(.init(tag.name)))
            default: result.add(&text)
            }
            startOfLine = false
        }
        result.add(&text)
        if let name { throw TemplateFault(line: begin, reason: "\(name.shown) begins and never ends") }
        return result
    }

    private struct Tag {
        /// The sign that it begins with; `v` for a value.
        var kind: Character
        var name: String
    }

    private mutating func tag(_ marks: Marks) throws(TemplateFault) -> Tag {
        tagsLeft -= 1
        guard tagsLeft > 0 else { throw fault("has too many tags") }
        index += marks.open.count
        let start = index
        let isDelimiter = index < bytes.count && bytes[index] == UInt8(ascii: "=")
        if isDelimiter {
            index += 1
            while index < bytes.count, bytes[index] != UInt8(ascii: "=") { index += 1 }
        }
        while index < bytes.count, bytes[index] != marks.close[0] || !bytes[index...].starts(with: marks.close) {
            index += 1
        }
        guard index < bytes.count else { throw fault("a tag is not closed") }
        let body = bytes[start..<index]
        index += marks.close.count
        line += body.count { $0 == 0x0a }
        guard let sign = body.first else { throw fault("a tag is empty") }
        let rest = Self.trimmed(body.dropFirst())
        switch sign {
        case UInt8(ascii: "#"): return Tag(kind: "#", name: rest)
        case UInt8(ascii: "^"): return Tag(kind: "^", name: rest)
        case UInt8(ascii: "/"): return Tag(kind: "/", name: rest)
        case UInt8(ascii: "!"), UInt8(ascii: "%"): return Tag(kind: "!", name: "")
        case UInt8(ascii: "="): return Tag(kind: "=", name: rest)
        case UInt8(ascii: "&"): return Tag(kind: "v", name: rest)
        case UInt8(ascii: "{"):
            guard marks.close == Array("}}".utf8) else { return Tag(kind: "v", name: String(rest.dropLast())) }
            guard index < bytes.count, bytes[index] == UInt8(ascii: "}") else {
                throw fault("\(rest.shown) has three braces at its beginning and two at its end")
            }
            index += 1
            return Tag(kind: "v", name: rest)
        case UInt8(ascii: ">"), UInt8(ascii: "<"), UInt8(ascii: "$"), UInt8(ascii: "?"):
            throw fault("takes in another template, \(rest.shown), which packages cannot")
        default: return Tag(kind: "v", name: Self.trimmed(body))
        }
    }

    private func marks(_ text: String) throws(TemplateFault) -> Marks {
        let words = text.split(whereSeparator: \.isWhitespace).map { Array($0.utf8.filter { $0 != UInt8(ascii: "=") }) }
        guard words.count == 2, words.allSatisfy({ (1...2).contains($0.count) }) else {
            throw fault("sets marks of tags that are none")
        }
        return Marks(open: words[0], close: words[1])
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    /// As much of a name as a message shows.
    fileprivate var shown: String { "'\(prefix(64))'" }
}
