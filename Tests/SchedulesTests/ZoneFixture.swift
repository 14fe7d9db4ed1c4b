import ClusterModel
import FoundationEssentials
import Schedules
import Testing

/// Zone files and what Python makes of them; `Fixtures/make_zones.py` writes it.
struct ZoneFixture: Decodable {
    var zones: [String: Data]
    var offsets: [Offsets]
    var walls: [Walls]
    var cron: [Cron]

    struct Offsets: Decodable {
        var zone: String
        var samples: [[Int64]]

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            zone = try list.decode(String.self)
            samples = try list.decode([[Int64]].self)
        }
    }

    /// Times on the wall, and the instants that show them.
    struct Walls: Decodable {
        struct Wall: Decodable {
            var wall: Int64
            var instants: [Int64]

            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                wall = try list.decode(Int64.self)
                instants = try list.decode([Int64].self)
            }
        }

        var zone: String
        var walls: [Wall]

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            zone = try list.decode(String.self)
            walls = try list.decode([Wall].self)
        }
    }

    /// What an expression does in a stretch of time.
    struct Cron: Decodable, CustomTestStringConvertible {
        var zone: String
        var expression: String
        var begin: Int64
        var end: Int64
        var count: Int64
        var sum: Int64
        var first: [Int64]
        var last: [Int64]

        var testDescription: String { "\(expression) in \(zone) from \(begin)" }

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            zone = try list.decode(String.self)
            expression = try list.decode(String.self)
            begin = try list.decode(Int64.self)
            end = try list.decode(Int64.self)
            let digest = try list.decode([Int64].self)
            (count, sum) = (digest[0], digest[1])
            first = try list.decode([Int64].self)
            last = try list.decode([Int64].self)
        }
    }

    static let shared: ZoneFixture = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try! Data(contentsOf: folder.appending(path: "Fixtures/zones.json"))
        return try! JSONDecoder().decode(ZoneFixture.self, from: data)
    }()

    static func rules(_ name: String) throws -> TimeZoneRules {
        try TimeZoneRules(tzif: Array(try #require(shared.zones[name])))
    }
}

extension UnixTime {
    init(_ seconds: Int64) { self.init(nanoseconds: seconds * 1_000_000_000) }

    var whole: Int64 { nanoseconds / 1_000_000_000 }

    init(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0) {
        let days = Int64(CivilDate(year: year, month: month, day: day).daysSinceEpoch)
        self.init(days * 86_400 + Int64(hour * 3_600 + minute * 60 + second))
    }
}

/// A small generator for seeded tests.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
