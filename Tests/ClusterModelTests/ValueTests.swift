// swift-format-ignore-file: NeverForceUnwrap

import ClusterModel
import Foundation
import Testing

struct QuantityTests {
    @Test func `amounts are rounded to thousandths`() {
        let cases: [(Double, Int64)] = [
            (0, 0), (1, 1_000), (0.1 + 0.2, 300), (0.0004, 0), (0.0005, 1), (0.0006, 1), (1.9999, 2_000), (2.5, 2_500),
            (9_000_000_000_000, 9_000_000_000_000_000), (-0.0, 0),
        ]
        for (value, thousandths) in cases { #expect(Quantity(value)?.thousandths == thousandths, "\(value)") }
    }

    @Test(arguments: [-0.001, -1, .nan, .infinity, -Double.infinity, 9_000_000_000_001, 1e300])
    func `what is no amount is refused`(value: Double) { #expect(Quantity(value) == nil) }

    @Test func `sums and differences are exact or absent`() {
        for seed in 0..<2_000 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let a = Quantity(thousandths: Int64.random(in: 0...Int64.max, using: &random))!
            let b = Quantity(thousandths: Int64.random(in: 0...Int64.max, using: &random))!
            let (sum, overflows) = a.thousandths.addingReportingOverflow(b.thousandths)
            #expect(a.adding(b)?.thousandths == (overflows ? nil : sum), "seed \(seed)")
            #expect((a.subtracting(b) != nil) == (a >= b), "seed \(seed)")
            if let sum = a.adding(b) { #expect(sum.subtracting(b) == a, "seed \(seed)") }
        }
        #expect(Quantity(thousandths: -1) == nil)
    }

    @Test func `text has no needless zeros`() {
        let cases: [(Int64, String)] = [
            (0, "0"), (2_000, "2"), (500, "0.5"), (1_125, "1.125"), (10, "0.01"), (1, "0.001"),
        ]
        for (thousandths, text) in cases { #expect(Quantity(thousandths: thousandths)!.description == text) }
    }

    @Test func `JSON is the number of thousandths and never negative`() throws {
        #expect(String(decoding: try JSONEncoder().encode([Quantity(1.5)!]), as: UTF8.self) == "[1500]")
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Quantity].self, from: Data("[-1]".utf8)) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Quantity].self, from: Data("[1.5]".utf8)) }
    }
}

struct NameTests {
    @Test(arguments: ["a", "0", "x y", "..a", "ü", "a:b", String(repeating: "x", count: 255)])
    func `identifiers that may be used`(value: String) { #expect(TaskID(value).defect == nil) }

    @Test(arguments: [
        "", ".", "..", "a/b", "/", "a\\b", "a\n", "\u{0}", "\u{7f}", "a\tb", String(repeating: "x", count: 256),
    ])
    func `identifiers that may not be used say why`(value: String) {
        #expect(TaskID(value).defect?.hasPrefix("must not") == true)
    }

    @Test func `length is counted in bytes`() {
        #expect(TaskID(String(repeating: "ü", count: 127)).defect == nil)
        #expect(TaskID(String(repeating: "ü", count: 128)).defect != nil)
    }

    @Test(arguments: ["*", "a", "a/b", "a/b/c", "a-b", "eng.web", "..a", String(repeating: "r", count: 255)])
    func `roles that may be used`(value: String) { #expect(RoleName(value).defect == nil) }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b", "a/*", "*/a", "-a", "a/-b", "a b", "a\tb", "a\\b",
        "\u{7f}",
        "a\nb", String(repeating: "r", count: 256),
    ])
    func `roles that may not be used say why`(value: String) {
        #expect(RoleName(value).defect?.hasPrefix("must not") == true)
    }

    @Test func `names are plain strings in JSON`() throws {
        let key = TaskKey(framework: FrameworkID("f"), task: TaskID("t"))
        let data = try JSONEncoder().encode(key)
        let text = String(decoding: data, as: UTF8.self)
        #expect(text.contains(#""framework":"f""#) && text.contains(#""task":"t""#))
        #expect(try JSONDecoder().decode(TaskKey.self, from: data) == key)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([RoleName].self, from: Data("[1]".utf8)) }
        #expect([FrameworkID("b"), FrameworkID("a")].sorted().map(\.value) == ["a", "b"])
    }
}

