import Schedules
import Testing

@Suite("Civil time")
struct CivilTimeTests {
    @Test func `days and dates agree over eight centuries, one day at a time`() {
        var date = CivilDate(year: 1_600, month: 1, day: 1)
        var weekday = 6  // 1600-01-01 was a Saturday
        for day in date.daysSinceEpoch..<date.daysSinceEpoch + 2 * 146_097 {
            #expect(date.daysSinceEpoch == day)
            #expect(CivilDate(daysSinceEpoch: day) == date)
            #expect(date.weekday == weekday)
            if date.daysSinceEpoch != day || date.weekday != weekday { return }
            weekday = (weekday + 1) % 7
            date.day += 1
            if date.day > CivilDate.days(inMonth: date.month, ofYear: date.year) {
                date.day = 1
                date.month += 1
                if date.month == 13 { (date.month, date.year) = (1, date.year + 1) }
            }
        }
    }

    @Test func `the epoch is day 0, a Thursday`() {
        let epoch = CivilDate(year: 1_970, month: 1, day: 1)
        #expect(epoch.daysSinceEpoch == 0)
        #expect(epoch.weekday == 4)
        #expect(CivilDate(daysSinceEpoch: -1) == CivilDate(year: 1_969, month: 12, day: 31))
    }

    @Test func `centuries are leap years only every four hundred years`() {
        #expect(CivilDate.isLeap(2_000))
        #expect(CivilDate.isLeap(2_024))
        #expect(!CivilDate.isLeap(1_900))
        #expect(!CivilDate.isLeap(2_023))
    }
}
