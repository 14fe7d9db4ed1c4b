/// What went wrong, why, and what can be done.
public struct ErrorPage: ConsolePage {
    /// The status of the answer.
    public var status: Int
    /// What is wrong, as the interfaces say it.
    public var message: String

    /// Makes a page.
    ///
    /// - Parameters:
    ///   - status: the status of the answer.
    ///   - message: what is wrong.
    public init(status: Int, message: String) {
        self.status = status
        self.message = message
    }

    /// See ``ConsolePage``.
    public var title: String {
        switch status {
        case 401: "Log in first"
        case 403: "Not allowed"
        case 404: "Nothing here"
        case 409: "Not possible now"
        case 413: "Too large"
        case 429: "Too many attempts"
        case 503: "Not ready"
        case 507: "No room left"
        default: status < 500 ? "Not understood" : "Something broke"
        }
    }

    /// See ``ConsolePage``.
    public var section: Section? { nil }

    /// What can be done.
    var advice: String {
        switch status {
        case 401: "The session has ended, or there was none."
        case 403:
            "Ask an administrator for the right that the message names, or go back, load the page again and repeat."
        case 404: "It may have ended or been renamed. The lists show what there is."
        case 409: "Go back, look at the present state, and try again."
        case 429: "Wait a moment, then try again."
        case 503, 507: "It is tried again by itself. Load the page again in a few seconds; the master's log says more."
        default:
            status < 500 ? "Go back and change what you entered." : "The master's log says more. Load the page again."
        }
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("error") { html in
            html.message(.bad, message)
            html.tag("p", text: advice)
            html.tag("p", .class("actions")) { html in
                if status == 401 { html.buttonLink("Log in", Link("login"), .primary) }
                html.buttonLink("Overview", .overview)
            }
            html.tag("p", .class("dim"), text: "Status \(status)")
        }
    }
}

/// Asks who it is.
public struct LoginPage: ConsolePage {
    /// What was entered as the name.
    public var user: String
    /// What was wrong the last time.
    public var problem: String?
    /// Where to go afterwards.
    public var next: String
    /// Whether a password would cross a network in the clear, and is therefore refused.
    public var isUnprotected: Bool

    /// Makes a page.
    public init(user: String = "", problem: String? = nil, next: String = "", isUnprotected: Bool = false) {
        self.user = user
        self.problem = problem
        self.next = next
        self.isUnprotected = isUnprotected
    }

    /// See ``ConsolePage``.
    public var title: String { "Log in" }
    /// See ``ConsolePage``.
    public var section: Section? { nil }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("login") { html in
            if let problem { html.message(.bad, problem) }
            if isUnprotected {
                html.message(
                    .warn, "This connection is not encrypted. Open this page with https before you enter a password.")
            }
            html.form(Link("login"), .class("login")) { html in
                html.void("input", .type("hidden"), .name("next"), .value(next))
                html.input(
                    FormField("user", "User"), value: user, .attr("autocomplete", "username"),
                    .attr("autocapitalize", "none"), .flag("autofocus", if: user.isEmpty))
                html.input(
                    FormField("password", "Password"), value: "", type: "password",
                    .attr("autocomplete", "current-password"), .flag("autofocus", if: !user.isEmpty))
                html.button("Log in", .primary)
            }
            html.tag("details") { html in
                html.tag("summary", text: "Log in with a token")
                html.form(Link("login"), .class("login")) { html in
                    html.void("input", .type("hidden"), .name("next"), .value(next))
                    html.input(
                        FormField(
                            "token", "Token",
                            help:
                                "A new cluster's administrator has one: it is printed by `rondo cluster init`. Others "
                                + "make theirs with `rondo user token NAME`."),
                        value: "", type: "password", .attr("autocomplete", "off"))
                    html.button("Log in")
                }
            }
        }
    }
}

/// Asks whether something that cannot be taken back is meant.
public struct ConfirmPage: ConsolePage {
    /// The question.
    public var title: String
    /// See ``ConsolePage``.
    public var section: Section?
    /// See ``ConsolePage``.
    public var crumbs: [Crumb]
    /// What will happen, a sentence each.
    public var consequences: [String]
    /// What the button says.
    public var verb: String
    /// Whether it cannot be taken back.
    public var isDangerous: Bool
    /// Where the answer is sent.
    public var action: Link
    /// Fields that are sent along.
    public var fields: [(name: String, value: String)]
    /// Where to go instead.
    public var back: Link

    /// Makes a page.
    public init(
        title: String, section: Section?, crumbs: [Crumb], consequences: [String], verb: String,
        isDangerous: Bool = true, action: Link, fields: [(name: String, value: String)] = [], back: Link
    ) {
        self.title = title
        self.section = section
        self.crumbs = crumbs
        self.consequences = consequences
        self.verb = verb
        self.isDangerous = isDangerous
        self.action = action
        self.fields = fields
        self.back = back
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("confirm") { html in
            for text in consequences { html.tag("p", text: text) }
            html.form(action, .class("actions")) { html in
                for field in fields {
                    html.void("input", .type("hidden"), .name(field.name), .value(field.value))
                }
                html.button(verb, isDangerous ? .danger : .primary)
                html.buttonLink("Cancel", back)
            }
        }
    }
}
