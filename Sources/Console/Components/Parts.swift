extension HTML {
    /// A part of a page, which the script replaces by itself when it has changed.
    ///
    /// - Parameters:
    ///   - id: its id, unlike any other on the page.
    ///   - title: its heading; none when nil.
    ///   - count: a number beside the heading.
    ///   - actions: writes what stands at the heading's other end.
    ///   - content: writes what is in it.
    public mutating func part(
        _ id: String, _ title: String? = nil, count: Int? = nil, actions: ((inout HTML) -> Void)? = nil,
        content: (inout HTML) -> Void
    ) {
        tag("section", .class("part"), .id("part-" + id), .data("data-part", "")) { html in
            if let title {
                html.tag("div", .class("part-head")) { html in
                    html.tag("h2") { html in
                        html.text(title)
                        if let count { html.tag("span", .class("count"), text: Numbers.grouped(count)) }
                    }
                    if let actions { html.tag("div", .class("part-actions"), content: actions) }
                }
            }
            content(&html)
        }
    }

    /// Names and values below each other.
    ///
    /// - Parameter content: calls ``fact(_:_:)-(String,String)`` and its like.
    public mutating func facts(content: (inout HTML) -> Void) { tag("dl", .class("facts"), content: content) }

    /// A name and its value.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - value: the value; a dash when it is nil or empty.
    public mutating func fact(_ name: String, _ value: String?) {
        fact(name) { html in html.textOrDash(value) }
    }

    /// A name and its value.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - content: writes the value.
    public mutating func fact(_ name: String, content: (inout HTML) -> Void) {
        tag("div") { html in
            html.tag("dt", text: name)
            html.tag("dd", content: content)
        }
    }

    /// Text, or a dash where there is none.
    ///
    /// - Parameter text: the text.
    public mutating func textOrDash(_ text: String?) {
        if let text, !text.isEmpty { self.text(text) } else { tag("span", .class("dim"), text: "–") }
    }

    /// A link.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - link: where it leads.
    public mutating func link(_ text: String, _ link: Link) { tag("a", .href(link), text: text) }

    /// Something that is typed or copied: an id, a command.
    ///
    /// - Parameter text: what it says.
    public mutating func code(_ text: String) { tag("code", text: text) }

    /// Lines of text as they are, such as a definition or output.
    ///
    /// - Parameter text: the lines.
    public mutating func lines(_ text: String) {
        tag("pre", .class("lines"), .attr("tabindex", "0"), text: text)
    }

    /// Something with a name and an id: the name leads to it, the id stands small below it.
    ///
    /// - Parameters:
    ///   - name: the name; the id when it is empty.
    ///   - id: the id.
    ///   - link: where it leads.
    public mutating func named(_ name: String, id: String, _ link: Link) {
        self.link(name.isEmpty ? id : name, link)
        if name != id, !name.isEmpty { tag("span", .class("sub", "mono"), text: id) }
    }
}
