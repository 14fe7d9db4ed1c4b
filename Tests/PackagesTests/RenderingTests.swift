import Testing

@testable import Packages

@Suite("Services of packages")
struct RenderingTests {
    private func app(_ name: String, _ options: String = "{}", version: String? = nil) throws -> JSONObject {
        try FixtureTree.package(name, version).app(with: object(options))
    }

    @Test func `a package becomes a service with its defaults`() throws {
        let expected = """
            {"id":"beacon","cpus":0.5,"mem":256,"instances":1,
             "container":{"type":"DOCKER","docker":{"image":"beacon/server:1.2","network":"HOST"}},
             "fetch":[{"uri":"https://beacon.example/1.2/beacon.jar"}],
             "env":{"BEACON_SECURE":"no","BEACON_MESSAGE":"say \\"hello\\"\\\\n"},
             "labels":{"DCOS_PACKAGE_FRAMEWORK_NAME":"beacon","DCOS_PACKAGE_NAME":"not-for-the-template"}}
            """
        #expect(try app("beacon", version: "1.2") == object(expected))
    }

    @Test func `what somebody asks for goes before the defaults, and both before nothing else`() throws {
        let options =
            #"{"beacon":{"name":"/sea/beacon","secure":true,"mem":1024.0,"message":"{{beacon.name}}</script>"}}"#
        let app = try app("beacon", options)
        #expect(app["id"] == .text("/sea/beacon"))
        #expect(app["mem"] == .integer(1_024))
        #expect(
            app["env"] == .object(try object(#"{"BEACON_SECURE":"yes","BEACON_MESSAGE":"{{beacon.name}}</script>"}"#)))
    }

    @Test func `options of every kind`() throws {
        let defaults = try app("lantern")
        #expect(defaults["constraints"] == (try json(#"[["hostname","UNIQUE"]]"#)))
        #expect(defaults["cmd"] == .text("shine --level low --hours 1"))
        #expect(defaults["env"] == .object(try object(#"{"NETWORK":"10.0.0.0/8"}"#)))
        let options = """
            {"service":{"level":"high","port":0,"labels":[{"key":"a","value":"1"},{"key":"b","value":"\\""}]},
             "jmx":{"enabled":true,"port":9999},"burn":{"hours":2.5}}
            """
        let app = try app("lantern", options)
        #expect(app["cmd"] == .text("shine --level high --hours 2.5"))
        let env = #"{"JMX":"9999","LABELS":"a:1,b:\",","NETWORK":"10.0.0.0/8"}"#
        #expect(app["env"] == .object(try object(env)))
    }

    @Test(arguments: [
        (#"{"service":{"level":"mid"}}"#, "/service/level enum"),
        (#"{"service":{"network":"10.0.0.300/8"}}"#, "/service/network pattern"),
        (#"{"service":{"port":70000}}"#, "/service/port maximum"),
        (#"{"service":{"port":"80"}}"#, "/service/port type"),
        (#"{"service":{"constraints":[[1]]}}"#, "/service/constraints/0/0 type"), (#"{"service":[]}"#, "/service type"),
        (#"{"service":{"labels":[{"key":"a"}]}}"#, "/service/labels/0 required"),
        (#"{"jmx":{"enabled":true}}"#, "/jmx oneOf"),
        (#"{"burn":{"hours":0}}"#, "/burn/hours minimum"), (#"{"burn":{"hours":0.3}}"#, "/burn/hours multipleOf"),
        (#"{"burn":{"hours":13}}"#, "/burn not"), (#"{"other":1}"#, " additionalProperties"),
        (#"{"service":null}"#, "/service type"),
    ])
    func `options that do not hold to the schema are refused with their place`(options: String, expected: String) throws
    {
        let package = try FixtureTree.package("lantern")
        let error = #expect(throws: RenderingError.self) { try package.app(with: object(options)) }
        guard case .optionsMismatch(let violations)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(violations.map { "\($0.path) \($0.keyword)" } == [expected])
    }

    @Test func `an option that somebody must give is named`() throws {
        let package = try FixtureTree.package("ledger")
        let error = #expect(throws: RenderingError.self) { try package.app() }
        guard case .optionsMismatch(let violations)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(violations.map(\.path) == ["/ledger"])
        #expect(violations.first?.missing == ["key"])
        let app = try app("ledger", #"{"ledger":{"key":"abcd"}}"#)
        #expect(app["env"] == .object(try object(#"{"KEY":"abcd","PAGES":"xx"}"#)))
        #expect(app["args"] == .list([.text("one"), .text("t\"wo")]))
        #expect(app["x-books"] == (try json(#"[{"kind":"cash"}]"#)))
        #expect(app["x-none"] == .null)
    }

    /// A package of a template and perhaps a schema.
    private func package(_ template: String, config: String? = nil, more: String = "{}") throws -> PackageDefinition {
        var fields = try object(#"{"packagingVersion":"3.0","name":"a","version":"1"}"#).merging(object(more))
        let source = JSONObject(["v2AppMustacheTemplate": .text(Base64.text(Array(template.utf8)))])
        fields["marathon"] = .object(source)
        if let config { fields["config"] = try json(config) }
        return try PackageDefinition(.object(fields))
    }

    @Test func `what keeps a package from becoming a service is told`() throws {
        let rows: [(PackageDefinition, String, RenderingError)] = [
            (try FixtureTree.package("harbour-tool"), "{}", .noTemplate),
            (try package("{}"), #"{"a":1}"#, .optionsNotAllowed), (try package("[1]"), "{}", .notObject),
            (try package("1"), "{}", .notObject), (try package(#"{"labels":{"a":1}}"#), "{}", .labelsNotTexts),
            (try package(#"{"labels":[]}"#), "{}", .labelsNotTexts),
            (try package("{{#a}}"), "{}", .template(TemplateFault(line: 1, reason: "'a' begins and never ends"))),
        ]
        for (package, options, expected) in rows {
            #expect(throws: expected) { try package.app(with: object(options)) }
        }
        for template in ["", "{", #"{"a":}"#, "{} x", #"{"a":"{{b}}\#n"}"#, "{\"a\":1,}"] {
            let error = #expect(throws: RenderingError.self) { try package(template).app() }
            guard case .notJSON? = error else {
                Issue.record("\(template): \(String(describing: error))")
                continue
            }
        }
        #expect(try package(#"{"labels":null}"#).app() == object(#"{"labels":null}"#))
    }

    @Test func `a package without options is not asked for them when the schema has no defaults`() throws {
        let package = try package("{}", config: #"{"required":["a"],"properties":{"a":{"type":"string"}}}"#)
        #expect(try package.app().isEmpty)
        #expect(throws: RenderingError.self) { try package.app(with: object(#"{"b":1}"#)) }
    }

    @Test func `where the parts are is the package's to say`() throws {
        let package = try package(
            #"{"uri":"{{resource.assets.uris.a}}","own":"{{resource.own}}"}"#, config: "{}",
            more: #"{"resource":{"assets":{"uris":{"a":"https://right.example"}}}}"#)
        let options = #"{"resource":{"assets":{"uris":{"a":"https://wrong.example"}},"own":"x"}}"#
        #expect(try package.app(with: object(options)) == object(#"{"uri":"https://right.example","own":"x"}"#))
    }

    @Test func `labels say which package it is, and the template cannot say otherwise`() throws {
        let package = try FixtureTree.package("beacon", "1.2")
        let options = try object(#"{"beacon":{"mem":512},"none":null}"#)
        let made = PackageLabels.decorated(
            try package.app(with: object(#"{"beacon":{"mem":512}}"#)), id: "/own", package: package,
            source: "https://packages.example/repo", options: options)
        #expect(made["id"] == .text("/own"))
        let texts = try #require(made["labels"]?.object)
        let labels = Dictionary(uniqueKeysWithValues: texts.fields.map { ($0.name, $0.value.text ?? "") })
        #expect(labels["DCOS_PACKAGE_NAME"] == "beacon")
        #expect(labels["DCOS_PACKAGE_VERSION"] == "1.2")
        #expect(labels["DCOS_PACKAGE_SOURCE"] == "https://packages.example/repo")
        #expect(labels["DCOS_PACKAGE_FRAMEWORK_NAME"] == "beacon")
        #expect(labels["DCOS_PACKAGE_OPTIONS"] == "eyJiZWFjb24iOnsibWVtIjo1MTJ9fQ==")
        #expect(PackageLabels.readOptions(labels) == (try object(#"{"beacon":{"mem":512}}"#)))
        #expect(PackageLabels.readDefinition(labels, expand: { _, _ in nil }) == package)
        let metadata = try #require(labels["DCOS_PACKAGE_METADATA"].flatMap(Base64.bytes))
        let fields = try json(String(decoding: metadata, as: UTF8.self))
        #expect(fields["name"] == .text("beacon"))
        #expect(fields["images"]?["icon-large"] == .text("https://beacon.example/l.png"))
        #expect(fields["config"] == nil)
    }

    @Test func `a definition in a label may be compressed`() throws {
        let package = try FixtureTree.package("ledger")
        let made = PackageLabels.decorated(
            JSONObject(), package: package, source: "s", options: JSONObject(), compress: { $0.reversed() })
        let label = try #require(made["labels"]?["DCOS_PACKAGE_DEFINITION"]?.text)
        let labels = ["DCOS_PACKAGE_DEFINITION": label]
        let envelope = try json(String(decoding: try #require(Base64.bytes(label)), as: UTF8.self))
        #expect(envelope["metadata"]?["Content-Encoding"] == .text("gzip"))
        #expect(envelope["metadata"]?["Content-Type"] == .text(PackagingVersion.v3.mediaType))
        #expect(PackageLabels.readDefinition(labels, expand: { bytes, _ in bytes.reversed() }) == package)
        #expect(PackageLabels.readDefinition(labels, expand: { _, _ in nil }) == nil)
        #expect(PackageLabels.readDefinition(labels, expand: { bytes, _ in bytes }) == nil)
    }

    @Test(arguments: ["", "%", "e30=", "W10=", "eyJkYXRhIjoxfQ==", "eyJkYXRhIjoiZTMwPSJ9", "bnVsbA=="])
    func `labels that are none say nothing`(label: String) {
        #expect(PackageLabels.readDefinition(["DCOS_PACKAGE_DEFINITION": label], expand: { bytes, _ in bytes }) == nil)
        #expect(PackageLabels.readOptions(["DCOS_PACKAGE_OPTIONS": label])?.isEmpty ?? true || label.hasPrefix("eyJ"))
        #expect(PackageLabels.readOptions([:]) == nil)
    }
}
