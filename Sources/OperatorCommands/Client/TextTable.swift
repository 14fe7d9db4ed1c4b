/// A table for people: columns as wide as their widest cell, two spaces between, no lines, no colour.
struct TextTable {
    /// A column's title and side.
    struct Column {
        var title: String
        var isNumber = false
    }

    var columns: [Column]
    var rows: [[String]] = []

    /// Columns by title; a title that ends in `#` is one of numbers, which stand at the right.
    init(_ titles: String...) {
        columns = titles.map { title in
            title.hasSuffix("#") ? Column(title: String(title.dropLast()), isNumber: true) : Column(title: title)
        }
    }

    /// Adds a row; missing cells are empty, control characters become spaces.
    mutating func add(_ cells: String?...) {
        rows.append(cells.map { ($0 ?? "-").isEmpty ? "-" : Self.clean($0 ?? "-") })
    }

    /// The table without a line feed at its end; no spaces at the ends of lines.
    var text: String {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in
            all.map { index < $0.count ? $0[index].count : 0 }.max() ?? 0
        }
        return all.map { cells in
            var line = columns.indices.map { index in
                let cell = index < cells.count ? cells[index] : ""
                let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
                return columns[index].isNumber ? padding + cell : cell + padding
            }.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// Names come from frameworks; they must not move the cursor.
    static func clean(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) ? " " : Character($0) })
    }
}

/// Names and values below each other, for one thing in detail.
struct TextFacts {
    private var facts: [(String, String)] = []

    mutating func add(_ name: String, _ value: String?) {
        if let value, !value.isEmpty { facts.append((name, TextTable.clean(value))) }
    }

    var text: String {
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + "  " + $0.1 }
            .joined(separator: "\n")
    }
}

/// How amounts and times are written for people.
enum Words {
    /// At most three digits after the point, none that say nothing.
    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite, abs(value) < 1e15 else { return "-" }
        let thousandths = Int64((value * 1_000).rounded())
        let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1_000)
        let sign = thousandths < 0 ? "-" : ""
        if rest == 0 { return "\(sign)\(whole)" }
        var digits = String(repeating: "0", count: 3 - String(rest).count) + String(rest)
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(sign)\(whole).\(digits)"
    }

    /// `used/total`.
    static func share(_ name: String, _ used: Amounts, _ total: Amounts) -> String {
        "\(number(used[name]?.double ?? 0))/\(number(total[name]?.double ?? 0))"
    }

    static func amount(_ name: String, _ amounts: Amounts) -> String { number(amounts[name]?.double ?? 0) }

    static func percent(_ share: Double) -> String { "\(number((share * 1_000).rounded() / 10))%" }

    /// A time without its fraction.
    static func time(_ text: String?) -> String? {
        guard let text, let dot = text.firstIndex(of: ".") else { return text }
        return text[..<dot] + "Z"
    }

    /// Everything that is not nothing.
    static func all(_ amounts: Amounts) -> String {
        let known = ["cpus", "mem", "disk", "gpus"]
        let names = known.filter { amounts[$0] != nil } + amounts.keys.filter { !known.contains($0) }.sorted()
        return names.compactMap { name in
            switch amounts[name] {
            case .text(let text): return "\(name) \(text)"
            case let value?: return value.double == 0 ? nil : "\(name) \(number(value.double))"
            case nil: return nil
            }
        }.joined(separator: ", ")
    }

    /// `TASK_RUNNING` as `running`.
    static func state(_ wire: String) -> String {
        (wire.hasPrefix("TASK_") ? String(wire.dropFirst(5)) : wire).lowercased()
    }
}
