public import Packages

/// What becomes of a package and options, before it is done.
public struct ReviewPage: ConsolePage {
    /// A right that it takes.
    public struct Right: Hashable, Sendable {
        /// Its name and what it is about.
        public var text: String
        /// Whether the visitor has it.
        public var isHeld: Bool

        /// Makes a right.
        public init(_ text: String, isHeld: Bool) {
            self.text = text
            self.isHeld = isHeld
        }
    }

    /// The form that led here, whose fields go with this one.
    public var options: OptionsPage
    /// All fields as they were sent.
    public var fields: [(name: String, value: String)]
    /// The app, without the labels that the catalog adds.
    public var app: JSONObject
    /// The options that differ from the defaults; secrets in them are not shown.
    public var asked: JSONObject
    /// What is wrong, beside options.
    public var problems: [String]
    /// The rights that it takes.
    public var rights: [Right]
    /// What to read before.
    public var notes: String?
    /// What is said of the image's whereabouts; nil for nothing.
    public var image: String?

    /// Makes a page.
    public init(
        options: OptionsPage, fields: [(name: String, value: String)], app: JSONObject, asked: JSONObject,
        problems: [String], rights: [Right], notes: String?, image: String?
    ) {
        self.options = options
        self.fields = fields
        self.app = app
        self.asked = asked
        self.problems = problems
        self.rights = rights
        self.notes = notes
        self.image = image
    }

    /// Its heading.
    public var title: String {
        switch options.purpose {
        case .install: "Review \(options.name)"
        case .change(let id): "Review the change of \(id)"
        }
    }

    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] { options.crumbs }

    /// Whether it can be done.
    public var isPossible: Bool { problems.isEmpty && rights.allSatisfy(\.isHeld) }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) { html.chip(options.version) }

    /// Writes it.
    public func write(to html: inout HTML) {
        let summary = AppSummary(app)
        html.part("review") { html in
            for problem in problems { html.message(.bad, problem) }
            if let notes {
                html.tag("div", .class("notes")) { html in
                    html.tag("h3", text: "Before you install")
                    html.prose(notes)
                }
            }
            html.tag("p", .class("lead")) { html in
                html.emblem(options.name)
                html.tag("span") { html in
                    html.text(options.purpose == .install ? "Becomes the service " : "The service becomes ")
                    html.tag("b", text: summary.id.hasPrefix("/") ? summary.id : "/" + summary.id)
                }
            }
            html.facts { html in
                for fact in summary.facts {
                    html.fact(fact.name) { html in
                        html.tag("ul", .class("plain")) { html in
                            for value in fact.values { html.tag("li", text: value) }
                        }
                    }
                }
                if let image { html.fact("Where the image comes from", image) }
                if !rights.isEmpty {
                    html.fact("Takes the rights") { html in
                        html.tag("ul", .class("plain")) { html in
                            for right in rights {
                                html.tag("li") { html in
                                    html.badge(right.isHeld ? .good : .bad, right.text)
                                    if !right.isHeld { html.text(" you do not have it") }
                                }
                            }
                        }
                    }
                }
            }
            html.form(options.action, .class("actions")) { html in
                for field in fields { html.void("input", .type("hidden"), .name(field.name), .value(field.value)) }
                let step = OptionsPage.Name.step
                if isPossible {
                    html.button(
                        options.purpose == .install ? "Install" : "Change it", .primary, .name(step),
                        .value(OptionsPage.Step.done.rawValue))
                }
                html.button("Back to the options", .plain, .name(step), .value(OptionsPage.Step.edit.rawValue))
            }
        }
        html.part("definition", "What is asked for") { html in
            if asked.isEmpty {
                html.tag("p", .class("dim"), text: "Everything is as the package has it.")
            } else {
                html.lines(JSON.object(asked).indented)
            }
            html.tag("details") { html in
                html.tag("summary", text: "The app as JSON")
                html.lines(JSON.object(app).indented)
            }
        }
    }
}
