import Glibc
import Testing

@testable import ContainerRuntime

/// Version 2 rehearsed with ordinary directories: which files get which text. The files are put there by the test, as
/// the kernel would.
final class CgroupVersionTwoTests {
    private let root: String
    private let record: CgroupRecord
    private var group: CgroupDirectory { record.version2!.directory }

    init() throws {
        var name = Array("/tmp/cgroup-tests-XXXXXX".utf8CString)
        root = String(cString: try #require(mkdtemp(&name)))
        let mounted = "30 25 0:26 / /cg rw,nosuid - cgroup2 cgroup2 rw\n"
        for directory in ["proc", "proc/self", "cg", "cg/pods"] { mkdir("\(root)/\(directory)", 0o755) }
        Self.write(mounted, "\(root)/proc/self/mountinfo")
        Self.write("0::/pods/me\n", "\(root)/proc/self/cgroup")
        for directory in ["cg", "cg/pods"] {
            Self.write("cpuset cpu io memory pids\n", "\(root)/\(directory)/cgroup.controllers")
            Self.write("pids\n", "\(root)/\(directory)/cgroup.subtree_control")
        }
        record = try CgroupSetup.plan(
            id: "c1", cgroupsPath: nil, rootless: false, on: CgroupHost.read(root: root))
    }

    deinit { Self.removeTree(root) }

    private static func removeTree(_ path: String) {
        for name in CgroupDirectory(path: path).files { removeTree("\(path)/\(name)") }
        if unlink(path) != 0 { rmdir(path) }
    }

    private static func write(_ text: String, _ path: String) {
        let file = fopen(path, "w")!
        fputs(text, file)
        fclose(file)
    }

    /// Makes the group with control files as the kernel has them.
    private func make(_ files: [String: String]) throws {
        try record.create()
        Self.write("cpuset cpu io memory pids\n", "\(group.path)/cgroup.controllers")
        for (name, text) in files { Self.write(text, "\(group.path)/\(name)") }
    }

    @Test func `controllers are passed on to the new group`() throws {
        try record.create()
        #expect(group.path == "\(root)/cg/pods/c1")
        for directory in ["cg", "cg/pods"] {
            let passed = CgroupDirectory(path: "\(root)/\(directory)").read("cgroup.subtree_control")
            #expect(passed == "+cpuset +cpu +io +memory")
        }
        try record.remove()
        #expect(!group.exists)
        try record.remove()
    }

    @Test func `limits become the files of version 2`() throws {
        try make([
            "cpu.weight": "", "cpu.max": "max 100000\n", "cpu.max.burst": "0\n", "cpu.idle": "0", "cpuset.cpus": "",
            "cpuset.mems": "", "memory.max": "max", "memory.low": "0", "memory.swap.max": "max", "pids.max": "max",
            "io.weight": "", "io.max": "",
        ])
        var resources = ResourcesConfig()
        resources.cpu = CPUConfig(
            shares: 1024, quota: 5000, burst: 1000, period: 20_000, cpus: "0-1", mems: "0", idle: 0)
        resources.memory = MemoryConfig(limit: 1 << 20, reservation: 1 << 19, swap: 3 << 20, swappiness: 7)
        resources.pids = 20
        resources.blockIO = BlockIOConfig(weight: 500, readBps: [.init(major: 8, minor: 0, rate: 1024)])
        try record.apply(resources, devices: false)
        let expected = [
            "cpu.weight": "100", "cpu.max": "5000 20000", "cpu.max.burst": "1000", "cpu.idle": "0",
            "cpuset.cpus": "0-1", "cpuset.mems": "0", "memory.max": "1048576", "memory.low": "524288",
            "memory.swap.max": "2097152", "pids.max": "20", "io.weight": "4950", "io.max": "8:0 rbps=1024",
        ]
        for (file, text) in expected { #expect(group.read(file) == text, "\(file)") }
        var update = ResourcesConfig()
        update.memory.limit = -1
        update.cpu.period = 40_000
        update.pids = -1
        try record.apply(update, devices: false)
        #expect(group.read("memory.max") == "max" && group.read("memory.swap.max") == "max")
        #expect(group.read("cpu.max") == "5000 40000")
        #expect(group.read("pids.max") == "max")
        #expect(group.read("cpu.weight") == "100", "not said, not changed")
    }

    @Test func `BFQ keeps version 1's weights`() throws {
        try make(["io.bfq.weight": "", "io.weight": ""])
        var resources = ResourcesConfig()
        resources.blockIO.weightDevice = [.init(major: 8, minor: 16, weight: 300)]
        try record.apply(resources, devices: false)
        #expect(group.read("io.bfq.weight") == "8:16 300")
        #expect(group.read("io.weight") == "")
    }

    @Test func `swap that is not accounted need not be forbidden`() throws {
        try make(["memory.max": ""])
        var resources = ResourcesConfig()
        resources.memory = MemoryConfig(limit: 4096, swap: 4096)
        try record.apply(resources, devices: false)
        #expect(group.read("memory.max") == "4096")
        resources.memory.swap = 8192
        #expect(throws: RuntimeFailure.self) { try self.record.apply(resources, devices: false) }
    }

    @Test func `a limit below what is used is refused when that is wanted`() throws {
        try make(["memory.max": "max", "memory.current": "5000\n"])
        var resources = ResourcesConfig()
        resources.memory = MemoryConfig(limit: 4096, checkBeforeUpdate: true)
        #expect(throws: RuntimeFailure("the limit of memory (4096) is refused: 5000 bytes are in use already")) {
            try self.record.apply(resources, devices: false)
        }
        #expect(group.read("memory.max") == "max")
    }

    @Test func `an absent controller is named`() throws {
        try make([:])
        var resources = ResourcesConfig()
        resources.hugepageLimits = [("2MB", 0)]
        #expect(throws: (any Error).self) { try self.record.apply(resources, devices: false) }
        do { try record.apply(resources, devices: false) } catch {
            #expect(error.message.hasPrefix("cannot set a hugetlb limit: the controller hugetlb is not available in"))
        }
        resources = ResourcesConfig()
        resources.network.classID = 5
        #expect(throws: RuntimeFailure.self) { try self.record.apply(resources, devices: false) }
        resources = ResourcesConfig()
        resources.cpu.realtimeRuntime = 100
        #expect(throws: RuntimeFailure.self) { try self.record.apply(resources, devices: false) }
        // What version 2 has no word for, and callers of version 1 send all the same.
        resources = ResourcesConfig()
        resources.memory = MemoryConfig(kernel: 5, swappiness: 10, disableOOMKiller: false)
        resources.cpu.shares = 0
        try record.apply(resources, devices: false)
    }

    @Test func `unified files are written last and line by line`() throws {
        try make(["pids.max": "max", "io.max": "", "cgroup.max.depth": "max"])
        var resources = ResourcesConfig()
        resources.pids = 9
        resources.unified = [("pids.max", "30"), ("io.max", "8:0 rbps=1\n8:16 rbps=2"), ("cgroup.max.depth", "3")]
        try record.apply(resources, devices: false)
        #expect(group.read("pids.max") == "30")
        #expect(group.read("io.max") == "8:16 rbps=2", "the last of two writes")
        #expect(group.read("cgroup.max.depth") == "3")
    }

    @Test(arguments: ["../x.y", "a/b.c", "nodot", ".x", "x.", "rdma.max", "memory.nothing"])
    func `a unified file that cannot be one is refused`(file: String) throws {
        try make([:])
        var resources = ResourcesConfig()
        resources.unified = [(file, "1")]
        #expect(throws: RuntimeFailure.self) { try self.record.apply(resources, devices: false) }
    }

    @Test func `a group that others use or that is frozen is refused`() throws {
        try make(["cgroup.procs": "77\n0\n", "cgroup.freeze": "0", "cgroup.events": "populated 0\nfrozen 1\n"])
        #expect(record.processes() == [77], "processes of other pid namespaces are shown as 0")
        do throws(RuntimeFailure) {
            try record.create()
            Issue.record("created over a group in use")
        } catch {
            #expect(error.message.contains("is not empty: 1 process(es) found"))
        }
        Self.write("", "\(group.path)/cgroup.procs")
        #expect(throws: RuntimeFailure.self) { try self.record.create() }
    }

    @Test func `processes enter, also through groups below`() throws {
        try make(["cgroup.procs": ""])
        try record.add(pid: 42)
        #expect(group.read("cgroup.procs") == "42")
        mkdir("\(group.path)/sub", 0o755)
        Self.write("", "\(group.path)/sub/cgroup.procs")
        try record.add(pid: 43, subgroups: ["a/../sub"])
        #expect(record.processes() == [42, 43])
        for outside in ["..", "../sub", "sub/../../other"] {
            #expect(throws: RuntimeFailure.self) { try self.record.add(pid: 43, subgroups: [outside]) }
        }
        #expect(throws: RuntimeFailure.self) { try self.record.add(pid: 43, subgroups: ["absent"]) }
        #expect(throws: RuntimeFailure.self) { try self.record.add(pid: 43, subgroups: ["memory:sub"]) }
    }

    @Test func `statistics have the shape that clients know`() throws {
        try make([
            "cpu.stat": "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 2\nnr_throttled 1\n",
            "cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=7\n", "memory.current": "100\n",
            "memory.max": "max\n", "memory.swap.current": "5\n", "memory.swap.max": "50\n",
            "memory.stat": "anon 1\nfile 2\n", "memory.events": "max 3\noom_kill 4\n", "pids.current": "6\n",
            "pids.max": "max\n", "io.stat": "8:0 rbytes=10 wios=3\n",
        ])
        #expect(
            record.statistics().text() == """
                {"cpu":{"usage":{"total":1500000,"kernel":500000,"user":1000000},\
                "throttling":{"periods":2,"throttledPeriods":1},\
                "psi":{"some":{"avg10":1.50,"avg60":0.00,"avg300":0.00,"total":7}}},"cpuset":{},\
                "memory":{"cache":2,"usage":{"limit":18446744073709551615,"usage":100,"failcnt":3},\
                "swap":{"limit":18446744073709551615,"usage":105,"failcnt":0},"raw":{"anon":1,"file":2}},\
                "pids":{"current":6},"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":10}],\
                "ioServicedRecursive":[{"major":8,"op":"Write","value":3}]},"hugetlb":null,"intel_rdt":{},\
                "network_interfaces":null}
                """)
        #expect(record.outOfMemoryKills() == 4)
    }
}
