import AgentNode
import ClusterModel
import Foundation
import LinuxSystem
import Testing

@Suite("secrets of real tasks (needs root and the rondo executable)", .serialized, .timeLimit(.minutes(2)))
struct TaskSecretTests {
    private static let token = "hunter2-in-the-environment"
    private static let key: [UInt8] = Array("hunter2-in-a-file".utf8) + [0, 255]
    /// As `printf %s "$TOKEN" | sha256sum` and `sha256sum < conf/tls/key` give them.
    private static let script = """
        printf %s "$TOKEN" | sha256sum
        sha256sum < conf/tls/key
        stat -L -c '%a %U' conf/tls/key "$(dirname "$(readlink conf/tls/key)")"
        """

    private static func add(_ launch: inout TaskLaunch) {
        launch.task.command?.environment = [
            CommandInfo.Variable(name: "TOKEN", value: "not this one"),
            CommandInfo.Variable(name: "PLAIN", value: "in the open"),
            CommandInfo.Variable(name: "TOKEN", secret: TaskSecret(name: "web/token")),
        ]
        launch.task.secretFiles = [SecretFile(path: "conf/tls/key", secret: TaskSecret(name: "web/key"))]
        launch.task.command?.user = "nobody"
        launch.secrets = [Data(token.utf8).base64EncodedString(), Data(key).base64EncodedString()]
    }

    private static func digest(_ bytes: [UInt8]) throws -> String {
        let path = "/tmp/rondo-digest-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try writeFileAtomically(path, bytes)
        let sum = Process()
        sum.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        sum.arguments = [path]
        let pipe = Foundation.Pipe()
        sum.standardOutput = pipe
        try sum.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        sum.waitUntilExit()
        return String(text.prefix(64))
    }

    private static func expected() throws -> String {
        """
        \(try digest(Array(token.utf8)))  -
        \(try digest(key))  -
        400 nobody
        700 nobody

        """
    }

    /// Files below a directory that contain `hunter2` as it is or in base64.
    private static func leaks(in directory: String) throws -> [String] {
        let marks = [Data("hunter2".utf8), Data(token.utf8).base64EncodedData(), Data(key).base64EncodedData()]
        return try files(in: directory, containing: marks)
    }

    private static func files(in directory: String, containing marks: [Data]) throws -> [String] {
        var found: [String] = []
        for case let name as String in FileManager.default.enumerator(atPath: directory) ?? .init() {
            let path = directory + "/" + name
            var facts = stat()
            guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { continue }
            let content = try Data(contentsOf: URL(fileURLWithPath: path))
            if marks.contains(where: { content.range(of: $0) != nil }) { found.append(name) }
        }
        return found
    }

    @Test func `a task gets its secrets, and no file of the agent has them`() async throws {
        let machine = try await Machine()
        let flag = machine.directory + "-flag"
        defer { try? FileManager.default.removeItem(atPath: flag) }
        let key = machine.launch("t", Self.script + "\nwhile [ ! -e \(flag) ]; do sleep 0.05; done") { Self.add(&$0) }
        await machine.master.waitForStatus(key.task) { $0.state == .running }
        #expect(try Self.leaks(in: machine.directory).isEmpty)
        // Whatever is no secret is found: the checkpoint, the monitor's spec, the container's configuration.
        #expect(try Self.files(in: machine.directory, containing: [Data("in the open".utf8)]).count >= 3)
        try writeFileAtomically(flag, [])
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.state == .finished, "\(last.message ?? "")")
        let directory = machine.master.directory(key.task)
        #expect(try String(contentsOfFile: directory + "/stdout", encoding: .utf8) == Self.expected())
        #expect(try Self.leaks(in: machine.directory).isEmpty)
        // What is left in the work directory leads nowhere.
        #expect(!FileManager.default.fileExists(atPath: directory + "/conf/tls/key"))
        try await machine.remove()
    }

    @Test func `a running task keeps its secrets over a restart of the agent`() async throws {
        var machine = try await Machine()
        let flag = machine.directory + "-flag"
        defer { try? FileManager.default.removeItem(atPath: flag) }
        let key = machine.launch("t", "while [ ! -e \(flag) ]; do sleep 0.05; done\n" + Self.script) { Self.add(&$0) }
        await machine.master.waitForStatus(key.task) { $0.state == .running }
        #expect(try await machine.stopAgent() == .stopped)
        #expect(try Self.leaks(in: machine.directory).isEmpty)
        try await machine.startAgent()
        let registration = try #require(machine.master.registrations.last)
        let text = String(decoding: try JSONEncoder().encode(registration), as: UTF8.self)
        #expect(text.contains("web\\/token"))
        #expect(!text.contains("hunter2") && !text.contains(Data(Self.token.utf8).base64EncodedString()))
        try writeFileAtomically(flag, [])
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.state == .finished, "\(last.message ?? "")")
        let output = machine.master.directory(key.task) + "/stdout"
        #expect(try String(contentsOfFile: output, encoding: .utf8) == Self.expected())
        try await machine.remove()
    }

    @Test func `a task whose values are not there fails and says so`() async throws {
        let machine = try await Machine()
        for (name, values) in [("none", nil), ("few", ["aGk="]), ("spoilt", ["aGk=", "%"])] as [(String, [String]?)] {
            let key = machine.launch(name, "true") { launch in
                Self.add(&launch)
                launch.secrets = values
            }
            let last = await machine.master.waitForEnd(key.task)
            #expect(last.state == .failed)
            #expect(last.reason == .containerLaunchFailed)
            #expect(last.message?.contains("secrets") == true, "\(last.message ?? "")")
        }
        try await machine.remove()
    }

    @Test func `an agent does not put a secret outside of the work directory, or over a file of the task`() async throws
    {
        let machine = try await Machine()
        let cases = [("outside", "../key", "path of a secret"), ("taken", "conf", "put the task's secrets in place")]
        for (name, path, words) in cases {
            let source = machine.directory + "-conf/conf"
            try makeDirectories(machine.directory + "-conf")
            try writeFileAtomically(source, [1], mode: 0o644)
            let key = machine.launch(name, "true", uris: [CommandURI(value: source)]) { launch in
                Self.add(&launch)
                launch.task.secretFiles?[0].path = path
            }
            let last = await machine.master.waitForEnd(key.task)
            #expect(last.state == .failed)
            #expect(last.message?.contains(words) == true, "\(last.message ?? "")")
        }
        try removeTree(machine.directory + "-conf")
        try await machine.remove()
    }
}
