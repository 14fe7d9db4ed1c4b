import ClusterModel
import Schedules
import Testing

@Suite("Cron expressions")
struct CronExpressionTests {
    /// All times of an expression in a stretch, by following ``CronExpression/next(after:in:)``.
    private func times(_ cron: CronExpression, _ zone: TimeZoneRules, _ begin: Int64, _ end: Int64) -> [Int64] {
        var found: [Int64] = []
        var at = UnixTime(nanoseconds: begin * 1_000_000_000 - 1)
        while let next = cron.next(after: at, in: zone), next.whole < end, found.count < 100_000 {
            found.append(next.whole)
            at = next
        }
        return found
    }

    @Test(arguments: ZoneFixture.shared.cron)
    func `times are those that a look at every minute finds`(expected: ZoneFixture.Cron) throws {
        let zone = try ZoneFixture.rules(expected.zone)
        let cron = try CronExpression(expected.expression)
        let found = times(cron, zone, expected.begin, expected.end)
        #expect(found.count == Int(expected.count))
        #expect(found.reduce(0) { ($0 + $1 / 60) % 1_000_000_007 } == expected.sum)
        #expect(Array(found.prefix(3)) == expected.first)
        #expect(Array(found.suffix(2)) == expected.last)
    }

    /// Random expressions in zones whose clocks change often, against a look at every minute.
    @Test(arguments: 0..<UInt64(60))
    func `next and previous agree with a look at every minute`(seed: UInt64) throws {
        var chance = Seeded(seed)
        func field(_ low: Int, _ high: Int) -> String {
            switch chance.next() % 5 {
            case 0: return "*"
            case 1: return "*/\(Int.random(in: 2...max(2, high / 3), using: &chance))"
            case 2:
                let first = Int.random(in: low...high, using: &chance)
                return "\(first)-\(Int.random(in: first...high, using: &chance))"
            default:
                return "\(Int.random(in: low...high, using: &chance)),\(Int.random(in: low...high, using: &chance))"
            }
        }
        let days = chance.next() % 3 == 0 ? field(1, 31) : "*"
        let text = "\(field(0, 59)) \(field(0, 5)) \(days) * \(chance.next() % 3 == 0 ? "1-5" : "*")"
        let cron = try CronExpression(text)
        let shift = ["1", "0:30", "2", "-1", "12"].randomElement(using: &chance)!
        let zone = try TimeZoneRules(posix: "AAA3BBB\(shift),M5.2.1/3,M5.3.4/2:30")
        let begin = UnixTime(2_024, 5, 1).whole
        let end = UnixTime(2_024, 6, 2).whole
        var expected: [Int64] = []
        var shown: Set<Int64> = []
        var before = zone.offset(at: UnixTime(begin - 172_800))
        for minute in stride(from: begin - 172_800, to: end, by: 60) {
            let now = zone.offset(at: UnixTime(minute))
            let wall = minute + Int64(now)
            var happens = shows(cron, wall) && (isEveryHour(text) || !shown.contains(wall))
            if now > before, !isEveryHour(text) {
                for skipped in stride(from: minute + Int64(before), to: wall, by: 60) where shows(cron, skipped) {
                    happens = true
                }
            }
            if happens, minute >= begin { expected.append(minute) }
            shown.insert(wall)
            before = now
        }
        #expect(times(cron, zone, begin, end) == expected, "\(text)")
        var backwards: [Int64] = []
        var at = UnixTime(end)
        while let last = cron.previous(before: at, in: zone), last.whole >= begin {
            backwards.append(last.whole)
            at = last
        }
        #expect(backwards.reversed() == expected, "\(text)")
        for _ in 0..<20 {
            let time = UnixTime(nanoseconds: .random(in: begin * 1_000_000_000...end * 1_000_000_000, using: &chance))
            #expect(
                cron.next(after: time, in: zone)?.whole
                    == (expected.first { UnixTime($0) > time } ?? cron.next(after: UnixTime(end - 1), in: zone)?.whole))
        }
    }

    private func isEveryHour(_ text: String) -> Bool { text.split(separator: " ")[1].hasPrefix("*") }

    /// Whether it happens at a time on the wall, asked of a zone without changes.
    private func shows(_ cron: CronExpression, _ wall: Int64) -> Bool {
        cron.next(after: UnixTime(wall - 1), in: .utc)?.whole == wall
    }

    @Test func `what the clocks skip happens when they are set, once`() throws {
        let berlin = try ZoneFixture.rules("Europe/Berlin")
        let before = UnixTime(2_024, 3, 30, 12)
        let early = try CronExpression("*/10 2 * * *")
        #expect(early.next(after: before, in: berlin) == UnixTime(2_024, 3, 31, 1))
        #expect(early.next(after: UnixTime(2_024, 3, 31, 1), in: berlin) == UnixTime(2_024, 4, 1, 0))
        // Hours that pass are not moved.
        let every = try CronExpression("30 * * * *")
        #expect(every.next(after: UnixTime(2_024, 3, 31, 0, 30), in: berlin) == UnixTime(2_024, 3, 31, 1, 30))
    }

    @Test func `what is shown twice happens the first time, and hours that pass happen each time`() throws {
        let berlin = try ZoneFixture.rules("Europe/Berlin")
        let daily = try CronExpression("30 2 * * *")
        #expect(daily.next(after: UnixTime(2_024, 10, 26, 12), in: berlin) == UnixTime(2_024, 10, 27, 0, 30))
        #expect(daily.next(after: UnixTime(2_024, 10, 27, 0, 30), in: berlin) == UnixTime(2_024, 10, 28, 1, 30))
        #expect(daily.previous(before: UnixTime(2_024, 10, 27, 1, 40), in: berlin) == UnixTime(2_024, 10, 27, 0, 30))
        let every = try CronExpression("30 * * * *")
        #expect(every.next(after: UnixTime(2_024, 10, 27, 0, 30), in: berlin) == UnixTime(2_024, 10, 27, 1, 30))
    }

    @Test func `a day must fit both of its fields`() throws {
        let cron = try CronExpression("0 0 13 * FRI")
        #expect(cron.next(after: UnixTime(2_024, 1, 1), in: .utc) == UnixTime(2_024, 9, 13))
    }

    @Test func `rare days are found, also over a century without a leap day`() throws {
        let leap = try CronExpression("0 0 29 2 *")
        #expect(leap.next(after: UnixTime(2_096, 3, 1), in: .utc) == UnixTime(2_104, 2, 29))
        #expect(leap.previous(before: UnixTime(2_104, 2, 29), in: .utc) == UnixTime(2_096, 2, 29))
        let monday = try CronExpression("0 0 29 2 1")
        #expect(monday.next(after: UnixTime(2_024, 3, 1), in: .utc) == UnixTime(2_044, 2, 29))
        let once = try CronExpression("5 6 7 8 * 2030")
        #expect(once.next(after: UnixTime(2_024, 1, 1), in: .utc) == UnixTime(2_030, 8, 7, 6, 5))
        #expect(once.next(after: UnixTime(2_031, 1, 1), in: .utc) == nil)
        #expect(once.previous(before: UnixTime(2_024, 1, 1), in: .utc) == nil)
    }

    @Test func `names, steps, Sundays and the ends of months mean what they say`() throws {
        func next(_ text: String, _ after: UnixTime) throws -> UnixTime? {
            try CronExpression(text).next(after: after, in: .utc)
        }
        let begin = UnixTime(2_024, 2, 1)  // a Thursday
        #expect(try next("0 0 * feb sun", begin) == UnixTime(2_024, 2, 4))
        #expect(try next("0 0 * * 7", begin) == UnixTime(2_024, 2, 4))
        #expect(try next("0 0 * * FRI-SUN", UnixTime(2_024, 2, 4)) == UnixTime(2_024, 2, 9))
        #expect(try next("0 0 L * *", begin) == UnixTime(2_024, 2, 29))
        #expect(try next("0 0 1W 6 *", begin) == UnixTime(2_024, 6, 3))
        #expect(try next("0 0 30W 6 *", begin) == UnixTime(2_024, 6, 28))
        #expect(try next("0 0 LW 3 *", begin) == UnixTime(2_024, 3, 29))
        #expect(try next("0 0 * * 4#5", begin) == UnixTime(2_024, 2, 29))
        #expect(try next("0 0 * * 4L", UnixTime(2_024, 3, 1)) == UnixTime(2_024, 3, 28))
        #expect(try next("10/20 * * * *", begin) == UnixTime(2_024, 2, 1, 0, 10))
        #expect(try next("10/20 * * * *", UnixTime(2_024, 2, 1, 0, 30)) == UnixTime(2_024, 2, 1, 0, 50))
        #expect(try CronExpression("  0\t0  * * 1 ").text == "0 0 * * 1")
    }

    @Test(arguments: [
        "", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * 0 *",
        "* * * * 8", "* * * * * 1969", "-1 * * * *", "1- * * * *", "5-3 * * * *", "*/0 * * * *", "*/61 * * * *",
        "a * * * *",
        "1,,2 * * * *", "1, * * * *", ", * * * *", "* * * FOO *", "* * * * MONDAY", "0 0 30 2 *", "0 0 31 4,6 *",
        "0 0 5#2 * *", "* * * * 5#6", "* * * * 5#0", "* * * * #2", "* * ? * *", "@daily", "* * W * *", "* * 32W * *",
        "1/2/3 * * * *", "１ * * * *", "99999999999999999999 * * * *", "* * 31 2 1", "1-2-3 * * * *", "* * * * 5W",
        "0 0 29 2 * 2025",
    ])
    func `what is no expression is refused with the field that is wrong`(text: String) {
        let error = #expect(throws: CronError.self) { try CronExpression(text) }
        #expect((error?.description.utf8.count ?? 0) > 10)
    }

    @Test(arguments: 0..<UInt64(100))
    func `texts of chance are refused or usable`(seed: UInt64) {
        var chance = Seeded(seed)
        let pieces = ["*", "/", "-", ",", "L", "W", "#", "0", "7", "15", "31", "59", " ", "MON", "jan", "2099", "5"]
        for _ in 0..<500 {
            let text = (0..<Int.random(in: 5...24, using: &chance)).map { _ in pieces.randomElement(using: &chance)! }
            guard let cron = try? CronExpression(text.joined()) else { continue }
            let at = UnixTime(2_024, 5, 5)
            if let next = cron.next(after: at, in: .utc) {
                #expect(next > at)
                #expect(cron.previous(before: next + .seconds(1), in: .utc) == next, "\(cron)")
            }
        }
    }
}
