import Access
import ClusterModel
import Testing

@Suite("Slowing down those who guess")
struct LimiterTests {
    private func settings() -> LoginLimiter.Settings {
        var settings = LoginLimiter.Settings()
        settings.sourceBurst = 5
        settings.sourceInterval = .seconds(2)
        settings.userBurst = 3
        settings.userInterval = .seconds(10)
        settings.tableLimit = 4
        return settings
    }

    @Test func `a place has a burst and then one attempt an interval`() {
        var limiter = LoginLimiter(settings())
        for index in 0..<5 { #expect(limiter.admit(source: "s", user: "u\(index % 2)", now: .seconds(100)) == nil) }
        #expect(limiter.admit(source: "s", user: "v", now: .seconds(100)) == .seconds(2))
        #expect(limiter.admit(source: "s", user: "v", now: .seconds(101)) == .seconds(1))
        #expect(limiter.admit(source: "s", user: "v", now: .seconds(102)) == nil)
        #expect(limiter.admit(source: "s", user: "v", now: .seconds(102)) == .seconds(2))
        #expect(limiter.admit(source: "other", user: "v", now: .seconds(102)) == nil)
    }

    @Test func `a user is guarded against many places`() {
        var limiter = LoginLimiter(settings())
        for source in ["a", "b", "c"] { #expect(limiter.admit(source: source, user: "u", now: .zero) == nil) }
        #expect(limiter.admit(source: "a", user: "u", now: .zero) == .seconds(10))
        #expect(limiter.admit(source: "a", user: "other", now: .zero) == nil)
        #expect(limiter.admit(source: "a", user: "u", now: .seconds(10)) == nil)
    }

    @Test func `a refused attempt costs nothing, and a right one is given back`() {
        var limiter = LoginLimiter(settings())
        for _ in 0..<3 { #expect(limiter.admit(source: "s", user: "u", now: .zero) == nil) }
        for _ in 0..<1_000 { #expect(limiter.admit(source: "s", user: "u", now: .zero) == .seconds(10)) }
        #expect(limiter.admit(source: "s", user: "u", now: .seconds(10)) == nil)
        for _ in 0..<1_000 {
            #expect(limiter.admit(source: "good", user: "other", now: .seconds(10)) == nil)
            limiter.succeeded(source: "good", user: "other")
        }
    }

    @Test func `filling the table makes nobody forgotten, and the newcomers share one bucket`() {
        var limiter = LoginLimiter(settings())
        for _ in 0..<3 { _ = limiter.admit(source: "a", user: "victim", now: .zero) }
        var granted = 0
        for index in 0..<1_000
        where limiter.admit(source: "s\(index)", user: "x\(index)", now: .zero) == nil { granted += 1 }
        // Three places had room beside the victim's; the others share a bucket.
        #expect(granted <= 3 + 5)
        #expect(limiter.remembered.users <= 4)
        #expect(limiter.remembered.sources <= 4)
        #expect(limiter.admit(source: "a", user: "victim", now: .zero) != nil)
        // All is forgotten when it has been quiet for long enough.
        #expect(limiter.admit(source: "new", user: "new", now: .seconds(1_000)) == nil)
        #expect(limiter.remembered.users == 1)
    }

    @Test func `over any time no more is granted than burst and refill`() {
        var generator = SystemRandomNumberGeneratorWithSeed(seed: 7)
        var limiter = LoginLimiter(settings())
        var now = Duration.zero
        var granted = 0
        for _ in 0..<20_000 {
            now += .milliseconds(Int.random(in: 0...200, using: &generator))
            if limiter.admit(source: "s", user: "u\(Int.random(in: 0...50, using: &generator))", now: now) == nil {
                granted += 1
            }
        }
        #expect(Double(granted) <= 5 + now.inSeconds / 2 + 1)
        #expect(granted > 100)
    }
}

/// A small generator whose runs can be repeated.
struct SystemRandomNumberGeneratorWithSeed: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Lines of the audit log")
struct AuditEntryTests {
    @Test func `a line is JSON in ASCII with fixed fields`() {
        let entry = AuditEntry(
            time: UnixTime(nanoseconds: 1_774_885_816_187_654_321), who: "user:alice", from: "10.0.0.1",
            action: "task.kill", object: "web\"\\\n\u{7f}é🚀", result: .denied, reason: "no")
        #expect(
            entry.line
                == "{\"time\":\"2026-03-30T15:50:16.187Z\",\"who\":\"user:alice\",\"from\":\"10.0.0.1\","
                + "\"action\":\"task.kill\",\"object\":\"web\\\"\\\\\\u000a\\u007f\\u00e9\\ud83d\\ude80\","
                + "\"result\":\"denied\",\"reason\":\"no\"}\n")
    }

    @Test func `a field is cut at its limit, never inside a character`() {
        let entry = AuditEntry(
            time: UnixTime(nanoseconds: 0), who: String(repeating: "é", count: 10_000), from: "", action: "",
            object: "", result: .failed(503))
        #expect(entry.line.utf8.count < 4_096)
        #expect(entry.line.contains("\"result\":\"failed 503\"}"))
        #expect(!entry.line.dropLast().contains("\n"))
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"), (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000Z"), (1_709_164_800, "2024-02-29T00:00:00.000Z"),
    ])
    func `times are written as the calendar has them`(seconds: Int64, text: String) {
        let entry = AuditEntry(
            time: UnixTime(nanoseconds: seconds * 1_000_000_000), who: "", from: "", action: "", object: "",
            result: .done)
        #expect(entry.line.hasPrefix("{\"time\":\"\(text)\""), "\(entry.line)")
    }

    @Test func `the ends of time are written too`() {
        for nanoseconds in [Int64.min, .max] {
            let entry = AuditEntry(
                time: UnixTime(nanoseconds: nanoseconds), who: "", from: "", action: "", object: "", result: .done)
            #expect(entry.line.hasSuffix("\"result\":\"done\"}\n"))
        }
    }
}
