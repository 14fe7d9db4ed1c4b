/// What a visitor wants to see of a list: which rows, in which order, which page. It comes from the address, and every
/// link of the list is made from it.
public struct ListQuery: Hashable, Sendable {
    /// The list's own address.
    public var path: [String]
    /// What rows must contain; empty for all.
    public var text: String
    /// What they are sorted by.
    public var sort: String
    /// Whether the order is turned around.
    public var isDescending: Bool
    /// Which page, counted from 1.
    public var page: Int
    /// Further choices by name, such as a state.
    public var choices: [String: String]

    /// Rows of a page.
    public static let pageSize = 50
    /// The longest text that is looked for, in characters.
    static let textLimit = 200

    /// Reads the parameters `q`, `sort`, `desc`, `page` and those of the choices; what makes no sense is as if it were not
    /// there.
    ///
    /// - Parameters:
    ///   - path: the segments after `/ui`.
    ///   - items: the parameters.
    ///   - sorts: what can be sorted by; the first is meant when nothing is said.
    ///   - choices: the names of further choices.
    ///   - descending: what of `sorts` begins with the largest.
    public init(
        path: [String], items: [(name: String, value: String)], sorts: [String], choices: [String] = [],
        descending: Set<String> = []
    ) {
        func value(_ name: String) -> String? { items.first { $0.name == name }?.value }
        self.path = path
        text = String((value("q") ?? "").prefix(Self.textLimit))
        let usual = sorts.first ?? ""
        sort = value("sort").flatMap { sorts.contains($0) ? $0 : nil } ?? usual
        isDescending = value("desc").map { $0 == "1" } ?? descending.contains(sort)
        page = max(1, min(1_000_000, value("page").flatMap { Int($0) } ?? 1))
        var found: [String: String] = [:]
        for name in choices {
            if let value = value(name), !value.isEmpty { found[name] = String(value.prefix(Self.textLimit)) }
        }
        self.choices = found
    }

    /// Its own address.
    public var link: Link { Link(path: path, query: items) }

    /// What it is made of, without what is as usual.
    var items: [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        if !text.isEmpty { items.append(("q", text)) }
        for (name, value) in choices.sorted(by: { $0.key < $1.key }) { items.append((name, value)) }
        items.append(("sort", sort))
        items.append(("desc", isDescending ? "1" : "0"))
        if page > 1 { items.append(("page", String(page))) }
        return items
    }

    /// The list in another order, or in this one turned around.
    func link(sortedBy sort: String) -> Link {
        var other = self
        other.isDescending = sort == self.sort ? !isDescending : false
        other.sort = sort
        other.page = 1
        return other.link
    }

    /// Another page of the list.
    func link(toPage page: Int) -> Link {
        var other = self
        other.page = page
        return other.link
    }

    /// The list with another choice.
    ///
    /// - Parameters:
    ///   - name: the choice's name.
    ///   - value: what is chosen; empty for all.
    /// - Returns: the address.
    public func link(choosing name: String, _ value: String) -> Link {
        var other = self
        other.choices[name] = value.isEmpty ? nil : value
        other.page = 1
        return other.link
    }

    /// Whether a row has the text in one of its fields, whatever the case of letters.
    ///
    /// - Parameter fields: what can be looked for.
    /// - Returns: whether it is in one of them.
    public func matches(_ fields: String?...) -> Bool {
        if text.isEmpty { return true }
        let wanted = text.lowercased()
        return fields.contains { $0?.lowercased().contains(wanted) == true }
    }

    /// The page that is wanted of rows that are filtered and sorted already; the last one when there are not so many.
    ///
    /// - Parameters:
    ///   - rows: all rows that match, in order.
    ///   - all: how many there are without the filter.
    /// - Returns: the page.
    public func listing<Row>(_ rows: [Row], of all: Int) -> Listing<Row> {
        let pages = max(1, (rows.count + Self.pageSize - 1) / Self.pageSize)
        var query = self
        query.page = min(page, pages)
        let start = (query.page - 1) * Self.pageSize
        return Listing(
            rows: Array(rows.dropFirst(start).prefix(Self.pageSize)), matching: rows.count, all: all, pages: pages,
            query: query)
    }

