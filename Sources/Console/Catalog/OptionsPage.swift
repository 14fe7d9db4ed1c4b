public import Packages

/// The form for a package's options: before it is installed, or when what is installed is changed. The options are filled
/// in one by one, or written as JSON.
public struct OptionsPage: ConsolePage {
    /// What is done with the options in the end.
    public enum Purpose: Hashable, Sendable {
        /// A service is made.
        case install
        /// The service of this path is changed.
        case change(String)
    }

    /// How options are given.
    public enum Entry: Sendable {
        /// One by one.
        case form(OptionForm)
        /// As a text in JSON.
        case json(String)
    }

    /// What the fields of the form are called when they are sent.
    public enum Name {
        /// Before the pointer of an option's path.
        public static let option = "o"
        /// Says that all options that are on are sent, so that the others are off.
        public static let whole = "whole"
        /// What somebody asked for before the form was filled in, as JSON.
        public static let base = "base"
        /// All options as JSON.
        public static let json = "json"
        /// The path of the service, where it is not the package's.
        public static let id = "app-id"
        /// What to do with what is sent.
        public static let step = "step"
    }

    /// What to do with what is sent.
    public enum Step: String, Sendable {
        /// Show what becomes of it.
        case review
        /// Back to the form.
        case edit
        /// Go on as JSON.
        case json
        /// Go on as a form.
        case form
        /// Do it.
        case done
    }

    /// The package's name.
    public var name: String
    /// Its version.
    public var version: String
    /// What is done in the end.
    public var purpose: Purpose
    /// How options are given.
    public var entry: Entry
    /// What stands in the fields, by the pointers of their options; what is not there stands as the form has it.
    public var inputs: [String: String]
    /// The path of the service that somebody put in.
    public var id: String
    /// What somebody asked for before, to be sent along; nil where it is known without that.
    public var base: String?
    /// What is wrong.
    public var faults: [OptionForm.Fault]
    /// The versions that what is installed may become, the present one among them.
    public var versions: [String]
    /// Where it is sent.
    public var action: Link

    /// Makes a page.
    public init(
        name: String, version: String, purpose: Purpose, entry: Entry, inputs: [String: String] = [:], id: String = "",
        base: String? = nil, faults: [OptionForm.Fault] = [], versions: [String] = [], action: Link
    ) {
        self.name = name
        self.version = version
        self.purpose = purpose
        self.entry = entry
        self.inputs = inputs
        self.id = id
        self.base = base
        self.faults = faults
        self.versions = versions
        self.action = action
    }

