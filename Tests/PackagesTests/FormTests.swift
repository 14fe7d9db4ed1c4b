import Foundation
import Testing

@testable import Packages

/// Forms of options: from a schema to fields, and from what stands in them back to options.
@Suite("Packages: forms of options")
struct FormTests {
    private func form(_ schema: String, _ options: String = "{}") throws -> OptionForm {
        OptionForm(OptionSchema(try object(schema)), options: try object(options))
    }

    private func field(_ form: OptionForm, _ pointer: String) throws -> OptionForm.Field {
        try #require(form.fields.first { $0.path.pointer == pointer })
    }

    /// The schemas of the fixtures, of the packages that come with the program, and of a folder with real ones where
    /// there is one.
    static let schemas: [(name: String, schema: OptionSchema)] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let folders = [FixtureTree.directory, root + "/Catalog", root + "/../shared/universe"]
        return folders.flatMap { folder -> [(String, OptionSchema)] in
            let paths = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
            return paths.filter { $0.hasSuffix("/config.json") }.sorted().compactMap { path in
                guard let bytes = FileManager.default.contents(atPath: folder + "/" + path),
                    let config = try? JSON(parsing: Array(bytes), limits: PackageLimits.package).object
                else { return nil }
                return (path, OptionSchema(config))
            }
        }
    }()

    @Test func `each kind of option has its kind of field`() throws {
        let form = try form(
            """
            {"properties": {
              "flag": {"type": "boolean", "default": true}, "maybe": {"type": "boolean"},
              "pick": {"type": "string", "enum": ["a", "b"], "default": "a"}, "bare": {"enum": ["x", 1], "default": "x"},
              "whole": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3}, "part": {"type": "number"},
              "line": {"type": "string"}, "text": {"type": "string", "default": "a\\nb"},
              "yaml": {"type": "string", "default": "YTogMQ==",
                       "media": {"binaryEncoding": "base64", "type": "application/x-yaml"}},
              "list": {"type": "array", "default": [1]}, "free": {"type": "object"}, "any": {},
              "password": {"type": "string", "default": "x"},
              "password_secret": {"type": "string", "media": {"type": "application/x-secret+string"}},
              "sloppy": {"type": "string", "default": 5}
            }}
            """)
        func kind(_ name: String) throws -> OptionForm.Kind { try field(form, "/" + name).kind }
        #expect(try kind("flag") == .flag)
        guard case .choice(let maybe, orNone: true) = try kind("maybe") else { Issue.record("maybe"); return }
        #expect(maybe.map(\.input) == ["true", "false"])
        guard case .choice(let picks, orNone: false) = try kind("pick") else { Issue.record("pick"); return }
        #expect(picks.map(\.input) == ["a", "b"])
        guard case .choice(let bare, orNone: false) = try kind("bare") else { Issue.record("bare"); return }
        #expect(bare.map(\.input) == ["\"x\"", "1"])
        #expect(try kind("whole") == .number(isWhole: true, least: "1", most: "9"))
        #expect(try kind("part") == .number(isWhole: false, least: nil, most: nil))
        #expect(try kind("line") == .line)
        #expect(try kind("text") == .lines(isEncoded: false))
        #expect(try kind("yaml") == .lines(isEncoded: true))
        #expect(try field(form, "/yaml").input == "a: 1")
        for name in ["list", "free", "any", "sloppy"] { #expect(try kind(name) == .json, "\(name)") }
        #expect(try field(form, "/password").isSecret)
        #expect(try field(form, "/password").input == "")
        #expect(try !field(form, "/password_secret").isSecret)
    }

    @Test func `what must be filled in comes first`() throws {
        let form = try form(
            """
            {"required": ["b", "deep"], "properties": {"a": {"type": "string", "default": "1"}, "b": {"type": "string"},
              "calm": {"properties": {"x": {"type": "string"}}, "required": ["x"]},
              "deep": {"properties": {"y": {"type": "string"}}, "required": ["y"]}}}
            """)
        #expect(form.fields.map(\.path.pointer) == ["/b", "/a", "/deep/y", "/calm/x"])
        #expect(form.fields.map(\.isNeeded) == [true, false, true, false])
        let faults = form.reading([:]).faults
        #expect(faults.map(\.pointer) == ["/b", "/deep"])
    }

    @Test func `inputs become options that differ from the defaults, and faults have their places`() throws {
        let schema = """
            {"properties": {"service": {"type": "object", "properties": {
              "name": {"type": "string", "default": "x"}, "cpus": {"type": "number", "default": 0.5, "minimum": 0.1},
              "count": {"type": "integer", "default": 1}, "on": {"type": "boolean", "default": false},
              "list": {"type": "array"}, "note": {"type": "string"}}}}}
            """
        let form = try form(schema, #"{"service":{"note":"","cpus":1},"other":7}"#)
        #expect(try form.reading([:]).options == object(#"{"service":{"note":"","cpus":1},"other":7}"#))
        let read = form.reading([
            "/service/name": "", "/service/cpus": " 0.50 ", "/service/count": "2", "/service/on": "on",
            "/service/list": "[1,\r\n2]", "/unknown": "x",
        ])
        #expect(
            try read.options == object(#"{"service":{"note":"","name":"","count":2,"on":true,"list":[1,2]},"other":7}"#)
        )
        #expect(read.faults.isEmpty)
        let wrong = form.reading([
            "/service/cpus": "0", "/service/count": "1.5", "/service/list": "[", "/service/on": "yes",
        ])
        #expect(
            Set(wrong.faults.map(\.pointer)) == ["/service/cpus", "/service/count", "/service/list", "/service/on"])
        #expect(wrong.faults.allSatisfy { !$0.message.isEmpty })
    }

    @Test func `an untouched form asks for nothing`() throws {
        #expect(Self.schemas.count >= 20)
        for (name, schema) in Self.schemas {
            let form = OptionForm(schema)
            let inputs = form.fields.reduce(into: [String: String]()) { $0[$1.path.pointer] = $1.input }
            #expect(form.reading(inputs).options.isEmpty, "\(name)")
            #expect(form.leftOut == 0, "\(name)")
            // What is shown means just what holds, also when it is read as if it were new.
            for field in form.fields where field.value != nil && !field.isUnshown {
                #expect(try field.meant(by: field.input) == field.value, "\(name) \(field.path.pointer)")
            }
        }
    }

    private func value(_ field: OptionForm.Field, _ random: inout SeededRandom) -> JSON? {
        switch field.kind {
        case .flag: return .flag(random.draw(0...1) == 1)
        case .choice(let choices, _): return try? json(choices[random.draw(0...choices.count - 1)].json)
        case .number(true, _, _): return .integer(random.draw(0...100))
        case .number: return try? json(["0.5", "1e2", "7", "2.50"][random.draw(0...3)])
        case .line: return .text(["", " a b ", "é<\"&'>", "x=y&z+%41"][random.draw(0...3)])
        case .lines(true): return .text(Base64.text(Array("a: é\n\nb".utf8)))
        case .lines: return .text(["a\n\n b\n", "\nx", "no end"][random.draw(0...2)])
        case .json: return try? json(#"{"a":[1,{"b":null}],"c":"\u0001\u202e"}"#)
        }
    }

    @Test(arguments: 0..<UInt64(10))
    func `options come back from the form that shows them`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for (name, schema) in Self.schemas {
            let empty = OptionForm(schema)
            var options = JSONObject()
            for field in empty.fields where !field.isUnshown && random.draw(0...3) == 0 {
                guard let value = value(field, &random) else { continue }
                // Nothing in a text that has no default is nothing.
                if value == .text(""), field.usual == nil { continue }
                options.set(value, at: field.path)
            }
            let wanted = schema.defaults.merging(options)
            let shown = OptionForm(schema, options: options)
            let inputs = shown.fields.reduce(into: [String: String]()) { $0[$1.path.pointer] = $1.input }
            let same = shown.reading(inputs.mapValues { $0.replacing("\n", with: "\r\n") }).options
            #expect(same == options.differing(from: schema.defaults), "\(name)")
            #expect(schema.defaults.merging(same) == wanted, "\(name)")
            // The same inputs in a form of somebody who has asked for nothing yet, where kinds do not depend on values.
            let alike = zip(shown.fields, empty.fields).allSatisfy { $0.kind == $1.kind && $0.path == $1.path }
            guard alike, !shown.fields.contains(where: \.isUnshown) else { continue }
            #expect(schema.defaults.merging(empty.reading(inputs).options) == wanted, "\(name)")
        }
    }

    @Test func `hostile schemas end quickly with a form that is not too large`() throws {
        let clock = ContinuousClock()
        var deep = "{}"
        for _ in 0..<60 { deep = #"{"properties":{"a":"# + deep + #","b":{"type":"string"}}}"# }
        let wide =
            "{\"properties\":{"
            + (0..<10_000).map { #""p\#($0)":{"type":"boolean","default":true}"# }.joined(separator: ",")
            + "}}"
        let loops = [
            ##"{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"}}}"##,
            ##"{"properties":{"a":{"$ref":"#/properties/b"},"b":{"$ref":"#/properties/a"}}}"##,
            #"{"properties":{"a":{"$ref":"https://example.org/x"}}}"#,
        ]
        for schema in [deep, wide] + loops {
            let begin = clock.now
            let form = try form(schema)
            #expect(form.fields.count <= OptionFormLimits.fields)
            let inputs = form.fields.reduce(into: [String: String]()) { $0[$1.path.pointer] = "x" }
            _ = form.reading(inputs)
            #expect(clock.now - begin < .seconds(5))
        }
        #expect(try form(wide).leftOut == 10_000 - OptionFormLimits.fields)
        let odd = try form(#"{"properties":{"a\n":{},"\u202eb":{},"c/~":{"type":"string","title":"<script>"}}}"#)
        #expect(odd.fields.map(\.path.pointer) == ["/c~1~0"])
        #expect(odd.leftOut == 2)
        #expect(try odd.reading(["/c~1~0": "v"]).options == object(#"{"c/~":"v"}"#))
    }

    @Test func `options that are too long are refused at once`() throws {
        let long = String(repeating: "x", count: 10 << 20)
        #expect(throws: OptionForm.Fault.self) { try OptionForm.options(json: "\"" + long) }
        #expect(throws: OptionForm.Fault.self) { try OptionForm.options(json: "[1]") }
        #expect(throws: OptionForm.Fault.self) { try OptionForm.options(json: String(repeating: "[", count: 100_000)) }
        #expect(try OptionForm.options(json: " \n").isEmpty)
        let form = try form(#"{"properties":{"a":{"type":"string"}}}"#)
        #expect(form.reading(["/a": long]).faults.map(\.pointer) == ["/a"])
    }

    @Test func `what cannot be shown stays as it is`() throws {
        let form = try form(#"{"properties":{"a":{"type":"string"}}}"#, #"{"a":"\u202ex\u0000"}"#)
        let field = try field(form, "/a")
        #expect(field.isUnshown && field.input.isEmpty)
        #expect(try form.reading(["/a": ""]).options == object(#"{"a":"\u202ex\u0000"}"#))
        #expect(try form.reading(["/a": "\"new\""]).options == object(#"{"a":"new"}"#))
    }

    @Test func `a layout over lines is read as the same value`() throws {
        for text in [#"{"a":[1,{"b":[]},{}],"c":"x","d":[1,2,3],"e":{}}"#, "[]", "null", #"[[],[1]]"#] {
            let value = try json(text)
            #expect(try json(value.indented) == value)
        }
    }
}
