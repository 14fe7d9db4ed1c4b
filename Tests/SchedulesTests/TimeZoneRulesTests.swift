import ClusterModel
import Schedules
import Testing

@Suite("Time zones")
struct TimeZoneRulesTests {
    @Test(arguments: ZoneFixture.shared.offsets.map(\.zone))
    func `offsets are those that Python finds in the same file`(zone: String) throws {
        let rules = try ZoneFixture.rules(zone)
        let samples = try #require(ZoneFixture.shared.offsets.first { $0.zone == zone }).samples
        #expect(samples.count == 60)
        for sample in samples {
            #expect(rules.offset(at: UnixTime(sample[0])) == Int(sample[1]), "\(zone) at \(sample[0])")
        }
    }

    @Test(arguments: ZoneFixture.shared.walls.map(\.zone))
    func `a time on the wall has the instants that Python finds`(zone: String) throws {
        let rules = try ZoneFixture.rules(zone)
        for wall in try #require(ZoneFixture.shared.walls.first { $0.zone == zone }).walls {
            let shown = rules.instants(showing: TimeZoneRules.utc.civil(at: UnixTime(wall.wall)))
            switch shown {
            case .once(let at): #expect(wall.instants == [at.whole], "\(zone) \(wall.wall)")
            case .twice(let early, let late):
                #expect(wall.instants == [early.whole, late.whole], "\(zone) \(wall.wall)")
            case .skipped(let at):
                #expect(wall.instants.isEmpty, "\(zone) \(wall.wall)")
                // The clocks show less just before and more just after.
                #expect(rules.offset(at: at) > rules.offset(at: UnixTime(at.whole - 1)))
            }
        }
    }

    @Test func `a rule alone is a zone`() throws {
        let berlin = try TimeZoneRules(posix: "CET-1CEST,M3.5.0,M10.5.0/3")
        #expect(berlin.offset(at: UnixTime(2_024, 3, 31, 0, 59, 59)) == 3_600)
        #expect(berlin.offset(at: UnixTime(2_024, 3, 31, 1)) == 7_200)
        #expect(berlin.offset(at: UnixTime(2_024, 10, 27, 0, 59, 59)) == 7_200)
        #expect(berlin.offset(at: UnixTime(2_024, 10, 27, 1)) == 3_600)
        let sydney = try TimeZoneRules(posix: "AEST-10AEDT,M10.1.0,M4.1.0/3")
        #expect(sydney.offset(at: UnixTime(2_024, 1, 1)) == 39_600)
        #expect(sydney.offset(at: UnixTime(2_024, 7, 1)) == 36_000)
        let jerusalem = try TimeZoneRules(posix: "IST-2IDT,M3.4.4/26,M10.5.0")
        #expect(jerusalem.offset(at: UnixTime(2_024, 3, 28, 23, 59, 59)) == 7_200)
        #expect(jerusalem.offset(at: UnixTime(2_024, 3, 29)) == 10_800)
        let kathmandu = try TimeZoneRules(posix: "<+0545>-5:45")
        #expect(kathmandu.offset(at: UnixTime(0)) == 20_700)
        let leapDay = try TimeZoneRules(posix: "AAA0BBB,J59/0,60/0")
        #expect(leapDay.offset(at: UnixTime(2_023, 3, 1, 12)) == 3_600)
        #expect(leapDay.offset(at: UnixTime(2_024, 3, 1, 12)) == 0)
    }

    @Test func `summer time all year is one offset`() throws {
        let always = try TimeZoneRules(posix: "EST5EDT,0/0,J365/25")
        var at = UnixTime(2_019, 6, 1)
        while at < UnixTime(2_026, 6, 1) {
            #expect(always.offset(at: at) == -14_400)
            at = at + .seconds(3_599)
        }
    }

    @Test(arguments: [
        "", "A", "AB1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-26", "CET-1:60", "<CET-1", "<+1>-1", "CET-1CEST,J0,J5", "CET-1CEST,366,J5",
        "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0 ", "CET-1CEST,M3.5.0,M10.5.0,M1.1.1", "CET-9999",
        "CÉT-1", "CET--1",
    ])
    func `what is no rule is refused`(text: String) {
        #expect(throws: TimeZoneError.self) { try TimeZoneRules(posix: text) }
    }

    // MARK: hostile files

    @Test(arguments: 0..<UInt64(300))
    func `a damaged file is refused or read, and what was read can be used`(seed: UInt64) throws {
        var chance = Seeded(seed)
        let names = ZoneFixture.shared.zones.keys.sorted()
        var bytes = Array(ZoneFixture.shared.zones[names[Int(seed) % names.count]]!)
        for _ in 0..<20 {
            switch chance.next() % 4 {
            case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &chance)))
            case 1 where !bytes.isEmpty:
                // Most damage goes to the headers, where the counts are.
                let index = Int.random(in: 0..<min(bytes.count, 64), using: &chance)
                bytes[index] = UInt8(truncatingIfNeeded: chance.next())
            case 2 where !bytes.isEmpty:
                bytes[Int.random(in: 0..<bytes.count, using: &chance)] = [0, 0x7f, 0x80, 0xff].randomElement(
                    using: &chance)!
            default:
                let index = Int.random(in: 0...bytes.count, using: &chance)
                bytes.insert(contentsOf: (0..<chance.next() % 9).map { UInt8(truncatingIfNeeded: $0) }, at: index)
            }
            guard let rules = try? TimeZoneRules(tzif: bytes) else { continue }
            Self.use(rules, &chance)
        }
    }

    @Test(arguments: 0..<UInt64(100))
    func `a file of chance with good headers does not trap`(seed: UInt64) {
        var chance = Seeded(seed)
        for _ in 0..<50 {
            var bytes = Array("TZif".utf8)
            let version = [0, 0x32, 0x33, 0x34].randomElement(using: &chance)!
            for width in version == 0 ? [4] : [4, 8] {
                if width == 8 { bytes += Array("TZif".utf8) }
                bytes += [UInt8(version)] + [UInt8](repeating: 0, count: 15)
                let (times, types, leaps) = (Int(chance.next() % 6), Int(chance.next() % 3) + 1, Int(chance.next() % 3))
                for count in [0, 0, leaps, times, types, 4] { bytes += [0, 0, 0, UInt8(count)] }
                for index in 0..<times {
                    bytes +=
                        [UInt8(truncatingIfNeeded: index * 40 + 128)]
                        + (1..<width).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
                }
                bytes += (0..<times).map { _ in UInt8(chance.next() % UInt64(types)) }
                for _ in 0..<types { bytes += [0, 0, UInt8(truncatingIfNeeded: chance.next()), 7, 0, 0] }
                bytes += [65, 65, 65, 0]
                for index in 0..<leaps { bytes += [UInt8](repeating: UInt8(index), count: width) + [0, 0, 0, 1] }
            }
            if version != 0 { bytes += Array("\nAAA5BBB,M3.2.0,M11.1.0\n".utf8) }
            guard let rules = try? TimeZoneRules(tzif: bytes) else { continue }
            Self.use(rules, &chance)
        }
    }

    private static func use(_ rules: TimeZoneRules, _ chance: inout Seeded) {
        let time = UnixTime(nanoseconds: Int64(bitPattern: chance.next()))
        #expect(abs(rules.offset(at: time)) <= 26 * 3_600)
        _ = rules.instants(showing: rules.civil(at: time))
        let daily = try! CronExpression("30 2 * * *")
        if let next = daily.next(after: time, in: rules) { #expect(next > time) }
        if let last = daily.previous(before: time, in: rules) { #expect(last < time) }
    }

    @Test func `the names of zones lead to files below one directory`() {
        for name in ["Europe/Berlin", "UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "America/Port-au-Prince"] {
            #expect(TimeZoneName.defect(of: name) == nil)
        }
        for name in ["", "/etc/passwd", "../x", "Europe/..", "Europe//Berlin", "Europe/Berlin/", "a\0b", "a b", "-x"] {
            #expect(TimeZoneName.defect(of: name) != nil, "\(name)")
        }
    }
}
