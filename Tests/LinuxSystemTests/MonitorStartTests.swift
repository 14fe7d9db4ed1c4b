import Glibc
import Testing

@testable import LinuxSystem

/// How starting goes wrong, and what the monitor refuses.
@Suite("starting a task (needs root)", .serialized, .timeLimit(.minutes(2)))
struct MonitorStartTests {
    @Test func `a command that does not exist says so`() async throws {
        let run = try TaskRun(["/no/such/program"]).start()
        let exit = try await run.end()
        #expect(exit.outcome == .couldNotStart(errno: ENOENT))
        #expect(exit.message == "could not start: execute /no/such/program: no such file or directory")
        #expect(exit.startedAtMilliseconds == nil)
        try await run.finish()
    }

    @Test func `a command runs as the user of its spec`() async throws {
        let run = try TaskRun(shell: "id -u; id -G; touch stdout.own 2>&1 || echo refused") { spec, _ in
            spec.credentials = .init(uid: 65534, gid: 65534, groups: [65534, 12])
        }.start()
        #expect(try await run.end().outcome == .exited(0))
        let lines = try run.output().split(separator: "\n")
        #expect(lines.first == "65534")
        #expect(lines.dropFirst().first == "65534 12")
        #expect(lines.last == "refused")
        var status = stat()
        #expect(stat(run.scratch.path + "/stdout", &status) == 0 && status.st_uid == 65534)
        try await run.finish()
    }

    @Test func `a working directory that the user may not enter is refused`() async throws {
        let run = try TaskRun(["true"]) { spec, directory in
            mkdir(directory + "/private", 0o700)
            spec.workingDirectory = directory + "/private"
            spec.credentials = .init(uid: 65534, gid: 65534)
        }.start()
        #expect(try await run.end().outcome == .couldNotStart(errno: EACCES))
        try await run.finish()
    }

    @Test func `a log file that is a link is not followed`() async throws {
        let run = try TaskRun(["echo", "overwritten"]) { _, directory in
            symlink(directory + "/victim", directory + "/stdout")
        }.start()
        #expect(try await run.end().outcome == .couldNotStart(errno: ELOOP))
        #expect(access(run.scratch.path + "/victim", F_OK) != 0)
        try await run.finish()
    }

    @Test func `resource limits reach the command`() async throws {
        let run = try TaskRun(shell: "ulimit -n") { spec, _ in
            spec.resourceLimits = [.init(resource: Int32(RLIMIT_NOFILE.rawValue), soft: 77, hard: 77)]
        }.start()
        #expect(try await run.end().outcome == .exited(0))
        #expect(try run.output() == "77\n")
        try await run.finish()
    }

    @Test func `a command inherits no descriptor`() async throws {
        let run = try TaskRun(["ls", "/proc/self/fd"]).start()
        #expect(try await run.end().outcome == .exited(0))
        // Three streams, and the directory that ls reads.
        #expect(try run.output() == "0\n1\n2\n3\n")
        try await run.finish()
    }

    @Test func `limits arrive in the cgroup`() async throws {
        let run = try TaskRun(["sleep", "1000"]) { spec, _ in
            spec.limits = CgroupLimits(cpuMilli: 500, cpuQuotaMilli: 1500, memoryBytes: 64 << 20, pids: 9)
        }.start()
        _ = try await run.running()
        func value(_ controller: String, _ file: String) throws -> String {
            try readText(try #require(run.cgroup.directory(of: controller)) + "/" + file)
        }
        if run.cgroup.layout.version == .v1 {
            #expect(try value("cpu", "cpu.shares") == "512\n")
            #expect(try value("cpu", "cpu.cfs_quota_us") == "150000\n")
            #expect(try value("memory", "memory.limit_in_bytes") == "67108864\n")
        } else {
            #expect(try value("cpu", "cpu.max") == "150000 100000\n")
            #expect(try value("memory", "memory.max") == "67108864\n")
        }
        #expect(try value("pids", "pids.max") == "10\n", "one more for the init process")
        #expect(run.cgroup.usage().pids == 2)
        run.send(.kill(graceMilliseconds: 0))
        _ = try await run.end()
        try await run.finish()
    }

    @Test func `a directory takes one monitor only`() async throws {
        let run = try TaskRun(["sleep", "1000"]).start()
        _ = try await run.running()
        #expect(throws: MonitorError.alreadyRunning(directory: run.directory.path)) {
            try MonitorLauncher.spawn(executable: try rondoExecutable(), directory: run.directory)
        }
        run.send(.kill(graceMilliseconds: 0))
        _ = try await run.end()
        try await run.finish()
    }

    @Test func `a monitor refuses a broken spec and says why`() async throws {
        let run = try TaskRun(["true"])
        try makeDirectories(run.directory.path)
        try writeFileAtomically(run.directory.specPath, Array("nonsense".utf8))
        let failure = #expect(throws: MonitorError.self) {
            try MonitorLauncher.spawn(executable: try rondoExecutable(), directory: run.directory)
        }
        guard case .refused(_, _, let log)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(log.contains("not a task.spec"))
        #expect(!run.directory.hasMonitor)
    }

    @Test func `a prepared directory without a monitor was never started`() async throws {
        let run = try TaskRun(["true"])
        try run.directory.prepare(run.spec)
        #expect(MonitorRecovery.disposition(of: run.directory) == .neverStarted)
        run.attach()
        #expect(try await run.lost().contains("gone"))
        run.hub.close()
    }

    /// The outer task is the unprivileged user; the inner one runs with what is left.
    @Test func `best effort runs without privileges and says what it could not apply`() async throws {
        let executable = try rondoExecutable()
        let run = try TaskRun(["\(executable)", "monitor", "inner", "--foreground"]) { spec, directory in
            spec.credentials = .init(uid: 65534, gid: 65534)
            for name in ["inner", "inner/work"] {
                mkdir("\(directory)/\(name)", 0o755)
                chown("\(directory)/\(name)", 65534, 65534)
            }
            let inner = MonitorSpec(
                containerID: "inner", executable: "/bin/sh",
                arguments: ["sh", "-c", "sleep 1000 & echo hello; exit 4"],
                environment: [("PATH", "/usr/bin:/bin")], workingDirectory: "\(directory)/inner/work",
                logs: .init(stdoutPath: "\(directory)/inner/work/o", stderrPath: "\(directory)/inner/work/e"),
                bestEffort: true)
            try? MonitorDirectory(path: "\(directory)/inner").prepare(inner)
            chown("\(directory)/inner/task.spec", 65534, 65534)
        }.start()
        #expect(try await run.end().outcome == .exited(0))
        #expect(try run.output("stderr") == "")
        let inner = MonitorDirectory(path: run.scratch.path + "/inner")
        #expect(try inner.readExit()?.outcome == .exited(4))
        #expect(try inner.readState()?.applied == [])
        #expect(try run.output("inner/work/o") == "hello\n")
        try await run.finish()
    }
}
