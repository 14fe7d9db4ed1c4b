import ClusterModel
import Testing

@testable import Console

@Suite("Output with colours")
struct StyledTextTests {
    private func read(_ text: String) -> [[String]] {
        var reader = StyledText()
        return reader.read(Array(text.utf8)).map { line in
            line.flatMap { [$0.text, $0.classes.map(\.text).joined(separator: " ")] }
        }
    }

    @Test(arguments: [
        ("one\ntwo\nrest", [["one", ""], ["two", ""], ["rest", ""]]),
        ("one\r\ntwo\n", [["one", ""], ["two", ""]]),
        ("10 %\r20 %\r30 %\n", [["30 %", ""]]),
        ("\u{1b}[31mred\u{1b}[0m plain\n", [["red", "f1", " plain", ""]]),
        ("\u{1b}[32ma\nb\n", [["a", "f2"], ["b", "f2"]]),
        ("\u{1b}[7;33ma\n", [["a", "b3"]]),
        ("\u{1b}[7ma\n", [["a", "bi"]]),
        ("\u{1b}[38;2;255;0;0ma\u{1b}[38;5;21mb\n", [["a", "f9", "b", "f12"]]),
        ("\u{1b}[1ma\u{1b}[22mb\n", [["a", "tb", "b", ""]]),
        ("a\u{1b}[2J\u{1b}[5;5H\u{1b}]0;title\u{7}b\u{1b}(Bc\n", [["abc", ""]]),
        ("a\u{0}b\u{7}\n", [["a\u{2400}b\u{2407}", ""]]),
    ])
    func `looks become classes and all other sequences go`(text: String, lines: [[String]]) {
        #expect(read(text) == lines)
    }

    @Test func `a line of a megabyte is cut, and says by how much`() {
        let lines = read(String(repeating: "x", count: 1 << 20) + "\n")
        #expect(lines == [[String(repeating: "x", count: 4_096), "", " … 1044480 more characters", "cut"]])
    }

    @Test func `pieces of a line have an end`() {
        let lines = read(String(repeating: "\u{1b}[31ma\u{1b}[32mb", count: 1_000) + "\n")
        #expect(lines[0].count <= 2 * StyledText.pieceLimit)
    }

    @Test func `sequences that never end are text, and every class is one of a fixed set`() {
        var generator = SystemRandomNumberGenerator()
        let parts = [
            "\u{1b}", "[", "]", "m", "3", "8", ";", "5", "999999999999999999999", "\r", "\n", "x", "\u{7}", "P", "<",
        ]
        for _ in 0..<300 {
            let text = (0..<200).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            var reader = StyledText()
            for line in reader.read(Array(text.utf8)) {
                for piece in line {
                    #expect(piece.classes.allSatisfy { $0.text.allSatisfy { $0.isLetter || $0.isNumber } })
                    #expect(!piece.text.unicodeScalars.contains("\u{1b}"))
                }
            }
        }
    }
}

@Suite("Words for schedules and commands")
struct WorkWordsTests {
    @Test(arguments: [
        ("* * * * *", "every minute"), ("*/15 * * * *", "every 15 minutes"), ("0 * * * *", "every hour"),
        ("5 * * * *", "at minute 5 of every hour"), ("0 */6 * * *", "every 6 hours"),
        ("30 3 * * *", "every day at 03:30"), ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("0 9 * * 1-5", "at 09:00, on Monday to Friday"), ("0 9 * * MON,WED", "at 09:00, on Monday and Wednesday"),
        ("0 0 1 * *", "at 00:00, on the 1st of the month"), ("0 0 L * *", "at 00:00, on the last day of the month"),
        ("0 0 11,22,23 JAN *", "at 00:00, on the 11th, 22nd and 23rd of the month, in January"),
        ("0 0 1 1 0", "at 00:00, on the 1st of the month, or on Sunday, in January"),
        ("0 12 * * * 2030", "at 12:00, in 2030"),
        ("*/10 8-10 * * *", "every 10 minutes between 08:00 and 08:59, 09:00 and 09:59 and 10:00 and 10:59"),
        ("1-59/7 * * * *", "1-59/7 * * * *"), ("0 0 * * 1#2", "0 0 * * 1#2"), ("nonsense", "nonsense"), ("", ""),
    ])
    func `a schedule is said in words, or as it is written`(cron: String, words: String) {
        #expect(CronWords.text(cron) == words)
    }

    @Test func `a command is split at blanks outside of quotes`() {
        #expect(CommandWords.split("/bin/sh") == ["/bin/sh"])
        #expect(CommandWords.split("  ls  -l\t'a b' \"c d\" e\\ f ") == ["ls", "-l", "a b", "c d", "e f"])
        #expect(CommandWords.split("echo '' \"x\\\"y\" '\\'") == ["echo", "", "x\"y", "\\"])
        #expect(CommandWords.split("$(rm) ;|&") == ["$(rm)", ";|&"])
        #expect(CommandWords.split("") == [])
        for open in ["'a", "\"a", "a\\"] { #expect(CommandWords.split(open) == nil) }
    }
}

@Suite("Filters of the audit log")
struct AuditFilterTests {
    private func filter(_ fields: [String: String]) -> AuditFilter { AuditFilter { fields[$0] } }
    private let row = AuditRow(
        place: "1-0", time: "2026-03-30T15:50:16.187Z", who: "user:Ann", from: "10.0.0.7", action: "task.exec",
        object: "f/web.1 run 'sh' as x", result: "denied", reason: "takes task.exec")

    @Test(arguments: [
        ([:], true), (["who": "ann"], true), (["who": "10.0.0"], true), (["who": "bob"], false),
        (["action": "exec", "object": "web"], true), (["action": "exec", "object": "db"], false),
        (["result": "denied"], true), (["result": "done"], false), (["result": "nonsense"], true),
        (["since": "2026-03-30"], true), (["since": "2026-03-31"], false), (["until": "2026-03-30"], true),
        (["until": "2026-03-30T14"], false), (["since": "2026-03-30 15:50", "until": "2026-03-30T15:50"], true),
        (["since": "yesterday"], true),
    ])
    func `all that is asked for must be there`(fields: [String: String], fits: Bool) {
        #expect(row.matches(filter(fields)) == fits)
    }
}
