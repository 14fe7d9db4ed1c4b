import CLinux
import Glibc
import Testing

@testable import LinuxSystem

/// A directory that goes with its owner.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/rondo-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit { try? removeTree(path) }
}

/// The program under test: named by the environment, or built beside this test bundle.
func rondoExecutable() throws -> String {
    if let named = getenv("RONDO_EXECUTABLE") { return String(cString: named) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    let own = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    let candidates = [own, CommandLine.arguments[0]].map { parentDirectory(of: $0) + "/rondo" }
    return try #require(
        candidates.first { access($0, X_OK) == 0 }, "build rondo first or set RONDO_EXECUTABLE; looked at \(candidates)"
    )
}

/// One task under a real monitor, and the agent's side of it.
final class TaskRun {
    let scratch: Scratch
    let spec: MonitorSpec
    let directory: MonitorDirectory
    private(set) var hub: MonitorHub
    private var processesSeen: Set<ProcessIdentity> = []
    private let mountsBefore: String

    init(_ command: [String], adjust: (inout MonitorSpec, String) -> Void = { _, _ in }) throws {
        try #require(geteuid() == 0, "namespaces and cgroups need root")
        scratch = try Scratch()
        var spec = MonitorSpec(
            containerID: scratch.path.split(separator: "/").last!.lowercased(), executable: command[0],
            arguments: command, environment: [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")],
            workingDirectory: scratch.path,
            logs: .init(stdoutPath: scratch.path + "/stdout", stderrPath: scratch.path + "/stderr"))
        adjust(&spec, scratch.path)
        self.spec = spec
        // Long on purpose: a socket address holds 108 bytes.
        let run = scratch.path + "/run/" + String(repeating: "long", count: 30)
        directory = MonitorDirectory(runDirectory: run, containerID: spec.containerID)
        hub = try MonitorHub()
        mountsBefore = try readText("/proc/self/mountinfo")
    }

    /// A test that failed half-way leaves nothing either.
    deinit {
        hub.close()
        try? MonitorRecovery.purge(
            containerID: spec.containerID, directory: directory, layout: try? CgroupLayout.detect())
    }

    /// Shell command.
    convenience init(shell: String, adjust: (inout MonitorSpec, String) -> Void = { _, _ in }) throws {
        try self.init(["/bin/sh", "-c", shell], adjust: adjust)
    }

    func spawn() throws {
        try directory.prepare(spec)
        try MonitorLauncher.spawn(executable: try rondoExecutable(), directory: directory)
    }

    func attach() { hub.attach(containerID: spec.containerID, directory: directory) }

    func start() throws -> TaskRun {
        try spawn()
        attach()
        return self
    }

    func next() async throws -> MonitorEvent {
        var event: MonitorEvent?
        for await news in hub.events {
            event = news
            break
        }
        guard let event else { throw EndOfEvents() }
        if case .state(_, let state) = event {
            if let process = state.initProcess { processesSeen.insert(process) }
            switch state.phase {
            case .running(let process), .killing(let process): processesSeen.insert(process)
            default: break
            }
        }
        return event
    }

    func running() async throws -> (state: MonitorState, process: ProcessIdentity) {
        while true {
            let event = try await next()
            guard case .state(_, let state) = event else {
                throw Unexpected(event: event)
            }
            if case .running(let process) = state.phase { return (state, process) }
        }
    }

    func end() async throws -> MonitorExit {
        while true {
            let event = try await next()
            if case .ended(_, let exit) = event { return exit }
            if case .lost = event { throw Unexpected(event: event) }
        }
    }

    func lost() async throws -> String {
        while true {
            let event = try await next()
            if case .lost(_, let reason) = event { return reason }
            if case .ended = event { throw Unexpected(event: event) }
        }
    }

    struct Unexpected: Error { let event: MonitorEvent }
    struct EndOfEvents: Error {}

    func send(_ command: MonitorCommand) { hub.send(command, to: spec.containerID) }

    /// A new hub, as a restarted agent has.
    func restartAgent() throws {
        hub.close()
        hub = try MonitorHub()
    }

    /// Waits until the monitor is gone: the kernel grants the lock at that moment.
    func waitForMonitorToGo() throws {
        let lock = try FileDescriptor.open(directory.lockPath, flags: O_RDWR)
        while clinux_flock(lock.raw, LOCK_EX) != 0 && errno == EINTR {}
    }

    /// Everything that a test must leave behind: nothing.
    func finish() async throws {
        send(.quit)
        try waitForMonitorToGo()
        hub.close()
        for process in processesSeen { awaitDeath(of: process) }
        let layout = try #require(try CgroupLayout.detect())
        let cgroup = try #require(Cgroup(layout: layout, name: spec.containerID))
        #expect(!cgroup.exists, "a cgroup is left: \(cgroup.directories)")
        #expect(try readText("/proc/self/mountinfo") == mountsBefore, "a mount is left")
        try MonitorRecovery.purge(containerID: spec.containerID, directory: directory, layout: layout)
        #expect(!isDirectory(directory.path))
    }

    var cgroup: Cgroup { Cgroup(layout: try! CgroupLayout.detect()!, name: spec.containerID)! }

    func output(_ name: String = "stdout") throws -> String { try readText(scratch.path + "/" + name, limit: 1 << 24) }

    /// Blocks until the task writes a line to its FIFO.
    func waitForLine() throws -> String {
        let fifo = try FileDescriptor.open(scratch.path + "/fifo", flags: O_RDONLY)
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(fifo.raw, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }
}

func makeFIFO(_ directory: String) { mkfifo(directory + "/fifo", 0o666) }

/// Waits for the kernel to say that a process is gone.
func awaitDeath(of process: ProcessIdentity) {
    let descriptor = clinux_pidfd_open(process.pid)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard process.isAlive else { return }
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 20_000) == 1, "process \(process.pid) is still there")
}
