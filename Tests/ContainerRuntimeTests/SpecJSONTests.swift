import Testing

@testable import ContainerRuntime

/// The reader and writer of JSON text, by RFC 8259.
struct SpecJSONTests {
    private func complaint(_ bytes: [UInt8]) -> String? {
        do {
            _ = try JSONValue.parse(bytes, name: "t")
            return nil
        } catch { return error.message }
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true\n", .bool(true)), ("false", .bool(false)), ("0", .number("0")),
        ("-0", .number("-0")), ("-12.5e+3", .number("-12.5e+3")), ("1E9", .number("1E9")), ("\"\"", .string("")),
        (#""a\"\\\/\b\f\n\r\tz""#, .string("a\"\\/\u{8}\u{c}\n\r\tz")), (#""\u0041\u00e4\u20AC""#, .string("Aä€")),
        (#""\ud83d\ude00!""#, .string("😀!")), (#""\ud83d""#, .string("\u{FFFD}")),
        (#""\ude00a""#, .string("\u{FFFD}a")), (#""\ud83d\u0041""#, .string("\u{FFFD}A")),
        (#""\u0000""#, .string("\0")), ("\"ä€😀\"", .string("ä€😀")), ("\"a\u{7f}\"", .string("a\u{7f}")),
        ("[]", .array([])), ("[ 1 , [ ] ]", .array([.number("1"), .array([])])), ("{ }", .object([])),
        (
            "{\"a\":1,\"b\":{\"c\":null}}",
            .members(("a", .int(1)), ("b", .members(("c", .null))))
        ),
    ])
    func `a valid text has its value`(text: String, value: JSONValue) throws {
        #expect(try SpecSamples.parse(text) == value)
    }

    @Test(arguments: [
        ("", "t: the text is empty; expected a json value"), ("  ", "t: the text is empty; expected a json value"),
        ("x", "t: line 1, column 1: expected a value"), ("nul", "t: line 1, column 1: expected a value"),
        ("nulL", "t: line 1, column 1: expected a value"), ("True", "t: line 1, column 1: expected a value"),
        ("01", "t: line 1, column 2: a number must not begin with 0"), ("+1", "t: line 1, column 1: expected a value"),
        ("-", "t: line 1, column 2: the text ends too early: expected a digit"),
        ("1.", "t: line 1, column 3: the text ends too early: expected a digit"),
        (".5", "t: line 1, column 1: expected a value"), ("-x", "t: line 1, column 2: expected a digit"),
        ("1e+", "t: line 1, column 4: the text ends too early: expected a digit"),
        ("NaN", "t: line 1, column 1: expected a value"),
        ("0x10", "t: line 1, column 2: unexpected text after the value"),
        ("1 2", "t: line 1, column 3: unexpected text after the value"),
        ("{}\n{}", "t: line 2, column 1: unexpected text after the value"),
        ("[1,]", "t: line 1, column 4: expected a value"), ("[,1]", "t: line 1, column 2: expected a value"),
        ("[1 2]", "t: line 1, column 4: expected a comma or ] after an element"),
        ("[1", "t: line 1, column 3: the text ends too early: expected a comma or ] after an element"),
        ("[", "t: line 1, column 2: the text ends too early: expected a value"),
        ("{\"a\"}", "t: line 1, column 5: expected a colon after the name of a member"),
        ("{\"a\":}", "t: line 1, column 6: expected a value"),
        ("{\"a\":1,}", "t: line 1, column 8: expected the name of a member in quotes"),
        ("{a:1}", "t: line 1, column 2: expected the name of a member in quotes"),
        ("{'a':1}", "t: line 1, column 2: expected the name of a member in quotes"),
        ("{\n \"a\": 1\n \"b\": 2}", "t: line 3, column 2: expected a comma or } after a member"),
        ("{\"a\":1", "t: line 1, column 7: the text ends too early: expected a comma or } after a member"),
        ("// x\n{}", "t: line 1, column 1: expected a value"),
        ("\"a", "t: line 1, column 3: the text ends too early: a string without its closing quote"),
        ("\"a\\", "t: line 1, column 4: the text ends too early: unknown escape in a string"),
        ("\"\\x\"", "t: line 1, column 3: unknown escape in a string"),
        ("\"\\u12g4\"", #"t: line 1, column 6: \u must be followed by four hexadecimal digits"#),
        ("\"\\ud83d\\u00\"", #"t: line 1, column 12: \u must be followed by four hexadecimal digits"#),
        ("\"a\nb\"", "t: line 1, column 3: a string holds a control character; write it as an escape"),
        ("\"\\n\u{1}\"", "t: line 1, column 4: a string holds a control character; write it as an escape"),
        ("\u{feff}{}", "t: line 1, column 1: expected a value"),
    ])
    func `an invalid text is refused where it goes wrong`(text: String, message: String) {
        #expect(complaint(Array(text.utf8)) == message)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80], [0x80],
        ] as [[UInt8]])
    func `a string that is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(complaint([0x22] + bytes + [0x22])?.hasSuffix("a string is not valid UTF-8") == true)
        #expect(complaint([0x22, 0x5C, 0x6E] + bytes + [0x22])?.hasSuffix("a string is not valid UTF-8") == true)
    }

    @Test
    func `a NUL byte between values is refused`() {
        #expect(complaint([0x5B, 0, 0x5D]) == "t: line 1, column 2: expected a value")
        #expect(complaint([0x5B, 0x5D, 0]) == "t: line 1, column 3: unexpected text after the value")
    }

    @Test
    func `nesting is bounded`() {
        let fine = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(complaint(Array(fine.utf8)) == nil)
        #expect(complaint(Array("[\(fine)]".utf8)) == "t: line 1, column 129: nested deeper than 128 levels")
        let endless = String(repeating: "{\"a\":", count: 1_000_000)
        #expect(complaint(Array(endless.utf8)) == "t: line 1, column 641: nested deeper than 128 levels")
    }

    @Test
    func `of members with one name the last counts`() throws {
        let value = try SpecSamples.parse(#"{"a":1,"b":2,"a":3}"#)
        #expect(value["a"] == .int(3))
        #expect(value["c"] == nil)
        #expect(JSONValue.null["a"] == nil)
    }

    @Test
    func `numbers are whole only when written so`() {
        #expect(JSONValue.number("12").integer() == Int64(12))
        #expect(JSONValue.number("-1").integer(UInt8.self) == nil)
        #expect(JSONValue.number("256").integer(UInt8.self) == nil)
        #expect(JSONValue.number("1.0").integer(Int.self) == nil)
        #expect(JSONValue.number("1e3").integer(Int.self) == nil)
        #expect(JSONValue.number("18446744073709551616").integer(UInt64.self) == nil)
    }

    @Test
    func `a value is written on one line or set in`() {
        let value = JSONValue.members(
            ("a", .array([.int(1), .bool(false)])), ("b", .array([])), ("c", .object([])), ("d\"\n\u{1}", .null))
        #expect(value.text() == #"{"a":[1,false],"b":[],"c":{},"d\"\n\u0001":null}"#)
        let lines = [
            "{", #"  "a": ["#, "    1,", "    false", "  ],", #"  "b": [],"#, #"  "c": {},"#, #"  "d\"\n\u0001": null"#,
            "}",
        ]
        #expect(value.text(indent: 2) == lines.joined(separator: "\n"))
        #expect(value.text(indentation: "\t").hasPrefix("{\n\t\"a\": [\n\t\t1,"))
    }

    @Test(arguments: 0..<UInt64(300))
    func `what is written is read back the same`(seed: UInt64) throws {
        var random = SpecRandom(state: seed)
        let value = randomValue(&random, depth: 0)
        #expect(try SpecSamples.parse(value.text()) == value, "seed \(seed)")
        #expect(try SpecSamples.parse(value.text(indent: 3)) == value, "seed \(seed)")
    }

    @Test
    func `a full configuration survives writing`() throws {
        let value = try SpecSamples.parse(SpecSamples.full)
        #expect(try SpecSamples.parse(value.text()) == value)
        #expect(try SpecSamples.parse(value.text(indent: 4)) == value)
    }

    private func randomValue(_ random: inout SpecRandom, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 5 ? 7 : 5), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .int(Int64.random(in: Int64.min...Int64.max, using: &random))
        case 3: .number(["1.5", "-0.25e-3", "1E400"].randomElement(using: &random)!)
        case 4: .string(randomText(&random))
        case 5:
            .array((0..<Int.random(in: 0..<6, using: &random)).map { _ in randomValue(&random, depth: depth + 1) })
        default:
            .object(
                (0..<Int.random(in: 0..<6, using: &random)).map { _ in
                    JSONMember(name: randomText(&random), value: randomValue(&random, depth: depth + 1))
                })
        }
    }

    private func randomText(_ random: inout SpecRandom) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            let limit: UInt32 = Bool.random(using: &random) ? 0x80 : 0x11_0000
            text.append(Unicode.Scalar(UInt32.random(in: 0..<limit, using: &random)) ?? "\u{FFFD}")
        }
        return String(text)
    }
}
