import Appliance
import ClusterModel
import Glibc
import Testing

/// A file that is gone after the test.
func withFile<Result>(_ text: String, _ body: (String) throws -> Result) rethrows -> Result {
    var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    defer { unlink(path) }
    return try body(path)
}

struct ConfigurationTests {
    @Test func `a flag wins over the environment, that over the file, that over the default`() throws {
        try withFile("master_port: 1111\nagent_port: 1112\nname: file\n") { path in
            let configuration = try Configuration(
                flags: [.masterPort: "3333"], environment: ["RONDO_MASTER_PORT": "2222", "RONDO_AGENT_PORT": "2223"],
                file: path)
            #expect(configuration.port(.masterPort) == 3333)
            #expect(configuration.value(.masterPort)?.source == .flag("--master-port"))
            #expect(configuration.port(.agentPort) == 2223)
            #expect(configuration.value(.agentPort)?.source == .environment("RONDO_AGENT_PORT"))
            #expect(configuration.text(.name) == "file")
            #expect(configuration.value(.name)?.source == .file(path, line: 3))
            #expect(configuration.path(.data) == "/var/lib/rondo")
            #expect(configuration.value(.data)?.source == .builtIn)
        }
    }

    @Test func `every key has a flag and a variable of its own name`() {
        for key in ConfigurationKey.allCases {
            #expect(key.environment.hasPrefix("RONDO_"))
            #expect(key.flag.hasPrefix("--"))
            #expect(!key.flag.contains("_") && !key.environment.contains("."))
        }
        #expect(ConfigurationKey.plainInsecure.environment == "RONDO_PLAIN_INSECURE")
        #expect(ConfigurationKey.plainInsecure.flag == "--plain-insecure")
        #expect(ConfigurationKey.devAgents.environment == "RONDO_DEV_AGENTS")
        #expect(ConfigurationKey.devAgents.flag == "--agents")
        #expect(Set(ConfigurationKey.allCases.map(\.environment)).count == ConfigurationKey.allCases.count)
    }

    @Test(arguments: ConfigurationKey.allCases)
    func `every default is a value that its key takes`(key: ConfigurationKey) {
        guard let text = key.defaultText else { return }
        #expect(key.kind.problem(with: text) == nil)
    }

    @Test func `mappings nest and lists stand for attributes`() throws {
        let text = """
            # a comment
            data: "/srv/rondo/"
            plain_insecure: true
            agent:
              unreachable_after: 1.5m
              log_files: 5
            dev:
              agents: 4
            attributes:
              - rack:a
              - disk:ssd
            resources: cpus:2;mem:512
            region: north
            zone: n1
            """
        try withFile(text) { path in
            let configuration = try Configuration(file: path)
            #expect(configuration.path(.data) == "/srv/rondo")
            #expect(configuration.isTrue(.plainInsecure))
            #expect(configuration.duration(.unreachableAfter) == .seconds(90))
            #expect(configuration.integer(.devAgents) == 4)
            #expect(configuration.attributes.map(\.name) == ["rack", "disk"])
            #expect(configuration.resources?.total("cpus").value == 2)
            #expect(configuration.domain == Domain(region: "north", zone: "n1"))
        }
    }

    @Test func `an unknown key is an error that names the line and the nearest key`() throws {
        withFile("name: a\nmaster_prot: 5050\n") { path in
            let error = #expect(throws: ConfigurationError.self) { try Configuration(file: path) }
            #expect(error?.description == "\(path) line 2: there is no key 'master_prot'; did you mean 'master_port'?")
        }
        withFile("dev:\n  agent: 3\n") { path in
            let error = #expect(throws: ConfigurationError.self) { try Configuration(file: path) }
            #expect(error?.description == "\(path) line 2: there is no key 'dev.agent'; did you mean 'dev.agents'?")
        }
        withFile("zzzzzzzzzzzzzz: 1\n") { path in
            let error = #expect(throws: ConfigurationError.self) { try Configuration(file: path) }
            #expect(error?.description.contains("`rondo config` lists all keys") == true)
        }
    }

