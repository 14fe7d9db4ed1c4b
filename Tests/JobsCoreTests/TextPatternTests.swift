import JobsCore
import Testing

@Suite("Patterns of constraints")
struct TextPatternTests {
    @Test(arguments: [
        ("abc", "abc", true), ("abc", "ab", false), ("abc", "abcd", false), ("a.c", "axc", true), ("a*", "", true),
        ("a+", "", false), ("a?b", "b", true), ("(ab|cd)+", "abcdab", true), ("(ab|cd)+", "abc", false),
        ("rack-[1-3]", "rack-2", true), ("rack-[^1-3]", "rack-2", false), ("\\d{2,3}", "123", true),
        ("\\d{2,3}", "1234", false), ("^a$", "a", true), ("", "", true), ("a||b", "", true), ("[]x]", "]", true),
        ("\\w+\\.test", "host_1.test", true), ("x{0}", "", true), ("(?:a|b)c", "bc", true), ("[a-]", "-", true),
        ("é.", "é€", true), ("a{2,}", "aaaa", true), ("a.*?b", "axxb", true),
    ])
    func `patterns fit whole texts`(pattern: String, text: String, fits: Bool) throws {
        #expect(try TextPattern(pattern).matches(text) == fits)
    }

    @Test(arguments: [
        "(", ")", "a)", "[a", "*", "a**", "a{1", "a{2,1}", "\\", "\\1", "(?=a)", "[z-a]", "a{9999}", "x{1000}{2}",
        "((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))", "(a{1000}){1000}",
    ])
    func `what is no pattern is refused`(pattern: String) {
        #expect(throws: TextPatternError.self) { try TextPattern(pattern) }
    }

    @Test func `a pattern that would hang others takes no time`() throws {
        let pattern = try TextPattern("(a|a)*(a|aa)+b")
        #expect(!pattern.matches(String(repeating: "a", count: 5_000)))
    }
}
