import ClusterModel
import Testing

@testable import Console

/// Names that somebody might give to tasks, services or users to break a page.
let hostileNames = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "</title><script>",
    "javascript:alert(1)", "&lt;b&gt;", "a\u{0}b", "line\nbreak\ttab", "\u{202E}gpj.exe", "\u{FEFF}\u{200F}x",
    "]]><svg onload=alert(1)>", "--><!--", "{{constructor}}", "%3Cscript%3E", "//evil.example/x", "\\evil", "a/../../b",
    "?q=1&x=<y>#z", "é漢字🙂", String(repeating: "<", count: 300), "", " ", "</textarea><script>", "\u{2028}\u{2029}",
]

@Suite("HTML that escapes by construction")
struct HTMLTests {
    private func html(_ write: (inout HTML) -> Void) -> String {
        var html = HTML(HTML.Context(now: UnixTime(seconds: 1_700_000_000), formToken: "t\"<>"))
        write(&html)
        return String(decoding: html.bytes, as: UTF8.self)
    }

    @Test(arguments: hostileNames) func `text and values stay text and values`(name: String) throws {
        let text = html { $0.tag("p", .title(name), .attr("aria-label", name), text: name) }
        let parsed = try #require(MiniParser(text))
        #expect(parsed.elements.map(\.name) == ["p"])
        #expect(parsed.elements[0].attributes.map(\.name) == ["title", "aria-label"])
        let shown = parsed.text
        #expect(parsed.elements[0].attributes[0].value == shown)
        #expect(!shown.unicodeScalars.contains { $0.value < 0x20 && !"\t\n\r".unicodeScalars.contains($0) })
        #expect(!shown.unicodeScalars.contains("\u{202E}"))
        let isHarmless = name.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && !(0x200E...0x202E).contains($0.value) && $0.value < 0xF000
        }
        if isHarmless { #expect(shown == name) }
    }

    @Test(arguments: hostileNames) func `a link stays on this master`(name: String) {
        for link in [Link(name), Link("nodes", name), Link("x", query: [(name, name)]), Link(path: [name, name])] {
            #expect(link.text.hasPrefix("/ui"))
            #expect(link.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"<>\"'\\".utf8.contains($0) })
        }
        #expect(!Link(absolute: [name]).text.hasPrefix("//"))
    }

    @Test func `a form carries the token of its page`() throws {
        let text = html { $0.form(Link("x")) { $0.button("Go", .primary) } }
        #expect(text.contains("name=\"form-token\" value=\"t&quot;&lt;&gt;\""))
        #expect(text.contains("method=\"post\" action=\"/ui/x\""))
    }

    @Test(arguments: hostileNames) func `fields give back what was entered`(name: String) throws {
        let text = html { html in
            html.input(FormField(name, name, help: name, problem: name, isRequired: true), value: name)
            html.textArea(FormField("b", "B"), value: name)
            html.select("c", values: [(name, name)], chosen: name, label: name)
            html.checkbox(FormField(name, name), isOn: true)
        }
        let parsed = try #require(MiniParser(text))
        #expect(
            Set(parsed.elements.map(\.name)).isSubset(of: [
                "div", "label", "span", "input", "p", "svg", "path", "textarea", "select", "option",
            ]))
        for element in parsed.elements {
            for attribute in element.attributes {
                #expect(!attribute.name.hasPrefix("on") && attribute.name != "style")
            }
        }
    }
}

@Suite("Words for times and numbers")
struct WordTests {
    @Test(arguments: [
        (0.0, "just now"), (5, "5 s ago"), (89, "89 s ago"), (90, "2 min ago"), (3_600, "60 min ago"),
        (7_200, "2 h ago"), (200_000, "2 d ago"), (-30, "in 30 s"),
    ]) func `times are told in one unit`(seconds: Double, words: String) {
        let now = UnixTime(seconds: 1_700_000_000)
        #expect(Times.relative(UnixTime(seconds: 1_700_000_000 - seconds), now: now) == words)
    }

    @Test func `times at the ends of what can be told do not trap`() {
        let ends = [UnixTime(nanoseconds: .min), UnixTime(nanoseconds: .max), UnixTime(nanoseconds: 0)]
        for time in ends { for now in ends { _ = Times.relative(time, now: now) } }
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (1.5, "1.5"), (1.25, "1.25"), (1.999, "2"), (0.05, "0.05"), (12_345, "12\u{202f}345"),
        (-1.5, "-1.5"), (-0.001, "0"), (.infinity, "–"), (.nan, "–"), (1e300, "–"), (100.1, "100.1"), (0.1, "0.1"),
    ]) func `numbers are short`(number: Double, words: String) { #expect(Numbers.short(number) == words) }

    @Test func `memory has the unit that fits`() {
        #expect(Numbers.memory(512) == "512 MiB")
        #expect(Numbers.memory(1_536) == "1.5 GiB")
        #expect(Numbers.memory(3_145_728) == "3 TiB")
        #expect(Numbers.percent(0.425) == "43 %")
        #expect(Numbers.percent(0.05) == "5 %")
        #expect(Numbers.percent(1) == "100 %")
    }
}
