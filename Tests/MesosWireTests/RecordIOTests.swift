import MesosWire
import Testing

/// Numbers that are the same on every run (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

@Suite struct RecordIOTests {
    @Test func `a record is its length, a line feed and its bytes`() {
        #expect(RecordIO.encode(Array("hello".utf8)) == Array("5\nhello".utf8))
        #expect(RecordIO.encode([]) == Array("0\n".utf8))
    }

    @Test(arguments: 0..<UInt64(200))
    func `records survive any split into chunks`(seed: UInt64) throws {
        var random = Seeded(state: seed)
        let records = (0..<Int.random(in: 0...12, using: &random)).map { _ in
            let length =
                Bool.random(using: &random)
                ? Int.random(in: 0...3, using: &random)
                : Int.random(in: 0...5_000, using: &random)
            return (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let stream = records.flatMap(RecordIO.encode)
        var decoder = RecordIO.Decoder(maximumLength: 5_000)
        var read: [[UInt8]] = []
        var rest = stream[...]
        let longest = [1, 2, 7, 1_000, 100_000].randomElement(using: &random)!
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 0...longest, using: &random))
            rest = rest.dropFirst(chunk.count)
            try decoder.feed(Array(chunk), into: &read)
        }
        try decoder.finish()
        #expect(read == records, "seed \(seed)")
    }

    @Test(arguments: [
        "\n", "x\n", "-1\n", "+1\na", " 1\na", "1 \na", "0x1\n", "01\na", "00\n", "1\r\na", "1.0\na", "١\na", "1e1\n",
    ])
    func `a length line of anything but plain digits is refused`(text: String) {
        var decoder = RecordIO.Decoder(maximumLength: 100)
        let error = #expect(throws: WireError.self) { try decoder.feed(Array(text.utf8)) }
        guard case .malformedRecord = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: ["101\n", "99999999999999999999999999999999\n", "1000"])
    func `a record longer than the limit is refused before it is there`(text: String) {
        var decoder = RecordIO.Decoder(maximumLength: 100)
        #expect(throws: WireError.recordTooLong(limit: 100)) { try decoder.feed(Array(text.utf8)) }
    }

    @Test func `no limit can make the length overflow`() {
        var decoder = RecordIO.Decoder(maximumLength: .max)
        #expect(throws: WireError.self) { try decoder.feed(Array("99999999999999999999999".utf8)) }
    }

    @Test func `what came before a fault is kept, and the decoder stays failed`() {
        var decoder = RecordIO.Decoder(maximumLength: 100)
        var records: [[UInt8]] = []
        #expect(throws: WireError.self) { try decoder.feed(Array("2\nab1\ncx".utf8), into: &records) }
        #expect(records == [Array("ab".utf8), Array("c".utf8)])
        #expect(throws: WireError.self) { try decoder.feed(Array("2\nab".utf8)) }
        #expect(throws: WireError.self) { try decoder.finish() }
    }

    @Test(arguments: ["1", "5\n", "5\nhell"])
    func `a stream that ends inside a record is noticed`(text: String) throws {
        var decoder = RecordIO.Decoder(maximumLength: 100)
        #expect(try decoder.feed(Array(text.utf8)).isEmpty)
        #expect(throws: WireError.self) { try decoder.finish() }
    }
}
