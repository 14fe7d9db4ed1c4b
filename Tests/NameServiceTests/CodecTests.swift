import ClusterModel
import Testing

@testable import NameService

@Suite struct DomainNameTests {
    private func read(_ bytes: [UInt8], at start: Int = 12) throws -> (DomainName, Int) {
        var at = start
        let message = [UInt8](repeating: 0, count: 12) + bytes
        return (try DomainName.read(message, at: &at), at)
    }

    @Test func `labels and pointers are read`() throws {
        let bytes: [UInt8] = [3, 0x77, 0x65, 0x62, 5, 0x4d, 0x45, 0x73, 0x4f, 0x73, 0, 1, 0x61, 0xc0, 16]
        #expect(try read(bytes).0.key == "web.mesos")
        #expect(try read(bytes).1 == 23)
        let (name, end) = try read(bytes, at: 23)
        #expect(name.key == "a.mesos")
        #expect(end == 27)
        #expect(try read([0]).0.labels.isEmpty)
    }

    @Test(
        arguments: [
            [0xc0, 12], [0xc0, 14, 0xc0, 12], [1, 0x61, 0xc0, 12], [0xc0, 0], [0xc0, 200], [0xc0], [0x40, 1],
            [0x80, 1], [5, 1],
            [], [1, 0x61],
        ] as [[UInt8]])
    func `circles, pointers ahead and into the header, and cut names are refused`(bytes: [UInt8]) {
        #expect(throws: DNSError.self) { try read(bytes) }
    }

    @Test func `a name of more than 255 bytes is refused, also by way of pointers`() throws {
        let label: [UInt8] = [63] + [UInt8](repeating: 0x61, count: 63)
        let longest = label + label + label + [61] + [UInt8](repeating: 0x61, count: 61) + [0]
        #expect(try read(longest).0.labels.count == 4)
        #expect(throws: DNSError.self) { try read(label + label + label + label + [0]) }
        let pointing = label + label + label + [0] + label + label + [0xc0, 12]
        #expect(throws: DNSError.self) { try read(pointing, at: 12 + 193) }
    }

    @Test func `what a name here cannot have has no key`() {
        #expect(DomainName(labels: [Array("a.b".utf8)]).key == nil)
        #expect(DomainName(labels: [[0]]).key == nil)
        #expect(DomainName("Web.Mesos.")?.key == "web.mesos")
        #expect(DomainName("a..b") == nil)
        #expect(DomainName(String(repeating: "a", count: 64)) == nil)
        #expect(DomainName(String(repeating: "a.", count: 128)) == nil)
    }
}

@Suite struct DNSMessageTests {
    @Test func `a message that says more than it has is refused`() {
        #expect(throws: DNSError.self) { try DNSMessage(parsing: []) }
        #expect(throws: DNSError.self) { try DNSMessage(parsing: [UInt8](repeating: 0, count: 11)) }
        #expect(throws: DNSError.self) { try DNSMessage(parsing: [0, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: DNSError.self) { try DNSMessage(parsing: [0, 1, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]) }
        #expect(throws: DNSError.self) { try DNSMessage(parsing: [UInt8](repeating: 0, count: 13)) }
        #expect(throws: Never.self) { try DNSMessage(parsing: [UInt8](repeating: 0, count: 12)) }
    }

    @Test func `no bytes whatever make reading or answering trap`() throws {
        var generator = Seeded(3)
        let answerer = Answerer(table: try Cluster.table(), turn: .min)
        let seeds = [Ask.question("web.marathon.mesos", 1), Ask.question("_web._tcp.marathon.mesos", 33, size: 4096)]
        for round in 0..<30_000 {
            var bytes = seeds[round % 2]
            if round % 5 == 0 {
                bytes = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            } else {
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[place] = UInt8.random(in: 0...255, using: &generator)
                }
                bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
            }
            _ = try? DNSMessage(parsing: bytes)
            switch answerer.outcome(bytes, isStream: round % 2 == 0) {
            case .answer(let answer):
                let header = try #require(DNSMessage.header(answer))
                #expect(header.flags & DNSHeader.isAnswer != 0)
                #expect(throws: Never.self) { try DNSMessage(parsing: answer) }
                #expect(answerer.outcome(answer, isStream: false) == .silence)
            case .forward(let query):
                _ = Answerer.passedBack(bytes, to: query, id: 7)
            case .silence: break
            }
        }
    }
}

/// Questions as clients send them.
enum Ask {
    static func question(
        _ name: String, _ kind: UInt16, size: UInt16? = nil, id: UInt16 = 0x1234, flags: UInt16 = 0x100
    )
        -> [UInt8]
    {
        func two(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }
        var bytes = two(id) + two(flags) + two(1) + two(0) + two(0) + two(size == nil ? 0 : 1)
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        bytes += [0] + two(kind) + two(1)
        if let size { bytes += [0, 0, 41] + two(size) + [0, 0, 0, 0, 0, 0] }
        return bytes
    }
}

/// The same numbers in every run (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
