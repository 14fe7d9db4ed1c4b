import MesosWire
import Testing

/// Bodies that must be refused with a 4xx and a message, and must never stop the process.
@Suite struct HostileBodyTests {
    static let texts: [String] = [
        "", " ", "\n", "null", "true", "7", "\"\"", "[]", "[{}]", "{", "}", "{]", "[}", "{}}", "{}{}", "{} x", "{},",
        "{\"", "{\"type", "{\"type\"", "{\"type\":", "{\"type\":\"", "{\"type\":}", "{\"type\" \"KILL\"}", "{type:1}",
        "{'type':'KILL'}", "{\"type\":\"KILL\",}", "{,}", "{\"a\":1,,\"b\":2}", "{\"a\":[1,]}", "{\"a\":[,1]}",
        "{\"type\":\"\\", "{\"type\":\"\\u", "{\"type\":\"\\u12", "{\"type\":\"\\q\"}", "{\"kill\":\"\\ud800\"}",
        "{\"framework_id\":{\"value\":\"\\ud800\"}}", "{\"framework_id\":{\"value\":\"\\udc00x\"}}",
        "{\"framework_id\":{\"value\":\"a\nb\"}}", "{\"framework_id\":{\"value\":\"\u{0}\"}}",
        "{\"framework_id\":[]}", "{\"framework_id\":\"f\"}", "{\"framework_id\":7}",
        "{\"framework_id\":{\"value\":{}}}",
        "{\"type\":{}}", "{\"type\":[]}", "{\"type\":1.5}", "{\"type\":99999999999999999999}",
        "{\"accept\":[]}", "{\"accept\":{\"offer_ids\":{}}}", "{\"accept\":{\"offer_ids\":[null]}}",
        "{\"accept\":{\"filters\":{\"refuse_seconds\":1e999}}}", "{\"accept\":{\"filters\":{\"refuse_seconds\":01}}}",
        "{\"accept\":{\"filters\":{\"refuse_seconds\":NaN}}}", "{\"accept\":{\"filters\":{\"refuse_seconds\":-}}}",
        "{\"accept\":{\"filters\":{\"refuse_seconds\":Infinity}}}",
        "{\"accept\":{\"filters\":{\"refuse_seconds\":+1}}}",
        "{\"accept\":{\"filters\":{\"refuse_seconds\":\"Inf\"}}}", "{\"accept\":{\"filters\":{\"refuse_seconds\":.5}}}",
        "{\"failure\":1,\"message\":{\"data\":\"a\"}}", "{\"message\":{\"data\":7}}", "{\"message\":{\"data\":\"=\"}}",
        "{\"kill\":{\"kill_policy\":{\"grace_period\":{\"nanoseconds\":9223372036854775808}}}}",
        "{\"kill\":{\"kill_policy\":{\"grace_period\":{\"nanoseconds\":1.5}}}}", "{\"x\":tru}", "{\"x\":nul}",
        "{\"x\":1 2}", "{\"x\":--1}", "{\"x\":0x10}", "{\"x\":/**/1}", "\u{feff}{}",
        String(repeating: "[", count: 200_000), String(repeating: "{\"a\":", count: 200_000),
        "{\"x\":" + String(repeating: "[", count: 150) + String(repeating: "]", count: 150) + "}",
        "{\"x\":" + String(repeating: "9", count: 100_000) + "}",
    ]

    static let bytes: [[UInt8]] = [
        [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d], [0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d],
        [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d], [0x7b, 0x22, 0xf4, 0x90, 0x80, 0x80, 0x22, 0x3a, 0x7d],
        [0x7b, 0x22, 0xe2, 0x82], [0x7b, 0x22, 0x80, 0x22, 0x7d], [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00],
        [0x7b, 0x00, 0x7d],
        [0x1f, 0x8b, 0x08, 0x00], [0x7b, 0xc2, 0xa0, 0x7d],
    ]

