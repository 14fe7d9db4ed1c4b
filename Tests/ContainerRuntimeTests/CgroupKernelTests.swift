import CLinux
import Glibc
import Testing

@testable import ContainerRuntime

/// What the tests of the real kernel need.
enum CgroupTestMachine {
    static var isPossible: Bool {
        guard getuid() == 0, !CgroupRecord.isInUserNamespace, let host = try? CgroupHost.read() else { return false }
        return ["memory", "cpu", "cpuset", "pids", "devices", "freezer"].allSatisfy { controller in
            host.version1.contains { $0.controllers.contains(controller) }
        }
    }

    static var hasVersion2: Bool { isPossible && (try? CgroupHost.read())?.version2 != nil }
}

/// The real kernel: groups made under a unique name and removed again.
@Suite(.enabled(if: CgroupTestMachine.isPossible, "needs root, no user namespace, and cgroup version 1"))
final class CgroupKernelTests {
    private let record: CgroupRecord
    private var children: [Int32] = []

    init() throws {
        var name = Array("/tmp/cgroup-name-XXXXXX".utf8CString)
        let unique = String(cString: try #require(mkdtemp(&name)))
        rmdir(unique)
        record = try CgroupSetup.plan(
            id: "x", cgroupsPath: "/rondo-\(unique.dropFirst(5))-\(getpid())/x", systemd: false, rootless: false)
        try record.create()
    }

    deinit {
        try? record.kill(SIGKILL)
        for child in children { waitpid(child, nil, 0) }
        try? record.remove()
        for place in record.places {
            rmdir(String(place.path[..<(place.path.lastIndex(of: "/") ?? place.path.endIndex)]))
        }
    }

    private func directory(_ controller: String) throws -> CgroupDirectory {
        try #require(record.version1(controller)).directory
    }

    /// A shell that runs `script` once it is in the group.
    private func start(_ script: String, in record: CgroupRecord? = nil) throws -> Int32 {
        var gate: (reading: Int32, writing: Int32) = (-1, -1)
        let piped = clinux_pipe(&gate.reading, &gate.writing)
        try #require(piped == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, gate.reading, 0)
        var arguments = (["sh", "-c", "read go; \(script)"] as [String]).map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: Int32 = 0
        try #require(posix_spawn(&pid, "/bin/sh", &actions, nil, &arguments, environ) == 0)
        children.append(pid)
        try (record ?? self.record).add(pid: pid)
        close(gate.reading)
        try #require(write(gate.writing, "\n", 1) == 1)
        close(gate.writing)
        return pid
    }

    /// - Returns: the exit status, or the negative signal.
    private func end(of pid: Int32) -> Int32 {
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { return .max }
        children.removeAll { $0 == pid }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    }

    private func apply(_ change: (inout ResourcesConfig) -> Void) throws {
        var resources = ResourcesConfig()
        change(&resources)
        try record.apply(resources, devices: false)
    }

    @Test func `a group holds a process, limits it and goes without a trace`() throws {
        let pid = try start("exec sleep 1000")
        for place in record.places { #expect(place.directory.processes() == [pid], "\(place.path)") }
        var resources = ResourcesConfig()
        resources.cpu = CPUConfig(shares: 512, quota: 20_000, period: 50_000, cpus: "0", mems: "0")
        resources.memory = MemoryConfig(limit: 64 << 20, reservation: 32 << 20, swap: 128 << 20, swappiness: 10)
        resources.pids = 50
        resources.devices = [DeviceRule(allow: false)]
        try record.apply(resources)
        #expect(try directory("cpu").read("cpu.shares") == "512")
        #expect(try directory("cpu").read("cpu.cfs_quota_us") == "20000")
        #expect(try directory("cpu").read("cpu.cfs_period_us") == "50000")
        #expect(try directory("cpuset").read("cpuset.cpus") == "0")
        #expect(try directory("memory").number("memory.limit_in_bytes") == 64 << 20)
        #expect(try directory("memory").number("memory.soft_limit_in_bytes") == 32 << 20)
        #expect(try directory("memory").number("memory.memsw.limit_in_bytes") == 128 << 20)
        #expect(try directory("memory").number("memory.swappiness") == 10)
        #expect(try directory("pids").number("pids.max") == 50)
        #expect(try directory("devices").read("devices.list")?.contains("c 1:3 rwm") == true)
        #expect(record.statistics()["pids"]?["limit"] == .int(50))
        #expect(record.statistics()["memory"]?["usage"]?["limit"] == .int(64 << 20))
        let otherPlan = record
        #expect(throws: RuntimeFailure.self) { try otherPlan.create() }
        try record.kill(SIGKILL)
        #expect(end(of: pid) == -SIGKILL)
        try record.remove()
        for place in record.places { #expect(!place.directory.exists, "\(place.path)") }
        try record.remove()
    }

    @Test func `memory and swap are raised and lowered in the order that the kernel takes`() throws {
        let memory = try directory("memory")
        let steps: [(Int64, Int64)] = [(64, 128), (256, 256), (32, 64), (128, -1), (16, 16)]
        for (mebibytes, both) in steps {
            let limit = mebibytes << 20
            let swap = both < 0 ? both : both << 20
            try apply { $0.memory = MemoryConfig(limit: limit, swap: swap) }
            #expect(memory.number("memory.limit_in_bytes") == UInt64(limit))
            if swap > 0 { #expect(memory.number("memory.memsw.limit_in_bytes") == UInt64(swap)) }
        }
        do throws(RuntimeFailure) {
            var resources = ResourcesConfig()
            resources.memory.limit = 512 << 20
            try record.apply(resources, devices: false)
            Issue.record("more memory than memory and swap together")
        } catch {
            #expect(error.message.contains("memory.limit_in_bytes to \"536870912\""))
            #expect(error.message.contains("together may use 16777216"))
        }
        try apply { $0.memory.limit = -1 }
        #expect(try #require(memory.number("memory.memsw.limit_in_bytes")) > 1 << 60)
    }

    @Test func `refused values name their file`() throws {
        let bad: [(String, (inout ResourcesConfig) -> Void)] = [
            ("cpu.cfs_quota_us", { $0.cpu.quota = 1 }), ("cpuset.cpus", { $0.cpu.cpus = "4000" }),
            ("the most is 262144", { $0.cpu.shares = 300_000 }), ("the least is 2", { $0.cpu.shares = 1 }),
            ("swappiness 101", { $0.memory.swappiness = 101 }), ("net_cls", { $0.network.classID = 1 }),
            ("blkio.throttle.read_bps_device", { $0.blockIO.readBps = [.init(major: 4095, minor: 1, rate: 5)] }),
            ("unified", { $0.unified = [("memory.max", "1")] }), ("rdma", { $0.rdma = [("mlx", 1, nil)] }),
        ]
        for (words, change) in bad {
            do {
                try apply(change)
                Issue.record("\(words) was accepted")
            } catch {
                #expect("\(error)".contains(words))
            }
        }
    }

    @Test func `quota, period and burst change together`() throws {
        let cpu = try directory("cpu")
        let steps: [(Int64, UInt64, UInt64)] = [
            (50_000, 100_000, 40_000), (5000, 10_000, 1000), (200_000, 100_000, 100_000), (1000, 1000, 0),
        ]
        for (quota, period, burst) in steps {
            try apply { $0.cpu = CPUConfig(quota: quota, burst: burst, period: period) }
            #expect(cpu.read("cpu.cfs_quota_us") == String(quota))
            #expect(cpu.number("cpu.cfs_period_us") == period)
            #expect(cpu.number("cpu.cfs_burst_us") == burst)
        }
        try apply { $0.cpu = CPUConfig(quota: -1) }
        #expect(cpu.read("cpu.cfs_quota_us") == "-1")
    }

    @Test func `a paused process stands still and can be killed`() throws {
        let pid = try start("while :; do :; done")
        #expect(!record.isFrozen)
        try record.freeze()
        #expect(record.isFrozen)
        try record.freeze()
        let before = record.statistics()["cpu"]?["usage"]?["total"]
        try record.kill(SIGCONT)
        #expect(record.isFrozen, "another signal than SIGKILL leaves it paused")
        #expect(record.statistics()["cpu"]?["usage"]?["total"] == before)
        try record.thaw()
        #expect(!record.isFrozen)
        try record.freeze()
        try record.kill(SIGKILL)
        #expect(end(of: pid) == -SIGKILL)
        try record.remove()
    }

    @Test func `nothing escapes by forking`() throws {
        try apply { $0.pids = 40 }
        let pid = try start("while :; do sleep 1000 & done 2>/dev/null")
        var rounds = 0
        while record.processes().count < 10, rounds < 100_000 {
            sched_yield()
            rounds += 1
        }
        #expect(record.processes().count >= 10)
        try record.kill(SIGKILL)
        // dash ends by itself when it cannot fork any more.
        let status = end(of: pid)
        #expect(status == -SIGKILL || status == 2)
        try record.remove()
        #expect(record.processes().isEmpty)
    }

    @Test func `groups made below go too`() throws {
        let pid = try start("exec sleep 1000")
        for controller in ["memory", "pids"] {
            let path = try directory(controller).path
            #expect(mkdir("\(path)/a", 0o755) == 0 && mkdir("\(path)/a/b", 0o755) == 0)
            #expect(CgroupDirectory(path: "\(path)/a/b").attempt(String(pid), to: "cgroup.procs") == 0)
        }
        #expect(record.processes() == [pid])
        try record.add(pid: pid, subgroups: ["memory:a"])
        #expect(CgroupDirectory(path: try directory("memory").path + "/a").processes() == [pid])
        #expect(throws: RuntimeFailure.self) { try record.add(pid: pid, subgroups: ["nothing:a"]) }
        try record.kill(SIGKILL)
        #expect(end(of: pid) == -SIGKILL)
        try record.remove()
        for place in record.places { #expect(!place.directory.exists) }
    }

    @Test func `a group in use is not removed and says who is in it`() throws {
        let pid = try start("exec sleep 1000")
        do throws(RuntimeFailure) {
            try record.remove()
            Issue.record("removed a group in use")
        } catch {
            #expect(error.message.contains("1 process(es) are still in it: \(pid)"))
        }
    }

    private static let deviceScript =
        "(: </dev/kmsg) 2>/dev/null && exit 1; (: </dev/zero) || exit 2; (: >/dev/null) || exit 3; exit 42"

    @Test func `version 1 forbids what is not on the list`() throws {
        try record.apply(ResourcesConfig())
        #expect(end(of: try start(Self.deviceScript)) == 42)
        var resources = ResourcesConfig()
        resources.devices = [DeviceRule(allow: true, type: "c", major: 1, minor: 11, access: "r")]
        try record.apply(resources)
        #expect(end(of: try start(Self.deviceScript)) == 1)
        resources.devices = [DeviceRule(allow: true)]
        try record.apply(resources)
        #expect(try directory("devices").read("devices.list") == "a *:* rwm")
        try record.apply(ResourcesConfig())
        #expect(end(of: try start(Self.deviceScript)) == 42)
    }

    @Test(.enabled(if: CgroupTestMachine.hasVersion2, "needs a mounted version 2 tree"))
    func `the kernel takes the device program and replaces it`() throws {
        // As on a machine with version 2 alone.
        var unified = record
        unified.version1 = []
        let group = try #require(unified.version2)
        try unified.applyDevices([])
        #expect(end(of: try start(Self.deviceScript, in: unified)) == 42)
        try unified.applyDevices([
            DeviceRule(allow: false), DeviceRule(allow: true, type: "c", major: 1, minor: 11, access: "rw"),
            DeviceRule(allow: false, type: "c", major: 1, minor: 11, access: "w"),
        ])
        let directory = clinux_open_directory(group.path)
        defer { close(directory) }
        #expect(clinux_bpf_device_programs(directory, nil, 0) == 1, "the earlier one is gone")
        #expect(end(of: try start(Self.deviceScript, in: unified)) == 1)
        let writes = "(: >/dev/kmsg) 2>/dev/null && exit 1; exit 42"
        #expect(end(of: try start(writes, in: unified)) == 42)
        try unified.applyDevices(
            (0..<200).map { DeviceRule(allow: false, type: "b", major: 8, minor: $0, access: "w") })
        #expect(end(of: try start(Self.deviceScript, in: unified)) == 42)
    }

    @Test(.enabled(if: CgroupTestMachine.hasVersion2, "needs a mounted version 2 tree"))
    func `a controller that only version 2 has is used there`() throws {
        guard case .version2(let group) = record.find("hugetlb") else { return }
        let sizes = try #require(record.statistics()["hugetlb"]?.object).map(\.name)
        for size in sizes {
            try apply { $0.hugepageLimits = [(size, 4 << 30)] }
            #expect(group.number("hugetlb.\(size).max") == 4 << 30)
        }
        #expect(!sizes.isEmpty)
        #expect(throws: RuntimeFailure.self) { try self.apply { $0.hugepageLimits = [("3MB", 0)] } }
    }

    @Test(.enabled(if: CgroupTestMachine.hasVersion2, "needs a mounted version 2 tree"))
    func `version 2 alone freezes and kills`() throws {
        var unified = record
        unified.version1 = []
        let pid = try start("while :; do :; done", in: unified)
        try unified.freeze()
        #expect(unified.isFrozen)
        try unified.thaw()
        #expect(!unified.isFrozen)
        try unified.freeze()
        try unified.kill(SIGKILL)
        #expect(end(of: pid) == -SIGKILL)
        try unified.remove()
    }

    private func clinux_open_directory(_ path: String) -> Int32 { clinux_open(path, O_RDONLY | O_DIRECTORY, 0) }
}
