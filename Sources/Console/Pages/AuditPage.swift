/// An entry of the audit log.
public struct AuditRow: Sendable {
    /// Where it is in the log.
    public var place: String
    /// When, as it is written there.
    public var time: String
    /// Who.
    public var who: String
    /// From where.
    public var from: String
    /// What.
    public var action: String
    /// To what.
    public var object: String
    /// What came of it: `done`, `denied`, `failed 404`.
    public var result: String
    /// Why it was refused.
    public var reason: String?

    /// Makes a row.
    public init(
        place: String, time: String, who: String, from: String, action: String, object: String, result: String,
        reason: String? = nil
    ) {
        self.place = place
        self.time = time
        self.who = who
        self.from = from
        self.action = action
        self.object = object
        self.result = result
        self.reason = reason
    }

    /// Whether a filter lets it through.
    ///
    /// - Parameter filter: the filter.
    /// - Returns: whether all that it asks for is there.
    public func matches(_ filter: AuditFilter) -> Bool {
        func has(_ wanted: String, _ fields: String?...) -> Bool {
            wanted.isEmpty || fields.contains { $0?.lowercased().contains(wanted.lowercased()) == true }
        }
        return has(filter.who, who, from) && has(filter.action, action) && has(filter.object, object, reason)
            && (filter.result.isEmpty || result.hasPrefix(filter.result))
            && (filter.until.isEmpty || time.prefix(filter.until.utf8.count) <= filter.until)
            && (filter.since.isEmpty || time >= filter.since)
    }

    var tone: Tone { result == "done" ? .good : result == "denied" ? .bad : .warn }
}

/// What of the audit log is wanted.
public struct AuditFilter: Hashable, Sendable {
    /// `audit` or `work`.
    public var log = "audit"
    /// Part of who or from where.
    public var who = ""
    /// Part of what.
    public var action = ""
    /// Part of to what, or why not.
    public var object = ""
    /// `done`, `denied` or `failed`.
    public var result = ""
    /// The first time, such as `2026-03-30` or `2026-03-30T15:50`, in UTC.
    public var since = ""
    /// The last time; as far as it is given.
    public var until = ""

    /// Reads what an address says; texts are cut at 200 characters.
    ///
    /// - Parameter value: gives the value of a parameter.
    public init(_ value: (String) -> String?) {
        func text(_ name: String) -> String { String((value(name) ?? "").prefix(200)) }
        log = value("log") == "work" ? "work" : "audit"
        who = text("who")
        action = text("action")
        object = text("object")
        result = ["done", "denied", "failed"].contains(text("result")) ? text("result") : ""
        since = Self.time(text("since"))
        until = Self.time(text("until"))
    }

    /// A time as far as it is given; what is none is as if it were not there.
    private static func time(_ text: String) -> String {
        let text = text.replacing(" ", with: "T").uppercased()
        let shape = Array("dddd-dd-ddTdd:dd:dd.dddZ")
        guard text.utf8.count <= shape.count, text.utf8.count >= 4 else { return "" }
        for (character, wanted) in zip(text, shape) {
            let isRight = wanted == "d" ? character.isASCII && character.isNumber : character == wanted
            if !isRight { return "" }
        }
        return text
    }

    var items: [(name: String, value: String)] {
        [
            ("log", log == "work" ? "work" : ""), ("who", who), ("action", action), ("object", object),
            ("result", result), ("since", since), ("until", until),
        ].filter { !$0.1.isEmpty }
    }
}

/// Who did what, the newest first.
public struct AuditPage: ConsolePage {
    /// What is wanted.
    public var filter: AuditFilter
    /// The entries, the newest first.
    public var rows: [AuditRow]
    /// Where older ones are; nil when these are the oldest.
    public var older: String?
    /// Whether these are not the newest.
    public var isPast: Bool
    /// Whether looking ended because much was looked through.
    public var isCut: Bool
    /// Why there is none; nil when there is.
    public var problem: String?

    /// Makes a page.
    public init(
        filter: AuditFilter, rows: [AuditRow], older: String? = nil, isPast: Bool = false, isCut: Bool = false,
        problem: String? = nil
    ) {
        self.filter = filter
        self.rows = rows
        self.older = older
        self.isPast = isPast
        self.isCut = isCut
        self.problem = problem
    }

    /// The heading.
    public var title: String { "Audit" }
    /// The entry of the navigation.
    public var section: Section? { .audit }
    /// What makes the page stale.
    public var topics: Set<Topic> { isPast ? [] : [.audit] }