    static let binaries: [[UInt8]] = [
        [0x00], [0xff], [0x0a], [0x0a, 0x05], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0f, 0x00], [0x07],
        [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
        [0x10], [0x10, 0x80], [0x0b], [0x0c], [0x0b, 0x0b, 0x0b], [0x0a, 0x03, 0x0a, 0x01, 0xff], [0x0a, 0x00],
        [0x0a, 0x02, 0x0a, 0x05], [0x32, 0x00], [0x42, 0x02, 0x0a, 0x00], [0x22, 0x04, 0x1a, 0x02, 0x09, 0x00],
        [0x22, 0x0b, 0x1a, 0x09, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], Array("{\"type\":\"REVIVE\"}".utf8),
        Array(repeating: 0x0a, count: 4_000), Array(repeating: 0x0b, count: 4_000),
        Array(repeating: 0xff, count: 4_000),
    ]

    static let textCases = texts.map { Array($0.utf8) } + bytes

    private func refused(_ body: [UInt8], _ type: MediaType) {
        let error = #expect(throws: WireError.self, "\(String(decoding: body.prefix(80), as: UTF8.self))") {
            try WireCodec.decode(WireSchedulerCall.self, from: body, as: type)
        }
        #expect(error.map { (400...499).contains($0.httpStatus) } == true)
        #expect(error.map { $0.message.utf8.count > 10 && $0.message.utf8.count < 500 } == true)
    }

    @Test(arguments: textCases.indices)
    func `malformed JSON is refused with a message`(index: Int) { refused(Self.textCases[index], .json) }

    @Test(arguments: binaries.indices)
    func `malformed protobuf is refused with a message`(index: Int) { refused(Self.binaries[index], .protobuf) }

    /// Good frames with some bytes changed, moved or cut: whatever comes out, the process goes on, and what was read can
    /// be converted and written again.
    @Test(arguments: [MediaType.json, .protobuf], 0..<UInt64(10))
    func `mutated frames never stop the process`(type: MediaType, seed: UInt64) throws {
        var random = Seeded(state: seed)
        let ending = type == .json ? ".json" : ".bin"
        let frames = try GoldenFrameTests.names.filter { $0.hasPrefix("scheduler-call.") }
            .map { try GoldenFrameTests.fixture($0 + ending) }
        for round in 0..<1_000 {
            let body = Self.mutated(frames, using: &random)
            do throws(WireError) {
                let call = try WireCodec.decode(WireSchedulerCall.self, from: body, as: type)
                let again = try WireCodec.encode(call, as: type)
                let back = try WireCodec.decode(WireSchedulerCall.self, from: again, as: type)
                #expect(back == call, "seed \(seed), round \(round)")
                _ = try SchedulerRequest(call)
            } catch {
                #expect((400...499).contains(error.httpStatus), "seed \(seed), round \(round)")
            }
        }
    }

    private static func mutated(_ frames: [[UInt8]], using random: inout Seeded) -> [UInt8] {
        var body = frames.randomElement(using: &random)!
        let spice = Array("{}[]\",:\\eE-+.0Nn \u{0}".utf8) + [0x80, 0xff, 0x7f, 0x0a]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let at = body.indices.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where !body.isEmpty: body[at] = UInt8.random(in: 0...255, using: &random)
            case 1 where !body.isEmpty: body[at] = spice.randomElement(using: &random)!
            case 2: body.insert(spice.randomElement(using: &random)!, at: at)
            case 3: body = Array(body.prefix(at + 1))
            case 4 where !body.isEmpty:
                let end = min(body.count, at + Int.random(in: 1...40, using: &random))
                body.removeSubrange(at..<end)
            default:
                let other = frames.randomElement(using: &random)!
                let from = Int.random(in: 0..<other.count, using: &random)
                body.insert(contentsOf: other[from...].prefix(60), at: at)
            }
        }
        return body
    }
}
