/// How a button looks.
public enum ButtonKind: Sendable {
    /// What the page is for.
    case primary
    /// Everything else.
    case plain
    /// What cannot be taken back.
    case danger

    fileprivate var className: StaticString {
        switch self {
        case .primary: "primary"
        case .plain: ""
        case .danger: "danger"
        }
    }
}

extension HTML {
    /// A form that changes something: sent by POST, with the token that shows it is of this page.
    ///
    /// - Parameters:
    ///   - link: where it is sent.
    ///   - attributes: further attributes.
    ///   - content: writes its fields and buttons.
    public mutating func form(_ link: Link, _ attributes: Attribute..., content: (inout HTML) -> Void) {
        open("form", [.attr("method", "post"), .action(link)] + attributes)
        void("input", .type("hidden"), .name(FormField.token), .value(context.formToken))
        content(&self)
        close("form")
    }

    /// A button that sends its form.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - kind: how it looks.
    ///   - attributes: further attributes.
    public mutating func button(_ text: String, _ kind: ButtonKind = .plain, _ attributes: Attribute...) {
        open("button", [.type("submit"), .class("button", kind.className)] + attributes)
        self.text(text)
        close("button")
    }

    /// A link that looks like a button: leads to a page that asks before anything is done.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - link: where it leads.
    ///   - kind: how it looks.
    public mutating func buttonLink(_ text: String, _ link: Link, _ kind: ButtonKind = .plain) {
        tag("a", .class("button", kind.className), .href(link), text: text)
    }

    /// A field with its name, what it means and what is wrong with it.
    ///
    /// - Parameters:
    ///   - field: the field.
    ///   - control: writes the control; give it `attributes`, which carry its id, name and description.
    public mutating func field(_ field: FormField, control: (inout HTML, [Attribute]) -> Void) {
        tag("div", .class("field", field.problem == nil ? "" : "wrong")) { html in
            html.tag("label", .attr("for", field.id)) { html in
                html.text(field.label)
                if field.isRequired {
                    html.tag("span", .class("dim"), text: " (required)")
                }
            }
            var described: [String] = []
            if field.help != nil { described.append(field.id + "-help") }
            if field.problem != nil { described.append(field.id + "-problem") }
            var attributes: [Attribute] = [.id(field.id), .name(field.name)]
            if !described.isEmpty { attributes.append(.attr("aria-describedby", described.joined(separator: " "))) }
            if field.problem != nil { attributes.append(.attr("aria-invalid", "true")) }
            if field.isRequired { attributes.append(.attr("aria-required", "true")) }
            control(&html, attributes)
            if let problem = field.problem {
                html.tag("p", .class("problem"), .id(field.id + "-problem")) { html in
                    html.mark(.bad)
                    html.text(problem)
                }
            }
            if let help = field.help { html.tag("p", .class("help"), .id(field.id + "-help"), text: help) }
        }
    }

    /// A field of one line.
    ///
    /// - Parameters:
    ///   - field: the field.
    ///   - value: what is in it.
    ///   - type: `text`, `password`, `number` …
    ///   - attributes: further attributes of the input.
    public mutating func input(
        _ field: FormField, value: String, type: StaticString = "text", _ attributes: Attribute...
    ) {
        self.field(field) { html, own in html.open("input", [.type(type), .value(value)] + own + attributes) }
    }

    /// A field of many lines.
    ///
    /// - Parameters:
    ///   - field: the field.
    ///   - value: what is in it.
    ///   - rows: how many are shown.
    public mutating func textArea(_ field: FormField, value: String, rows: Int = 6) {
        self.field(field) { html, own in
            html.open("textarea", own + [.attr("rows", String(rows)), .attr("spellcheck", "false")])
            // A line feed at the beginning would be swallowed.
            html.text("\n" + value)
            html.close("textarea")
        }
    }

    /// A choice of several, without a label of its own.
    ///
    /// - Parameters:
    ///   - name: the field's name.
    ///   - values: what can be chosen, and how it is called.
    ///   - chosen: what is chosen.
    ///   - label: its name for those who do not see it.
    ///   - attributes: further attributes.
    public mutating func select(
        _ name: String, values: [(value: String, label: String)], chosen: String, label: String,
        _ attributes: Attribute...
    ) {
        open("select", [.name(name), .label(label)] + attributes)
        writeOptions(values, chosen)
        close("select")
    }

    /// A field that is a choice of several.
    ///
    /// - Parameters:
    ///   - field: the field.
    ///   - values: what can be chosen, and how it is called.
    ///   - chosen: what is chosen.
    public mutating func select(_ field: FormField, values: [(value: String, label: String)], chosen: String) {
        self.field(field) { html, own in
            html.open("select", own)
            html.writeOptions(values, chosen)
            html.close("select")
        }
    }

    private mutating func writeOptions(_ values: [(value: String, label: String)], _ chosen: String) {
        for option in values {
            tag("option", .value(option.value), .flag("selected", if: option.value == chosen), text: option.label)
        }
    }

    /// A field that is on or off. When it is off nothing is sent for it.
    ///
    /// - Parameters:
    ///   - field: the field.
    ///   - isOn: whether it is on.
    public mutating func checkbox(_ field: FormField, isOn: Bool) {
        tag("div", .class("field", "check")) { html in
            html.tag("label") { html in
                html.void(
                    "input", .type("checkbox"), .id(field.id), .name(field.name), .value("true"),
                    .flag("checked", if: isOn))
                html.tag("span", text: field.label)
            }
            if let problem = field.problem { html.tag("p", .class("problem"), text: problem) }
            if let help = field.help { html.tag("p", .class("help"), text: help) }
        }
    }
}

/// A field of a form.
public struct FormField: Sendable {
    /// The name of the hidden field that shows that a form is of a page of this visitor.
    public static let token = "form-token"

    /// The name it is sent under.
    public var name: String
    /// What it is called.
    public var label: String
    /// What it means.
    public var help: String?
    /// What is wrong with it.
    public var problem: String?
    /// Whether it must be filled in.
    public var isRequired: Bool

    /// Makes a field.
    ///
    /// - Parameters:
    ///   - name: the name it is sent under.
    ///   - label: what it is called.
    ///   - help: what it means.
    ///   - problem: what is wrong with it.
    ///   - isRequired: whether it must be filled in.
    public init(
        _ name: String, _ label: String, help: String? = nil, problem: String? = nil, isRequired: Bool = false
    ) {
        self.name = name
        self.label = label
        self.help = help
        self.problem = problem
        self.isRequired = isRequired
    }

    /// The id of its control: letters, digits and dashes of its name.
    var id: String {
        "field-"
            + String(
                name.unicodeScalars.map {
                    $0.isASCII && $0.properties.isAlphabetic || ("0"..."9").contains($0) ? Character($0) : "-"
                })
    }
}
