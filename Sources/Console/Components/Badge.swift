/// How something is, told by a shape and a word as well as by a colour.
public enum Tone: String, Hashable, Sendable, CaseIterable {
    /// As it should be.
    case good
    /// On its way.
    case busy
    /// Deserves a look.
    case warn
    /// Wrong.
    case bad
    /// Neither: ended, switched off, not known.
    case idle

    /// The class of elements that have it.
    var className: StaticString {
        switch self {
        case .good: "good"
        case .busy: "busy"
        case .warn: "warn"
        case .bad: "bad"
        case .idle: "idle"
        }
    }

    /// Its shape, in a square of 10: a disc, a ring with a gap, a triangle, a cross, a ring.
    fileprivate var path: StaticString {
        switch self {
        case .good: "M5 1a4 4 0 1 0 .001 0z"
        case .busy: "M5 1.200A3.800 3.800 0 1 0 8.800 5"
        case .warn: "M5 1l4.300 8H.700z"
        case .bad: "M1.500 1.500l7 7M8.500 1.500l-7 7"
        case .idle: "M5 1.500a3.500 3.500 0 1 0 .001 0z"
        }
    }
}

extension HTML {
    /// A state: a shape and a word.
    ///
    /// - Parameters:
    ///   - tone: how it is.
    ///   - word: what it is called.
    ///   - title: more of it, shown when the pointer rests on it.
    public mutating func badge(_ tone: Tone, _ word: String, title: String? = nil) {
        tag("span", .class("badge", tone.className), title.map { .title($0) } ?? .none) { html in
            html.mark(tone)
            html.text(word)
        }
    }

    /// The shape alone, where the word stands elsewhere.
    ///
    /// - Parameter tone: how it is.
    public mutating func mark(_ tone: Tone) {
        tag("svg", .class("mark", tone.className), .attr("viewBox", "0 0 10 10"), .hidden) { html in
            html.tag("path", .attr("d", "\(tone.path)"))
        }
    }

    /// A small label without a state, such as a role or a version.
    ///
    /// - Parameter text: what it says.
    public mutating func chip(_ text: String) { tag("span", .class("chip"), text: text) }

    /// A message across the page.
    ///
    /// - Parameters:
    ///   - tone: how it is.
    ///   - text: what it says.
    public mutating func message(_ tone: Tone, _ text: String) {
        tag("p", .class("message", tone.className), .attr("role", tone == .bad ? "alert" : "status")) { html in
            html.mark(tone)
            html.tag("span", text: text)
        }
    }

    /// What stands where there is nothing: why, and what can be done.
    ///
    /// - Parameters:
    ///   - title: what there is none of.
    ///   - hint: what can be done.
    ///   - more: writes links or commands below it.
    public mutating func empty(_ title: String, _ hint: String, more: (inout HTML) -> Void = { _ in }) {
        tag("div", .class("empty")) { html in
            html.tag("p", .class("empty-title"), text: title)
            html.tag("p", text: hint)
            more(&html)
        }
    }
}
