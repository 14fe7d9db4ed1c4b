import CLinux
import Glibc
import Testing

@testable import ContainerRuntime

/// A directory of a test, gone afterwards.
private final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/rondo-state.XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit { try? RuntimeFiles.removeTree(path) }
}

/// A process that waits until it is killed.
private final class Sleeper {
    let pid: Int32
    private var isReaped = false

    init() {
        var pid: pid_t = 0
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
        precondition(posix_spawnp(&pid, "sleep", nil, nil, arguments, environ) == 0)
        self.pid = pid
    }

    deinit {
        if !isReaped {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
    }

    /// Dead, but not reaped: returns once that is so.
    func becomeZombie() {
        kill(pid, SIGKILL)
        var facts = siginfo_t()
        waitid(P_PID, id_t(pid), &facts, WEXITED | WNOWAIT)
    }

    func end() {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        isReaped = true
    }
}

@Suite struct StateTests {
    private let scratch = Scratch()
    private var states: StateDirectory { StateDirectory(root: scratch.path + "/a/b") }

    private func record(_ id: String, pid: Int32 = 0, startTime: UInt64? = nil) -> ContainerRecord {
        ContainerRecord(
            ociVersion: "1.2.0", id: id, initPid: pid,
            initStartTime: startTime ?? ProcessFacts.of(pid)?.startTime ?? 0,
            created: "2026-03-01T09:05:07.000000042Z", bundle: "/bundles/\(id)", rootfs: "/bundles/\(id)/rootfs",
            owner: "root", annotations: [("a", "1"), ("b", "\"\n\u{0}")], cgroup: CgroupRecord())
    }

    @Test func `a record comes back as it was saved`() throws {
        let lock = try states.create("web")
        defer { lock.release() }
        let record = record("web", pid: 4242, startTime: .max)
        try states.save(record)
        #expect(try states.load("web") == record)
        let facts = try RuntimeFiles.contents(states.path("web", "state.json"))
        #expect(try ContainerRecord(json: JSONValue.parse(#require(facts))) == record)
    }

