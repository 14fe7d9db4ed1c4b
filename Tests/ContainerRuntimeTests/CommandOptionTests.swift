import LinuxSystem
import Testing

@testable import ContainerRuntime

@Suite struct CommandOptionTests {
    private func options(
        _ line: String, isRoot: Bool = true, inUserNamespace: Bool = false, runtimeDirectory: String? = nil,
        userName: String? = nil
    ) throws(RuntimeFailure) -> GlobalOptions {
        let flags = try FlagParser.parse(
            line.split(separator: " ").map(String.init), flags: GlobalOptions.flags, interspersed: false)
        return try GlobalOptions(
            flags,
            GlobalOptions.Surroundings(
                isRoot: isRoot, isInUserNamespace: inUserNamespace, runtimeDirectory: runtimeDirectory,
                userName: userName, workingDirectory: "/work"))
    }

    @Test func `the state is below run for root and in the user's own directory for others`() throws {
        #expect(try options("").root == "/run/rondo-oci")
        #expect(try options("", runtimeDirectory: "/run/user/0").root == "/run/rondo-oci")
        let user = try options("", isRoot: false, runtimeDirectory: "/run/user/7")
        #expect(user.root == "/run/user/7/rondo-oci")
        #expect(user.isRootPerUser)
        #expect(try options("", inUserNamespace: true, runtimeDirectory: "/x", userName: "ann").root == "/x/rondo-oci")
        #expect(
            try options("", inUserNamespace: true, runtimeDirectory: "/x", userName: "root").root == "/run/rondo-oci")
    }

    @Test func `a root that is given is made absolute and counts before all else`() throws {
        #expect(try options("--root state/./a/../b", isRoot: false, runtimeDirectory: "/x").root == "/work/state/b")
        #expect(try options("--root=/a//b/").root == "/a/b")
        #expect(throws: RuntimeFailure.self) { try options("--root /") }
        #expect(throws: RuntimeFailure.self) { try options("--root /a/../..") }
    }

    @Test func `rootless is decided by who runs it unless it is said`() throws {
        #expect(try !options("").rootless)
        #expect(try options("--rootless=auto", isRoot: false).rootless)
        #expect(try options("", inUserNamespace: true).rootless)
        #expect(try options("--rootless true").rootless)
        #expect(try !options("--rootless false", isRoot: false).rootless)
        #expect(throws: RuntimeFailure.self) { try options("--rootless maybe") }
    }

    @Test(
        arguments: [
            ("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("kill", 9), ("0", 0), ("15", 15), ("64", 64), ("CHLD", 17),
            ("SIGWINCH", 28), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGRTMAX", 64),
        ] as [(String, Int32)])
    func `a signal is a number or a name in any case`(text: String, number: Int32) throws {
        #expect(try SignalNames.parse(text) == number)
    }

    @Test(arguments: ["", "SIG", "NOPE", "-1", "65", "SIGSIGTERM", "RTMIN+31", "RTMIN-1", "9 ", "RTMAX+1", "RTMIN+"])
    func `what is no signal is refused`(text: String) {
        #expect(throws: RuntimeFailure.self) { try SignalNames.parse(text) }
    }

    @Test(
        arguments: [
            ("512", 512), ("64M", 64 << 20), ("1g", 1 << 30), ("2GiB", 2 << 30), ("10 kb", 10 << 10), ("1.5k", 1536),
            ("0", 0), ("3b", 3), ("1t", 1 << 40), ("1p", 1 << 50),
        ] as [(String, Int64)])
    func `sizes are read as docker's tools read them`(text: String, bytes: Int64) {
        #expect(UpdateCommand.bytes(text) == bytes)
    }

    @Test(arguments: [
        "", "m", "-5", "1x", "1mm", "1..5k", ".5k", "9999999999g", "1e3", "99999999999999999999p", "1.9e9p",
    ])
    func `sizes that are none are refused`(text: String) {
        #expect(UpdateCommand.bytes(text) == nil)
    }

    @Test func `update says only what was given`() throws {
        let flags = try FlagParser.parse(
            [
                "--memory", "64m", "--memory-swap", "-1", "--cpu-quota", "-1", "--pids-limit", "-1", "--cpu-share=7",
                "id",
            ],
            flags: UpdateCommand.update.flags, interspersed: true)
        var expected = ResourcesConfig()
        expected.memory.limit = 64 << 20
        expected.memory.swap = -1
        expected.cpu.quota = -1
        expected.cpu.shares = 7
        expected.pids = -1
        #expect(try UpdateCommand.read(flags) == expected)
        let wrong = try FlagParser.parse(["--cpu-share", "-1"], flags: UpdateCommand.update.flags, interspersed: true)
        #expect(throws: RuntimeFailure.self) { try UpdateCommand.read(wrong) }
    }

    @Test(
        arguments: [
            ("5s", 5000), ("500ms", 500), ("1m30s", 90_000), ("1.5s", 1500), ("1h", 3_600_000), ("10us", 1), ("0", 0),
            ("-5s", -1),
        ] as [(String, Int32)])
    func `intervals are read as Go writes durations`(text: String, milliseconds: Int32) throws {
        #expect(try EventsCommand.milliseconds(text) == milliseconds)
    }

    @Test(arguments: ["", "5", "s", "5 s", "5x", ".5s", "1s2", "999999h", "1.2.3s"])
    func `intervals that are none are refused`(text: String) {
        #expect(throws: RuntimeFailure.self) { try EventsCommand.milliseconds(text) }
    }

    @Test func `exec changes of the container's process what the flags say`() throws {
        var template = ProcessConfig()
        template.terminal = true
        template.env = ["PATH=/bin"]
        template.args = ["init"]
        template.capabilities = CapabilitiesConfig(bounding: 1, effective: 1, permitted: 1)
        let flags = try FlagParser.parse(
            [
                "-e", "A=b", "-u", "7:8", "-g", "9", "--cwd", "/tmp", "--cap", "CAP_KILL", "--no-new-privs", "id", "ls",
                "-l",
            ],
            flags: ExecCommand.exec.flags, interspersed: false)
        let process = try ExecCommand.adapted(template, flags)
        #expect(process.args == ["ls", "-l"])
        #expect(process.env == ["PATH=/bin", "A=b"])
        #expect(process.user == UserConfig(uid: 7, gid: 8, additionalGids: [9]))
        #expect(process.cwd == "/tmp")
        #expect(process.noNewPrivileges)
        #expect(!process.terminal)
        let kill = UInt64(1 << 5 | 1)
        #expect(process.capabilities == CapabilitiesConfig(bounding: kill, effective: kill, permitted: kill))
    }

    @Test(arguments: ["-u x", "-u 1:x", "-u -1", "-u 4294967295", "-g -1", "--cap CAP_NOPE", ""])
    func `exec refuses what it cannot follow`(words: String) throws {
        let tail = words.isEmpty ? ["id"] : ["id", "ls"]
        let flags = try FlagParser.parse(
            words.split(separator: " ").map(String.init) + tail, flags: ExecCommand.exec.flags, interspersed: false)
        #expect(throws: RuntimeFailure.self) { try ExecCommand.adapted(ProcessConfig(), flags) }
    }

    @Test func `exec gives ambient capabilities only where the container inherits some`() throws {
        var template = ProcessConfig()
        template.capabilities = CapabilitiesConfig(inheritable: 1)
        let flags = try FlagParser.parse(
            ["-c", "CAP_KILL", "id", "ls"], flags: ExecCommand.exec.flags, interspersed: false)
        #expect(try ExecCommand.adapted(template, flags).capabilities?.ambient == 1 << 5)
    }

    @Test func `a terminal needs somebody who takes it`() {
        func check(_ terminal: Bool, _ detached: Bool, _ socket: Bool) -> Bool {
            (try? ContainerCreation.checkTerminal(terminal, isDetached: detached, hasSocket: socket)) != nil
        }
        #expect(check(true, true, true))
        #expect(check(true, false, false))
        #expect(check(false, true, false))
        #expect(check(false, false, false))
        #expect(!check(true, true, false))
        #expect(!check(false, true, true))
        #expect(!check(true, false, true))
    }

    @Test func `log lines are logrus's`() {
        let time = "2026-03-01T09:05:07Z"
        #expect(
            RuntimeLog.line(.text, level: "error", message: "no \"x\"\n\u{1b}", time: time)
                == "time=\"\(time)\" level=error msg=\"no \\\"x\\\"\\n\\x1b\"\n")
        #expect(RuntimeLog.line(.text, level: "debug", message: "done", time: time).hasSuffix("msg=done\n"))
        #expect(
            RuntimeLog.line(.json, level: "error", message: "no \"x\"", time: time)
                == #"{"level":"error","msg":"no \"x\"","time":"2026-03-01T09:05:07Z"}"# + "\n")
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_772_323_199, "2026-02-28T23:59:59Z"),
        (1_772_323_200, "2026-03-01T00:00:00Z"), (4_107_542_399, "2100-02-28T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"),
    ])
    func `times are dates`(seconds: Int, text: String) {
        #expect(RuntimeTime.text(seconds: seconds, nanoseconds: nil) == text)
        #expect(
            RuntimeTime.text(seconds: seconds, nanoseconds: 42) == text.dropLast() + ".000000042Z")
    }

    @Test func `ps shows the lines of the container's processes`() throws {
        let table = "UID        PID  PPID CMD\nroot         1     0 init\nroot        12     1 sh\n"
        #expect(
            try QueryCommands.select([12], from: table) == "UID        PID  PPID CMD\nroot        12     1 sh\n")
        #expect(throws: RuntimeFailure.self) { try QueryCommands.select([12], from: "UID CMD\nroot sh\n") }
        #expect(throws: RuntimeFailure.self) { try QueryCommands.select([12], from: "UID PID\nroot\n") }
        #expect(throws: RuntimeFailure.self) { try QueryCommands.select([12], from: "") }
    }

    @Test func `the table of list has runc's columns`() {
        let table = QueryCommands.table([
            ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
            ["a-container-of-mine", "7", "running", "/b", "t", "root"],
        ])
        #expect(
            table == """
                ID                    PID         STATUS      BUNDLE      CREATED     OWNER
                a-container-of-mine   7           running     /b          t           root

                """)
    }
}
