import Testing

@testable import Packages

/// JSON written by hand in a test.
func json(_ text: String) throws -> JSON {
    try JSON(parsing: Array(text.utf8), limits: JSONLimits(bytes: 16 << 20, values: 1_000_000, depth: 200))
}

/// An object written by hand in a test.
func object(_ text: String) throws -> JSONObject { try #require(json(text).object) }

@Suite("Schemas of options")
struct SchemaTests {
    /// What a schema says of options: a line for each violation, `path keyword`.
    private func broken(_ schema: String, _ options: String) throws -> [String] {
        try OptionSchema(object(schema)).violations(of: object(options)).map { "\($0.path) \($0.keyword)" }
    }

    /// A schema for `x` alone, and values of it that are good and bad.
    struct Case: Sendable, CustomTestStringConvertible {
        var keyword: String
        var schema: String
        var good: [String]
        var bad: [String]
        var testDescription: String { keyword + " " + schema.prefix(40) }
    }

    static let cases: [Case] = [
        Case(
            keyword: "type", schema: #"{"type":"string"}"#, good: [#""""#, #""a""#],
            bad: ["1", "null", "true", "[]", "{}"]),
        Case(
            keyword: "type", schema: #"{"type":"integer"}"#, good: ["0", "-7", "1.0", "1e3"],
            bad: ["1.5", #""1""#, "true"]),
        Case(keyword: "type", schema: #"{"type":"number"}"#, good: ["0", "1.5", "-2e-3"], bad: [#""1""#, "null"]),
        Case(
            keyword: "type", schema: #"{"type":"boolean"}"#, good: ["true", "false"], bad: ["0", #""true""#, "null"]),
        Case(keyword: "type", schema: #"{"type":"null"}"#, good: ["null"], bad: ["0", "false", #""""#]),
        Case(keyword: "type", schema: #"{"type":"array"}"#, good: ["[]", "[1]"], bad: ["{}", "0"]),
        Case(keyword: "type", schema: #"{"type":"object"}"#, good: ["{}"], bad: ["[]", "null"]),
        Case(keyword: "type", schema: #"{"type":["string","null"]}"#, good: ["null", #""a""#], bad: ["1", "[]"]),
        Case(keyword: "type", schema: #"{"type":"password"}"#, good: ["null", "1", #""a""#], bad: []),
        Case(
            keyword: "enum", schema: #"{"enum":["a",1,null,{"b":[1]}]}"#,
            good: [#""a""#, "1.0", "null", #"{"b":[1]}"#], bad: [#""b""#, "2", "[]"]),
        Case(
            keyword: "minimum", schema: #"{"minimum":1}"#, good: ["1", "1.0", "2", #""0""#, "1e9"],
            bad: ["0", "0.999999999999999999999", "-5"]),
        Case(
            keyword: "minimum", schema: #"{"minimum":1,"exclusiveMinimum":true}"#, good: ["1.000001"],
            bad: ["1", "1.0", "0"]),
        Case(
            keyword: "maximum", schema: #"{"maximum":65535}"#, good: ["65535", "-1"],
            bad: ["65536", "65535.5", "99999999999999999999999"]),
        Case(
            keyword: "maximum", schema: #"{"maximum":1,"exclusiveMaximum":true}"#, good: ["0.9"], bad: ["1", "10e-1"]),
        Case(
            keyword: "multipleOf", schema: #"{"multipleOf":0.01}"#, good: ["0.07", "19.99", "0", "3"], bad: ["0.075"]),
        Case(keyword: "multipleOf", schema: #"{"multipleOf":8}"#, good: ["64", "-8", "8e2"], bad: ["63", "8.5"]),
        Case(
            keyword: "minLength", schema: #"{"minLength":2}"#, good: [#""ab""#, #""éé""#, "1"],
            bad: [#""a""#, #""""#, #""é""#]),
        Case(keyword: "maxLength", schema: #"{"maxLength":2}"#, good: [#""""#, #""éé""#], bad: [#""abc""#]),
        Case(
            keyword: "pattern", schema: #"{"pattern":"^[a-z]+$"}"#, good: [#""abc""#, "1"],
            bad: [#""""#, #""a1""#, #""A""#]),
        Case(keyword: "pattern", schema: #"{"pattern":"b+"}"#, good: [#""abbc""#], bad: [#""ac""#]),
        Case(keyword: "pattern", schema: #"{"pattern":"(a)\\1"}"#, good: [#""b""#], bad: []),
        Case(keyword: "minItems", schema: #"{"minItems":1}"#, good: ["[1]", "1"], bad: ["[]"]),
        Case(keyword: "maxItems", schema: #"{"maxItems":1}"#, good: ["[]", "[1]"], bad: ["[1,2]"]),
        Case(
            keyword: "uniqueItems", schema: #"{"uniqueItems":true}"#, good: ["[]", "[1,2]", #"["1",1]"#],
            bad: ["[1,1.0]", #"["a","a"]"#, #"[{"a":1,"b":2},{"b":2,"a":1}]"#]),
        Case(keyword: "minProperties", schema: #"{"minProperties":1}"#, good: [#"{"a":1}"#], bad: ["{}"]),
        Case(keyword: "maxProperties", schema: #"{"maxProperties":1}"#, good: [#"{"a":1}"#], bad: [#"{"a":1,"b":1}"#]),
        Case(
            keyword: "required", schema: #"{"required":["a"]}"#, good: [#"{"a":null}"#, "1"], bad: ["{}", #"{"b":1}"#]),
        Case(keyword: "required", schema: #"{"required":true}"#, good: ["{}", "1"], bad: []),
        Case(
            keyword: "additionalProperties", schema: #"{"properties":{"a":{}},"additionalProperties":false}"#,
            good: ["{}", #"{"a":1}"#], bad: [#"{"b":1}"#]),
        Case(
            keyword: "additionalProperties", schema: #"{"patternProperties":{"^x-":{}},"additionalProperties":false}"#,
            good: [#"{"x-a":1}"#], bad: [#"{"y":1}"#]),
        Case(
            keyword: "anyOf", schema: #"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, good: [#""a""#, "5", "null"],
            bad: ["4"]),
        Case(
            keyword: "oneOf", schema: #"{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}"#, good: ["3", "5"],
            bad: ["15", "2"]),
        Case(keyword: "not", schema: #"{"not":{"type":"string"}}"#, good: ["1"], bad: [#""a""#]),
        Case(
            keyword: "dependencies", schema: #"{"dependencies":{"a":["b"]}}"#,
            good: ["{}", #"{"b":1}"#, #"{"a":1,"b":1}"#], bad: [#"{"a":1}"#]),
        Case(
            keyword: "dependencies", schema: #"{"dependencies":{"a":"b"}}"#, good: [#"{"a":1,"b":1}"#],
            bad: [#"{"a":1}"#]),
        Case(
            keyword: "additionalItems", schema: #"{"items":[{}],"additionalItems":false}"#, good: ["[]", "[1]"],
            bad: ["[1,2]"]),
    ]

    @Test(arguments: cases)
    func `each word of a schema tells good from bad`(example: Case) throws {
        let schema = #"{"type":"object","properties":{"x":\#(example.schema)}}"#
        for value in example.good { #expect(try broken(schema, "{\"x\":\(value)}") == [], "\(value)") }
        for value in example.bad {
            #expect(try broken(schema, "{\"x\":\(value)}") == ["/x \(example.keyword)"], "\(value)")
        }
    }

    @Test func `every place that is wrong is told with its path`() throws {
        let schema = """
            {"type":"object","properties":{
              "service":{"type":"object","required":["name","cpus"],"additionalProperties":false,
                "properties":{"name":{"type":"string","minLength":1},"cpus":{"type":"number","minimum":0.1}}},
              "list":{"type":"array","items":{"type":"integer"}},
              "a/b~c":{"type":"boolean"}}}
            """
        let options = #"{"service":{"name":"","mem":1,"disk":2},"list":[1,"x",2.5],"a/b~c":3}"#
        let violations = try OptionSchema(object(schema)).violations(of: object(options))
        #expect(
            violations.map { "\($0.path) \($0.keyword)" } == [
                "/service required", "/service/name minLength", "/service additionalProperties", "/list/1 type",
                "/list/2 type", "/a~1b~0c type",
            ])
        #expect(violations[0].missing == ["cpus"])
        #expect(violations[2].unwanted == ["disk", "mem"])
        #expect(violations[3].found == "string")
        #expect(violations[3].expected == ["integer"])
        #expect(violations[3].schemaPath == "/properties/list/items")
        #expect(violations[5].description == "/a~1b~0c: is of type integer, expected boolean")
    }

    @Test func `a violation in JSON has what Cosmos' clients read`() throws {
        let schema = #"{"properties":{"a":{"type":"object","required":["b"],"properties":{"n":{"minimum":3}}}}}"#
        let violations = try OptionSchema(object(schema)).violations(of: object(#"{"a":{"n":1}}"#))
        let expected = """
            {"level":"error","schema":{"loadingURI":"#","pointer":"/properties/a"},"instance":{"pointer":"/a"},
            "domain":"validation","keyword":"required","message":"lacks the required option b","missing":["b"]}
            """
        #expect(violations.count == 2)
        #expect(try violations[0].json == json(expected))
        #expect(violations[1].json["minimum"] == .integer(3))
        #expect(violations[1].json["found"] == .text("1"))
    }

    @Test func `definitions are followed, also through names with slashes, lists and other references`() throws {
        let schema = """
            {"definitions":{"po/rt~":{"type":"integer","maximum":9},"again":{"$ref":"#/definitions/po~1rt~0"}},
             "properties":{"a":{"$ref":"#/definitions/again"},"b":{"$ref":"#/allOf/0/properties/c"},
                "d":{"$ref":"#/none"}},
             "allOf":[{"properties":{"c":{"type":"string"}}}]}
            """
        #expect(try broken(schema, #"{"a":9,"b":"x","c":"y","d":1}"#) == [])
        #expect(try broken(schema, #"{"a":10,"b":1,"c":2}"#) == ["/a maximum", "/b type", "/c type"])
    }

    @Test func `a tree may be described by a schema that refers to itself`() throws {
        let schema = ##"{"properties":{"v":{"type":"integer"},"next":{"$ref":"#"}}}"##
        #expect(try broken(schema, #"{"v":1,"next":{"v":2,"next":{"v":3}}}"#) == [])
        #expect(try broken(schema, #"{"v":1,"next":{"v":2,"next":{"v":"x"}}}"#) == ["/next/next/v type"])
    }

    @Test func `dependencies on the value of another option hold as real packages use them`() throws {
        let schema = """
            {"properties":{"jmx":{"properties":{"enabled":{"type":"boolean","default":false}},
             "dependencies":{"enabled":{"oneOf":[
               {"properties":{"enabled":{"enum":[false]}}},
               {"properties":{"enabled":{"enum":[true]},"port":{"type":"integer"}},"required":["port"]}]}}}}}
            """
        #expect(try broken(schema, #"{"jmx":{"enabled":false}}"#) == [])
        #expect(try broken(schema, #"{"jmx":{"enabled":true,"port":1}}"#) == [])
        #expect(try broken(schema, #"{"jmx":{"enabled":true}}"#) == ["/jmx oneOf"])
    }

    @Test func `defaults come from properties and theirs, and an object's own default goes before them`() throws {
        let schema = """
            {"default":{"not":"this"},"properties":{
              "a":{"default":1},"b":{"properties":{"c":{"default":"x"},"d":{"type":"string"},"e":{"properties":{}}}},
              "f":{"default":{"g":1},"properties":{"h":{"default":2}}},"i":{"default":null},"j":{"properties":{"k":{}}},
              "l":{"default":[1,2]},"m":7,"n":{"allOf":[{"properties":{"o":{"default":1}}}]}}}
            """
        let expected = #"{"a":1,"b":{"c":"x"},"f":{"g":1},"i":null,"l":[1,2]}"#
        #expect(try OptionSchema(object(schema)).defaults == object(expected))
    }

    @Test func `what a schema says that cannot be followed is noted with its place`() throws {
        let schema = """
            {"properties":{"a":{"type":"password"},"b":{"pattern":"(?<=x)y"},"c":{"$ref":"http://x.example/y#"},
             "d":{"items":[{"pattern":"["}],"oneOf":[{},{"type":"any"}]}},"definitions":{"e":{"type":["string","x"]}}}
            """
        let places = try OptionSchema(object(schema)).notes.map { $0.prefix { $0 != ":" } }
        #expect(
            places == [
                "/properties/a/type", "/properties/b/pattern", "/properties/c/$ref",
                "/properties/d/items/0/pattern", "/properties/d/oneOf/1/type", "/definitions/e/type",
            ])
    }
}
