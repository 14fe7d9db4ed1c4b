import Glibc
import Testing

@testable import LinuxSystem

/// Real commands under the real program. Serialized because two cores and the kernel's clean-up are shared.
@Suite("a task monitor (needs root)", .serialized, .timeLimit(.minutes(2)))
struct MonitorTests {
    @Test func `a command's exit status and both outputs arrive`() async throws {
        let run = try TaskRun(shell: "echo out; echo err >&2; exit 7").start()
        let exit = try await run.end()
        #expect(exit.outcome == .exited(7))
        #expect(exit.rawWaitStatus == 7 << 8)
        #expect(!exit.oomKilled && !exit.killRequested)
        #expect(exit.startedAtMilliseconds != nil)
        #expect(exit.cpuNanoseconds ?? 0 > 0)
        #expect(try run.output() == "out\n")
        #expect(try run.output("stderr") == "err\n")
        try await run.finish()
    }

    @Test func `a command gets exactly the environment, directory and arguments of its spec`() async throws {
        let run = try TaskRun(["env"]) { spec, _ in
            spec.environment += [("A", "b c=d"), ("HOME", "/nowhere"), ("Q", "\"\\\t\u{1}é")]
        }.start()
        #expect(try await run.end().outcome == .exited(0))
        #expect(
            try run.output()
                == "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nA=b c=d\nHOME=/nowhere\nQ=\"\\\t\u{1}é\n")
        try await run.finish()
        let directory = try TaskRun(["pwd"]).start()
        #expect(try await directory.end().outcome == .exited(0))
        #expect(try directory.output() == directory.scratch.path + "\n")
        try await directory.finish()
    }

    @Test func `a command has a terminal, and whoever asks its monitor types there and gives it a size`() async throws {
        let run = try TaskRun(shell: "stty size; tty; read line; echo got $line; stty size; read line; exit 3") {
            spec, _ in
            spec.terminal = TerminalSize(rows: 7, columns: 9)
        }.start()
        func terminal() async throws -> FileDescriptor {
            let socket = FileDescriptor(owning: try MonitorTerminal.ask(run.directory))
            for _ in 0..<2_000 {
                switch MonitorTerminal.take(from: socket.raw) {
                case .terminal(let descriptor): return FileDescriptor(owning: descriptor)
                case .over: throw TaskRun.EndOfEvents()
                case .nothing: try await Task.sleep(for: .milliseconds(10))
                }
            }
            throw TaskRun.EndOfEvents()
        }
        func wrote(_ text: String) async throws {
            for _ in 0..<3_000 {
                if (try? run.output())?.contains(text) == true { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("no \(text) in \(try run.output())")
        }
        try await wrote("7 9\r\n/dev/pts/")
        let first = try await terminal()
        let second = try await terminal()
        try first.writeAll(Array("one".utf8))
        try second.writeAll(Array(" two\n".utf8))
        try await wrote("got one two\r\n")
        TerminalSize(rows: 3, columns: 4).apply(to: second.raw)
        try first.writeAll(Array("\n".utf8))
        let exit = try await run.end()
        #expect(exit.outcome == .exited(3))
        #expect(try run.output("stderr").isEmpty)
        try await run.finish()
    }

    @Test func `a monitor whose command has no terminal gives none, and goes on`() async throws {
        let run = try TaskRun(shell: "read line; exec sleep 1000").start()
        for await event in run.hub.events {
            if case .state(_, let state) = event, case .running = state.phase { break }
        }
        let socket = FileDescriptor(owning: try MonitorTerminal.ask(run.directory))
        var answer = MonitorTerminal.take(from: socket.raw)
        for _ in 0..<3_000 where answer == .nothing {
            try await Task.sleep(for: .milliseconds(10))
            answer = MonitorTerminal.take(from: socket.raw)
        }
        #expect(answer == .over)
        run.hub.send(.kill(graceMilliseconds: 0), to: run.spec.containerID)
        #expect(try await run.end().outcome == .signaled(SIGKILL))
        try await run.finish()
    }

    @Test func `a command that a signal ends is reported with the signal`() async throws {
        let run = try TaskRun(shell: "kill -SEGV $$").start()
        let exit = try await run.end()
        #expect(exit.outcome == .signaled(SIGSEGV))
        #expect(!exit.killRequested)
        try await run.finish()
    }

    @Test func `rotated logs keep the newest bytes in a bounded number of files`() async throws {
        let run = try TaskRun(shell: "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done") { spec, _ in
            spec.logs.maximumBytes = 8192
            spec.logs.maximumFiles = 3
        }.start()
        #expect(try await run.end().outcome == .exited(0))
        let parts = try ["stdout.2", "stdout.1", "stdout"].map { try run.output($0) }
        #expect(parts.allSatisfy { $0.utf8.count <= 8192 && $0.hasPrefix("line ") })
        let whole = (0..<5000).map { "line \($0)\n" }.joined()
        let kept = parts.joined()
        #expect(whole.hasSuffix(kept))
        #expect(kept.utf8.count > 8192 * 2 - 100)
        #expect(access(run.scratch.path + "/stdout.3", F_OK) != 0)
        try await run.finish()
    }

    @Test func `a kill sends SIGTERM first`() async throws {
        let run = try TaskRun(["sleep", "1000"]).start()
        _ = try await run.running()
        run.send(.kill(graceMilliseconds: 60_000))
        let exit = try await run.end()
        #expect(exit.outcome == .signaled(SIGTERM))
        #expect(exit.killRequested)
        try await run.finish()
    }

    @Test func `a command that ignores SIGTERM is killed after the grace`() async throws {
        let run = try TaskRun(shell: "trap '' TERM; echo ready > fifo; while :; do sleep 1000; done") { _, directory in
            makeFIFO(directory)
        }.start()
        _ = try run.waitForLine()
        let asked = HostFacts.monotonicMilliseconds()
        run.send(.kill(graceMilliseconds: 300))
        let exit = try await run.end()
        #expect(exit.outcome == .signaled(SIGKILL))
        #expect(exit.killRequested)
        #expect(HostFacts.monotonicMilliseconds() - asked >= 300)
        try await run.finish()
    }

    @Test func `SIGTERM to the monitor ends its task with the grace of the spec`() async throws {
        let run = try TaskRun(shell: "trap '' TERM; echo ready > fifo; while :; do sleep 1000; done") {
            spec, directory in
            makeFIFO(directory)
            spec.killGraceMilliseconds = 100
        }.start()
        let (state, _) = try await run.running()
        _ = try run.waitForLine()
        #expect(state.monitor.send(signal: SIGTERM))
        let exit = try await run.end()
        #expect(exit.outcome == .signaled(SIGKILL))
        #expect(exit.killRequested)
        try await run.finish()
    }

    @Test func `all output is kept, however fast the end comes`() async throws {
        let run = try TaskRun(["head", "-c", "3000000", "/dev/zero"]).start()
        #expect(try await run.end().outcome == .exited(0))
        var status = stat()
        #expect(stat(run.scratch.path + "/stdout", &status) == 0 && status.st_size == 3_000_000)
        try await run.finish()
    }

    @Test func `a monitor that hangs is ended together with its task`() async throws {
        let run = try TaskRun(["sleep", "1000"]).start()
        let (state, process) = try await run.running()
        #expect(state.monitor.send(signal: SIGSTOP))
        #expect(run.directory.readMonitor() == state.monitor)
        try MonitorRecovery.destroyTask(
            containerID: run.spec.containerID, directory: run.directory, layout: try CgroupLayout.detect())
        #expect(try await run.lost().contains("without an exit file"))
        awaitDeath(of: process)
        try await run.finish()
    }

    @Test func `twenty tasks at a time all end once`() async throws {
        let runs = try (0..<20).map { number in try TaskRun(shell: "exit \(number)").start() }
        for (number, run) in runs.enumerated() {
            #expect(try await run.end().outcome == .exited(UInt8(number)))
        }
        for run in runs { try await run.finish() }
    }

    @Test func `a second kill can only shorten the grace`() async throws {
        let run = try TaskRun(shell: "trap '' TERM; echo ready > fifo; while :; do sleep 1000; done") { _, directory in
            makeFIFO(directory)
        }.start()
        _ = try run.waitForLine()
        run.send(.kill(graceMilliseconds: 4_000_000))
        run.send(.kill(graceMilliseconds: 0))
        #expect(try await run.end().outcome == .signaled(SIGKILL))
        try await run.finish()
    }

    @Test func `a single signal reaches the command and changes nothing else`() async throws {
        let run = try TaskRun(shell: "trap 'exit 9' USR1; echo ready > fifo; sleep 1000 & wait") { _, directory in
            makeFIFO(directory)
        }.start()
        _ = try run.waitForLine()
        run.send(.signal(SIGUSR1))
        let exit = try await run.end()
        #expect(exit.outcome == .exited(9))
        #expect(!exit.killRequested)
        try await run.finish()
    }

    @Test func `a fork bomb stops at the pids limit`() async throws {
        let run = try TaskRun(
            shell: "i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo all $i"
        ) { spec, _ in spec.limits.pids = 16 }.start()
        let exit = try await run.end()
        #expect(exit.outcome != .exited(0))
        #expect(try run.output("stderr").lowercased().contains("fork"))
        #expect(try run.output() == "")
        try await run.finish()
    }

    @Test func `a memory hog is reported as killed for memory`() async throws {
        let run = try TaskRun(["tail", "/dev/zero"]) { spec, _ in spec.limits.memoryBytes = 32 << 20 }.start()
        let exit = try await run.end()
        #expect(exit.oomKilled)
        #expect(exit.outcome == .signaled(SIGKILL))
        #expect(exit.message.contains("memory limit"))
        #expect(exit.peakMemoryBytes ?? 0 > 16 << 20)
        try await run.finish()
    }

    @Test func `daemonised grandchildren die with the main command`() async throws {
        let run = try TaskRun(shell: "setsid sh -c 'echo up > fifo; exec sleep 1000' & read answer < release") {
            makeFIFO($1)
            mkfifo($1 + "/release", 0o666)
        }.start()
        #expect(try run.waitForLine() == "up")
        let all = run.cgroup.processes().compactMap(ProcessIdentity.current(pid:))
        #expect(all.count >= 3, "init, command and grandchild")
        let release = try FileDescriptor.open(run.scratch.path + "/release", flags: O_WRONLY)
        try release.writeAll(Array("end\n".utf8))
        #expect(try await run.end().outcome == .exited(0))
        for process in all { #expect(!process.isAlive) }
        try await run.finish()
    }

    @Test func `killing the monitor kills the task`() async throws {
        let run = try TaskRun(shell: "setsid sleep 1000 & sleep 1000").start()
        let (state, process) = try await run.running()
        let all = run.cgroup.processes().compactMap(ProcessIdentity.current(pid:))
        #expect(state.monitor.send(signal: SIGKILL))
        #expect(try await run.lost().contains("without an exit file"))
        awaitDeath(of: process)
        for process in all { awaitDeath(of: process) }
        #expect(MonitorRecovery.disposition(of: run.directory) == .lost)
        try MonitorRecovery.destroyTask(
            containerID: run.spec.containerID, directory: run.directory, layout: try CgroupLayout.detect())
        try await run.finish()
    }

    @Test func `a restarted agent adopts a running task`() async throws {
        let run = try TaskRun(["sleep", "1000"]).start()
        let before = try await run.running()
        try run.restartAgent()
        let found = try MonitorRecovery.scan(runDirectory: parentDirectory(of: run.directory.path))
        #expect(found.map(\.containerID) == [run.spec.containerID])
        #expect(found.map(\.disposition) == [.monitored])
        run.attach()
        let after = try await run.running()
        #expect(after.state == before.state)
        #expect(after.process == before.process)
        run.send(.kill(graceMilliseconds: 0))
        #expect(try await run.end().outcome == .signaled(SIGKILL))
        try await run.finish()
    }

    @Test func `a task that ends while nobody is connected leaves its exit file`() async throws {
        let run = try TaskRun(shell: "exit 3")
        try run.spawn()
        try run.waitForMonitorToGo()
        guard case .ended(let exit) = MonitorRecovery.disposition(of: run.directory) else {
            Issue.record("no exit file")
            return
        }
        #expect(exit.outcome == .exited(3))
        run.attach()
        #expect(try await run.end() == exit)
        try await run.finish()
    }

    @Test func `a command lives in namespaces of its own and is not their first process`() async throws {
        let run = try TaskRun(shell: "cat /proc/1/comm; echo $$; readlink /proc/self; echo x > fifo; sleep 1000") {
            makeFIFO($1)
        }.start()
        let (state, process) = try await run.running()
        _ = try run.waitForLine()
        #expect(state.applied == .standard)
        for kind in ["pid", "mnt", "ipc", "uts"] {
            #expect(link("/proc/\(process.pid)/ns/\(kind)") != link("/proc/self/ns/\(kind)"), "\(kind)")
        }
        #expect(link("/proc/\(process.pid)/ns/net") == link("/proc/self/ns/net"))
        #expect(ProcessStatistics.read(pid: process.pid)?.session == process.pid)
        #expect(!run.cgroup.processes().contains(state.monitor.pid))
        #expect(run.cgroup.processes().contains(process.pid))
        run.send(.kill(graceMilliseconds: 0))
        _ = try await run.end()
        let lines = try run.output().split(separator: "\n")
        #expect(lines.first == "rondo-init")
        #expect(lines.dropFirst().first == "2")
        try await run.finish()
    }

    @Test func `a task is a container of the runtime, for as long as it runs`() async throws {
        let run = try TaskRun(["sleep", "1000"]).start()
        let (state, process) = try await run.running()
        let program = try rondoExecutable()
        func runtime(_ command: String) throws -> (output: String, status: Int32) {
            let pipe = try #require(popen("\(program) oci --root \(run.directory.runtimePath) \(command) 2>&1", "r"))
            var output: [UInt8] = []
            while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(byte)) }
            return (String(decoding: output, as: UTF8.self), pclose(pipe))
        }
        let id = run.spec.containerID
        let known = try runtime("state \(id)")
        #expect(known.status == 0 && known.output.contains("\"status\": \"running\""), "\(known.output)")
        #expect(known.output.contains("\"pid\": \(try #require(state.initProcess).pid)"))
        let listed = try runtime("ps --format json \(id)")
        #expect(listed.output.contains("\(process.pid)"), "\(listed.output)")
        let inside = try runtime("exec \(id) readlink /proc/self/ns/pid")
        #expect(inside.output == link("/proc/\(process.pid)/ns/pid") + "\n")
        run.send(.kill(graceMilliseconds: 0))
        _ = try await run.end()
        #expect(try runtime("list -q").output == "")
        try await run.finish()
    }

    private func link(_ path: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
