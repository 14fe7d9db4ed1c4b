/// What a task writes: the last part of it, and with the script all that follows.
public struct TaskLogPage: ConsolePage {
    /// Which task.
    public var place: TaskPlace
    /// `stdout` or `stderr`.
    public var file: String
    /// The files that can be chosen.
    public var files: [String]
    /// What is shown: bytes of the file.
    public var bytes: [UInt8]
    /// Where they begin.
    public var start: Int
    /// How long the file is.
    public var size: Int
    /// What is wrong with it; nil when it could be read.
    public var problem: String?

    /// Bytes of one page.
    public static let pageSize = 64 << 10

    /// Makes a page.
    public init(
        place: TaskPlace, file: String, files: [String], bytes: [UInt8], start: Int, size: Int, problem: String? = nil
    ) {
        self.place = place
        self.file = file
        self.files = files
        self.bytes = bytes
        self.start = start
        self.size = size
        self.problem = problem
    }

    /// The heading.
    public var title: String { "Log" }
    /// The entry of the navigation.
    public var section: Section? { .tasks }
    /// The way to the page.
    public var crumbs: [Crumb] { place.inner }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        place.writeTabs(.log, to: &html)
        let path = (place.directory ?? "") + "/" + file
        html.tag("nav", .class("tabs", "small"), .label("Which output")) { html in
            for name in files {
                html.tag(
                    "a", .href(place.link("log", query: [("file", name)])),
                    .when(name == file, .attr("aria-current", "page")), text: name)
            }
            html.tag("a", .href(place.agentLink(["files", "download"], path: path)), text: "Download")
        }
        if let problem { return html.message(.warn, problem) }
        html.tag(
            "section", .class("part", "log-part"), .id("part-log"), .data("data-part", ""), .data("data-hold", ""),
            .data("data-log", place.agentLink([])), .data("data-file", path)
        ) { html in
            writeTools(to: &html)
            writePlainLinks(to: &html)
            html.tag(
                "div", .class("log", "wrap"), .attr("tabindex", "0"), .attr("role", "region"),
                .label("Output \(file) of \(place.task)")
            ) { html in
                var reader = StyledText()
                // The line that was cut off in the middle belongs to the page before.
                var shown = bytes[...]
                if start > 0, let feed = shown.firstIndex(of: 10) { shown = shown[(feed + 1)...] }
                for line in reader.read(Array(shown)) { html.styledLine(line) }
            }
            if bytes.isEmpty { html.tag("p", .class("dim"), text: "Nothing was written yet.") }
        }
    }

    private func writeTools(to html: inout HTML) {
        html.tag("div", .class("log-tools"), .data("data-log-tools", ""), .flag("hidden")) { html in
            html.tag("button", .type("button"), .class("button"), .data("data-log-older", ""), text: "Older")
            html.tag(
                "button", .type("button"), .class("button", "primary"), .data("data-log-follow", ""), .flag("hidden"),
                text: "Follow the end")
            html.tag("label", .class("log-find")) { html in
                html.tag("span", .class("unseen"), text: "Find in the lines shown")
                html.void(
                    "input", .type("search"), .data("data-log-find", ""), .attr("placeholder", "find"),
                    .attr("autocomplete", "off"))
            }
            html.tag(
                "button", .type("button"), .class("button"), .data("data-log-previous", ""), .label("Previous match"),
                text: "↑")
            html.tag(
                "button", .type("button"), .class("button"), .data("data-log-next", ""), .label("Next match"), text: "↓"
            )
            html.tag("span", .class("dim"), .data("data-log-count", ""), .attr("aria-live", "polite"))
            html.tag("label") { html in
                html.void("input", .type("checkbox"), .data("data-log-wrap", ""), .flag("checked"))
                html.tag("span", text: "Wrap")
            }
        }
        html.tag("p", .class("dim"), .attr("role", "status"), text: "")
    }

    /// Without the script: the pages of the file.
    private func writePlainLinks(to html: inout HTML) {
        html.tag("p", .class("log-plain"), .data("data-log-plain", "")) { html in
            let end = start + bytes.count
            html.tag(
                "span", .class("dim"),
                text: "Bytes \(Numbers.grouped(start)) to \(Numbers.grouped(end)) of \(Numbers.grouped(size)) ")
            func page(_ text: String, at offset: Int) {
                html.buttonLink(text, place.link("log", query: [("file", file), ("offset", String(max(0, offset)))]))
            }
            if start > 0 { page("← Older", at: start - Self.pageSize) }
            if end < size { page("Newer →", at: end) }
            html.buttonLink("Newest", place.link("log", query: [("file", file)]))
        }
    }
}

extension HTML {
    /// A line of output with the looks that it asked for.
    mutating func styledLine(_ pieces: [StyledText.Piece]) {
        tag("div") { html in
            for piece in pieces {
                if piece.classes.isEmpty {
                    html.text(piece.text)
                } else {
                    html.tag("span", .classNames(piece.classes), text: piece.text)
                }
            }
            html.text("\n")
        }
    }
}
