import AgentNode
import ClusterModel
import Foundation
import HTTPGateway
import HTTPTypes
import LinuxSystem
import NIOCore
import Testing
import Transport

@Suite("agent with real processes (needs root and the rondo executable)", .serialized, .timeLimit(.minutes(2)))
struct AgentNodeTests {
    @Test func `true is finished, with all updates in order`() async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "true")
        let last = await machine.master.waitForEnd(key.task)
        #expect(machine.master.states(key.task) == [.starting, .running, .finished])
        #expect(last.message == "Command exited with status 0")
        #expect(last.executorID == ExecutorID("t"))
        #expect(last.agentID == FakeMaster.agent)
        #expect(machine.master.authorizations == ["Bearer secret"])
        try await machine.remove()
    }

    @Test func `an exit status, a signal and a missing program are told apart`() async throws {
        let machine = try await Machine()
        let three = await machine.master.waitForEnd(machine.launch("three", "exit 3").task)
        #expect(three.state == .failed)
        #expect(three.reason == .commandExecutorFailed)
        #expect(three.message == "Command exited with status 3")
        let signal = await machine.master.waitForEnd(machine.launch("signal", "kill -9 $$").task)
        #expect(signal.message == "Command terminated with signal Killed")
        let key = machine.launch("none", "x") { launch in
            launch.task.command = CommandInfo(isShell: false, value: "/no/such/program")
        }
        let none = await machine.master.waitForEnd(key.task)
        #expect(none.reason == .containerLaunchFailed)
        #expect(none.message?.contains("/no/such/program") == true)
        try await machine.remove()
    }

    @Test func `a kill ends the command, and one that ignores SIGTERM after its grace`() async throws {
        let machine = try await Machine()
        let soft = machine.launch("soft", "sleep 1000") { $0.wantsKillingState = true }
        let hard = machine.launch("hard", "trap '' TERM; while true; do sleep 1; done")
        await machine.master.waitForStatus(soft.task) { $0.state == .running }
        await machine.master.waitForStatus(hard.task) { $0.state == .running }
        machine.master.send(.kill(soft, gracePeriod: nil))
        machine.master.send(.kill(hard, gracePeriod: .milliseconds(100)))
        #expect(await machine.master.waitForEnd(soft.task).state == .killed)
        #expect(machine.master.states(soft.task) == [.starting, .running, .killing, .killed])
        #expect(await machine.master.waitForEnd(hard.task).state == .killed)
        try await machine.remove()
    }

    @Test func `a command sees its work directory, its variables and its user`() async throws {
        let machine = try await Machine()
        let script = """
            echo "$MESOS_SANDBOX|$(pwd)|$MESOS_TASK_ID|$MESOS_FRAMEWORK_ID|$MESOS_SLAVE_ID|$COLOUR|$(id -u)|$USER"
            echo fault >&2
            """
        let key = machine.launch("t", script) { launch in
            launch.task.command?.environment = [CommandInfo.Variable(name: "COLOUR", value: "blue")]
            launch.task.command?.user = "nobody"
        }
        #expect(await machine.master.waitForEnd(key.task).state == .finished)
        let directory = machine.master.directory(key.task)
        let output = try String(contentsOfFile: directory + "/stdout", encoding: .utf8)
        let uid = try AccountDatabase().user("nobody")!.uid
        #expect(output == "\(directory)|\(directory)|t|F1|A1|blue|\(uid)|nobody\n")
        #expect(try String(contentsOfFile: directory + "/stderr", encoding: .utf8) == "fault\n")
        try await machine.remove()
    }

    @Test func `an unknown user is named in the failure`() async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "true") { $0.user = "no-such-user" }
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.state == .failed)
        #expect(last.message?.contains("no-such-user") == true)
        try await machine.remove()
    }

    @Test func `files are fetched from paths, archives and http`() async throws {
        let machine = try await Machine()
        let source = machine.directory + "-source"
        try makeDirectories(source)
        try writeFileAtomically(source + "/tool", [UInt8]("#!/bin/sh\necho tool\n".utf8), mode: 0o644)
        try writeFileAtomically(source + "/inside", [UInt8]("inside\n".utf8), mode: 0o644)
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-czf", source + "/pack.tgz", "-C", source, "inside"]
        try tar.run()
        tar.waitUntilExit()
        let uris = [
            CommandURI(value: source + "/tool", isExecutable: true),
            CommandURI(value: "file://" + source + "/pack.tgz"),
            CommandURI(value: "http://\(machine.master.endpoint)/file/web?x=1", outputFile: "page"),
        ]
        let key = machine.launch("t", "./tool; cat inside page", uris: uris) { $0.user = "nobody" }
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.state == .finished, "\(last.message ?? "")")
        let output = try String(contentsOfFile: machine.master.directory(key.task) + "/stdout", encoding: .utf8)
        #expect(output == "tool\ninside\nfetched over http")
        try removeTree(source)
        try await machine.remove()
    }

    @Test(arguments: [
        ("/etc/shadow", "may not read"), ("/no/such/file", "no such file"), ("ftp://x/y", "only absolute paths"),
        ("http://example.invalid/x", "not an IP address"), ("/etc/..", "no plain file name"),
    ])
    func `what cannot be fetched fails the task with the reason`(address: String, reason: String) async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "true", uris: [CommandURI(value: address)]) { $0.user = "nobody" }
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.state == .failed)
        #expect(last.reason == .containerLaunchFailed)
        #expect(last.message?.contains(reason) == true, "\(last.message ?? "")")
        try await machine.remove()
    }

    @Test func `want of memory is reported with the limit`() async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "head -c 200000000 /dev/zero | tail")
        let last = await machine.master.waitForEnd(key.task)
        #expect(last.reason == .containerLimitationMemory, "\(last)")
        #expect(last.message?.contains("32 MiB") == true)
        try await machine.remove()
    }

    @Test func `logs and files come over streams while the agent listens nowhere`() async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i; sleep 0.02; done")
        await machine.master.waitForStatus(key.task) { $0.state == .running }
        let directory = machine.master.directory(key.task)
        let log = try await machine.master.ask("/rondo/v1/logs?path=\(directory)/stdout&follow=true")
        #expect(log.status == 200)
        #expect(log.body == (1...20).map { "line \($0)\n" }.joined())
        let read = try await machine.master.ask("/files/read.json?path=\(directory)/stdout&offset=0&length=7")
        #expect(read.body == #"{"data":"line 1\n","offset":0}"#)
        let size = try await machine.master.ask("/slave(1)/files/read?path=\(directory)/stdout&offset=-1")
        #expect(size.body == #"{"data":"","offset":151}"#)
        let browse = try await machine.master.ask("/files/browse?path=\(directory)")
        #expect(browse.body.contains("\(directory)/stdout"))
        #expect(try await machine.master.ask("/files/browse?path=\(directory)/none").status == 404)
        #expect(try await machine.master.ask("/files/read?path=/etc/passwd&offset=0").status == 404)
        let state = try await machine.master.ask("/state.json")
        for field in ["executors", "completed_executors", "queued_tasks", "completed_tasks", "tasks"] {
            #expect(state.body.contains("\"\(field)\":["), "\(field)")
        }
        #expect(!state.body.contains("while"))
        _ = await machine.master.waitForEnd(key.task)
        try await machine.remove()
    }

    @Test func `a link that a task makes leads nowhere`() async throws {
        let machine = try await Machine()
        let key = machine.launch("t", "ln -s /etc/passwd link; ln -s /etc dir")
        _ = await machine.master.waitForEnd(key.task)
        let directory = machine.master.directory(key.task)
        #expect(try await machine.master.ask("/files/read?path=\(directory)/link&offset=0").status == 403)
        #expect(try await machine.master.ask("/files/read?path=\(directory)/dir/passwd&offset=0").status != 200)
        try await machine.remove()
    }

    @Test func `a log is followed over rotations without a gap`() async throws {
        let machine = try await Machine {
            $0.logBytes = 20_000
            $0.logFiles = 50
        }
        let key = machine.launch("t", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done")
        await machine.master.waitForStatus(key.task) { $0.state == .running }
        let directory = machine.master.directory(key.task)
        let log = try await machine.master.ask("/rondo/v1/logs?path=\(directory)/stdout&follow=true")
        // Reading may begin after the first rotations; from there on every line comes once and in order.
        let numbers = log.body.split(separator: "\n").compactMap { Int($0) }
        #expect(numbers.last == 20_000)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 })
        _ = await machine.master.waitForEnd(key.task)
        try await machine.remove()
    }

    @Test func `the agent's own listener answers, and refuses what it does not have`() async throws {
        let machine = try await Machine { $0.listen = .tcp(.loopback, port: 0) }
        let info = machine.master.registrations[0].info
        #expect(info.address == "127.0.0.1")
        let endpoint = Endpoint.tcp(.loopback, port: info.port)
        let caller = HTTPCaller(transport: machine.transport)
        #expect(try await caller.call(.get, endpoint, "/health").status == .ok)
        let version = try await caller.call(.get, endpoint, "/version")
        #expect(String(buffer: version.bytes).contains(#""version":"1.11.0""#))
        let metrics = try await caller.call(.get, endpoint, "/metrics/snapshot")
        #expect(String(buffer: metrics.bytes).contains(#""slave/registered":1"#))
        let containers = try await caller.call(.get, endpoint, "/slave(1)/containers")
        #expect(String(buffer: containers.bytes) == "[]")
        for (target, status) in [
            ("/nothing", 404), ("/files/read", 400), ("/files/read?path=/x&offset=-2", 404), ("/rondo/v1/logs", 400),
        ] {
            #expect(try await caller.call(.get, endpoint, target).status.code == status, "\(target)")
        }
        #expect(try await caller.call(.post, endpoint, "/state").status.code == 405)
        await caller.shutDown()
        try await machine.remove()
    }

    @Test func `many short tasks all end once`() async throws {
        let machine = try await Machine { $0.resources = try? Resources(text: "cpus:1000;mem:1000000") }
        let keys = (0..<60).map { machine.launch("t\($0)", "true") }
        for key in keys {
            #expect(await machine.master.waitForEnd(key.task).state == .finished)
            #expect(machine.master.states(key.task) == [.starting, .running, .finished])
        }
        try await machine.remove()
    }
}
