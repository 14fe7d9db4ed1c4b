/// Output of a program as lines of pieces: the colours and weights that it asked for by SGR sequences become names of
/// classes, all other sequences are left out, and what is no text is drawn as what it is.
///
/// The script does the same for what comes later; `log.js` and this must agree.
public struct StyledText: Sendable {
    /// A piece of a line in one look.
    public struct Piece: Hashable, Sendable {
        /// The text.
        public var text: String
        /// The classes; all of a fixed set.
        public var classes: [StaticName]
    }

    /// The name of a class that is made here and nowhere else: letters and digits.
    public struct StaticName: Hashable, Sendable {
        let text: String
        fileprivate init(_ text: String) { self.text = text }
    }

    /// The longest part of a line that is shown, in characters.
    static let width = 4_096
    /// The most pieces of a line.
    static let pieceLimit = 200
    /// Longer sequences are none.
    private static let sequenceLimit = 256

    private struct Look: Hashable {
        var foreground: Int?
        var background: Int?
        var flags: Set<String> = []
    }

    private var look = Look()
    private var pieces: [Piece] = []
    private var length = 0
    private var hidden = 0

    /// Begins without a look.
    public init() {}

    /// Reads a part of the output; it may begin and end anywhere.
    ///
    /// - Parameter bytes: the output.
    /// - Returns: its lines; the last one may be cut off.
    public mutating func read(_ bytes: [UInt8]) -> [[Piece]] {
        var lines: [[Piece]] = []
        let text = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
        var plain = String.UnicodeScalarView()
        var index = 0
        while index < text.count {
            let scalar = text[index]
            index += 1
            if scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value) || scalar == "\t" {
                plain.append(scalar)
                continue
            }
            add(String(plain))
            plain = .init()
            switch scalar {
            case "\n": lines.append(end())
            case "\r":
                // What overwrites a line, as a progress bar does.
                if index < text.count, text[index] != "\n" { begin() }
            case "\u{1b}": index = sequence(text, index)
            default:
                add(
                    scalar.value < 0x20
                        ? String(Character(Unicode.Scalar(0x2400 + UInt32(scalar.value)) ?? "?")) : "\u{fffd}")
            }
        }
        add(String(plain))
        if !pieces.isEmpty { lines.append(end()) }
        return lines
    }

    private mutating func begin() {
        pieces = []
        length = 0
        hidden = 0
    }

    private mutating func end() -> [Piece] {
        if hidden > 0 { pieces.append(Piece(text: " … \(hidden) more characters", classes: [StaticName("cut")])) }
        defer { begin() }
        return pieces
    }

    private mutating func add(_ text: String) {
        if text.isEmpty { return }
        let count = text.unicodeScalars.count
        let room = max(0, Self.width - length)
        hidden += max(0, count - room)
        guard room > 0 else { return }
        let shown = count > room ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(room))) : text
        length += min(count, room)
        let classes = names
        if pieces.last?.classes == classes || pieces.count >= Self.pieceLimit {
            pieces[pieces.count - 1].text += shown
        } else {
            pieces.append(Piece(text: shown, classes: classes))
        }
    }

    private var names: [StaticName] {
        var (front, back) = (look.foreground.map(String.init), look.background.map(String.init))
        if look.flags.contains("iv") { (front, back) = (back, front ?? "i") }
        var names: [String] = []
        if let front { names.append("f" + front) }
        if let back { names.append("b" + back) }
        names += look.flags.filter { $0 != "iv" }.sorted()
        return names.map { StaticName($0) }
    }

    /// Reads a sequence after ESC.
    ///
    /// - Returns: where it goes on; right after ESC when it is none.
    private mutating func sequence(_ text: [Unicode.Scalar], _ start: Int) -> Int {
        guard start < text.count else { return start }
        let limit = min(text.count, start + Self.sequenceLimit)
        var index = start + 1
        switch text[start] {
        case "[":
            while index < limit, (0x20...0x3F).contains(text[index].value) { index += 1 }
            guard index < limit, (0x40...0x7E).contains(text[index].value) else { return start }
            if text[index] == "m" { style(String(String.UnicodeScalarView(text[(start + 1)..<index]))) }
            return index + 1
        case "]", "P", "X", "^", "_":
            while index < limit {
                if text[index].value == 7 { return index + 1 }
                if text[index].value == 0x1B {
                    return index + 1 < text.count && text[index + 1] == "\\" ? index + 2 : index
                }
                index += 1
            }
            return start
        default:
            while index - 1 < limit, (0x20...0x2F).contains(text[index - 1].value), index < limit { index += 1 }
            return (0x30...0x7E).contains(text[index - 1].value) ? index : start
        }
    }

    private static let set = [1: "tb", 2: "td", 3: "ti", 4: "tu", 7: "iv", 9: "ts"]
    private static let clear = [22: ["tb", "td"], 23: ["ti"], 24: ["tu"], 27: ["iv"], 29: ["ts"]]

    private mutating func style(_ text: String) {
        let list = text.split(maxSplits: 31, omittingEmptySubsequences: false) { $0 == ";" || $0 == ":" }
            .map { Int($0) ?? ($0.isEmpty ? 0 : -1) }
        var index = 0
        while index < list.count {
            let number = list[index]
            switch number {
            case 0: look = Look()
            case 30...37: look.foreground = number - 30
            case 40...47: look.background = number - 40
            case 90...97: look.foreground = number - 82
            case 100...107: look.background = number - 92
            case 39: look.foreground = nil
            case 49: look.background = nil
            case 38, 48:
                let rest = Array(list[(index + 1)...].prefix(4))
                index += rest.first == 2 ? 4 : 2
                guard let colour = Self.colour(rest) else { break }
                if number == 38 { look.foreground = colour } else { look.background = colour }
            default:
                if let flag = Self.set[number] { look.flags.insert(flag) }
                if let flags = Self.clear[number] { look.flags.subtract(flags) }
            }
            index += 1
        }
    }

    /// The nearest of the sixteen colours, which can be read on every background.
    static func colour(_ rest: [Int]) -> Int? {
        var rgb = Array(rest.dropFirst())
        if rest.first == 5, let index = rest.dropFirst().first {
            switch index {
            case 0..<16: return index
            case 232...255: rgb = Array(repeating: 8 + (index - 232) * 10, count: 3)
            case 16..<232: rgb = [(index - 16) / 36 * 51, (index - 16) / 6 % 6 * 51, (index - 16) % 6 * 51]
            default: return nil
            }
        } else if rest.first != 2 {
            return nil
        }
        guard rgb.count == 3, rgb.allSatisfy({ (0...255).contains($0) }), let high = rgb.max(), let low = rgb.min()
        else { return nil }
        if high - low < 40 { return high < 64 ? 0 : high < 144 ? 8 : high < 208 ? 7 : 15 }
        var bits = 0
        for (place, value) in rgb.enumerated() where value * 2 > high + low { bits |= 1 << place }
        return bits + (high > 200 ? 8 : 0)
    }
}

extension Attribute {
    /// Classes of a piece of output, all of a fixed set.
    static func classNames(_ names: [StyledText.StaticName]) -> Attribute {
        .attr("class", names.map(\.text).joined(separator: " "))
    }
}
