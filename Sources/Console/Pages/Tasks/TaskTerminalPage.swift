/// A command in a task's container, with a terminal. It needs the script; without it the page says which command does
/// the same.
public struct TaskTerminalPage: ConsolePage {
    /// Which task.
    public var place: TaskPlace
    /// What runs unless something else is entered.
    public var command: String
    /// Why there can be no terminal; nil when there can.
    public var problem: String?

    /// Makes a page.
    public init(place: TaskPlace, command: String = "/bin/sh", problem: String? = nil) {
        self.place = place
        self.command = command
        self.problem = problem
    }

    /// The heading.
    public var title: String { "Terminal" }
    /// The entry of the navigation.
    public var section: Section? { .tasks }
    /// The way to the page.
    public var crumbs: [Crumb] { place.inner }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        place.writeTabs(.terminal, to: &html)
        if let problem { return html.message(.warn, problem) }
        html.tag(
            "section", .class("part", "terminal"), .id("part-terminal"), .data("data-part", ""),
            .data("data-hold", ""), .data("data-terminal", place.link("terminal"))
        ) { html in
            html.form(place.link("terminal"), .class("terminal-form")) { html in
                html.input(
                    FormField(
                        "command", "Command", help: "It runs as the task's user, and ends when you leave the page."),
                    value: command, .attr("autocomplete", "off"), .attr("spellcheck", "false"),
                    .attr("autocapitalize", "none"))
                html.button("Start", .primary)
            }
            html.tag("div", .class("terminal-bar")) { html in
                html.tag(
                    "p", .attr("role", "status"),
                    text: "A terminal in the page needs JavaScript; the command below does the same.")
                html.tag(
                    "button", .type("button"), .class("button", "danger"), .data("data-end", ""), .flag("hidden"),
                    text: "End")
            }
            html.tag(
                "div", .class("screen"), .flag("hidden"), .attr("role", "group"), .label("Terminal"))
            html.tag("div", .class("heard", "unseen"), .attr("role", "log"), .attr("aria-live", "polite"))
            html.tag(
                "p", .class("dim"), .id("terminal-hint"),
                text: "All keys go to the command, Tab as well. Shift+F6 leaves the terminal; select text to copy it, "
                    + "paste with your browser's keys.")
        }
        html.part("terminal-command", "On the command line") { html in
            html.lines("rondo task exec -it \(place.framework)/\(place.task) -- \(command)")
        }
    }
}
