import Glibc
import Testing

@testable import ContainerRuntime

/// resctrl rehearsed with ordinary directories, whose files the test puts there as the kernel would.
final class CacheGroupTests {
    private let root: String
    private var mount: String { "\(root)/sys/fs/resctrl" }

    init() throws {
        var name = Array("/tmp/resctrl-tests-XXXXXX".utf8CString)
        root = String(cString: try #require(mkdtemp(&name)))
        for directory in ["proc", "proc/self", "sys", "sys/fs", "sys/fs/resctrl", "sys/fs/resctrl/info"] {
            mkdir("\(root)/\(directory)", 0o755)
        }
        Self.write(
            "29 1 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n36 25 0:31 / /sys/fs/resctrl rw - resctrl resctrl rw\n",
            "\(root)/proc/self/mountinfo")
        Self.make(mount, schemata: "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n")
        Self.write("ok\n", "\(mount)/info/last_cmd_status")
    }

    deinit { try? RuntimeFiles.removeTree(root) }

    private static func write(_ text: String, _ path: String) {
        let file = fopen(path, "w")!
        fputs(text, file)
        fclose(file)
    }

    /// A class as the kernel makes it.
    @discardableResult
    private static func make(_ path: String, schemata: String = "L3:0=7ff;1=7ff\nMB:0=100;1=100\n") -> Int32 {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { return errno }
        mkdir("\(path)/mon_groups", 0o755)
        write("", "\(path)/tasks")
        write(schemata, "\(path)/schemata")
        return 0
    }

    private func read(_ path: String) -> String? { CgroupDirectory(path: mount).read(path) }

    private func made(_ config: IntelRdtConfig) throws -> CacheGroup {
        let group = try CacheGroup(config, id: "web", root: root)
        try group.create(config) { Self.make($0) }
        return group
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing was thrown"
        } catch { return "\(error)" }
    }