struct TaskStateTests {
    /// mesos/v1/mesos.proto, enum TaskState.
    private static let mesos: Set<String> = [
        "TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED",
        "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_GONE_BY_OPERATOR",
        "TASK_UNKNOWN",
    ]

    @Test func `names are those of Mesos`() {
        #expect(Set(TaskState.allCases.map(\.wireName)) == Self.mesos)
        #expect(StatusSource.allCases.map(\.rawValue) == ["SOURCE_MASTER", "SOURCE_AGENT", "SOURCE_EXECUTOR"])
        for reason in StatusReason.allCases { #expect(reason.rawValue.hasPrefix("REASON_")) }
    }

    @Test func `ends are those of Mesos and have the highest rank`() {
        let ends = Set(TaskState.allCases.filter(\.isTerminal).map(\.wireName))
        #expect(
            ends == [
                "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
                "TASK_GONE_BY_OPERATOR",
            ])
        let live = TaskState.allCases.filter { !$0.isTerminal }.map(\.rank).max() ?? .max
        for state in TaskState.allCases where state.isTerminal { #expect(state.rank > live) }
        let order: [TaskState] = [.staging, .starting, .running, .killing]
        for (earlier, later) in zip(order, order.dropFirst()) { #expect(earlier.rank < later.rank) }
    }

    @Test func `a drawn uuid is version four and reads as text`() {
        var random = SeededRandom(seed: 7)
        var seen: Set<StatusUUID> = []
        for _ in 0..<1_000 {
            let uuid = StatusUUID(using: &random)
            #expect(uuid.bytes.count == 16)
            #expect(uuid.bytes[6] >> 4 == 4 && uuid.bytes[8] >> 6 == 2)
            #expect(UUID(uuidString: uuid.text)?.uuidString.lowercased() == uuid.text)
            seen.insert(uuid)
        }
        #expect(seen.count == 1_000)
        #expect(StatusUUID(bytes: []).text.isEmpty)
    }

    @Test func `the text of a uuid reads back, and nothing else does`() {
        var random = SeededRandom(seed: 8)
        for _ in 0..<1_000 {
            let uuid = StatusUUID(using: &random)
            #expect(StatusUUID(text: uuid.text) == uuid)
            #expect(StatusUUID(text: uuid.text.uppercased()) == uuid)
            #expect(StatusUUID(text: String(uuid.text.dropLast())) == nil)
            #expect(StatusUUID(text: uuid.text + "0") == nil)
            #expect(StatusUUID(text: uuid.text.replacing("-", with: "")) == nil)
        }
        for text in ["", "-", "0", String(repeating: "0", count: 36), String(repeating: "g", count: 32)] {
            #expect(StatusUUID(text: text) == nil)
        }
    }
}

struct AttributeTests {
    @Test func `the value's form decides its type`() {
        let cases: [(String, Attribute.Value)] = [
            ("rack:r2", .text("r2")), ("n:3", .scalar(3)), ("n:-1.5", .scalar(-1.5)),
            ("url:http://x:1", .text("http://x:1")),
            ("p:[1-3, 5-5]", .ranges(RangeSet(text: "[1-3,5-5]")!)), ("p:[1-", .text("[1-")), ("n:nan", .text("nan")),
            ("n:inf", .text("inf")), ("t: spaced", .text(" spaced")),
        ]
        for (text, value) in cases {
            let attribute = Attribute(text: text)
            #expect(attribute?.value == value, "\(text)")
            #expect(attribute?.name == text.split(separator: ":").first.map(String.init), "\(text)")
        }
    }

    @Test(arguments: ["", "rack", ":r2", "rack:", "a b:c", ":"])
    func `text without a name and a value is no attribute`(text: String) { #expect(Attribute(text: text) == nil) }
}

struct TimeTests {
    @Test func `durations from outside are held between nothing and a thousand years`() {
        for bad: Double in [.nan, -1, -Double.infinity, -0.0, 0, 1e-9] {
            #expect(Duration.clamped(seconds: bad) == .zero)
        }
        let most = Duration.seconds(31_536_000_000)
        for large in [Double.infinity, 1e300, 31_536_000_000, .greatestFiniteMagnitude] {
            #expect(Duration.clamped(seconds: large) == most)
        }
        #expect(Duration.clamped(seconds: 0.5) == .milliseconds(500))
        #expect(Duration.clamped(seconds: 5) == .seconds(5))
        // Just below the limit, and where nanoseconds no longer fit 64 bits.
        #expect(Duration.clamped(seconds: 31_535_999_999) == .seconds(31_535_999_999))
        #expect(Duration.clamped(seconds: 1e10) == .seconds(10_000_000_000))
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
    }

    @Test func `times of day are held at the end of their range`() {
        #expect((UnixTime(nanoseconds: .max) + .seconds(1)).nanoseconds == .max)
        #expect((UnixTime(nanoseconds: 0) + .seconds(Int64.max)).nanoseconds == .max)
        #expect((UnixTime(nanoseconds: 5) + .nanoseconds(7)).nanoseconds == 12)
        #expect((UnixTime(nanoseconds: 5) + .seconds(-1)).nanoseconds == 5 - 1_000_000_000)
        for bad: Double in [.nan, .infinity, 1e300, -1e300] { #expect(UnixTime(seconds: bad).nanoseconds == 0) }
        #expect(UnixTime(seconds: 1.5).nanoseconds == 1_500_000_000)
        #expect(UnixTime(nanoseconds: 1_500_000_000).seconds == 1.5)
        #expect(UnixTime(nanoseconds: 1) < UnixTime(nanoseconds: 2))
    }

    @Test func `a time of day before the range is held at its begin`() {
        #expect((UnixTime(nanoseconds: .min) + .seconds(-1)).nanoseconds == .min)
    }

    @Test func `a moment moves on both clocks`() {
        let moment = Moment(elapsed: .seconds(1), wall: UnixTime(nanoseconds: 10)) + .nanoseconds(5)
        #expect(moment == Moment(elapsed: .seconds(1) + .nanoseconds(5), wall: UnixTime(nanoseconds: 15)))
    }
}

struct RoundTripTests {
    private func survives<Value: Codable & Equatable>(_ value: Value) throws -> Bool {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value)) == value
    }

    @Test func `what is stored and sent survives JSON`() throws {
        let resources = try Resources([.scalar("cpus", 1), .ports(1, 2)])
        let task = TaskInfo(
            name: "n", taskID: TaskID("t"), agentID: AgentID("m"), resources: resources,
            command: CommandInfo(value: "true", environment: [.init(name: "A", value: "1")]),
            killGracePeriod: .milliseconds(1_500), data: [0, 255], labels: [Label(key: "k")],
            discovery: Discovery(visibility: "CLUSTER", ports: [.init(number: 80)]))
        let launch = TaskLaunch(
            frameworkID: FrameworkID("f"), frameworkName: "n", user: "u", checkpoint: true, role: .everyone,
            wantsKillingState: true, task: task)
        let status = TaskStatus(
            taskID: TaskID("t"), state: .goneByOperator, source: .agent, reason: .containerLimitationMemory,
            timestamp: UnixTime(nanoseconds: .max), uuid: StatusUUID(bytes: Array(240...255)), isHealthy: false)
        let info = AgentInfo(
            id: AgentID("m"), hostname: "h", address: "::1", port: 5051, resources: resources,
            attributes: [Attribute(text: "rack:r2")!], domain: Domain(region: "r", zone: "z"), version: "1")
        let registration = AgentRegistration(
            info: info, tasks: [ReportedTask(launch: launch, status: status, directory: "/d")])
        #expect(try survives(registration))
        #expect(try survives(AgentEvent.run(launch)))
        #expect(try survives(AgentEvent.kill(launch.key, gracePeriod: .seconds(3))))
        for event in [AgentEvent.ping, .warning("w"), .duplicate(reason: "r", retryAfter: .seconds(60))] {
            #expect(try survives(event))
        }
        #expect(try survives(AgentCall.status(launch.key, status, directory: "/d")))
        #expect(try survives(FrameworkInfo(user: "u", name: "n", capabilities: Set(FrameworkCapability.allCases))))
        #expect(launch.key.description == "t of framework f")
    }
}
