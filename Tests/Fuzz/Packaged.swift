@testable import Packages

/// What comes with packages. Inputs of two parts have a zero byte between them.
enum Packaged {
    static let seeds: [(Parser, [UInt8])] = {
        let template = """
            {"id": "{{a.b}}", {{#l}}"{{{.}}}",{{/l}}{{^l.isEmpty}}{{#o}}{{k}}{{/o}}{{/l.isEmpty}}
            {{! c }}{{=<% %>=}}<%& n %><%={{ }}=%> "x": {{#asJson}}j{{/asJson}}}
            """
        let values = #"{"a":{"b":"x\"y"},"l":["s",1.50,true,null],"o":{"k":-1e-7},"n":12345678901234567890,"j":"{}"}"#
        let schema = """
            {"type":["object","null"],"definitions":{"p":{"type":"integer","minimum":0,"maximum":9,"multipleOf":0.5}},
            "properties":{"a":{"$ref":"#/definitions/p"},"b":{"enum":["x",1],"pattern":"^(a|b)+$","minLength":1},
            "c":{"type":"array","items":[{}],"additionalItems":false,"uniqueItems":true},"d":{"default":{"e":1}}},
            "patternProperties":{"^x":{}},"additionalProperties":false,"required":["a"],
            "dependencies":{"a":["b"],"c":{"oneOf":[{"not":{}},{"anyOf":[{}]}]}},"allOf":[{"$ref":"#"}]}
            """
        let repository = """
            {"packages":[{"packagingVersion":"4.0","name":"a","version":"1","releaseVersion":2,"tags":["t"],
            "upgradesFrom":["*"],"minDcosReleaseVersion":"1.10","description":"d","resource":{"images":{}},
            "config":{"properties":{"o":{"default":1}}},"marathon":{"v2AppMustacheTemplate":"eyJhIjp7e299fX0="}}]}
            """
        let pattern = "^(?=a)(?!b)[a-z\\d\\-]{1,3}?(x|y*)+\\b\\u0041$"
        return [
            (.packageTemplate, Array((template + "\0" + values).utf8)),
            (.packageSchema, Array((schema + "\0" + #"{"a":1.0,"b":"a","c":[1],"xx":{}}"#).utf8)),
            (.packageRepository, Array(repository.utf8)), (.packagePattern, Array((pattern + "\0" + "abc A").utf8)),
        ]
    }()

    private static let limits = JSONLimits(bytes: 1 << 16, values: 10_000, depth: 32)

    private static func parts(_ bytes: [UInt8]) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        let place = bytes.firstIndex(of: 0) ?? bytes.count
        return (bytes[..<place], bytes[min(place + 1, bytes.count)...])
    }

    /// What is read can be written and read again, and is then the same.
    private static func json(_ bytes: ArraySlice<UInt8>) -> JSON? {
        guard let value = try? JSON(parsing: Array(bytes), limits: limits) else { return nil }
        let again = try? JSON(parsing: value.bytes, limits: JSONLimits(bytes: .max, values: 10_000, depth: 32))
        precondition(again == value && again?.bytes == value.bytes, "JSON has two meanings")
        return value
    }

    static func template(_ bytes: [UInt8]) {
        let (source, rest) = parts(bytes)
        guard let template = try? Template(String(decoding: source, as: UTF8.self)) else { return }
        let values = json(rest)?.object ?? JSONObject()
        var limits = Template.Limits()
        (limits.bytes, limits.steps) = (1 << 16, 20_000)
        let first = try? template.rendered(with: values, limits: limits)
        precondition(first == (try? template.rendered(with: values, limits: limits)), "a template has two texts")
        // One step more may still write its value, and no value is larger than twice all there are.
        precondition((first?.utf8.count ?? 0) <= 1 << 20, "a template makes more than it may")
    }

    static func schema(_ bytes: [UInt8]) {
        let (source, rest) = parts(bytes)
        guard let config = json(source)?.object else { return }
        let schema = OptionSchema(config)
        let options = json(rest)?.object ?? JSONObject()
        precondition(schema.violations(of: schema.defaults.merging(options)).count <= 100)
        precondition(schema.notes.count <= 100)
    }

    static func repository(_ bytes: [UInt8]) {
        guard let repository = try? PackageRepository(json: bytes, source: "fuzz") else { return }
        let catalog = PackageCatalog([repository])
        precondition(catalog.search("").count == catalog.names.count, "a package is not found")
        for name in catalog.names {
            guard let found = try? catalog.find(name).package else { preconditionFailure("a package is lost") }
            precondition(found.name == name)
            guard let app = try? found.app() else { continue }
            let labelled = PackageLabels.decorated(app, package: found, source: "fuzz", options: JSONObject())
            let labels = labelled["labels"]?.object ?? JSONObject()
            let texts = Dictionary(uniqueKeysWithValues: labels.fields.map { ($0.name, $0.value.text ?? "") })
            precondition(PackageLabels.readDefinition(texts) { _, _ in nil } == found, "a label lost a package")
        }
    }

    static func pattern(_ bytes: [UInt8]) {
        let (source, rest) = parts(bytes)
        guard let pattern = SchemaPattern(String(decoding: source, as: UTF8.self)) else { return }
        let (_, steps) = pattern.search(String(decoding: rest, as: UTF8.self), stepsMax: 200_000)
        precondition(steps <= 200_000)
    }
}