    @Test func `a host without resctrl is told how to get it`() throws {
        Self.write("29 1 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "\(root)/proc/self/mountinfo")
        let said = message { _ = try CacheGroup(IntelRdtConfig(schemata: ["L3:0=f"]), id: "web", root: root) }
        #expect(said.contains("no resctrl file system is mounted on this host"))
        #expect(said.contains("mount -t resctrl"))
    }

    @Test func `a container without a named class gets its own, which goes with it`() throws {
        let config = IntelRdtConfig(
            l3CacheSchema: "L3:0=f;1=f\nMB:0=90", memBwSchema: "MB:0=20;1=70", schemata: ["L2:0=1"],
            enableMonitoring: true)
        let group = try made(config)
        #expect(group.isOwn)
        #expect(read("web/schemata") == "L3:0=f;1=f\nMB:0=20;1=70\nL2:0=1", "bandwidth last of the two, then the rest")
        try group.add(pid: 4_242)
        #expect(read("web/tasks") == "4242")
        #expect(read("web/mon_groups/web/tasks") == "4242")
        // What the kernel does itself in its own tree.
        for name in ["web/mon_groups/web", "web"] {
            for file in ["tasks", "schemata"] { unlink("\(mount)/\(name)/\(file)") }
        }
        rmdir("\(mount)/web/mon_groups/web/mon_groups")
        rmdir("\(mount)/web/mon_groups/web")
        rmdir("\(mount)/web/mon_groups")
        group.remove()
        #expect(access("\(mount)/web", F_OK) != 0)
    }

    @Test func `a class without limits is made and not written to`() throws {
        let group = try made(IntelRdtConfig())
        #expect(read("web/schemata") == "L3:0=7ff;1=7ff\nMB:0=100;1=100")
        #expect(group.isOwn && group.monitor == nil)
    }

    @Test func `a directory with the container's name that was there before stays`() throws {
        Self.make("\(mount)/web")
        let group = try made(IntelRdtConfig(schemata: ["L3:0=f"]))
        #expect(!group.isOwn)
        #expect(read("web/schemata") == "L3:0=f")
    }

    @Test func `a named class with limits is made when it is missing, and stays`() throws {
        let group = try made(IntelRdtConfig(closID: "gold", l3CacheSchema: "L3:0=ff", enableMonitoring: true))
        #expect(!group.isOwn)
        #expect(group.path == "\(mount)/gold" && group.monitor == "\(mount)/gold/mon_groups/web")
        #expect(read("gold/schemata") == "L3:0=ff")
    }

    @Test(arguments: [
        ("L3:0=ff", true), ("L3:1=0F0;0=0ff", true), ("  L3:0=FF;1=f0", true), ("MB:0=20", true), ("L3:0=fe", false),
        ("L3:2=ff", false), ("L2:0=f", false), ("MB:0=32", false), ("nonsense", false), ("L3:0", false),
    ])
    func `a named class that exists must have the limits that are asked for`(line: String, fits: Bool) throws {
        let written = "    L3:0=ff;1=f0\n    MB:0=20;1=70\n"
        Self.make("\(mount)/gold", schemata: written)
        let config = IntelRdtConfig(closID: "gold", schemata: [line])
        let said = message { _ = try made(config) }
        #expect((said == "nothing was thrown") == fits, "\(said)")
        if !fits { #expect(said.contains(line == "nonsense" || line == "L3:0" ? "no line" : "other limits")) }
        #expect(read("gold/schemata").map { $0 + "\n" } == written, "and is not written to")
    }

    @Test func `a named class without limits must exist`() throws {
        let config = IntelRdtConfig(closID: "gold")
        let said = message { _ = try made(config) }
        #expect(said.contains(#"there is no class of service "gold""#))
        Self.make("\(mount)/gold")
        let group = try made(config)
        try group.add(pid: 7)
        #expect(read("gold/tasks") == "7")
    }

    @Test func `a slash is the class of everybody`() throws {
        let group = try made(IntelRdtConfig(closID: "/", enableMonitoring: true))
        #expect(group.path == mount)
        try group.add(pid: 9)
        #expect(read("tasks") == "9")
        #expect(read("mon_groups/web/tasks") == "9")
        #expect(!group.isOwn)
    }

    @Test func `what the kernel says about a refusal is passed on, and a new class is taken back`() throws {
        Self.write("Mask 0x5 has non-consecutive 1-bits\n", "\(mount)/info/last_cmd_status")
        let config = IntelRdtConfig(schemata: ["L3:0=5"])
        let plan = try CacheGroup(config, id: "web", root: root)
        let said = message {
            try plan.create(config) { path in
                // Its files are missing, so that nothing can be written.
                mkdir(path, 0o755) == 0 ? 0 : errno
            }
        }
        #expect(said.contains("cannot set schemata"))
        #expect(said.contains("(Mask 0x5 has non-consecutive 1-bits)"))
        #expect(access("\(mount)/web", F_OK) != 0)
    }

    @Test func `hardware without a free class says so`() throws {
        let config = IntelRdtConfig(schemata: ["L3:0=f"])
        let plan = try CacheGroup(config, id: "web", root: root)
        let said = message { try plan.create(config) { _ in ENOSPC } }
        #expect(said.contains("no further class"))
    }

    @Test func `the state file keeps it, and a damaged one leads nowhere else`() throws {
        let group = try made(IntelRdtConfig(closID: "gold", schemata: ["L3:0=ff"], enableMonitoring: true))
        #expect(try CacheGroup(json: group.json) == group)
        for (name, value) in [
            ("path", "/etc"), ("path", "\(mount)/../etc"), ("monitor", "/etc"), ("mount", "/other"),
        ] {
            guard case .object(var members) = group.json else { continue }
            for index in members.indices where members[index].name == name { members[index].value = .string(value) }
            #expect(throws: RuntimeFailure.self) { try CacheGroup(json: .object(members)) }
        }
        #expect(throws: RuntimeFailure.self) { try CacheGroup(json: .null) }
    }

    @Test func `statistics have runc's shape`() throws {
        let group = try made(IntelRdtConfig(closID: "gold", l3CacheSchema: "L3:0=ff", enableMonitoring: true))
        for (path, text) in [
            ("info/L3", nil), ("info/L3/cbm_mask", "7ff\n"), ("info/L3/min_cbm_bits", "1\n"),
            ("info/L3/num_closids", "16\n"), ("info/MB", nil), ("info/MB/bandwidth_gran", "10\n"),
            ("info/MB/min_bandwidth", "10\n"), ("info/MB/num_closids", "8\n"), ("gold/mon_groups/web/mon_data", nil),
            ("gold/mon_groups/web/mon_data/mon_L3_00", nil), ("gold/mon_groups/web/mon_data/mon_L3_01", nil),
            ("gold/mon_groups/web/mon_data/mon_L3_00/llc_occupancy", "4096\n"),
            ("gold/mon_groups/web/mon_data/mon_L3_00/mbm_total_bytes", "100\n"),
            ("gold/mon_groups/web/mon_data/mon_L3_00/mbm_local_bytes", "60\n"),
            ("gold/mon_groups/web/mon_data/mon_L3_01/llc_occupancy", "Unavailable\n"),
        ] {
            if let text { Self.write(text, "\(mount)/\(path)") } else { mkdir("\(mount)/\(path)", 0o755) }
        }
        let expected = """
            {"l3_cache_info":{"cbm_mask":"7ff","min_cbm_bits":1,"num_closids":16},\
            "l3_cache_schema_root":"L3:0=7ff;1=7ff","l3_cache_schema":"L3:0=ff",\
            "mem_bw_info":{"bandwidth_gran":10,"min_bandwidth":10,"num_closids":8},\
            "mem_bw_schema_root":"MB:0=100;1=100","schemata":["L3:0=ff"],\
            "mbm_stats":[{"mbm_total_bytes":100,"mbm_local_bytes":60}],"cmt_stats":[{"llc_occupancy":4096}]}
            """
        #expect(group.statistics().text() == expected)
    }

    @Test(arguments: [
        (["--l3-cache-schema", "L3:0=f"], ["L3:0=f"]), (["--mem-bw-schema", "MB:0=20"], ["MB:0=20"]),
        (["--mem-bw-schema", "MB:0=20", "--l3-cache-schema", "L3CODE:0=f"], ["L3CODE:0=f", "MB:0=20"]), ([], []),
    ])
    func `update changes the limits`(words: [String], lines: [String]) throws {
        let flags = try FlagParser.parse(words + ["web"], flags: UpdateCommand.update.flags, interspersed: true)
        #expect(try UpdateCommand.cacheLines(flags) == lines)
        let group = try made(IntelRdtConfig())
        try group.write(["L3:0=1"])
        #expect(read("web/schemata") == "L3:0=1")
    }

    @Test(arguments: [
        ["--l3-cache-schema", "MB:0=20"], ["--mem-bw-schema", "L3:0=f"], ["--l3-cache-schema", "L3:0=f\nMB:0=1"],
        ["--l3-cache-schema", "x"],
    ])
    func `update refuses what is no such limit`(words: [String]) throws {
        let flags = try FlagParser.parse(words + ["web"], flags: UpdateCommand.update.flags, interspersed: true)
        #expect(message { _ = try UpdateCommand.cacheLines(flags) }.contains("write it as"))
    }
}