    @Test(arguments: ["{}", "", "[]", "null", #"{"ociVersion":1}"#, "{\"id\":\"web\"}", "\u{0}\u{0}"])
    func `a record that is none is refused, never trusted`(text: String) throws {
        let lock = try states.create("web")
        defer { lock.release() }
        try RuntimeFiles.replace(states.path("web", "state.json"), Array(text.utf8))
        #expect(throws: RuntimeFailure.self) { try states.load("web") }
    }

    @Test func `numbers out of range in a record are refused`() throws {
        let good = record("web", pid: 7, startTime: 9)
        for (name, value) in [("initPid", "99999999999"), ("initPid", "1.5"), ("initStartTime", "-1")] {
            guard case .object(var members) = good.json else { return }
            let place = try #require(members.firstIndex { $0.name == name })
            members[place].value = .number(value)
            #expect(throws: RuntimeFailure.self) { try ContainerRecord(json: .object(members)) }
        }
    }

    @Test func `the state is the specification's with runc's additions`() {
        var record = record("web", pid: 7, startTime: 9)
        record.annotations = [("a", "1")]
        #expect(
            record.state(.running).text()
                == #"{"ociVersion":"1.2.0","id":"web","pid":7,"status":"running","bundle":"/bundles/web","#
                + #""rootfs":"/bundles/web/rootfs","created":"2026-03-01T09:05:07.000000042Z","#
                + #""annotations":{"a":"1"},"owner":""}"#)
        record.annotations = []
        let stopped = record.state(.stopped, owner: "ann")
        #expect(stopped["pid"] == .number("0"))
        #expect(stopped["annotations"] == nil)
        #expect(stopped["owner"] == .string("ann"))
    }

    @Test(arguments: ["a", "web-1", "A_b+c,d.e", ".x", "...", "0"])
    func `ids are runc's`(id: String) throws {
        try StateDirectory.check(id)
    }

    @Test(arguments: [
        "", ".", "..", "a/b", "~a", "a b", "a\n", "\u{0}", "ä", "a:b", "a*", String(repeating: "a", count: 256),
    ])
    func `what could leave the directory or the terminal is no id`(id: String) {
        #expect(throws: RuntimeFailure.self) { try StateDirectory.check(id) }
        #expect(throws: RuntimeFailure.self) { try states.create(id) }
        #expect(throws: RuntimeFailure.self) { try states.load(id) }
        #expect(throws: RuntimeFailure.self) { try states.remove(id) }
        #expect(throws: RuntimeFailure.self) { try states.lock(id) }
    }

    @Test func `directories are their owner's alone`() throws {
        let lock = try states.create("web")
        defer { lock.release() }
        var facts = stat()
        #expect(stat(states.path("web"), &facts) == 0 && facts.st_mode & 0o7777 == 0o700)
        #expect(stat(states.root, &facts) == 0 && facts.st_mode & 0o7777 == 0o700)
    }

    @Test func `an id is taken once, and free again after removal`() throws {
        let lock = try states.create("web")
        #expect(throws: RuntimeFailure("container with given ID already exists: web")) { try states.create("web") }
        try states.remove("web")
        lock.release()
        let again = try states.create("web")
        again.release()
        #expect(try RuntimeFiles.names(in: states.root) == ["web"])
    }

    @Test func `a lock waits for nobody longer than it is told`() throws {
        let lock = try states.create("web")
        #expect(states.isLocked("web"))
        #expect(throws: RuntimeFailure.self) { try states.lock("web", wait: .zero) }
        lock.release()
        #expect(!states.isLocked("web"))
        let other = try states.lock("web", wait: .zero)
        other.release()
    }

    @Test func `a released lock is free although a child still has it open`() throws {
        let lock = try states.create("web")
        var reading: Int32 = -1
        var writing: Int32 = -1
        #expect(clinux_pipe(&reading, &writing) == 0)
        let child = clinux_fork()
        if child == 0 {
            var byte: UInt8 = 0
            close(writing)
            _ = read(reading, &byte, 1)
            _exit(0)
        }
        lock.release()
        #expect(!states.isLocked("web"))
        close(writing)
        close(reading)
        waitpid(child, nil, 0)
    }

    @Test func `the lock of a container that is gone is not had`() throws {
        let lock = try states.create("web")
        lock.release()
        try states.remove("web")
        #expect(throws: RuntimeFailure.containerMissing) { try states.lock("web", wait: .zero) }
        #expect(throws: RuntimeFailure.containerMissing) { try states.load("web") }
    }

    @Test func `status follows the init`() throws {
        try states.create("web").release()
        let sleeper = Sleeper()
        let record = record("web", pid: sleeper.pid)
        #expect(states.status(of: record) == .running)
        #expect(mkfifo(states.execFifo("web"), 0o600) == 0)
        #expect(states.status(of: record) == .created)
        unlink(states.execFifo("web"))
        // Another process by the same pid is not the container's.
        #expect(
            states.status(of: self.record("web", pid: sleeper.pid, startTime: record.initStartTime + 1)) == .stopped)
        sleeper.becomeZombie()
        #expect(ProcessFacts.of(sleeper.pid)?.isDead == true)
        #expect(states.status(of: record) == .stopped)
        #expect(record.openInit() == nil)
        sleeper.end()
        #expect(ProcessFacts.of(sleeper.pid) == nil)
        #expect(states.status(of: record) == .stopped)
    }

    @Test func `a container without init is creating as long as somebody is at it`() throws {
        let lock = try states.create("web")
        #expect(states.status(of: record("web")) == .creating)
        lock.release()
        #expect(states.status(of: record("web")) == .stopped)
    }

    @Test func `a container whose init is there is creating until create is through, and then what init is`() throws {
        let lock = try states.create("web")
        let sleeper = Sleeper()
        var record = record("web", pid: sleeper.pid)
        record.isCreating = true
        try states.save(record)
        #expect(try states.load("web") == record)
        #expect(states.status(of: record) == .creating)
        lock.release()
        #expect(states.status(of: record) == .stopped, "a create that was killed")
        record.isCreating = false
        #expect(states.status(of: record) == .running)
        try states.save(record)
        #expect(try states.load("web") == record)
    }

    @Test func `the name of a program does not confuse its start time`() throws {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987 20 21"
        let facts = try #require(ProcessFacts(stat: Array("12 (a) R 0 (b) \(tail)".utf8)))
        #expect(facts.state == UInt8(ascii: "S"))
        #expect(facts.startTime == 987)
        for broken in ["", "12", "12 (a)", "12 (a) S 1 2", "12 (a) " + tail.replacing987("x")] {
            #expect(ProcessFacts(stat: Array(broken.utf8)) == nil)
        }
    }

    @Test func `broken directories hide no container`() throws {
        for id in ["a", "b", "c", "d"] { try states.create(id).release() }
        try states.save(record("a"))
        try RuntimeFiles.replace(states.path("b", "state.json"), Array("{".utf8))
        // c: a create that was killed before it wrote anything. d: the state of another.
        try RuntimeFiles.replace(states.path("d", "state.json"), Array(record("a").json.text().utf8))
        #expect(mkdir(states.path("~e"), 0o700) == 0)
        try RuntimeFiles.replace(states.path("file"), [])
        #expect(symlink("a", states.path("link")) == 0)
        let all = try states.all()
        #expect(all.map(\.id) == ["a", "b", "c", "d"])
        #expect(try all[0].record.get() == record("a"))
        #expect(all.dropFirst().allSatisfy { (try? $0.record.get()) == nil })
        #expect(throws: RuntimeFailure.containerMissing) { try all[2].record.get() }
    }

    @Test func `no directory of states is no container`() throws {
        #expect(try StateDirectory(root: scratch.path + "/none").all().isEmpty)
    }

    @Test func `removal clears what an earlier one left and follows no link`() throws {
        let outside = scratch.path + "/outside"
        try RuntimeFiles.makeDirectories(outside, mode: 0o700)
        try RuntimeFiles.replace(outside + "/precious", [1])
        try states.create("web").release()
        try RuntimeFiles.makeDirectories(states.path("~web") + "/x/y", mode: 0o700)
        try RuntimeFiles.makeDirectories(states.path("web") + "/deep/er", mode: 0o700)
        #expect(symlink(outside, states.path("web", "deep/er/link")) == 0)
        try states.remove("web")
        #expect(try RuntimeFiles.names(in: states.root) == [])
        #expect(try RuntimeFiles.names(in: outside) == ["precious"])
        try states.remove("web")
    }

    @Test func `a pid file appears whole`() throws {
        let path = scratch.path + "/pid"
        try PidFile.write(4242, to: path)
        #expect(try PidFile.read(path) == 4242)
        try PidFile.write(7, to: path)
        #expect(try PidFile.read(path) == 7)
        #expect(try RuntimeFiles.names(in: scratch.path) == ["pid"])
        #expect(throws: RuntimeFailure.self) { try PidFile.write(7, to: scratch.path + "/none/pid") }
    }
}

extension String {
    fileprivate func replacing987(_ other: String) -> String {
        split(separator: " ").map { $0 == "987" ? other : String($0) }.joined(separator: " ")
    }
}
