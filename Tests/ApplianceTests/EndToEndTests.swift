import Appliance
import Foundation
import Testing

/// The program itself: beside the tests, or what RONDO_EXECUTABLE names.
enum Executable {
    static let path: String? = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("rondo").path
        let named = ProcessInfo.processInfo.environment["RONDO_EXECUTABLE"]
        return [named, beside].compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    static let isUsable = path != nil && geteuid() == 0
}

/// A process of the program whose output goes to pipes that are read to their ends.
final class Running: @unchecked Sendable {
    let process = Process()
    private let output = Pipe()
    private let errors = Pipe()
    private var text = ""

    init(_ arguments: [String], environment: [String: String] = [:], path: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: path ?? Executable.path!)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    /// Reads standard output until it has said something.
    func wait(for words: String) -> String {
        while !text.contains(words) {
            let piece = output.fileHandleForReading.availableData
            if piece.isEmpty { break }
            text += String(decoding: piece, as: UTF8.self)
        }
        return text
    }

    /// Reads standard error until it has said something.
    func waitForError(_ words: String) {
        var text = ""
        while !text.contains(words) {
            let piece = errors.fileHandleForReading.availableData
            if piece.isEmpty { break }
            text += String(decoding: piece, as: UTF8.self)
        }
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Reads both streams to their ends and waits for the end.
    func finish() -> (code: Int32, out: String, err: String) {
        let both = DispatchGroup()
        nonisolated(unsafe) var err = ""
        let errors = errors
        DispatchQueue.global().async(group: both) {
            err = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        both.wait()
        process.waitUntilExit()
        return (process.terminationStatus, text, err)
    }
}

@discardableResult
func rondo(_ arguments: String..., environment: [String: String] = [:]) throws -> (
    code: Int32, out: String, err: String
) {
    try Running(arguments, environment: environment).finish()
}

/// `rondo dev` for as long as a test lasts.
struct DevProcess {
    let running: Running
    let address: String
    let before: Set<String>

    init(agents: Int = 2) throws {
        before = Self.remains()
        running = try Running(["dev", "--agents", "\(agents)", "--listen", "127.0.0.1:0"])
        let text = running.wait(for: "Ctrl-C ends it")
        address = text.split(separator: "http://").dropFirst().first.map { String($0.prefix { $0 != "/" }) } ?? ""
    }

    func run(_ arguments: String...) throws -> (code: Int32, out: String, err: String) {
        try Running(arguments, environment: ["RONDO_MASTER": address]).finish()
    }

    /// Ends it as Ctrl-C does; what it left behind.
    func stop() -> (code: Int32, left: Set<String>) {
        running.signal(SIGINT)
        let code = running.finish().code
        return (code, Self.remains().subtracting(before))
    }

    static func remains() -> Set<String> {
        var found: Set<String> = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
        where name.hasPrefix("rondo-dev-") {
            found.insert("/tmp/\(name)")
        }
        for tree in (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")) ?? [] {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup/\(tree)/rondo")) ?? []
            where FileManager.default.fileExists(atPath: "/sys/fs/cgroup/\(tree)/rondo/\(name)/cgroup.procs") {
                found.insert("\(tree)/\(name)")
            }
        }
        return found
    }
}

@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: Executable.isUsable, "needs root and the program beside the tests"))
struct EndToEndTests {
    @Test func `a dev cluster runs commands, tells how they ended, and leaves nothing`() throws {
        let dev = try DevProcess()
        #expect(!dev.address.isEmpty)
        let nodes = try dev.run("node", "list")
        #expect(nodes.code == 0 && nodes.out.contains("agent1") && nodes.out.contains("agent2"))

        let plain = try dev.run("run", "--", "true")
        #expect(plain.code == 0 && plain.out.isEmpty, "\(plain)")

        let three = try dev.run("run", "--instances", "3", "--", "sh", "-c", "echo hi; echo oh >&2; exit 3")
        #expect(three.code == 3)
        #expect(three.out.split(separator: "\n").sorted() == ["sh.1 | hi", "sh.2 | hi", "sh.3 | hi"])
        #expect(three.err.contains("sh.2 | oh") && three.err.contains("exited with status 3"))

        let long = try dev.run("run", "--", "seq", "1", "30000")
        #expect(long.out == (1...30_000).map { "\($0)\n" }.joined())

        let killed = try dev.run("run", "--", "sh", "-c", "kill -9 $$")
        #expect(killed.code == 137, "\(killed)")

        let missing = try dev.run("run", "--", "no-such-program")
        #expect(missing.code != 0 && missing.err.contains("no-such-program"), "\(missing)")

        let summary = try dev.run("run", "--output", "json", "--env", "A=b", "--", "sh", "-c", "echo $A; exit 4")
        #expect(
            summary.code == 4 && summary.out.contains("\"exitCode\":4") && summary.err.contains("b\n"), "\(summary)")

