internal import Deployments

/// What stands around every page.
public enum Layout {
    /// A whole document.
    ///
    /// - Parameters:
    ///   - page: the page.
    ///   - frame: what is around it.
    /// - Returns: the document in UTF-8.
    public static func document(_ page: some ConsolePage, _ frame: Frame) -> [UInt8] {
        var html = HTML(frame.context)
        html.append("<!doctype html>")
        let theme = frame.theme == .system ? Attribute.none : .data("data-theme", frame.theme.rawValue)
        html.openUnchecked("html", [.attr("lang", "en"), theme])
        writeHead(page, frame, &html)
        html.tag("body") { html in
            html.tag("a", .class("skip"), .href(frame.here.anchor("main")), text: "Skip to the content")
            writeTop(page, frame, &html)
            if frame.visitor != nil { writeNavigation(page, frame, &html) }
            writeMain(page, frame, &html)
            writeFoot(frame, &html)
        }
        html.close("html")
        return html.bytes
    }

    /// The page alone, as the script asks for it to bring a page up to date.
    ///
    /// - Parameters:
    ///   - page: the page.
    ///   - frame: what is around it.
    /// - Returns: the element `main` in UTF-8.
    public static func fragment(_ page: some ConsolePage, _ frame: Frame) -> [UInt8] {
        var html = HTML(frame.context)
        writeMain(page, frame, &html)
        return html.bytes
    }

    private static func writeHead(_ page: some ConsolePage, _ frame: Frame, _ html: inout HTML) {
        html.tag("head") { html in
            html.openUnchecked("meta", [.attr("charset", "utf-8")])
            html.openUnchecked(
                "meta", [.name("viewport"), .attr("content", "width=device-width, initial-scale=1")])
            html.openUnchecked("meta", [.name("color-scheme"), .attr("content", "light dark")])
            html.tag("title", text: "\(page.title) · \(frame.clusterName)")
            html.openUnchecked("link", [.attr("rel", "icon"), .reference(frame.assets.icon)])
            html.openUnchecked("link", [.attr("rel", "stylesheet"), .reference(frame.assets.style)])
            html.openUnchecked("script", [.source(frame.assets.script), .flag("defer")])
            html.close("script")
        }
    }

    private static func writeTop(_ page: some ConsolePage, _ frame: Frame, _ html: inout HTML) {
        html.tag("header", .class("top")) { html in
            html.tag("a", .class("brand"), .href(.overview)) { html in
                Icon.logo.write(to: &html)
                html.tag("span", text: frame.clusterName)
            }
            html.tag("div", .class("top-end")) { html in
                if !page.topics.isEmpty {
                    html.tag("span", .class("live"), .data("data-live-state", ""), .title("")) { html in
                        html.tag("span", .class("live-dot"), .hidden)
                        html.tag("span", .data("data-live-text", ""), text: "as of now")
                    }
                }
                writeTheme(frame, &html)
                if let visitor = frame.visitor {
                    html.tag("span", .class("who"), .title("Who you are here"), text: visitor)
                    if frame.hasSession {
                        html.form(Link("logout"), .class("inline")) { html in
                            html.button("Log out", .plain)
                        }
                    }
                }
            }
        }
    }

    /// Three buttons of one form: it works without a script.
    private static func writeTheme(_ frame: Frame, _ html: inout HTML) {
        html.form(Link("theme"), .class("theme"), .attr("role", "group"), .label("Colours")) { html in
            html.void("input", .type("hidden"), .name("to"), .value(frame.here.text))
            for theme in Frame.Theme.allCases {
                html.tag(
                    "button", .type("submit"), .name("theme"), .value(theme.rawValue),
                    .attr("aria-pressed", frame.theme == theme ? "true" : "false"),
                    .title("Colours: \(theme.rawValue)"), .label("Colours: \(theme.rawValue)")
                ) { html in
                    switch theme {
                    case .system: Icon.system.write(to: &html)
                    case .light: Icon.sun.write(to: &html)
                    case .dark: Icon.moon.write(to: &html)
                    }
                }
            }
        }
    }

    private static func writeNavigation(_ page: some ConsolePage, _ frame: Frame, _ html: inout HTML) {
        html.tag("nav", .class("side"), .label("Sections")) { html in
            html.tag("ul") { html in
                for section in frame.sections {
                    html.tag("li") { html in
                        html.tag(
                            "a", .href(section.link),
                            .when(page.section == section, .attr("aria-current", page.crumbs.isEmpty ? "page" : "true"))
                        ) { html in
                            Icon.of(section).write(to: &html)
                            html.tag("span", text: section.title)
                        }
                    }
                }
            }
        }
    }

    private static func writeMain(_ page: some ConsolePage, _ frame: Frame, _ html: inout HTML) {
        let topics = page.topics.map(\.rawValue).sorted().joined(separator: " ")
        html.tag(
            "main", .id("main"), .attr("tabindex", "-1"), .when(!topics.isEmpty, .data("data-topics", topics)),
            .data("data-now", TimeText.iso8601(frame.context.now)),
            .data("data-title", "\(page.title) · \(frame.clusterName)")
        ) { html in
            html.tag("div", .class("head"), .id("part-head"), .data("data-part", "")) { html in
                if !page.crumbs.isEmpty {
                    html.tag("nav", .class("crumbs"), .label("The way here")) { html in
                        for crumb in page.crumbs {
                            html.tag("a", .href(crumb.link), text: crumb.text)
                            html.tag("span", .class("sep"), .hidden, text: "/")
                        }
                    }
                }
                html.tag("div", .class("title")) { html in
                    html.tag("h1", text: page.title)
                    page.writeHeading(to: &html)
                }
            }
            if let alarm = frame.alarm { html.message(.bad, alarm) }
            if let notice = frame.notice { html.message(.good, notice.text) }
            page.write(to: &html)
        }
    }

    private static func writeFoot(_ frame: Frame, _ html: inout HTML) {
        html.tag("footer", .class("foot")) { html in
            html.tag("span", text: "Rondo \(frame.version)")
            if frame.visitor != nil {
                html.tag("a", .href(Link(absolute: ["state"])), text: "State")
                html.tag("a", .href(Link(absolute: ["metrics"])), text: "Metrics")
                html.tag("a", .href(Link(absolute: ["rondo", "v1", "cluster"])), text: "Cluster document")
            }
        }
    }
}
