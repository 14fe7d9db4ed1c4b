public import ClusterModel

/// Writes HTML that is escaped by construction: the names of elements and attributes are literals of the program, text
/// and values are escaped where they are written, addresses are ``Link``s. Nothing takes markup from outside.
///
/// ```swift
/// html.tag("p", .class("lead")) { html in
///     html.text("Hello ")
///     html.tag("b", text: name)
/// }
/// ```
public struct HTML: Sendable {
    /// What the one page is about that all of its parts need.
    public struct Context: Sendable {
        /// When the page is made; relative times are counted from here.
        public var now: UnixTime
        /// What forms send along to show that they are of this page.
        public var formToken: String

        /// Makes a context.
        ///
        /// - Parameters:
        ///   - now: the time of day.
        ///   - formToken: what forms send along; empty where there are none.
        public init(now: UnixTime, formToken: String = "") {
            self.now = now
            self.formToken = formToken
        }
    }

    /// What the page is about.
    public let context: Context
    /// What is written, in UTF-8.
    public private(set) var bytes: [UInt8]

    /// Elements that would run or style something, or change where addresses lead; only the layout writes those it needs.
    private static let forbidden: Set<String> = [
        "script", "style", "iframe", "object", "embed", "base", "meta", "link", "frame", "template",
    ]

    /// An empty document.
    ///
    /// - Parameter context: what the page is about.
    public init(_ context: Context) { self.init(context, capacity: 16 << 10) }

    /// An empty document with room for so many bytes.
    init(_ context: Context, capacity: Int) {
        self.context = context
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Writes an element with content.
    ///
    /// - Parameters:
    ///   - name: the element.
    ///   - attributes: its attributes.
    ///   - content: writes what is in it.
    public mutating func tag(
        _ name: StaticString, _ attributes: Attribute..., content: (inout HTML) -> Void = { _ in }
    ) {
        open(name, attributes)
        content(&self)
        close(name)
    }

    /// Writes an element with text.
    ///
    /// - Parameters:
    ///   - name: the element.
    ///   - attributes: its attributes.
    ///   - text: what is in it; escaped.
    public mutating func tag(_ name: StaticString, _ attributes: Attribute..., text: String) {
        open(name, attributes)
        self.text(text)
        close(name)
    }

    /// Writes an element that has no content, such as `input` or `br`.
    ///
    /// - Parameters:
    ///   - name: the element.
    ///   - attributes: its attributes.
    public mutating func void(_ name: StaticString, _ attributes: Attribute...) { open(name, attributes) }

    /// Writes text; what is markup in it becomes text, and what would change the direction of text or is no character
    /// becomes a replacement character.
    ///
    /// - Parameter text: any text.
    public mutating func text(_ text: String) { append(escaping: text) }

    // MARK: for this module

    /// Begins an element.
    mutating func open(_ name: StaticString, _ attributes: [Attribute]) {
        precondition(!Self.forbidden.contains("\(name)"), "the layout alone writes \(name)")
        openUnchecked(name, attributes)
    }

    /// Begins an element of the layout.
    mutating func openUnchecked(_ name: StaticString, _ attributes: [Attribute]) {
        bytes.append(UInt8(ascii: "<"))
        append(name)
        for attribute in attributes {
            guard let name = attribute.name else { continue }
            bytes.append(UInt8(ascii: " "))
            append(name)
            guard let value = attribute.value else { continue }
            bytes.append(UInt8(ascii: "="))
            bytes.append(UInt8(ascii: "\""))
            append(escaping: value)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: ">"))
    }

    /// Ends an element.
    mutating func close(_ name: StaticString) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(UInt8(ascii: "/"))
        append(name)
        bytes.append(UInt8(ascii: ">"))
    }

    /// Writes a literal of the program as it is.
    mutating func append(_ literal: StaticString) {
        literal.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func append(escaping text: String) {
        var text = text
        text.withUTF8 { source in
            // Most text needs nothing done to it.
            if source.allSatisfy({ Self.isPlain[Int($0)] }) {
                bytes.append(contentsOf: source)
                return
            }
            for scalar in String(decoding: source, as: UTF8.self).unicodeScalars { append(scalar) }
        }
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "<": append("&lt;")
        case ">": append("&gt;")
        case "&": append("&amp;")
        case "\"": append("&quot;")
        case "'": append("&#39;")
        case "\t", "\n", "\r": bytes.append(UInt8(scalar.value))
        default:
            let shown: Unicode.Scalar = Self.isTreacherous(scalar) ? "\u{fffd}" : scalar
            bytes.append(contentsOf: UTF8.encode(shown) ?? UTF8.encodedReplacementCharacter)
        }
    }

    /// Control characters, what reverses text, and what is no character.
    private static func isTreacherous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069, 0xFFFE...0xFFFF: true
        default: false
        }
    }

    /// ASCII that needs nothing done to it.
    private static let isPlain: [Bool] = (0..<256).map { byte in
        byte >= 0x20 && byte < 0x7F && !"<>&\"'".utf8.contains(UInt8(byte))
    }
}
