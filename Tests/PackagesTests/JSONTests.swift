import Testing

@testable import Packages

@Suite("JSON of packages")
struct JSONTests {
    static let limits = JSONLimits(bytes: 1 << 16, values: 1_000, depth: 8)

    private func read(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8), limits: Self.limits) }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1.0", "1", "12345678901234567890123", "1e3", "-1.5E-7", "\"\"", "[]", "{}",
        #"{"b":1,"a":[1,2.50,{"c":null}]}"#, #""\"\\\b\f\n\r\t\u0001é""#, #"["ÿöłø","\u007f"]"#,
    ])
    func `a value is written as it was read`(text: String) throws {
        let written = try read(text).bytes
        #expect(try JSON(parsing: written, limits: Self.limits) == read(text))
        #expect(try JSON(parsing: written, limits: Self.limits).bytes == written)
        if !text.contains("\\u") { #expect(String(decoding: written, as: UTF8.self) == text) }
    }

    @Test(arguments: [
        "", " ", "{", "[", "]", "}", "{]", "[1,]", "{\"a\":1,}", "{,}", "[,]", "{\"a\"}", "{\"a\":}", "{a:1}", "'a'",
        "tru", "nul", "truex", "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1 2", "[] []",
        "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\u{01}\"", "\"a\nb\"", "// a\n1", "/**/1", "[1 2]",
        "{\"a\" 1}", "{\"a\":1 \"b\":2}", "\u{0}", "[\u{0}]", "1e401", "1e-401", "1e99999999999999999999",
        String(repeating: "9", count: 401), "[[[[[[[[[1]]]]]]]]]", String(repeating: "[", count: 60_000),
        String(repeating: "{\"a\":", count: 9_000), "[" + String(repeating: "1,", count: 2_000) + "1]",
        String(repeating: " ", count: 65_537),
    ])
    func `what is not JSON or too much is refused with the place`(text: String) {
        #expect(throws: JSONFault.self) { try read(text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        for bytes: [UInt8] in [[0xff], [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]] {
            #expect(throws: JSONFault.self) { try JSON(parsing: bytes, limits: Self.limits) }
        }
    }

    @Test func `a mark of the byte order is passed over`() throws {
        #expect(try JSON(parsing: [0xef, 0xbb, 0xbf] + Array("{}".utf8), limits: Self.limits) == .object(JSONObject()))
    }

    @Test func `escapes of surrogates make one character, and half a pair the sign for what cannot be shown`() throws {
        #expect(try read(#""\ud83d\ude00""#) == .text("😀"))
        #expect(try read(#""\ud83d""#) == .text("\u{fffd}"))
        #expect(try read(#""\ud83d\u0041""#) == .text("\u{fffd}A"))
        #expect(try read(#""\ude00x""#) == .text("\u{fffd}x"))
    }

    @Test func `of a name that comes twice the first place and the last value count`() throws {
        let value = try read(#"{"a":1,"b":2,"a":3}"#)
        #expect(String(decoding: value.bytes, as: UTF8.self) == #"{"a":3,"b":2}"#)
    }

    @Test func `objects are equal in any order and numbers however they are written`() throws {
        #expect(try read(#"{"a":1.0,"b":[100]}"#) == read(#"{"b":[1e2],"a":1}"#))
        #expect(try read("0.10") != read("0.1000000000000000000000000000001"))
        #expect(try read("-0") == read("0e5"))
    }

    @Test func `objects with many fields find, replace and lose them`() {
        var object = JSONObject()
        for number in 0..<40 { object["n\(number)"] = .integer(number) }
        object["n7"] = .text("seven")
        object["n3"] = nil
        object["absent"] = nil
        #expect(object.count == 39)
        #expect(object["n7"] == .text("seven"))
        #expect(object["n3"] == nil)
        #expect(object["n39"] == .integer(39))
        for number in 10..<40 { object["n\(number)"] = nil }
        #expect(object.names == ["n0", "n1", "n2", "n4", "n5", "n6", "n7", "n8", "n9"])
        #expect(object["n8"] == .integer(8))
    }

    @Test func `objects are merged in turn and everything else is replaced`() throws {
        let below = try #require(read(#"{"a":{"x":1,"y":[1]},"b":2,"c":{"z":1}}"#).object)
        let above = try #require(read(#"{"a":{"y":[2],"w":null},"b":{"q":1},"c":3}"#).object)
        let merged = try read(#"{"a":{"x":1,"y":[2],"w":null},"b":{"q":1},"c":3}"#).object
        #expect(below.merging(above) == merged)
    }

    @Test func `nulls are left out of objects and kept in lists`() throws {
        let value = try read(#"{"a":null,"b":[null,{"c":null}]}"#).withoutNulls
        #expect(String(decoding: value.bytes, as: UTF8.self) == #"{"b":[null,{}]}"#)
    }

    @Test(arguments: [
        ("1", "1"), ("1.0", "1"), ("1e3", "1000"), ("-0.0", "0"), ("1.50", "1.5"), ("42.1", "42.1"), ("0.1", "0.1"),
        ("4200000000000000000", "4200000000000000000"), ("123456789012345678901234", "123456789012345678901234"),
        ("0.001", "0.001"), ("0.0001", "1.0E-4"), ("1234567.5", "1234567.5"), ("12345678.5", "1.23456785E7"),
        ("-0.00025", "-2.5E-4"), ("1e20", "100000000000000000000"), ("2.5e-10", "2.5E-10"), ("0.5", "0.5"),
        ("100.25", "100.25"),
    ])
    func `numbers are shown as Java shows them, whole ones in plain digits`(text: String, shown: String) {
        #expect(JSONNumber(unchecked: text).rendered == shown)
    }

    @Test func `numbers are ordered by value`() {
        let texts = [
            "-1e300", "-2", "-1.5", "-1", "-1e-300", "0", "1e-300", "0.9", "1", "1.0000001", "10", "9e99", "1e100",
        ]
        for (index, left) in texts.enumerated() {
            for (other, right) in texts.enumerated() {
                let isLess = JSONNumber(unchecked: left).decimal.isLess(than: JSONNumber(unchecked: right).decimal)
                #expect(isLess == (index < other), "\(left) \(right)")
            }
        }
    }

    @Test func `multiples are told apart exactly`() {
        let rows: [(String, String, Bool?)] = [
            ("10", "5", true), ("10", "3", false), ("0.3", "0.1", true), ("0.35", "0.1", false), ("1e10", "7", false),
            ("7e10", "7", true), ("0", "3", true), ("5", "10", false), ("-9", "3", true), ("1", "0", nil),
            ("1", "1.000000000000000001", nil), ("12", "1e1", false), ("120", "1e1", true),
        ]
        for (number, unit, expected) in rows {
            let result = JSONNumber(unchecked: number).decimal.isMultiple(of: JSONNumber(unchecked: unit).decimal)
            #expect(result == expected, "\(number) \(unit)")
        }
    }

    @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar", "\0\0\0", "ÿ{}"])
    func `Base64 comes back`(text: String) {
        #expect(Base64.bytes(Base64.text(Array(text.utf8))) == Array(text.utf8))
    }

    @Test func `Base64 is read with and without padding and with line breaks, and nothing else is`() {
        #expect(Base64.text(Array("foobar".utf8)) == "Zm9vYmFy")
        #expect(Base64.text(Array("fo".utf8)) == "Zm8=")
        #expect(Base64.bytes("Zm8") == Array("fo".utf8))
        #expect(Base64.bytes("Zm9v\r\nYmFy\n") == Array("foobar".utf8))
        for text in ["Z", "Zm8=x", "Zm9vY", "Zm9vYg=", "Zm-v", "Zm9v=", "====", "Zm 9v", "Zg==="] {
            #expect(Base64.bytes(text) == nil, "\(text)")
        }
    }
}
