/// An attribute of an element. Its name is a literal, its value is escaped when it is written; what takes an address takes
/// a ``Link``.
public struct Attribute: Sendable {
    /// Nil for none at all.
    let name: StaticString?
    /// Nil for one without a value.
    let value: String?

    private init(_ name: StaticString?, _ value: String?) {
        self.name = name
        self.value = value
    }

    /// No attribute.
    public static let none = Attribute(nil, nil)

    /// Any attribute that is no address, no style and no script.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - value: its value; escaped.
    /// - Returns: the attribute.
    public static func attr(_ name: StaticString, _ value: String) -> Attribute {
        let text = "\(name)"
        precondition(
            !text.hasPrefix("on")
                && !["style", "href", "src", "srcset", "srcdoc", "action", "formaction", "ping"].contains(text),
            "\(text) is not written this way")
        return Attribute(name, value)
    }

    /// An attribute without a value, such as `checked`.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - isOn: whether it is there.
    /// - Returns: the attribute, or none.
    public static func flag(_ name: StaticString, if isOn: Bool = true) -> Attribute {
        isOn ? Attribute(name, nil) : .none
    }

    /// An attribute that is there only sometimes.
    ///
    /// - Parameters:
    ///   - condition: whether it is there.
    ///   - attribute: the attribute.
    /// - Returns: the attribute, or none.
    public static func when(_ condition: Bool, _ attribute: @autoclosure () -> Attribute) -> Attribute {
        condition ? attribute() : .none
    }

    /// Classes, all literals.
    public static func `class`(_ names: StaticString...) -> Attribute {
        Attribute("class", names.map { "\($0)" }.filter { !$0.isEmpty }.joined(separator: " "))
    }

    /// The element's id.
    public static func id(_ value: String) -> Attribute { Attribute("id", value) }
    /// A field's name.
    public static func name(_ value: String) -> Attribute { Attribute("name", value) }
    /// A field's value.
    public static func value(_ value: String) -> Attribute { Attribute("value", value) }
    /// A field's or button's type.
    public static func type(_ value: StaticString) -> Attribute { Attribute("type", "\(value)") }
    /// What is shown when the pointer rests on it.
    public static func title(_ value: String) -> Attribute { Attribute("title", value) }
    /// Its name for those who do not see it.
    public static func label(_ value: String) -> Attribute { Attribute("aria-label", value) }
    /// Whether it is kept from those who do not see it, because it says nothing that is not said beside it.
    public static let hidden = Attribute("aria-hidden", "true")
    /// Where a link leads.
    public static func href(_ link: Link) -> Attribute { Attribute("href", link.text) }
    /// Where a form is sent.
    public static func action(_ link: Link) -> Attribute { Attribute("action", link.text) }
    /// What a button's form is sent to instead.
    public static func formAction(_ link: Link) -> Attribute { Attribute("formaction", link.text) }
    /// What the script needs to know; `name` begins with `data-`.
    public static func data(_ name: StaticString, _ value: String) -> Attribute {
        precondition("\(name)".hasPrefix("data-"), "\(name) does not begin with data-")
        return Attribute(name, value)
    }
    /// Where the script reads, as a `data-` attribute.
    public static func data(_ name: StaticString, _ link: Link) -> Attribute { data(name, link.text) }

    /// A file of the layout.
    static func source(_ path: String) -> Attribute { Attribute("src", path) }
    /// A file of the layout.
    static func reference(_ path: String) -> Attribute { Attribute("href", path) }
}
