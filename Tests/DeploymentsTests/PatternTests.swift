import Deployments
import Testing

@Suite("Patterns of constraints")
struct PatternTests {
    @Test(
        arguments: [
            ("rack-[1-3]", "rack-2", true), ("rack-[1-3]", "rack-4", false), ("rack-[1-3]", "my-rack-2", false),
            ("a|b|cd", "cd", true), ("(a|b)+c?", "abab", true), ("(a|b)+c?", "ababcc", false),
            (".*", "", true), ("a.c", "abc", true), ("a\\.c", "abc", false), ("\\d{2,3}", "12", true),
            ("\\d{2,3}", "1234", false), ("^a$", "a", true), ("[^x]+", "aby", true), ("[^x]+", "axy", false),
            ("(?:ab){2}", "abab", true), ("[\\w-]+", "a-b_c", true), ("a*?b", "aaab", true), ("é+", "éé", true),
            ("[a-", "a", nil), ("a(", "a", nil), ("*a", "a", nil), ("a{3,2}", "a", nil), ("\\q", "q", nil),
            ("a)", "a", nil),
        ] as [(String, String, Bool?)])
    func `a pattern matches whole texts, or is none`(expression: String, text: String, expected: Bool?) {
        #expect(Pattern(expression)?.matches(text) == expected, "\(expression) on \(text)")
    }

    @Test func `hostile patterns take no time`() {
        let text = String(repeating: "a", count: 200) + "!"
        for expression in ["(a+)+", "(a|a)*", "(a*)*", "((a*)*)*", "(.*)*x", "(a?){100}a{100}"] {
            #expect(Pattern(expression)?.matches(text) == false, "\(expression)")
        }
        #expect(Pattern("((((a{1000}){1000}){1000}){1000})") == nil)
        #expect(Pattern("((()*)*){1000}") != nil)
        #expect(Pattern(String(repeating: "(", count: 500) + String(repeating: ")", count: 500)) == nil)
        #expect(Pattern(String(repeating: "a", count: 2_000)) == nil)
    }
}
