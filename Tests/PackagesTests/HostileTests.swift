import Testing

@testable import Packages

/// What somebody who means harm could publish, and what somebody could send as options. Everything must end soon, in
/// bounded memory, with a reason. Time is measured in steps that the code counts, never by a clock.
@Suite("Hostile packages")
struct HostileTests {
    // MARK: templates

    struct Bomb: Sendable, CustomTestStringConvertible {
        var name: String
        var source: String
        var values: String
        var testDescription: String { name }

        init(_ name: String, _ source: String, _ values: String = "{}") {
            self.name = name
            self.source = source
            self.values = values
        }
    }

    private static func list(_ count: Int, _ element: String = "1") -> String {
        "[" + Array(repeating: element, count: count).joined(separator: ",") + "]"
    }

    private static func nested(_ depth: Int, _ body: String) -> String {
        String(repeating: "{{#a}}", count: depth) + body + String(repeating: "{{/a}}", count: depth)
    }

    static let bombs: [Bomb] = [
        Bomb("a list within itself, eight times", nested(8, "x"), #"{"a":\#(list(10))}"#),
        Bomb("a list within itself, sixty times", nested(60, "x"), #"{"a":[1,2]}"#),
        Bomb(
            "long text for each element", "{{#a}}{{b}}{{/a}}",
            #"{"a":\#(list(1_000)),"b":"\#(String(repeating: "y", count: 10_000))"}"#),
        Bomb(
            "a long template for each element", "{{#a}}" + String(repeating: "z", count: 50_000) + "{{/a}}",
            #"{"a":\#(list(200))}"#),
        Bomb("a list shown for each of its elements", "{{#a}}{{a}}{{/a}}", #"{"a":\#(list(4_000, "12345"))}"#),
        Bomb(
            "an object shown for each of its elements", "{{#a}}{{b}}{{/a}}",
            #"{"a":\#(list(4_000)),"b":{"c":\#(list(4_000, "12345"))}}"#),
        Bomb(
            "names of many parts for each element",
            "{{#a}}{{" + Array(repeating: "b", count: 500).joined(separator: ".") + "}}{{/a}}",
            #"{"a":\#(list(5_000))}"#),
        Bomb("absent names deep within", nested(50, "{{#l}}{{nothing}}{{/l}}"), #"{"a":{"x":1},"l":\#(list(40_000))}"#),
        Bomb(
            "JSON that is a template of itself", "{{#asJson}}j{{/asJson}}{{#a}}{{#asJson}}j{{/asJson}}{{/a}}",
            ##"{"a":\##(list(3_000)),"j":"\##(String(repeating: "{{#a}}y{{/a}}", count: 40))"}"##),
        Bomb("sections of elements in turn", nested(40, "{{#.}}{{.}}{{/.}}"), #"{"a":\#(list(3))}"#),
    ]

    @Test(arguments: bombs)
    func `templates that expand without end are stopped`(bomb: Bomb) throws {
        let template = try Template(bomb.source)
        let fault = #expect(throws: TemplateFault.self) { try template.rendered(with: object(bomb.values)) }
        #expect(fault?.reason.contains("more than") == true)
    }

    static let malformed: [Bomb] = [
        Bomb("too deep", nested(65, "x")), Bomb("far too deep", nested(20_000, "")),
        Bomb("beginnings only", String(repeating: "{{#a}}", count: 60)),
        Bomb("ends only", String(repeating: "{{/a}}", count: 100)),
        Bomb("too many tags", String(repeating: "{{a}}", count: 60_000)),
        Bomb("too long", String(repeating: " ", count: (1 << 20) + 1)),
        Bomb("a tag that never ends", "{{" + String(repeating: "a", count: 100_000)),
        Bomb("braces", String(repeating: "{", count: 100_001)), Bomb("marks of nothing", "{{=  =}}"),
        Bomb("long marks", "{{=aaaaaaaa bbbbbbbb=}}"),
        Bomb("marks that never end", "{{=" + String(repeating: "<", count: 10_000)),
        Bomb("a file", "{{> /etc/shadow}}"),
        Bomb("itself", "{{>.marathon.v2AppMustacheTemplate}}"), Bomb("a parent", "{{<a}}{{$b}}{{/b}}{{/a}}"),
        Bomb("any file", "{{>*name}}"),
    ]

    @Test(arguments: malformed)
    func `templates that are none are refused`(bomb: Bomb) {
        #expect(throws: TemplateFault.self) { try Template(bomb.source) }
    }

    static let harmless: [Bomb] = [
        Bomb(
            "classes of Java", "{{a.class.name}}{{a.getClass}}{{b.class.classLoader}}{{c.hashCode}}",
            #"{"a":"x","b":[1],"c":{}}"#),
        Bomb(
            "methods of Java", "{{a.toString}}{{a.intern}}{{a.bytes}}{{b.clear}}{{b.iterator}}{{b.get}}",
            #"{"a":"x","b":[1]}"#),
        Bomb("prototypes", "{{__proto__}}{{constructor.prototype}}{{a.__proto__.x}}", #"{"a":{}}"#),
        Bomb("a file's name", "{{../../etc/passwd}}{{file:///etc/passwd}}", "{}"),
        Bomb("a command", "{{`id`}}{{$(id)}}", "{}"),
        Bomb("points", "{{..}}{{...}}{{a..b}}{{.a.}}", #"{"a":{"b":1}}"#),
    ]

    @Test(arguments: harmless.filter { !$0.source.contains("{{$") })
    func `templates reach nothing but the values`(bomb: Bomb) throws {
        #expect(try Template(bomb.source).rendered(with: object(bomb.values)) == "")
    }

    // MARK: schemas

    private static let ring = (0..<50).map { ##""d\##($0)":{"$ref":"#/definitions/d\##(($0 + 1) % 50)"}"## }.joined(
        separator: ",")
    /// Each alternative has ten alternatives, and so on: 10^20 ways.
    private static let fan = (0..<20).map { level in
        let many = Array(repeating: ##"{"$ref":"#/definitions/f\##(level + 1)"}"##, count: 10).joined(separator: ",")
        return #""f\#(level)":{"oneOf":[\#(many)]}"#
    }.joined(separator: ",")

    static let schemas: [Bomb] = [
        Bomb("itself", ##"{"$ref":"#"}"##),
        Bomb("itself by a property", ##"{"properties":{"x":{"$ref":"#/properties/x"}}}"##),
        Bomb(
            "two that name each other",
            ##"{"items":[{"$ref":"#/items/1"},{"$ref":"#/items/0"}],"properties":{"x":{"$ref":"#/items/0"}}}"##
        ),
        Bomb("a ring of fifty", ##"{"definitions":{\##(ring)},"properties":{"x":{"$ref":"#/definitions/d0"}}}"##),
        Bomb("all of itself", ##"{"properties":{"x":{"allOf":[{"$ref":"#/properties/x"}]}}}"##),
        Bomb("none of itself", ##"{"properties":{"x":{"not":{"$ref":"#/properties/x"}}}}"##),
        Bomb(
            "one of itself",
            ##"{"items":{"oneOf":[{"$ref":"#/items"},{"$ref":"#/items"}]},"properties":{"x":{"$ref":"#/items"}}}"##),
        Bomb(
            "any of itself",
            ##"{"items":{"anyOf":[{"$ref":"#/items"},{"$ref":"#/items"}]},"properties":{"x":{"$ref":"#/items"}}}"##),
        Bomb("what depends on itself", ##"{"dependencies":{"x":{"$ref":"#"}}}"##),
        Bomb(
            "alternatives without end",
            ##"{"definitions":{\##(fan),"f20":{"type":"string"}},"properties":{"x":{"$ref":"#/definitions/f0"}}}"##),
    ]

    @Test(arguments: schemas)
    func `schemas that refer to themselves are said to`(bomb: Bomb) throws {
        let schema = OptionSchema(try object(bomb.source))
        let violations = schema.violations(of: try object(#"{"x":1}"#))
        #expect(violations.contains { $0.keyword == "$ref" && $0.message.hasPrefix("the schema ") })
        #expect(schema.notes.isEmpty)
    }

    static let references = [
        "http://evil.example/schema.json", "file:///etc/passwd", "//evil.example/x", "other.json#/a", "", "#/nothing",
        "#/x/y/z", "#x",
        "#/definitions", "#//", "#/~2", "#/%", "#/properties/x/properties/x/properties/x", "#/0", "\u{0}",
    ]

    @Test(arguments: references)
    func `references that lead nowhere hold for everything, and nothing is fetched`(reference: String) throws {
        let schema = JSONObject([
            "properties": .object(JSONObject(["x": .object(JSONObject(["$ref": .text(reference)]))]))
        ])
        #expect(OptionSchema(schema).violations(of: try object(#"{"x":1}"#)).isEmpty)
    }

    /// Words of schemas with values that they cannot have.
    static let nonsense: [String] = {
        let words = [
            "type", "enum", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "maxLength", "pattern",
            "items",
            "additionalItems", "minItems", "maxItems", "uniqueItems", "properties", "patternProperties",
            "additionalProperties",
            "required", "minProperties", "maxProperties", "dependencies", "allOf", "anyOf", "oneOf", "not", "$ref",
            "definitions", "default",
        ]
        let values = [
            "null", "true", "0", "-1", "1.5", "1e300", #""""#, #""x""#, "[]", "[[]]", "[null]", "{}", #"{"x":7}"#,
            #"{"x":[]}"#,
        ]
        return words.flatMap { word in values.map { "{\"\(word)\":\($0)}" } }
    }()

    @Test func `schemas that make no sense do no harm`() throws {
        #expect(Self.nonsense.count == 392)
        let options = try object(#"{"x":{"x":[1,"a",{"x":null}]},"y":1.5,"z":""}"#)
        for text in Self.nonsense {
            for schema in [text, #"{"properties":{"x":\#(text),"y":\#(text),"z":\#(text)}}"#] {
                let schema = OptionSchema(try object(schema))
                #expect(schema.violations(of: options).count <= 100)
                _ = schema.notes
                _ = schema.defaults
            }
        }
    }

    @Test func `a schema as deep as it may be is followed, and its defaults and notes end`() throws {
        var schema = try object(#"{"type":"password","default":1}"#)
        func wrap() {
            for _ in 0..<90 {
                let properties = JSONObject(["x": .object(schema)])
                schema = JSONObject(["properties": .object(properties)])
            }
        }
        wrap()
        #expect(OptionSchema(schema).notes.count == 1)
        #expect(!OptionSchema(schema).defaults.isEmpty)
        wrap()
        #expect(OptionSchema(schema).notes.isEmpty)
        #expect(OptionSchema(schema).defaults.isEmpty)
    }

    @Test func `no more than a hundred violations are told`() throws {
        let options = JSONObject(["x": .list(Array(repeating: .text("a"), count: 5_000))])
        let schema = OptionSchema(try object(#"{"properties":{"x":{"items":{"type":"integer","enum":[1,2]}}}}"#))
        #expect(schema.violations(of: options).count == 100)
        // Found by fuzzing: what comes to an end within an alternative was told beside the hundred.
        let more = try object(##"{"allOf":[{"items":{"type":"null"}},{"anyOf":[{"$ref":"#/properties/y"}]}]}"##)
        let both = JSONObject([
            "properties": .object(JSONObject(["x": .object(more), "y": try json(##"{"$ref":"#/properties/y"}"##)]))
        ])
        #expect(OptionSchema(both).violations(of: options).count == 100)
    }

    static let costly: [Bomb] = [
        Bomb(
            "unique elements that are all alike but for the last", #"{"properties":{"x":{"uniqueItems":true}}}"#,
            #"{"x":[\#((0..<20_000).map { "{\"a\":\($0)}" }.joined(separator: ","))]}"#),
        Bomb(
            "a pattern for many elements", #"{"properties":{"x":{"items":{"pattern":"^(a|aa|aaa)*$"}}}}"#,
            #"{"x":\#(list(5_000, "\"" + String(repeating: "a", count: 900) + "\""))}"#),
        Bomb(
            "patterns for many names", #"{"patternProperties":{"(a*)*$":{},"(b*)*$":{},"(c*)*$":{}}}"#,
            "{\((0..<20_000).map { "\"aaaaaaaaaaaaaaaaaaaa\($0)\":1" }.joined(separator: ","))}"),
        Bomb(
            "a pattern that looks ahead at each place",
            #"{"properties":{"x":{"pattern":"(?!(a?){200}b)(?=(a?){200}c)d"}}}"#,
            #"{"x":"\#(String(repeating: "a", count: 50_000))"}"#),
    ]

    @Test(arguments: costly)
    func `options that cost more than is allowed are refused`(bomb: Bomb) throws {
        let schema = OptionSchema(try object(bomb.source))
        let violations = schema.violations(of: try object(bomb.values))
        #expect(violations.contains { $0.message.contains("takes too long") })
    }

    // MARK: options and repositories

    @Test func `options of ten megabytes are refused before anything is made of them`() {
        let text = "{\"a\":\"" + String(repeating: "x", count: 10 << 20) + "\"}"
        let fault = #expect(throws: JSONFault.self) {
            try JSON(parsing: Array(text.utf8), limits: PackageLimits.options)
        }
        #expect(fault?.reason.contains("at most 1048576") == true)
    }

    @Test func `a package of nine megabytes, or of a million values, is left out`() throws {
        let big =
            #"{"packagingVersion":"3.0","name":"big","version":"1","x":"\#(String(repeating: "x", count: 9 << 20))"}"#
        let many = #"{"packagingVersion":"3.0","name":"many","version":"1","x":\#(Self.list(1_000_000))}"#
        let good = #"{"packagingVersion":"3.0","name":"good","version":"1"}"#
        let repository = try PackageRepository(
            json: Array(#"{"packages":[\#(big),\#(good),\#(many)]}"#.utf8), source: "")
        #expect(repository.count == 1)
        #expect(repository.refusals.count == 2)
        #expect(repository.storedBytes < 100)
    }

    @Test func `a repository of too many packages is refused`() {
        let text = #"{"packages":["# + Array(repeating: "1", count: 20_001).joined(separator: ",") + "]}"
        #expect(throws: JSONFault.self) { try PackageRepository(json: Array(text.utf8), source: "") }
    }

    @Test(arguments: [
        "", " ", "[]", "null", "1", "{}", #"{"packages":1}"#, #"{"packages":{}}"#, #"{"packages":null}"#,
        #"{"packages":[}"#,
        #"{"packages":[1,]}"#, #"{"packages":[,]}"#, #"{"packages":[1}"#, #"{"packages":[]"#, #"{"packages":[]}x"#,
        #"{"packages":[]]"#,
        #"{"packages":[{]}"#, #"{"packages":["]}"#, #"{"packages":["\"]}"#, #"{packages:[]}"#, #"{"packages"[]}"#,
        #"{"packages":[] "x":1}"#,
        #"{"packages":[1 2]}"#, #"{"packages":[[]}"#, #"{"x":{"packages":[]}}"#, #"{"x":[,"packages":[]}"#,
        "{\"packages\":[\"\\",
        "{\"packages\":[{\"a\":\"\\\"", #"{"packages":[],}"#, "<html>packages</html>", "PK\u{3}\u{4}",
    ])
    func `what is no repository is refused`(text: String) {
        #expect(throws: JSONFault.self) { try PackageRepository(json: Array(text.utf8), source: "") }
    }

    @Test func `brackets without end are refused`() {
        for text in [
            "{\"packages\":[" + String(repeating: "[", count: 1 << 20),
            "{\"packages\":[" + String(repeating: "{\"a\":", count: 1 << 18),
        ] {
            #expect(throws: JSONFault.self) { try PackageRepository(json: Array(text.utf8), source: "") }
        }
    }

    /// Bytes changed, taken out and doubled anywhere: whatever comes of it, it ends, and what is taken can be used.
    @Test(arguments: 0..<UInt64(300))
    func `repositories that were damaged on their way`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let good = try (0..<FixtureTree.repository.count).map { JSON.object(try FixtureTree.repository[$0].json) }
        var bytes = JSON.object(JSONObject(["packages": .list(good)])).bytes
        for _ in 0..<random.draw(1...8) {
            let place = random.draw(0...bytes.count - 1)
            switch random.draw(0...4) {
            case 0: bytes[place] = UInt8(random.draw(0...255))
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + random.draw(1...200)))
            case 2:
                bytes.insert(
                    contentsOf: bytes[place..<min(bytes.count, place + 50)], at: random.draw(0...bytes.count - 1))
            case 3: bytes.insert(Array("\"\\{}[],:".utf8)[random.draw(0...7)], at: place)
            default: bytes.removeLast(random.draw(0...bytes.count / 3))
            }
        }
        guard let repository = try? PackageRepository(json: bytes, source: "") else { return }
        #expect(repository.count + repository.refusals.count < 50)
        let catalog = PackageCatalog([repository])
        for name in catalog.names {
            _ = catalog.search(name)
            let package = try catalog.find(name).package
            _ = package.schema?.notes
            _ = try? package.app(with: object(#"{"ledger":{"key":"abcd"}}"#))
        }
    }

    @Test func `scripts in a description stay text`() throws {
        let package = try FixtureTree.package("ledger")
        #expect(package.description.contains("<script>alert(1)</script>"))
        #expect(FixtureTree.catalog.search("ledger").first?.description == package.description)
    }

    @Test func `a tree of too many bytes stops taking files`() {
        var tree = PackageTree()
        let half = [UInt8](repeating: 0x20, count: PackageLimits.repositoryBytes / 2 + 1)
        let first = tree.add("packages/A/a/0/config.json", half)
        let second = tree.add("packages/A/a/1/config.json", half)
        let other = tree.add("README.md", half)
        #expect(first && !second && other)
    }
}