    /// As ``listing(_:of:)``, sorted here.
    ///
    /// - Parameters:
    ///   - rows: all rows that match.
    ///   - all: how many there are without the filter.
    ///   - areInOrder: whether the first comes before the second, when the order is not turned around.
    /// - Returns: the page.
    public func listing<Row>(_ rows: [Row], of all: Int, by areInOrder: (Row, Row) -> Bool) -> Listing<Row> {
        listing(isDescending ? rows.sorted { areInOrder($1, $0) } : rows.sorted(by: areInOrder), of: all)
    }
}

/// One page of a list.
public struct Listing<Row: Sendable>: Sendable {
    /// The rows of this page.
    public var rows: [Row]
    /// How many match in all.
    public var matching: Int
    /// How many there are.
    public var all: Int
    /// How many pages there are.
    public var pages: Int
    /// What was asked for.
    public var query: ListQuery

    /// The same page with rows made of its rows, so that only what is shown is looked up.
    ///
    /// - Parameter transform: makes a row.
    /// - Returns: the page.
    public func map<Other>(_ transform: (Row) -> Other) -> Listing<Other> {
        Listing<Other>(rows: rows.map(transform), matching: matching, all: all, pages: pages, query: query)
    }
}

extension HTML {
    /// The field to look for something in a list, and its choices. It sends a GET, so that the address can be kept.
    ///
    /// - Parameters:
    ///   - query: what was asked for.
    ///   - hint: what can be looked for, such as `name or address`.
    ///   - choices: further choices: the parameter, what it is called, and its values with their names; the empty value
    ///     stands for all.
    public mutating func filter(
        _ query: ListQuery, hint: String,
        choices: [(name: String, label: String, values: [(value: String, label: String)])] = []
    ) {
        tag(
            "form", .class("filter"), .attr("method", "get"), .action(Link(path: query.path)),
            .attr("role", "search"), .data("data-filter", "")
        ) { html in
            html.void(
                "input", .type("search"), .name("q"), .value(query.text), .attr("placeholder", hint),
                .label("Filter by " + hint), .id("filter-q"), .attr("autocomplete", "off"))
            for choice in choices {
                html.select(
                    choice.name, values: choice.values, chosen: query.choices[choice.name] ?? "", label: choice.label)
            }
            html.void("input", .type("hidden"), .name("sort"), .value(query.sort))
            html.void("input", .type("hidden"), .name("desc"), .value(query.isDescending ? "1" : "0"))
            html.tag("button", .type("submit"), .class("button"), text: "Filter")
        }
    }

    /// The pages of a list, and how much there is. Nothing but the number when it fits on one.
    ///
    /// - Parameters:
    ///   - listing: the page that is shown.
    ///   - noun: what the rows are, in the plural.
    public mutating func pager<Row>(_ listing: Listing<Row>, _ noun: String) {
        let query = listing.query
        tag("nav", .class("pager"), .label("Pages")) { html in
            html.tag("span", .class("dim")) { html in
                let first = (query.page - 1) * ListQuery.pageSize
                if listing.pages > 1 {
                    html.text("\(Numbers.grouped(first + 1))–\(Numbers.grouped(first + listing.rows.count)) of ")
                }
                let word = listing.matching == 1 && noun.hasSuffix("s") ? String(noun.dropLast()) : noun
                html.text("\(Numbers.grouped(listing.matching)) \(word)")
                if listing.matching != listing.all { html.text(" (of \(Numbers.grouped(listing.all)))") }
            }
            guard listing.pages > 1 else { return }
            html.tag("span", .class("pages")) { html in
                html.step("← Previous", query.page > 1 ? query.link(toPage: query.page - 1) : nil, "prev")
                html.tag("span", .class("dim"), text: "Page \(query.page) of \(listing.pages)")
                html.step("Next →", query.page < listing.pages ? query.link(toPage: query.page + 1) : nil, "next")
            }
        }
    }

    private mutating func step(_ text: String, _ link: Link?, _ relation: String) {
        if let link {
            tag("a", .class("button"), .href(link), .attr("rel", relation), text: text)
        } else {
            tag("span", .class("button", "off"), .attr("aria-disabled", "true"), text: text)
        }
    }
}