    /// Its heading.
    public var title: String {
        switch purpose {
        case .install: "Configure \(name)"
        case .change(let id): "Change \(id)"
        }
    }

    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] {
        switch purpose {
        case .install:
            [Crumb("Catalog", CatalogLinks.search), Crumb(name, CatalogLinks.package(name, version: version))]
        case .change(let id):
            [
                Crumb("Catalog", CatalogLinks.search), Crumb("Installed", CatalogLinks.installed),
                Crumb(id, CatalogLinks.service(id)),
            ]
        }
    }

    private var back: Link {
        switch purpose {
        case .install: CatalogLinks.package(name, version: version)
        case .change(let id): CatalogLinks.service(id)
        }
    }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) { html.chip(version) }

    /// Writes it.
    public func write(to html: inout HTML) {
        writeVersions(to: &html)
        html.form(action, .class("options"), .flag("novalidate")) { html in
            html.part("options") { html in
                writeFaults(to: &html)
                switch entry {
                case .form(let form): write(form, to: &html)
                case .json(let text): write(json: text, to: &html)
                }
                if purpose == .install { writeID(to: &html) }
                html.tag("div", .class("actions", "bar-below")) { html in
                    html.button("Review", .primary, .name(Name.step), .value(Step.review.rawValue))
                    switch entry {
                    case .form: html.button("Edit as JSON", .plain, .name(Name.step), .value(Step.json.rawValue))
                    case .json: html.button("Edit as a form", .plain, .name(Name.step), .value(Step.form.rawValue))
                    }
                    html.buttonLink("Cancel", back)
                    html.tag("span", .class("dim"), text: "Nothing happens yet: the next page shows what it will be.")
                }
            }
        }
    }

    private func writeVersions(to html: inout HTML) {
        guard case .change(let id) = purpose, versions.count > 1 else { return }
        html.tag("nav", .class("chips"), .label("Versions")) { html in
            html.tag("span", .class("dim"), text: "Version:")
            for version in versions.prefix(50) {
                html.tag(
                    "a", .class("chip", version == self.version ? "selected" : ""),
                    .when(version == self.version, .attr("aria-current", "true")),
                    .href(CatalogLinks.edit(id, version: version)), text: version)
            }
        }
    }

    // MARK: what is wrong

    private func writeFaults(to html: inout HTML) {
        guard !faults.isEmpty else { return }
        var known: Set<String> = []
        if case .form(let form) = entry { known = Set(form.fields.map(\.path.pointer)) }
        html.tag("div", .class("message", "bad", "faults"), .attr("role", "alert")) { html in
            html.mark(.bad)
            html.tag("div") { html in
                html.tag(
                    "p", text: faults.count == 1 ? "One thing is wrong:" : "\(faults.count) things are wrong:")
                html.tag("ul") { html in
                    for fault in faults.prefix(100) {
                        html.tag("li") { html in
                            if known.contains(fault.pointer) {
                                html.link(Self.dotted(fault.pointer), .here(Self.field(fault.pointer)))
                            } else {
                                html.tag("b", text: Self.dotted(fault.pointer))
                            }
                            html.text(" " + fault.message)
                        }
                    }
                }
            }
        }
    }

    private static func dotted(_ pointer: String) -> String {
        pointer.isEmpty ? "options" : String(pointer.dropFirst()).replacing("/", with: ".")
    }

    private static func field(_ pointer: String) -> String { FormField(Name.option + pointer, "").id }

    // MARK: as JSON

    private func write(json text: String, to html: inout HTML) {
        let rows = max(12, min(40, text.utf8.count { $0 == 0x0a } + 3))
        html.textArea(
            FormField(
                Name.json, "Options as JSON",
                help: "Only what differs from the defaults is kept, so that later versions can bring better ones."),
            value: text, rows: rows)
    }

    private func writeID(to html: inout HTML) {
        html.tag("details", .class("group"), .flag("open", if: !id.isEmpty)) { html in
            html.tag("summary", text: "Another path")
            html.input(
                FormField(
                    Name.id, "Path of the service",
                    help: "Empty: as the package and its options have it. Several services of one package need "
                        + "different ones."),
                value: id)
        }
    }

    // MARK: as a form

    private func write(_ form: OptionForm, to html: inout HTML) {
        html.void("input", .type("hidden"), .name(Name.whole), .value("1"))
        if let base { html.void("input", .type("hidden"), .name(Name.base), .value(base)) }
        if form.fields.isEmpty {
            html.empty("Nothing to configure", "This package takes no options.")
        }
        if form.leftOut > 0 {
            html.message(
                .warn, "\(Numbers.grouped(form.leftOut)) more options have no place here; they can be given as JSON.")
        }
        let problems = Dictionary(faults.map { ($0.pointer, $0.message) }) { first, _ in first }
        let groups = groups(of: form)
        html.tag("div", .class("option-form")) { html in
            if groups.count > 1 { writeJumps(groups, problems, to: &html) }
            html.tag("div", .class("groups")) { html in
                for (index, group) in groups.enumerated() {
                    writeGroup(group, isOpen: index == 0 || groups.count < 3, problems, to: &html)
                }
            }
        }
    }

    /// The sections at the top; what is in none of them is one of its own.
    private func groups(of form: OptionForm) -> [OptionForm.Section] {
        var general = OptionForm.Section(path: form.root.path, title: "General", description: form.root.description)
        var groups: [OptionForm.Section] = []
        for item in form.root.items {
            switch item {
            case .field: general.items.append(item)
            case .section(let section): groups.append(section)
            }
        }
        return general.items.isEmpty ? groups : [general] + groups
    }

    private func anchor(_ group: OptionForm.Section) -> String { "group" + Self.field(group.path.pointer).dropFirst(5) }

    private func standing(
        _ group: OptionForm.Section, _ problems: [String: String]
    ) -> (fields: [OptionForm.Field], needed: Int, wrong: Int) {
        let fields = group.fields
        return (fields, fields.count { $0.isNeeded }, fields.count { problems[$0.path.pointer] != nil })
    }

    private func writeJumps(
        _ groups: [OptionForm.Section], _ problems: [String: String], to html: inout HTML
    ) {
        html.tag("nav", .class("jumps"), .label("Groups of options"), .data("data-jumps", "")) { html in
            html.tag("ul") { html in
                for group in groups {
                    let (fields, needed, wrong) = standing(group, problems)
                    html.tag("li") { html in
                        html.tag("a", .href(.here(anchor(group)))) { html in
                            html.tag("span", text: group.title)
                            if wrong > 0 {
                                html.badge(.bad, String(wrong), title: "wrong")
                            } else if needed > 0 {
                                html.badge(.warn, String(needed), title: "to fill in")
                            } else {
                                html.tag("span", .class("count"), text: String(fields.count))
                            }
                        }
                    }
                }
            }
        }
    }

    private func writeGroup(
        _ group: OptionForm.Section, isOpen: Bool, _ problems: [String: String], to html: inout HTML
    ) {
        let (fields, needed, wrong) = standing(group, problems)
        html.tag("details", .class("group"), .flag("open", if: isOpen || needed > 0 || wrong > 0)) { html in
            html.tag("summary") { html in
                html.tag("span", .class("group-title"), text: group.title)
                html.tag("span", .class("count"), text: String(fields.count))
                if wrong > 0 { html.badge(.bad, "\(wrong) wrong") }
                if needed > 0 { html.badge(.warn, "\(needed) to fill in") }
            }
            html.tag("div", .class("group-body"), .id(anchor(group))) { html in
                if !group.description.isEmpty { html.prose(group.description) }
                writeItems(group.items, problems, to: &html)
            }
        }
    }

    private func writeItems(_ items: [OptionForm.Item], _ problems: [String: String], to html: inout HTML) {
        for item in items {
            switch item {
            case .field(let field): write(field, problems[field.path.pointer], to: &html)
            case .section(let section):
                html.tag("fieldset") { html in
                    html.tag("legend", text: section.title)
                    if !section.description.isEmpty { html.prose(section.description) }
                    writeItems(section.items, problems, to: &html)
                }
            }
        }
    }

    private func write(_ option: OptionForm.Field, _ problem: String?, to html: inout HTML) {
        let input = inputs[option.path.pointer] ?? option.input
        let field = FormField(
            Name.option + option.path.pointer, option.title,
            help: option.description.isEmpty ? nil : option.description, problem: problem,
            isRequired: option.isRequired && option.usual == nil)
        html.tag("div", .class("option"), .data("data-option", option.path.dotted)) { html in
            switch option.kind {
            case .flag: html.checkbox(field, isOn: input == "true")
            case .choice(let choices, let orNone):
                let none = [(value: "", label: "(none)")]
                html.select(
                    field, values: (orNone ? none : []) + choices.map { (value: $0.input, label: $0.label) },
                    chosen: input)
            case .number(let isWhole, let least, let most):
                html.input(
                    field, value: input, .attr("inputmode", isWhole ? "numeric" : "decimal"),
                    .attr("autocomplete", "off"), .data("data-least", least ?? ""), .data("data-most", most ?? ""))
            case .line where option.isSecret:
                html.input(
                    field, value: input, type: "password", .attr("autocomplete", "new-password"),
                    .when(option.value != nil, .attr("placeholder", "unchanged")))
            case .line: html.input(field, value: input, .attr("autocomplete", "off"), .attr("spellcheck", "false"))
            case .lines: html.textArea(field, value: input, rows: Self.rows(input))
            case .json: html.textArea(field, value: input, rows: max(2, Self.rows(input)))
            }
            html.tag("p", .class("option-meta")) { html in
                html.tag("code", text: option.path.dotted)
                for text in Self.notes(option) { html.tag("span", text: text) }
            }
        }
    }

    private static func rows(_ text: String) -> Int {
        max(3, min(16, text.utf8.count { $0 == 0x0a } + 2, text.utf8.count / 60 + 3))
    }

    /// What is to know of an option beside what its description says.
    private static func notes(_ option: OptionForm.Field) -> [String] {
        var notes: [String] = []
        if option.isSecret {
            if option.value != nil { notes.append("what is set is not shown; empty leaves it as it is") }
        } else if option.isUnshown {
            notes.append("has characters that cannot be shown here; empty leaves it as it is")
        } else if let usual = option.usual {
            let text = usual.text ?? String(decoding: usual.bytes.prefix(200), as: UTF8.self)
            notes.append("default: " + (text.isEmpty ? "empty" : String(text.prefix(80))))
        }
        switch option.kind {
        case .number(_, let least?, let most?): notes.append("\(least) to \(most)")
        case .number(_, let least?, nil): notes.append("at least \(least)")
        case .number(_, nil, let most?): notes.append("at most \(most)")
        case .json: notes.append("JSON")
        case .lines(isEncoded: true): notes.append("kept in base64")
        default: break
        }
        if let pattern = option.pattern { notes.append("fits \(pattern)") }
        return notes
    }
}
