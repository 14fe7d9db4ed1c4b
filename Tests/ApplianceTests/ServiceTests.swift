import Appliance
import Foundation
import Testing

struct ServiceTests {
    /// The top of the checkout, found from this file.
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }

    @Test func `the unit that the program writes is the one of Provisioning`() throws {
        let there = try Self.text("Provisioning/rondo.service")
        #expect(ServiceUnit.text(program: "/usr/local/bin/rondo") == there)
        #expect(ServiceUnit.text(program: "/opt/x/rondo").contains("\nExecStart=/opt/x/rondo cluster $RONDO_NODE\n"))
    }

    @Test func `a unit names only programs whose path systemd reads as it is`() {
        for path in ["/usr/local/bin/rondo", "/opt/rondo-1.2_3/rondo+x"] { #expect(ServiceUnit.canName(path)) }
        for path in [
            "", "rondo", "/a b/rondo", "/a%h/rondo", "/a$b/rondo", "/a\"/rondo", "/usr/bin/rondo (deleted)", "/ä",
        ] {
            #expect(!ServiceUnit.canName(path))
        }
    }

    @Test func `flags and variables reach the service; a token, a role and what commands take do not`() throws {
        let configuration = try Configuration(
            flags: [
                .token: "rondo1.secret", .role: "master", .advertise: "10.0.0.1", .attributes: "note:a \"b\" $c\\d`",
                .limitProcessor: "true", .output: "json",
            ],
            environment: ["RONDO_ZONE": "a", "RONDO_RUN_CPUS": "2", "RONDO_MASTER": "10.0.0.9:5050"], file: nil)
        #expect(
            Set(ServiceSettings(configuration).lines) == [
                "RONDO_NODE=start", "RONDO_ADVERTISE=10.0.0.1", "RONDO_ZONE=a", "RONDO_AGENT_LIMIT_CPU=true",
                "RONDO_ATTRIBUTES=\"note:a \\\"b\\\" \\$c\\\\d\\`\"",
            ])
        let own = ServiceSettings(configuration, isService: true).lines
        #expect(!own.contains("RONDO_ZONE=a") && own.contains("RONDO_ADVERTISE=10.0.0.1"))
    }

    @Test func `every setting has a variable that the record can name, and is of the node or not`() {
        for key in ConfigurationKey.allCases where key.isOfNode {
            #expect(ServiceRecord.parse(Array((key.environment + "\n").utf8)) == [key.environment])
        }
        #expect(!ConfigurationKey.token.isOfNode && !ConfigurationKey.data.isOfNode)
    }

    @Test func `settings of others stay in the file, a token and older values go`() {
        let settings = ServiceSettings([("RONDO_NODE", "start"), ("RONDO_ZONE", "b")])
        let text = "# mine\nRONDO_NODE=\"init --zone a\"\nRONDO_TOKEN=secret\nRONDO_ZONE=a\nHTTP_PROXY=x\n\n"
        let merged = settings.merged(into: text)
        #expect(merged == "# mine\nHTTP_PROXY=x\nRONDO_NODE=start\nRONDO_ZONE=b\n")
        #expect(settings.agree(with: merged) && !settings.agree(with: text))
        #expect(settings.merged(into: merged) == merged)
        #expect(settings.merged(into: nil).hasPrefix("# How rondo.service starts the node."))
    }

    @Test func `a record names nothing but what the program makes`() {
        let text =
            "# words\n/etc/rondo/\n/etc/passwd\n/etc/rondo/../passwd\n/etc/rondo/rondo.env\nRONDO_NODE\nPATH\n/\n"
        #expect(ServiceRecord.parse(Array(text.utf8)) == ["/etc/rondo/", "/etc/rondo/rondo.env", "RONDO_NODE"])
        var record = ServiceRecord(entries: ["/etc/rondo/"])
        record.add("/etc/rondo/")
        record.add(ServiceUnit.path)
        #expect(record.entries == ["/etc/rondo/", "/etc/systemd/system/rondo.service"])
    }

    @Test func `directories that only this command knows are for the foreground`() throws {
        #expect(NodeService.hasUsualPlaces(try Configuration(flags: [.name: "x"])))
        #expect(!NodeService.hasUsualPlaces(try Configuration(flags: [.data: "/srv/rondo"])))
        #expect(!NodeService.hasUsualPlaces(try Configuration(environment: ["RONDO_RUNTIME": "/srv/rondo"])))
        let named = try withFile("data: /srv/rondo\n") { try Configuration(file: $0) }
        #expect(!NodeService.hasUsualPlaces(named))
        #expect(!NodeService.isWanted(try Configuration(), foreground: true))
    }

    @Test func `what systemd says of a unit is understood`() {
        let state = Systemd.State(
            "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\nOther=a=b\n")
        #expect(state.isKnown && state.isUp && state.hasFailed && state.pid == 0)
        let running = Systemd.State("MainPID=12\nLoadState=loaded\nActiveState=active\nSubState=running\n")
        #expect(running.isUp && !running.hasFailed && running.pid == 12)
        #expect(!Systemd.State("LoadState=not-found\nActiveState=inactive\n").isKnown)
        #expect(!Systemd.State("").isUp)
    }

    @Test func `a start without a node ends with 69 and says what to do`() async throws {
        var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(folder) }
        let configuration = try Configuration(flags: [.data: folder])
        let error = await #expect(throws: ApplianceError.self) {
            try await ClusterStart(configuration).run(until: AsyncStream { $0.finish() })
        }
        #expect(error?.exitCode == .unavailable)
        #expect(error?.description.contains("rondo cluster init") == true)
    }
}
