import Testing

@testable import Packages

@Suite("Patterns of schemas")
struct SchemaPatternTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var pattern: String
        var good: [String]
        var bad: [String]
        var testDescription: String { pattern }
    }

    static let cases: [Case] = [
        Case(pattern: "", good: ["", "a"], bad: []),
        Case(pattern: "abc", good: ["abc", "xabcx"], bad: ["ab", "acb", ""]),
        Case(pattern: "^abc$", good: ["abc"], bad: ["xabc", "abcx", "abc\n"]),
        Case(pattern: "^a|b$", good: ["ax", "xb"], bad: ["xa", "bx"]),
        Case(pattern: "^(?:a|bc|)d$", good: ["ad", "bcd", "d"], bad: ["cd", "abcd"]),
        Case(pattern: "^a*$", good: ["", "aaaa"], bad: ["ab"]),
        Case(pattern: "^a+?b??$", good: ["a", "aab"], bad: ["", "b"]),
        Case(pattern: "^a{2}$", good: ["aa"], bad: ["a", "aaa"]),
        Case(pattern: "^a{2,}$", good: ["aa", "aaaaaa"], bad: ["a"]),
        Case(pattern: "^a{1,3}$", good: ["a", "aaa"], bad: ["", "aaaa"]),
        Case(pattern: "^a{0}$", good: [""], bad: ["a"]),
        Case(pattern: "^{a}$", good: ["{a}"], bad: ["a"]),
        Case(pattern: "^a{,3}$", good: ["a{,3}"], bad: ["aa"]),
        Case(pattern: "^\\{\\}$", good: ["{}"], bad: ["\\{\\}"]),
        Case(pattern: "^(a*)*$", good: ["", "aaa"], bad: ["b"]),
        Case(pattern: "^(a|b?)+$", good: ["", "abba"], bad: ["c"]),
        Case(pattern: "^[a-c]$", good: ["a", "b", "c"], bad: ["d", "-", ""]),
        Case(pattern: "^[^a-c]$", good: ["d", "é", "\n"], bad: ["a", ""]),
        Case(pattern: "^[-a]$", good: ["-", "a"], bad: ["b"]),
        Case(pattern: "^[a-]$", good: ["-", "a"], bad: ["b"]),
        Case(pattern: "^[a\\-z]$", good: ["-", "a", "z"], bad: ["b"]),
        Case(pattern: "^[\\d\\-x]+$", good: ["1-x"], bad: ["y"]),
        Case(pattern: "^[\\w.]+$", good: ["a_1."], bad: ["-", "é"]),
        Case(pattern: "^[^\\s]+$", good: ["ab"], bad: ["a b", "a\u{a0}b", ""]),
        Case(pattern: "^[\\W]$", good: ["-"], bad: ["a"]),
        Case(pattern: "^[\\d-z]$", good: ["4", "-", "z"], bad: ["y"]),
        Case(pattern: "^[]$", good: [], bad: ["", "]"]),
        Case(pattern: "^[^]$", good: ["a", "\n"], bad: [""]),
        Case(pattern: "^[\\]]$", good: ["]"], bad: ["\\"]),
        Case(pattern: "^\\d\\D\\w\\W\\s\\S$", good: ["1aA- x"], bad: ["aaA- x"]),
        Case(pattern: "^.$", good: ["a", "é", "😀"], bad: ["\n", "\r", "\u{2028}", ""]),
        Case(pattern: "\\bcat\\b", good: ["cat", "a cat!"], bad: ["cats", "tomcat"]),
        Case(pattern: "\\Bcat", good: ["tomcat"], bad: ["cat", "a cat"]),
        Case(pattern: "^(?!-)[a-z-]+$", good: ["a-b"], bad: ["-a"]),
        Case(pattern: "^(?=.*\\d)(?=.*[a-z]).{4,}$", good: ["a1xx", "xxx1"], bad: ["aaaa", "1111", "a1"]),
        Case(pattern: "^(?!.*--)[a-z-]*$", good: ["a-b", ""], bad: ["a--b"]),
        Case(pattern: "^\\x41\\u0042\\t\\n\\r\\f\\v\\0$", good: ["AB\t\n\r\u{0c}\u{0b}\0"], bad: ["AB"]),
        Case(pattern: "^\\/\\.\\-\\@$", good: ["/.-@"], bad: ["/x-@"]),
        Case(pattern: "^[\\u00e0-\\u00ff]$", good: ["é"], bad: ["e"]),
        Case(
            pattern: "^(25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.(25[0-5]|2[0-4]\\d|1?\\d?\\d)){3}$", good: ["10.0.255.1"],
            bad: ["10.0.256.1", "1.2.3"]),
        Case(
            pattern:
                "^(\\/?((\\.\\.)|(([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])\\.)*"
                + "([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9]))?($|\\/))+$",
            good: ["/a/b-c", "a.b", "..", "/", "x/", ""], bad: ["A", "/a_b", "-a"]),
        Case(pattern: "a$b", good: [], bad: ["ab", "a", "a$b"]),
        Case(pattern: "(^|,)x(,|$)", good: ["x", "a,x", "x,b"], bad: ["ax"]),
    ]

    @Test(arguments: cases)
    func `patterns are found where ECMA finds them`(example: Case) throws {
        let pattern = try #require(SchemaPattern(example.pattern))
        for text in example.good { #expect(pattern.isFound(in: text) == true, "\(text)") }
        for text in example.bad { #expect(pattern.isFound(in: text) == false, "\(text)") }
    }

    @Test(arguments: [
        "(", ")", "a)", "[a", "*", "+a", "?", "a**", "a{2}{3}", "a{3,2}", "a{1001}", "(?<=a)b", "(?<n>a)", "(a)\\1",
        "\\",
        "[z-a]", "\\c", "\\p{L}", "\\xZZ", "\\u12", "(?a)", "\\k<n>", "[\\", "x{1,99999}",
    ])
    func `what is no pattern, or one that cannot be followed here, is not taken`(text: String) {
        #expect(SchemaPattern(text) == nil)
    }

    @Test func `patterns that are too large or too deep are not taken`() {
        #expect(SchemaPattern(String(repeating: "a", count: 2_049)) == nil)
        #expect(SchemaPattern(String(repeating: "(", count: 60) + String(repeating: ")", count: 60)) == nil)
        #expect(SchemaPattern("(((a{100}){100}){100})") == nil)
        #expect(SchemaPattern("(a{1000}){1000}") == nil)
        #expect(SchemaPattern("((((((){1000}){1000}){1000}){1000}){1000})") != nil)
    }

    @Test func `patterns that make other engines hang are told in bounded steps`() throws {
        let text = String(repeating: "a", count: 5_000) + "!"
        for source in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*=(.*)*"] {
            let pattern = try #require(SchemaPattern(source))
            let (isFound, steps) = pattern.search(text, stepsMax: .max)
            #expect(isFound == false, "\(source)")
            #expect(steps < 1_000_000, "\(source)")
        }
    }

    @Test func `a search that takes too many steps says that it does not know`() throws {
        let pattern = try #require(SchemaPattern("(?=(a?){500}b)(a?){500}c"))
        #expect(pattern.isFound(in: String(repeating: "a", count: 100_000)) == nil)
        #expect(pattern.search("aaaa", stepsMax: 10) == (nil, 10))
    }
}
