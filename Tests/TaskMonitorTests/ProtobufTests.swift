import Testing

@testable import TaskMonitor

/// SplitMix64: small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }
}

struct ProtobufTests {
    @Test func `what is written is read again`() throws {
        var inner = ProtobufWriter()
        inner.put(1, "ä")
        var writer = ProtobufWriter()
        writer.put(1, UInt64.max)
        writer.put(2, "text")
        writer.put(3, inner)
        writer.put(4, true)
        writer.put(5, Int32(-1))
        writer.put(500, raw: [0, 1, 2])
        let message = try ProtobufMessage(writer.bytes[...])
        #expect(try message.number(1) == .max)
        #expect(try message.text(2) == "text")
        #expect(try message.message(3).text(1) == "ä")
        #expect(try message.flag(4))
        #expect(try message.small(5) == .max)
        #expect(try message.bytes(500) == [0, 1, 2])
    }

    @Test func `values that every protobuf library writes so are written so`() {
        var writer = ProtobufWriter()
        writer.put(1, UInt64(150))
        writer.put(2, "testing")
        writer.put(4, packed: [3, 270, 86942])
        #expect(
            writer.bytes == [0x08, 0x96, 0x01, 0x12, 0x07] + Array("testing".utf8)
                + [0x22, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05])
    }

    @Test func `an absent field has its default value, and a default value is not written`() throws {
        var writer = ProtobufWriter()
        writer.put(1, UInt64(0))
        writer.put(2, "")
        writer.put(3, false)
        #expect(writer.bytes.isEmpty)
        let message = try ProtobufMessage([])
        #expect(try message.number(1) == 0)
        #expect(try message.text(2) == "")
        #expect(try message.message(3).number(1) == 0)
        #expect(try message.texts(4) == [])
    }

    @Test func `the last of several values counts, and repeated ones keep their order`() throws {
        let message = try ProtobufMessage([0x08, 1, 0x08, 2, 0x12, 1, 0x61, 0x12, 1, 0x62])
        #expect(try message.number(1) == 2)
        #expect(try message.texts(2) == ["a", "b"])
    }

    @Test func `fields of unknown numbers and fixed sizes are passed over`() throws {
        let fixed: [UInt8] = [0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 0x18, 7]
        #expect(try ProtobufMessage(fixed[...]).number(3) == 7)
    }

    static let malformed: [[UInt8]] = [
        [0x08], [0x08, 0x80], [0x12, 5, 1], [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        [0x00, 1], [0x0B], [0x0C], [0x0F], [0x09, 1, 2], [0x15, 1],
        // Ten bytes of which the last does not fit, and eleven.
        [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
        [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
        // A field number beyond what the format has.
        [0x80, 0x80, 0x80, 0x80, 0x10, 0],
    ]

    @Test(arguments: malformed)
    func `a malformed message is refused`(bytes: [UInt8]) {
        #expect(throws: ShimFailure.self) { try ProtobufMessage(bytes[...]) }
    }

    @Test func `a value of another kind, size or character set is refused`() throws {
        let large: [UInt8] = [0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F]
        let message = try ProtobufMessage([0x08, 1, 0x12, 2, 0xC3, 0x28, 0x1A, 1, 0] + large[...])
        #expect(throws: ShimFailure.self) { try message.text(1) }
        #expect(throws: ShimFailure.self) { try message.text(2) }
        #expect(throws: ShimFailure.self) { try message.text(3) }
        #expect(throws: ShimFailure.self) { try message.small(4) }
        #expect(throws: ShimFailure.self) { try message.number(2) }
        #expect(throws: ShimFailure.self) { try message.all(1) }
    }

    @Test func `a message of very many fields is refused`() throws {
        #expect(throws: ShimFailure.self) { try ProtobufMessage([UInt8](repeating: 0x08, count: 20_000)[...]) }
        let few = (0..<4000).flatMap { _ in [0x08, 0x01] as [UInt8] }
        #expect(try ProtobufMessage(few[...]).number(1) == 1)
    }

    @Test func `no bytes whatsoever do harm`() {
        var generator = SeededGenerator(state: 1)
        var readable = 0
        for _ in 0..<20_000 {
            let bytes = generator.bytes(upTo: 40)
            guard let message = try? ProtobufMessage(bytes[...]) else { continue }
            readable += 1
            for field in UInt64(1)..<6 {
                _ = try? message.text(field)
                _ = try? message.message(field)
                _ = try? message.number(field)
            }
        }
        #expect(readable > 100)
    }

    @Test func `a whole message is read alike after any change of one byte, or refused`() throws {
        var writer = ProtobufWriter()
        writer.put(1, "containerd.task.v2.Task")
        writer.put(2, "Create")
        writer.put(3, raw: Array(repeating: 7, count: 300)[...])
        for index in writer.bytes.indices {
            for value in [0, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = writer.bytes
                bytes[index] = value
                _ = try? ProtobufMessage(bytes[...]).text(1)
            }
            #expect((try? ProtobufMessage(writer.bytes[..<index]).bytes(3).count) != 300)
        }
    }
}