    private func link(_ more: [(name: String, value: String)]) -> Link { Link("audit", query: filter.items + more) }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        html.tag("nav", .class("tabs"), .label("Which log")) { html in
            for (name, text) in [("audit", "People and refusals"), ("work", "Frameworks")] {
                html.tag(
                    "a", .href(name == "audit" ? Link("audit") : Link("audit", query: [("log", "work")])),
                    .when(filter.log == name, .attr("aria-current", "page")), text: text)
            }
        }
        if let problem { return html.message(.warn, problem) }
        writeFilter(to: &html)
        html.part("entries", "Entries") { html in
            if rows.isEmpty {
                html.empty(
                    "No entries",
                    isCut
                        ? "None of those looked through fits; older ones may." : "Nothing in the log fits this filter.")
            } else {
                html.table(
                    "Entries of the audit log",
                    [
                        .text("Time (UTC)"), .text("Who"), .text("What"), .text("To what"), .text("Result"),
                        .text("From"),
                    ],
                    rows
                ) { cells, row in
                    cells.link(Self.readable(row.time), link([("entry", row.place)]))
                    cells.text(row.who)
                    cells.cell { $0.code(row.action) }
                    cells.text(String(row.object.prefix(160)))
                    cells.cell { html in
                        html.badge(row.tone, row.result)
                        if let reason = row.reason {
                            html.tag("div", .class("dim"), text: String(reason.prefix(160)))
                        }
                    }
                    cells.text(row.from)
                }
            }
            html.tag("nav", .class("pager"), .label("Pages")) { html in
                if isPast { html.buttonLink("Newest", link([])) }
                if let older { html.buttonLink(isCut ? "Look further back" : "Older →", link([("before", older)])) }
            }
        }
        html.part("export", "On the command line") { html in
            html.tag("p", .class("dim"), text: "The whole log, as lines of JSON, to keep elsewhere or to follow:")
            html.lines(
                "curl -H \"Authorization: token=$TOKEN\" 'https://MASTER:5050/rondo/v1/audit?log=\(filter.log)&lines=10000'\n"
                    + "curl -N -H \"Authorization: token=$TOKEN\" 'https://MASTER:5050/rondo/v1/audit?log=\(filter.log)&follow=true'"
            )
        }
    }

    private func writeFilter(to html: inout HTML) {
        html.tag(
            "form", .class("filter"), .attr("method", "get"), .action(Link("audit")), .attr("role", "search")
        ) { html in
            if filter.log == "work" { html.void("input", .type("hidden"), .name("log"), .value("work")) }
            for (name, hint, value) in [
                ("who", "who or from where", filter.who), ("action", "what", filter.action),
                ("object", "to what, or why not", filter.object), ("since", "since 2026-03-30", filter.since),
                ("until", "until 2026-03-30T15", filter.until),
            ] {
                html.void(
                    "input", .type("search"), .name(name), .value(value), .attr("placeholder", hint),
                    .label("Filter: " + hint), .attr("size", "14"), .attr("autocomplete", "off"))
            }
            html.select(
                "result", values: [("", "All results"), ("done", "done"), ("denied", "denied"), ("failed", "failed")],
                chosen: filter.result, label: "Result")
            html.tag("button", .type("submit"), .class("button"), text: "Filter")
        }
    }

    /// `2026-03-30T15:50:16.187Z` without what everybody knows.
    static func readable(_ time: String) -> String {
        String(time.replacing("T", with: " ").prefix { $0 != "." && $0 != "Z" })
    }
}

/// One entry with all that it says.
public struct AuditEntryPage: ConsolePage {
    /// The entry.
    public var row: AuditRow
    /// What the list was filtered by.
    public var filter: AuditFilter

    /// Makes a page.
    public init(row: AuditRow, filter: AuditFilter) {
        self.row = row
        self.filter = filter
    }

    /// The heading.
    public var title: String { row.action }
    /// The entry of the navigation.
    public var section: Section? { .audit }
    /// The way to the page.
    public var crumbs: [Crumb] { [Crumb("Audit", Link("audit", query: filter.items))] }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) { html.badge(row.tone, row.result) }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        html.part("entry") { html in
            html.facts { html in
                html.fact("Time", row.time)
                html.fact("Who") { $0.code(row.who) }
                html.fact("From") { $0.code(row.from) }
                html.fact("What") { $0.code(row.action) }
                html.fact("To what") { $0.code(row.object) }
                html.fact("Result", row.result)
                if let reason = row.reason { html.fact("Reason", reason) }
                html.fact("Place in the log", "\(filter.log) \(row.place)")
            }
            html.tag("p", .class("actions")) { html in
                html.buttonLink("All of " + String(row.who.prefix(60)), Link("audit", query: [("who", row.who)]))
                html.buttonLink("All " + row.action, Link("audit", query: [("action", row.action)]))
            }
        }
    }
}