        let timed = try dev.run("run", "--timeout", "1s", "--", "sleep", "1000")
        #expect(timed.code == 124, "\(timed)")

        let all = try dev.run("task", "list", "--all")
        #expect(all.out.split(separator: "\n").count == 10, "\(all)")
        #expect(try dev.run("task", "list", "--all", "--output", "json").out.hasPrefix("{\"tasks\":["))

        let end = dev.stop()
        #expect(end.code == 0)
        #expect(end.left.isEmpty, "\(end.left)")
    }

    @Test func `Ctrl-C ends the tasks of a run`() throws {
        let dev = try DevProcess()
        let run = try Running(
            ["run", "--instances", "3", "--name", "s", "--", "sh", "-c", "echo up; exec sleep 1000"],
            environment: ["RONDO_MASTER": dev.address])
        var text = ""
        for word in ["s.1 | up", "s.2 | up", "s.3 | up"] { text = run.wait(for: word) }
        #expect(text.contains("s.1 | up"))
        #expect(try dev.run("task", "list").out.split(separator: "\n").count == 4)
        let inspected = try dev.run("task", "inspect", "s.1")
        #expect(inspected.out.contains("running") && inspected.out.contains("sleep 1000"), "\(inspected)")
        #expect(try dev.run("task", "log", "s.2").out == "up\n")
        #expect(try dev.run("why", "s.2").out.contains("TASK_RUNNING"))
        #expect(try dev.run("task", "kill", "s.3").code == 0)
        run.signal(SIGINT)
        let ended = run.finish()
        #expect(ended.code == 130, "\(ended)")
        #expect(try dev.run("task", "list").out.split(separator: "\n").count == 1)
        let end = dev.stop()
        #expect(end.code == 0 && end.left.isEmpty, "\(end)")
    }

    @Test func `tasks that run when a dev cluster ends are ended with it`() throws {
        let dev = try DevProcess(agents: 1)
        let run = try Running(
            ["run", "--", "sh", "-c", "echo up; trap '' TERM; sleep 1000"], environment: ["RONDO_MASTER": dev.address])
        _ = run.wait(for: "up")
        let end = dev.stop()
        #expect(end.code == 0 && end.left.isEmpty, "\(end)")
        run.signal(SIGINT)
        run.signal(SIGINT)
        #expect(run.finish().code != 0)
    }

    @Test func `a cluster forms, comes back, and is left`() throws {
        let root = NSTemporaryDirectory() + "rondo-door-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let master = "\(root)/m"
        let agent = "\(root)/a"
        func start() throws -> (Running, line: [String]) {
            let running = try Running([
                "cluster", "init", "--advertise", "127.0.0.1", "--data", master, "--master-port", "0", "--agent-port",
                "0",
            ])
            let text = running.wait(for: "Ctrl-C")
            let line = text.split(separator: "\n").first { $0.contains("rondo cluster join") } ?? ""
            return (running, line.split(separator: " ").map(String.init))
        }
        let (first, line) = try start()
        let token = line[line.firstIndex(of: "--token")! + 1]
        first.signal(SIGTERM)
        #expect(first.finish().code == 0)
        let (second, again) = try start()
        #expect(again[again.firstIndex(of: "--token")! + 1] == token)
        let address = again[again.firstIndex(of: "join")! + 1]

        var parts = token.split(separator: ".").map(String.init)
        parts[3] = (parts[3].hasPrefix("A") ? "B" : "A") + parts[3].dropFirst()
        let forged = parts.joined(separator: ".")
        let wrong = try rondo("cluster", "join", address, "--token", forged, "--data", agent)
        #expect(wrong.code == 77 && wrong.err.contains("token"))
        let third = try rondo("cluster", "join", address, "--token", token, "--role", "master", "--data", agent)
        #expect(third.code == 1 && third.err.contains("several need etcd"))
        #expect(!FileManager.default.fileExists(atPath: agent))

        let joined = try Running(
            [
                "cluster", "join", address, "--token", token, "--data", agent, "--agent-port", "0", "--hostname",
                "second",
            ])
        _ = joined.wait(for: "has joined")
        joined.waitForError("registered")
        #expect(try rondo("cluster", "status", "--data", agent).out.contains("second"))
        #expect(try rondo("cluster", "token", "list", "--data", master).code == 0)
        #expect(try rondo("cluster", "token", "list", "--data", agent).code == 77)
        // A node's own right is to take part; what people may do they may as themselves.
        #expect(try rondo("run", "--data", agent, "--", "echo", "no").code != 0)
        #expect(try rondo("run", "--data", master, "--", "echo", "through").out == "through\n")
        let refused = try rondo("cluster", "leave", "--data", master)
        #expect(refused.code == 1 && refused.err.contains("need this master"))
        #expect(try rondo("cluster", "leave", "--purge", "--data", agent).code == 0)
        #expect(joined.finish().code == 0)
        #expect(!FileManager.default.fileExists(atPath: agent))
        #expect(try rondo("cluster", "leave", "--purge", "--data", master).code == 0)
        #expect(second.finish().code == 0)
        #expect(!FileManager.default.fileExists(atPath: master))
    }

    /// Arguments, exit code, a word of the message.
    static let refusals: [([String], Int32, String)] = [
        (["dev", "--listen", "0.0.0.0:5050"], 64, "loopback"), (["dev", "--listen", "5050"], 64, "--listen"),
        (["dev", "--agents", "0"], 64, "--agents"), (["dev", "--nonsense"], 64, "--nonsense"),
        (["cluster", "init", "--plain-listen", "10.0.0.1:5055"], 64, "--plain-insecure"),
        (["cluster", "init", "--role", "agent"], 64, "join"), (["cluster", "join", "here"], 64, "port"),
        (["cluster", "join", "10.0.0.1:5050", "--token", "t"], 64, "join token"),
        (["node", "list", "--master", "10.0.0.1:5050"], 64, "rondo login"),
        (["context", "use", "nowhere"], 1, "rondo context list"),
        (["cluster", "leave", "--data", "/nonexistent"], 69, "no node"),
        (["node", "list", "--master", "127.0.0.1:1"], 69, "127.0.0.1:1"),
        (["run", "--master", "127.0.0.1:1", "--", "true"], 69, "127.0.0.1:1"), (["run"], 64, "no command"),
        (["config", "--config", "/nonexistent"], 64, "/nonexistent"), (["completions", "tcsh"], 64, "bash"),
    ]

    @Test(arguments: refusals)
    func `a refusal has its code and says what to do`(arguments: [String], code: Int32, word: String) throws {
        let result = try Running(arguments, environment: ["RONDO_DATA": "/nonexistent"]).finish()
        #expect(result.code == code && result.err.contains(word), "\(result)")
        #expect(result.out.isEmpty)
    }

    @Test func `version, help and completions need nothing, and a link named cluster is a shorter way`() throws {
        #expect(try rondo("--version").out == Program.version + "\n")
        #expect(try rondo("--help").out.contains("rondo dev"))
        #expect(try rondo("completions", "bash").code == 0)
        let link = NSTemporaryDirectory() + "rondo-link-\(getpid())"
        try FileManager.default.createDirectory(atPath: link, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: link) }
        try FileManager.default.createSymbolicLink(atPath: "\(link)/cluster", withDestinationPath: Executable.path!)
        let help = try Running(["init", "--help"], path: "\(link)/cluster").finish()
        #expect(help.code == 0 && help.out.contains("rondo cluster init"), "\(help)")
    }
}
