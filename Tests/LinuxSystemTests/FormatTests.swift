import Testing

@testable import LinuxSystem

/// SplitMix64: small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

struct FormatTests {
    static let spec: MonitorSpec = {
        var spec = MonitorSpec(
            containerID: "a1.b-c_d", executable: "/bin/sh", arguments: ["sh", "-c", "echo ä"],
            environment: [("PATH", "/bin"), ("EMPTY", "")], workingDirectory: "/tmp",
            credentials: .init(uid: 7, gid: 8, groups: [8, 9]),
            limits: CgroupLimits(cpuMilli: 100, cpuQuotaMilli: nil, memoryBytes: 1 << 40, pids: 5),
            logs: .init(stdoutPath: "/tmp/o", stderrPath: "/tmp/e", maximumBytes: 4096, maximumFiles: 2),
            killGraceMilliseconds: 77, resourceLimits: [.init(resource: 7, soft: 1, hard: .max)],
            isolation: [.pids, .cgroup], bestEffort: true)
        spec.arguments.append("")
        return spec
    }()

    static let exit = MonitorExit(
        containerID: "x", outcome: .signaled(9), rawWaitStatus: 9, oomKilled: true, killRequested: false,
        message: "ended by signal 9", startedAtMilliseconds: nil, endedAtMilliseconds: 1_700_000_000_000,
        cpuNanoseconds: 5, peakMemoryBytes: .max)

    @Test func `a spec survives its file`() throws {
        #expect(try MonitorSpec(decoding: Self.spec.encoded()) == Self.spec)
    }

    @Test func `a spec with a place for secrets survives its file, and without one stays in the older format`() throws {
        var spec = Self.spec
        spec.secretDirectory = "/var/lib/rondo/agent/secrets/a"
        let bytes = try spec.encoded()
        #expect(bytes[4] == 2)
        #expect(try MonitorSpec(decoding: bytes) == spec)
        #expect(try Self.spec.encoded()[4] == 1)
        for count in 0..<bytes.count {
            #expect(throws: FormatError.self) { try MonitorSpec(decoding: Array(bytes.prefix(count))) }
        }
        spec.secretDirectory = "relative"
        #expect(throws: FormatError.self) { try spec.encoded() }
    }

    @Test func `a spec with a terminal survives its file, and without one stays in the older format`() throws {
        var spec = Self.spec
        spec.terminal = TerminalSize(rows: 65_535, columns: 0)
        for place in [nil, "/var/lib/rondo/agent/secrets/a"] {
            spec.secretDirectory = place
            let bytes = try spec.encoded()
            #expect(bytes[4] == 4)
            #expect(try MonitorSpec(decoding: bytes) == spec)
            for count in 0..<bytes.count {
                #expect(throws: FormatError.self) { try MonitorSpec(decoding: Array(bytes.prefix(count))) }
            }
            var wide = bytes
            wide[wide.count - 1] = 1
            #expect(throws: FormatError.self) { try MonitorSpec(decoding: wide) }
        }
    }

    @Test(arguments: [
        MonitorState.Phase.starting, .running(ProcessIdentity(pid: 5, startTicks: 6)),
        .killing(ProcessIdentity(pid: 5, startTicks: .max)), .ended(FormatTests.exit),
    ])
    func `a state survives its message`(phase: MonitorState.Phase) throws {
        let state = MonitorState(
            containerID: "x", phase: phase, applied: .standard, monitor: ProcessIdentity(pid: 1, startTicks: 2),
            initProcess: nil)
        #expect(try MonitorState(decoding: state.encoded()) == state)
    }

    @Test(arguments: [MonitorCommand.kill(graceMilliseconds: .max), .signal(64), .quit])
    func `a command survives its message`(command: MonitorCommand) throws {
        #expect(try MonitorCommand(decoding: command.encoded()) == command)
    }

    @Test func `a long message is cut, not refused`() throws {
        var exit = Self.exit
        exit.message = String(repeating: "ä\u{301}", count: 5000)
        #expect(try MonitorExit(decoding: exit.encoded()).message.utf8.count <= 1030)
    }

    @Test func `a newer version is refused by name`() throws {
        var bytes = try Self.spec.encoded()
        bytes[4] = 9
        #expect(throws: FormatError.unsupportedVersion(9)) { try MonitorSpec(decoding: bytes) }
    }

    @Test func `every truncation and every added byte is refused`() throws {
        let bytes = try Self.spec.encoded()
        for count in 0..<bytes.count {
            #expect(throws: FormatError.self) { try MonitorSpec(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: FormatError.trailingBytes) { try MonitorSpec(decoding: bytes + [0]) }
    }

    @Test(arguments: ["", ".", "..", "a/b", "-a", "a\u{0}", "ä", String(repeating: "a", count: 129)])
    func `a container id that is no plain name is refused`(id: String) {
        var spec = Self.spec
        spec.containerID = id
        #expect(throws: FormatError.self) { try spec.encoded() }
    }

    @Test func `a variable name with an equals sign is refused`() {
        var spec = Self.spec
        spec.environment = [("A=B", "c")]
        #expect(throws: FormatError.invalid(field: "variable name")) { try spec.encoded() }
    }

    /// Whatever the bytes, decoding returns or throws; what it returns can be written again.
    @Test(arguments: 0..<UInt64(40))
    func `hostile bytes never trap a decoder`(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let seeds = [
            try Self.spec.encoded(), Self.exit.encoded(), MonitorCommand.kill(graceMilliseconds: 1).encoded(),
            MonitorState(
                containerID: "x", phase: .ended(Self.exit), applied: [], monitor: .init(pid: 1, startTicks: 1),
                initProcess: .init(pid: 1, startTicks: 1)
            ).encoded(),
        ]
        for _ in 0..<250 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
                case 2: bytes.removeSubrange(place..<min(bytes.count, place + 5))
                default: bytes.insert(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF], at: place)
                }
            }
            if let spec = try? MonitorSpec(decoding: bytes) {
                #expect(try MonitorSpec(decoding: spec.encoded()) == spec, "seed \(seed)")
            }
            _ = try? MonitorExit(decoding: bytes)
            _ = try? MonitorState(decoding: bytes)
            _ = try? MonitorCommand(decoding: bytes)
            var frames = MonitorFrames(limit: 512)
            frames.append(bytes)
            while let message = try? frames.next() { #expect(message.count <= 512, "seed \(seed)") }
        }
    }

    @Test func `frames are cut wherever the stream was torn`() throws {
        let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300)]
        var frames = MonitorFrames(limit: 300)
        var received: [[UInt8]] = []
        for byte in messages.flatMap(MonitorFrames.frame) {
            frames.append([byte])
            while let message = try frames.next() { received.append(message) }
        }
        #expect(received == messages)
        frames.append(MonitorFrames.frame(Array(repeating: 7, count: 301)))
        #expect(throws: FormatError.self) { try frames.next() }
    }
}
