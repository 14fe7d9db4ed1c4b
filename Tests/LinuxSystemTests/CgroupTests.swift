import Glibc
import Testing

@testable import LinuxSystem

/// Version 2 rehearsed with ordinary directories: which files get which text.
struct CgroupVersionTwoTests {
    private let scratch: Scratch
    private let layout: CgroupLayout
    private let group: Cgroup

    init() throws {
        scratch = try Scratch()
        let root = scratch.path
        try makeDirectories(root + "/proc/self")
        try makeDirectories(root + "/sys/fs/cgroup/rondo")
        try Self.write("0::/user.slice\n", root + "/proc/self/cgroup")
        try Self.write(
            "25 1 0:2 / / rw - ext4 /dev/a rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
            root + "/proc/self/mountinfo")
        for directory in ["", "/rondo"] {
            try Self.write("cpuset cpu io memory pids\n", root + "/sys/fs/cgroup\(directory)/cgroup.controllers")
        }
        layout = try #require(try CgroupLayout.detect(root: root))
        group = try #require(Cgroup(layout: layout, name: "task-1"))
    }

    private static func write(_ text: String, _ path: String) throws {
        try writeFileAtomically(path, Array(text.utf8), durable: false)
    }

    @Test func `processes of a group and of those below it are found in version 2`() throws {
        #expect(layout.version == .v2)
        #expect(!group.exists)
        try makeDirectories(group.directories[0] + "/below")
        try Self.write("4242\n", group.directories[0] + "/cgroup.procs")
        try Self.write("0\n4243\n", group.directories[0] + "/below/cgroup.procs")
        #expect(group.processes() == [4242, 4243])
        #expect(layout.groups() == ["task-1"])
    }

    @Test func `usage and memory kills are read from version 2`() throws {
        try makeDirectories(group.directories[0])
        let directory = group.directories[0]
        try Self.write("usage_usec 1500\nuser_usec 1000\n", directory + "/cpu.stat")
        try Self.write("low 0\noom 3\noom_kill 2\noom_group_kill 0\n", directory + "/memory.events")
        try Self.write("8192\n", directory + "/memory.current")
        #expect(group.usage() == .init(cpuNanoseconds: 1_500_000, memoryBytes: 8192, peakMemoryBytes: nil, pids: nil))
        #expect(group.oomKills() == 2)
        try group.destroy()
        #expect(!group.exists)
        try group.destroy()
    }

    @Test func `a machine without cgroups has no layout`() throws {
        let empty = try Scratch()
        try makeDirectories(empty.path + "/proc/self")
        try Self.write("", empty.path + "/proc/self/cgroup")
        try Self.write("25 1 0:2 / / rw - ext4 /dev/a rw\n", empty.path + "/proc/self/mountinfo")
        #expect(try CgroupLayout.detect(root: empty.path) == nil)
    }

    @Test func `a hybrid machine uses version 1`() throws {
        try Self.write("4:memory:/\n1:cpu,cpuacct:/\n0::/\n", scratch.path + "/proc/self/cgroup")
        try Self.write(
            "30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                + "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                + "32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            scratch.path + "/proc/self/mountinfo")
        let hybrid = try #require(try CgroupLayout.detect(root: scratch.path))
        let task = try #require(Cgroup(layout: hybrid, name: "t"))
        #expect(hybrid.version == .v1)
        #expect(task.directories.count == 3, "the version 2 tree holds the group as well")
        #expect(task.directory(of: "cpuacct")?.hasSuffix("/cpu,cpuacct/rondo/t") == true)
        #expect(!hybrid.limitsSwap)
        try makeDirectories(scratch.path + "/sys/fs/cgroup/memory")
        try Self.write("", scratch.path + "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
        #expect(hybrid.limitsSwap)
    }

    @Test func `shares and quotas stay within the kernel's bounds`() {
        #expect(CgroupLimits(cpuMilli: .max, cpuQuotaMilli: .max).shares == 262_144)
        #expect(CgroupLimits(cpuMilli: 0).shares == 2)
        #expect(CgroupLimits(cpuQuotaMilli: 1).quotaMicroseconds == 1000)
    }

    @Test(arguments: ["", "..", "a/b", ".hidden"])
    func `a name that could leave the parent is refused`(name: String) {
        #expect(Cgroup(layout: layout, name: name) == nil)
    }
}
