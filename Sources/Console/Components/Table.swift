/// A column of a table.
public struct Column: Sendable {
    /// Its heading.
    public var title: String
    /// What the list is sorted by when its heading is used; nil when it cannot be.
    public var sort: String?
    /// Whether it holds numbers, which stand at the right.
    public var isNumber: Bool

    /// A column of words.
    ///
    /// - Parameters:
    ///   - title: its heading.
    ///   - sort: what the list is sorted by.
    /// - Returns: the column.
    public static func text(_ title: String, sort: String? = nil) -> Column {
        Column(title: title, sort: sort, isNumber: false)
    }

    /// A column of numbers.
    ///
    /// - Parameters:
    ///   - title: its heading.
    ///   - sort: what the list is sorted by.
    /// - Returns: the column.
    public static func number(_ title: String, sort: String? = nil) -> Column {
        Column(title: title, sort: sort, isNumber: true)
    }
}

/// Writes the cells of one row, from the first column to the last.
public struct Cells: Sendable {
    fileprivate var html: HTML
    fileprivate let columns: [Column]
    fileprivate var next = 0

    /// A cell.
    ///
    /// - Parameter content: writes what is in it.
    public mutating func cell(_ content: (inout HTML) -> Void) {
        let column = next < columns.count ? columns[next] : .text("")
        // The first cell names the row.
        let name: StaticString = next == 0 ? "th" : "td"
        html.open(
            name,
            [
                next == 0 ? .attr("scope", "row") : .none, column.isNumber ? .class("number") : .none,
                column.title.isEmpty ? .none : .data("data-label", column.title),
            ])
        content(&html)
        html.close(name)
        next += 1
    }

    /// A cell with text; a dash when it is nil or empty.
    ///
    /// - Parameter text: the text.
    public mutating func text(_ text: String?) { cell { $0.textOrDash(text) } }

    /// A cell with a link.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - link: where it leads.
    public mutating func link(_ text: String, _ link: Link) { cell { $0.link(text, link) } }

    /// A cell with a number.
    ///
    /// - Parameter number: the number.
    public mutating func number(_ number: Int) { cell { $0.text(Numbers.grouped(number)) } }

    /// A cell with a state.
    ///
    /// - Parameters:
    ///   - tone: how it is.
    ///   - word: what it is called.
    public mutating func badge(_ tone: Tone, _ word: String) { cell { $0.badge(tone, word) } }
}

extension HTML {
    /// A table. It can be scrolled where it is too wide, and its rows become cards on small screens.
    ///
    /// - Parameters:
    ///   - caption: what it shows, for those who do not see it.
    ///   - columns: its columns.
    ///   - rows: its rows.
    ///   - query: what the visitor asked for, when headings sort.
    ///   - row: writes the cells of one row, one for each column.
    public mutating func table<Row>(
        _ caption: String, _ columns: [Column], _ rows: [Row], query: ListQuery? = nil,
        row: (inout Cells, Row) -> Void
    ) {
        tag("div", .class("table")) { html in
            html.tag("table") { html in
                html.tag("caption", .class("unseen"), text: caption)
                html.tag("thead") { html in
                    html.tag("tr") { html in for column in columns { html.heading(column, query) } }
                }
                html.tag("tbody") { html in
                    for value in rows {
                        html.open("tr", [])
                        var cells = Cells(html: html, columns: columns)
                        html = HTML(cells.html.context, capacity: 0)
                        row(&cells, value)
                        html = cells.html
                        html.close("tr")
                    }
                }
            }
        }
    }

    private mutating func heading(_ column: Column, _ query: ListQuery?) {
        let isSorted = column.sort != nil && column.sort == query?.sort
        let order: Attribute =
            isSorted ? .attr("aria-sort", query?.isDescending == true ? "descending" : "ascending") : .none
        tag("th", .attr("scope", "col"), column.isNumber ? .class("number") : .none, order) { html in
            guard let sort = column.sort, let query else { return html.text(column.title) }
            html.tag("a", .href(query.link(sortedBy: sort))) { html in
                html.text(column.title)
                if isSorted {
                    html.tag("span", .class("order"), .hidden, text: query.isDescending ? " ↓" : " ↑")
                }
            }
        }
    }
}
