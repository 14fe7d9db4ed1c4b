import Testing

@testable import Packages

@Suite("Templates")
struct TemplateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var source: String
        var values: String
        var text: String
        var testDescription: String { String(source.prefix(60)) }

        init(_ source: String, _ values: String, _ text: String) {
            self.source = source
            self.values = values
            self.text = text
        }
    }

    private func render(_ source: String, _ values: String) throws -> String {
        try Template(source).rendered(with: object(values))
    }

    static let values: [Case] = [
        Case("{{a}}", #"{"a":"x"}"#, "x"), Case("{{{a}}}", #"{"a":"x"}"#, "x"), Case("{{&a}}", #"{"a":"x"}"#, "x"),
        Case("{{ a }}|{{{ a }}}|{{& a }}", #"{"a":"x"}"#, "x|x|x"), Case("{{\n a\t}}", #"{"a":"x"}"#, "x"),
        Case("a{{b}}c", "{}", "ac"), Case("{{a}}", #"{"a":null}"#, ""), Case("{{a}}", #"{"a":""}"#, ""),
        Case("{{a}},{{b}}", #"{"a":true,"b":false}"#, "true,false"),
        Case("{{a}}", #"{"a":1}"#, "1"), Case("{{a}}", #"{"a":1.0}"#, "1"), Case("{{a}}", #"{"a":0.5}"#, "0.5"),
        Case("{{a}}", #"{"a":1e-7}"#, "1.0E-7"), Case("{{a}}", #"{"a":-3}"#, "-3"),
        Case("{{a}}", #"{"a":9007199254740993}"#, "9007199254740993"),
        // What would end a text in JSON is written so that it does not; nothing is written as in HTML.
        Case(#""{{a}}""#, #"{"a":"\"\\\n\t/<&>'"}"#, #""\"\\\n\t/<&>'""#),
        Case(#""{{{a}}}""#, #"{"a":"\"}{"}"#, #""\"}{""#), Case("{{a}}", #"{"a":"é😀\u0001"}"#, #"é😀\u0001"#),
        Case("{{a}}", #"{"a":"{{b}}","b":"x"}"#, "{{b}}"),
        // Lists as JSON and Java write them alike, objects as Java does.
        Case("{{a}}", #"{"a":[1,2.5,true,null]}"#, "[1, 2.5, true, null]"), Case("{{a}}", #"{"a":[]}"#, "[]"),
        Case("{{a}}", #"{"a":["x","y\"z"]}"#, #"["x", "y\"z"]"#),
        Case("{{a}}", #"{"a":[["hostname","UNIQUE"],[]]}"#, #"[["hostname", "UNIQUE"], []]"#),
        Case("{{a}}", #"{"a":{"b":1,"c":"d","e":["f"]}}"#, #"{b=1, c=d, e=["f"]}"#),
        // Names.
        Case("{{a.b.c}}", #"{"a":{"b":{"c":7}}}"#, "7"),
        Case("{{a.b}}", #"{"a.b":"whole","a":{"b":"parts"}}"#, "whole"),
        Case("{{a.b}}|{{a.b.c}}|{{x.y}}", #"{"a":{"c":1}}"#, "||"), Case("{{a.b}}", #"{"a":"text"}"#, ""),
        Case("{{a.b}}", #"{"a":null}"#, ""), Case("{{a-b_c d}}", #"{"a-b_c d":1}"#, "1"),
        Case("{{a.}}", #"{"a":1}"#, ""),
        Case("{{.a}}", #"{"a":1}"#, ""), Case("{{a.0}}", #"{"a":[1]}"#, ""),
        // The members that Java's texts and lists have.
        Case("{{a.isEmpty}}{{b.isEmpty}}", #"{"a":[],"b":[1]}"#, "truefalse"),
        Case("{{a.isEmpty}}{{b.isEmpty}}", #"{"a":"","b":"x"}"#, "truefalse"),
        Case("{{a.size}}{{b.length}}", #"{"a":[1,2],"b":"é\n"}"#, "23"), Case("{{a.isEmpty}}", #"{"a":{}}"#, ""),
        Case("{{a.size}}", #"{"a":{"size":5}}"#, "5"),
        // What is not a tag.
        Case("{ {a} } {a}} }}{", "{}", "{ {a} } {a}} }}{"), Case("{{! a {{b} }}x", "{}", "x"),
        Case("{{!\n many\n lines }}x", "{}", "x"), Case("{{%PRAGMA}}x", "{}", "x"),
        Case("{{=<% %>=}}<%a%>{{a}}", #"{"a":1}"#, "1{{a}}"), Case("{{=| |=}}|a|", #"{"a":1}"#, "1"),
    ]

    static let sections: [Case] = [
        Case("{{#a}}x{{/a}}", #"{"a":true}"#, "x"), Case("{{#a}}x{{/a}}", #"{"a":false}"#, ""),
        Case("{{#a}}x{{/a}}", "{}", ""), Case("{{#a}}x{{/a}}", #"{"a":null}"#, ""),
        Case("{{#a}}x{{/a}}", #"{"a":""}"#, ""),
        Case("{{#a}}x{{/a}}", #"{"a":"false"}"#, "x"), Case("{{#a}}x{{/a}}", #"{"a":0}"#, "x"),
        Case("{{#a}}x{{/a}}", #"{"a":{}}"#, "x"), Case("{{#a}}x{{/a}}", #"{"a":[]}"#, ""),
        Case("{{#a}}x{{/a}}", #"{"a":[0,false,null]}"#, "xxx"),
        Case("{{^a}}x{{/a}}", #"{"a":true}"#, ""), Case("{{^a}}x{{/a}}", #"{"a":false}"#, "x"),
        Case("{{^a}}x{{/a}}", "{}", "x"), Case("{{^a}}x{{/a}}", #"{"a":null}"#, "x"),
        Case("{{^a}}x{{/a}}", #"{"a":""}"#, "x"),
        Case("{{^a}}x{{/a}}", #"{"a":0}"#, ""), Case("{{^a}}x{{/a}}", #"{"a":[]}"#, "x"),
        Case("{{^a}}x{{/a}}", #"{"a":{}}"#, ""),
        Case("{{^a.b}}x{{/a.b}}", #"{"a":{"b":false}}"#, "x"), Case("{{^ a }}x{{/a }}", "{}", "x"),
        // What a section is of comes first, what is around it after.
        Case("{{#a}}{{b}}{{c}}{{/a}}", #"{"a":{"b":1},"b":2,"c":3}"#, "13"),
        Case("{{#a}}{{a.b}}{{/a}}", #"{"a":{"b":1}}"#, "1"),
        Case("{{#a.b}}{{c}}{{/a.b}}", #"{"a":{"b":{"c":1}}}"#, "1"),
        Case("{{#a}}{{b.c}}{{/a}}", #"{"a":{"b":{}},"b":{"c":1}}"#, ""),
        Case("{{#a}}{{b.c}}{{/a}}", #"{"a":{"x":1},"b":{"c":1}}"#, "1"),
        Case("{{#a}}{{b}}{{/a}}", #"{"a":{"b":null},"b":1}"#, ""),
        Case("{{#a}}{{#b}}{{c}}{{d}}{{/b}}{{/a}}", #"{"a":{"d":1},"b":{"c":2}}"#, "21"),
        // Elements of lists: texts keep their quotes.
        Case("{{#a}}{{.}},{{/a}}", #"{"a":["x",1,true]}"#, #""x",1,true,"#),
        Case("{{#a}}{{b}};{{/a}}", #"{"a":[{"b":"x"},{"b":"y"}]}"#, "x;y;"),
        Case("{{#a}}{{#.}}{{.}}{{/.}}|{{/a}}", #"{"a":[[1,2],[3]]}"#, "12|3|"),
        Case("{{#a}}{{#.}}x{{/.}}{{/a}}", #"{"a":[""]}"#, "x"), Case("{{#a}}{{.}}{{/a}}", #"{"a":"s"}"#, "s"),
        Case("{{#a}}{{b}}{{/a}}", #"{"a":[{},{"b":1}],"b":0}"#, "01"),
        Case("{{^a.isEmpty}}[{{#a}}{\"k\":\"{{key}}\"}{{/a}}]{{/a.isEmpty}}", #"{"a":[{"key":"v"}]}"#, #"[{"k":"v"}]"#),
        // Options that hold JSON.
        Case("{{#asJson}}a{{/asJson}}", #"{"a":"[{\"b\":\"c\"}]"}"#, #"[{"b":"c"}]"#),
        Case("{{#asJson}}b{{/asJson}}{{#asJson}}a{{/asJson}}", #"{"a":1}"#, "nullnull"),
        Case("{{#asJson}}a.b{{/asJson}}", #"{"a":{"b":"1"},"asJson":"x"}"#, "null"),
        Case("{{#asJson}}a{{/asJson}}", #"{"a":"\"{{b}}\"","b":"x"}"#, #""x""#),
    ]

    /// A line with nothing but a section's beginning or end leaves nothing behind; all else stays as it is.
    static let lines: [Case] = [
        Case("a\nb\n", "{}", "a\nb\n"), Case("a\r\nb\r\n", "{}", "a\r\nb\r\n"),
        Case("1\n{{#a}}\n2\n{{/a}}\n3\n", #"{"a":true}"#, "1\n2\n3\n"),
        Case("1\n  {{#a}}\n  2\n  {{/a}}\n3\n", #"{"a":true}"#, "1\n  2\n3\n"),
        Case("1\n{{#a}}\n2\n{{/a}}\n3\n", #"{"a":false}"#, "1\n3\n"),
        Case("1\n{{^a}}\n2\n{{/a}}\n3\n", #"{"a":false}"#, "1\n2\n3\n"),
        Case("1 {{#a}}2{{/a}} 3\n", #"{"a":true}"#, "1 2 3\n"), Case("  {{#a}}2{{/a}}\n", #"{"a":true}"#, "  2\n"),
        Case("  {{b}}\n", "{}", "  \n"), Case("1\r\n{{#a}}\r\n2\r\n{{/a}}\r\n3", #"{"a":true}"#, "1\r\n2\r\n3"),
    ]

    @Test(arguments: values)
    func `values are shown as Cosmos shows them`(example: Case) throws {
        #expect(try render(example.source, example.values) == example.text)
    }

    @Test(arguments: sections)
    func `sections are shown, left out and repeated as Cosmos does it`(example: Case) throws {
        #expect(try render(example.source, example.values) == example.text)
    }

    @Test(arguments: lines)
    func `lines of sections leave nothing behind`(example: Case) throws {
        #expect(try render(example.source, example.values) == example.text)
    }

    @Test(arguments: [
        ("{{", 1), ("{{a", 1), ("{{a}", 1), ("\n{{}}", 2), ("{{#a}}", 1), ("a\n\n{{#a}}\n{{/b}}", 4), ("{{/a}}", 1),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", 1), ("{{{a}}", 1), ("{{{a}} }", 1), ("{{>file}}", 1),
        ("x\n{{> ../../etc/passwd }}", 2),
        ("{{<parent}}{{/parent}}", 1), ("{{$block}}{{/block}}", 1), ("{{?a}}{{/a}}", 1), ("{{=}}", 1), ("{{= =}}", 1),
        ("{{=<<< >>>=}}", 1), ("{{=a=}}", 1), ("{{=a b c=}}", 1), ("{{^a}}x", 1), ("{{#a}}{{/ b}}", 1),
    ])
    func `what is no template is refused with the line`(source: String, line: Int) {
        let fault = #expect(throws: TemplateFault.self) { try Template(source) }
        #expect(fault?.line == line)
    }

    @Test func `a template tells the names that it looks up`() throws {
        let template = try Template("{{a}}{{#b.c}}{{d}}{{/b.c}}{{^e}}{{a}}{{{f}}}{{/e}}")
        #expect(template.names == ["a", "b.c", "d", "e", "f"])
    }

    /// Any text between quotes of a template comes back out of the JSON that it makes.
    @Test(arguments: 0..<UInt64(100))
    func `whatever text an option holds, the JSON around it stays whole`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let pieces = [
            "\"", "\\", "{{", "}}", "\n", "\u{0}", "é", "😀", "a", " ", "</script>", "{{#a}}", "\\u0022", ",", "]",
        ]
        let text = (0..<random.draw(0...30)).map { _ in pieces[random.draw(0...pieces.count - 1)] }.joined()
        let values = JSONObject(["a": .object(JSONObject(["b": .text(text)])), "l": .list([.text(text), .text("")])])
        let made = try Template(#"{"x":"{{a.b}}","y":"{{#a}}{{{b}}}{{/a}}","z":{{l}}}"#).rendered(with: values)
        let result = try object(made)
        #expect(result["x"] == .text(text))
        #expect(result["y"] == .text(text))
        #expect(result["z"] == .list([.text(text), .text("")]))
    }
}

/// SplitMix64, so that a failing run can be repeated from its seed.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    mutating func draw(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &self) }
}