    @Test func `a file that was named must be there`() {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "/nonexistent/config.yaml") }
        #expect(error?.description.contains("/nonexistent/config.yaml") == true)
        #expect(throws: ConfigurationError.self) {
            try Configuration(environment: ["RONDO_CONFIG": "/nonexistent/config.yaml"])
        }
    }

    @Test func `an empty file sets nothing`() throws {
        for text in ["", "# nothing\n", "---\n"] {
            let configuration = try withFile(text) { try Configuration(file: $0) }
            #expect(!configuration.isSet(.name))
        }
    }

    @Test func `a secret is not repeated in an error`() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(environment: ["RONDO_TOKEN": "join.s3cret\u{7}"])
        }
        #expect(error?.description.contains("s3cret") == false)
        #expect(error?.description.contains("RONDO_TOKEN") == true)
    }

    /// Key, value, and a word of the message.
    static let badValues: [(ConfigurationKey, String, String)] = [
        (.masterPort, "65536", "port"), (.masterPort, "-1", "port"), (.masterPort, "", "port"),
        (.masterPort, "5050x", "port"), (.masterPort, "+5050", "port"), (.masterPort, "0x10", "port"),
        (.agentPort, "many", "port"), (.agentPort, "5 051", "port"), (.agentPort, "99999999999999999999", "port"),
        (.data, "relative", "absolute"), (.data, "", "absolute"), (.data, "/a\nb", "absolute"),
        (.runtime, "run", "absolute"), (.name, "", "bytes"), (.name, "a\tb", "control"),
        (.name, String(repeating: "n", count: 256), "bytes"), (.hostname, "a\u{7f}", "control"),
        (.role, "leader", "combined"), (.role, "", "combined"), (.role, "Combined", "combined"),
        (.advertise, "10.0.0", "address"), (.advertise, "example.org", "address"),
        (.advertise, "10.0.0.1:5050", "address"),
        (.advertise, "", "address"), (.plainInsecure, "yes", "true or false"),
        (.plainInsecure, "1", "true or false"),
        (.plainInsecure, "TRUE", "true or false"), (.plainInsecure, "", "true or false"),
        (.master, "127.0.0.1", "port"), (.master, "127.0.0.1:", "port"), (.master, "host:5050", "address"),
        (.master, "::1:5050", "bracket"), (.master, "[::1:5050", "bracket"), (.master, "unix:", "unix"),
        (.master, "", "port"), (.token, "", "bytes"), (.token, "a\nb", "control"),
        (.resources, "cpus", "colon"), (.resources, "cpus:x", "amount"), (.resources, "cpus:-1", "amount"),
        (.resources, "ports:[5-1]", "ranges"), (.resources, ":3", "name"), (.attributes, "rack", "attributes"),
        (.attributes, ":a", "attributes"), (.attributes, "rack:", "attributes"), (.logLevel, "loud", "notice"),
        (.output, "xml", "table"), (.unreachableAfter, "15", "unit"), (.unreachableAfter, "s", "unit"),
        (.unreachableAfter, "-1s", "unit"), (.unreachableAfter, "1 h", "unit"), (.unreachableAfter, "1e3s", "unit"),
        (.unreachableAfter, "400d", "unit"), (.recoveryWindow, "", "unit"), (.limitProcessor, "on", "true or false"),
        (.logBytes, "10", "whole number"), (.logBytes, "1.5", "whole number"), (.logFiles, "0", "whole number"),
        (.logFiles, "101", "whole number"), (.devAgents, "0", "whole number"), (.devAgents, "65", "whole number"),
        (.devAgents, "two", "whole number"), (.devListen, "5050", "port"), (.devListen, ":5050", "address"),
        (.runInstances, "0", "whole number"), (.runInstances, "10001", "whole number"), (.runCPUs, "0", "number"),
        (.runCPUs, "-1", "number"), (.runCPUs, "nan", "number"), (.runCPUs, "inf", "number"), (.runCPUs, "", "number"),
        (.runMemory, "1GB", "number"), (.runDisk, "-5", "number"), (.runPorts, "1001", "whole number"),
        (.runRole, "", "role"), (.runRole, "a b", "role"), (.runRole, "..", "role"), (.runUser, "", "bytes"),
        (.runTimeout, "soon", "unit"),
    ]

    @Test(arguments: badValues)
    func `a bad value is refused wherever it stands, with the place`(key: ConfigurationKey, text: String, word: String)
    {
        let flag = #expect(throws: ConfigurationError.self) { try Configuration(flags: [key: text]) }
        #expect(flag?.description.hasPrefix(key.flag + ":") == true, "\(flag?.description ?? "")")
        #expect(flag?.description.contains(word) == true, "\(flag?.description ?? "")")
        let variable = #expect(throws: ConfigurationError.self) {
            try Configuration(environment: [key.environment: text])
        }
        #expect(variable?.description.contains(key.environment) == true)
    }

    /// Files that are wrong as a whole, and a word of the message.
    static let badFiles: [(String, String)] = [
        ("- a\n- b\n", "KEY: VALUE"), ("just text\n", "KEY: VALUE"), ("name: a\nname: b\n", "second time"),
        ("name: [a, b]\n", "one value"), ("name: {a: b}\n", "one value"), ("dev: 3\n", "further keys"),
        ("dev: [1]\n", "further keys"), ("master_port: 99999\n", "line 1"), ("\n\nmaster_port: x\n", "line 3"),
        ("name: &a x\n", "anchors"), ("name: *a\n", "aliases"), ("name: !!str x\n", "tags"), ("name: \"a\n", "line"),
        ("a: b: c\n", "line"), ("? [a]\n: b\n", "plain text"), ("name: a\n---\nname: b\n", "second document"),
        ("attributes: [[a:b]]\n", "list of text"), ("attributes: ['a:b;c:d']\n", "line of its own"),
        ("\tname: a\n", "line"), ("Name: a\n", "did you mean 'name'"),
    ]

    @Test(arguments: badFiles)
    func `a bad file is refused with the line`(text: String, word: String) {
        withFile(text) { path in
            let error = #expect(throws: ConfigurationError.self) { try Configuration(file: path) }
            #expect(error?.description.hasPrefix(path) == true)
            #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
        }
    }

    @Test func `exit codes are distinct and described`() {
        #expect(Set(ExitCode.allCases.map(\.rawValue)).count == ExitCode.allCases.count)
        #expect(ExitCode.allCases.allSatisfy { !$0.summary.isEmpty })
        #expect(ExitCode(ApplianceError(.unavailable, "x")) == .unavailable)
    }
}

struct MachineShareTests {
    @Test(arguments: 1...7)
    func `the shares of a machine overlap nowhere and add up to no more than it has`(count: Int) throws {
        let all = try Resources(
            text: "cpus:4;mem:7001;disk:100;ports:[80-80,8000-8100,31000-32000,40000-40002];zones:{a,b}")
        let shares = try MachineShare.divide(all, into: count)
        #expect(shares.count == count)
        var sum = Resources()
        for share in shares {
            #expect(!share.total("cpus").isZero && !share.allRanges("ports").isEmpty)
            for other in shares where other != share {
                #expect(!share.allRanges("ports").intersects(other.allRanges("ports")))
            }
            #expect(share.allRanges("ports").ranges.contains { $0.begin >= 31_000 })
            try sum.add(share)
        }
        #expect(all.contains(sum))
        #expect(sum.allRanges("ports") == all.allRanges("ports"))
    }
}
