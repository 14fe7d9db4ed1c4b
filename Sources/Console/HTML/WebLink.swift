/// An address outside of this master that a package names: a page of the web, never anything that a browser would run.
public struct WebLink: Hashable, Sendable {
    /// The address as it was written.
    public let text: String

    /// Takes addresses of `http` and `https` with printable characters; nil for everything else.
    ///
    /// - Parameter text: the address.
    public init?(_ text: String) {
        let lowered = text.prefix(8).lowercased()
        guard lowered.hasPrefix("https://") || lowered.hasPrefix("http://"), text.utf8.count <= 2_048,
            text.utf8.count > 8,
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"\"<>\\^`{|}".utf8.contains($0) })
        else { return nil }
        self.text = text
    }
}

extension HTML {
    /// A link to a page outside, which learns nothing of this one.
    ///
    /// - Parameters:
    ///   - text: what it says.
    ///   - link: where it leads.
    public mutating func link(_ text: String, _ link: WebLink) {
        tag("a", .reference(link.text), .attr("rel", "noopener noreferrer external"), text: text)
    }

    /// Text for people from outside: its paragraphs and lines stay, and addresses of the web in it become links. Nothing
    /// else of it means anything.
    ///
    /// - Parameters:
    ///   - text: the text.
    ///   - limit: the most characters that are shown.
    public mutating func prose(_ text: String, limit: Int = 20_000) {
        let text = String(text.prefix(limit)).replacing("\r\n", with: "\n")
        tag("div", .class("prose")) { html in
            for paragraph in text.split(separator: "\n\n") {
                html.tag("p") { html in
                    for (index, line) in paragraph.split(separator: "\n").enumerated() {
                        if index > 0 { html.void("br") }
                        html.words(line)
                    }
                }
            }
        }
    }

    private mutating func words(_ line: Substring) {
        var plain = ""
        for (index, word) in line.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
            if index > 0 { plain += " " }
            // A full stop or a bracket around an address is of the sentence.
            let front = word.prefix { "([<\"'`\t".contains($0) }
            let middle = word.dropFirst(front.count)
            var end = middle.endIndex
            while end > middle.startIndex, ".,;:!?)]>\"'`".contains(middle[middle.index(before: end)]) {
                end = middle.index(before: end)
            }
            guard middle.hasPrefix("http"), let link = WebLink(String(middle[..<end])) else {
                plain += word
                continue
            }
            self.text(plain + front)
            self.link(link.text, link)
            plain = String(middle[end...])
        }
        self.text(plain)
    }
}
