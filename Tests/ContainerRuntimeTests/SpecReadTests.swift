import Testing

@testable import ContainerRuntime

/// What is read from configurations that are fine.
struct SpecReadTests {
    private var full: ContainerConfig {
        get throws { try ContainerConfig.read(bytes: Array(SpecSamples.full.utf8)) }
    }

    @Test
    func `a full configuration is accepted without a warning`() throws {
        var warnings: [String] = []
        let config = try ContainerConfig.read(bytes: Array(SpecSamples.full.utf8)) { warnings.append($0) }
        try config.check()
        #expect(warnings == [])
    }

    @Test
    func `the process is read whole`() throws {
        let process = try #require(try full.process)
        #expect(process.terminal && process.noNewPrivileges)
        #expect(process.consoleSize?.height == 25 && process.consoleSize?.width == 80)
        #expect(process.user == UserConfig(uid: 1000, gid: 1001, umask: 18, additionalGids: [5, 6]))
        #expect(process.args == ["sh", "-c", "true"])
        #expect(process.env == ["PATH=/bin", "EMPTY="])
        #expect(process.cwd == "/home")
        #expect(
            process.capabilities
                == CapabilitiesConfig(
                    bounding: 1 | 1 << 5, effective: 1 << 5, permitted: 1 << 5, inheritable: 1 << 39, ambient: 1 << 40))
        #expect(
            process.rlimits == [
                RlimitConfig(resource: 7, soft: 1024, hard: 4096), RlimitConfig(resource: 4, soft: 0, hard: UInt64.max),
            ])
        #expect(process.apparmorProfile == "box" && process.selinuxLabel == "a:b:c:s0")
        #expect(process.oomScoreAdj == -5)
        #expect(process.scheduler == SchedulerConfig(policy: 3, nice: 3, flags: 0x41))
        #expect(process.ioPriority == IOPriorityConfig(ioClass: 2, priority: 4))
        #expect(process.execCPUAffinity == ExecCPUAffinity(initial: "0-3", final: "7"))
    }

    @Test
    func `the outer fields are read whole`() throws {
        let config = try full
        #expect(config.root == RootConfig(path: "rootfs", readonly: true))
        #expect(config.hostname == "box" && config.domainname == "example")
        let mapping = [IDMapping(containerID: 0, hostID: 5000, size: 10)]
        #expect(
            config.mounts == [
                MountConfig(destination: "/proc", type: "proc", source: "proc", options: ["nosuid"]),
                MountConfig(
                    destination: "/data", type: "bind", source: "/srv", options: ["rbind", "ro", "rslave"],
                    uidMappings: mapping, gidMappings: mapping),
            ])
        #expect(config.hooks.prestart == [HookConfig(path: "/h/a", args: ["a", "1"], env: ["A=1"], timeout: 3)])
        #expect(config.hooks.createRuntime == [HookConfig(path: "/h/b")])
        #expect(config.hooks.createContainer == [HookConfig(path: "/h/c")])
        #expect(config.hooks.startContainer == [HookConfig(path: "/h/d")])
        #expect(config.hooks.poststart == [HookConfig(path: "/h/e")])
        #expect(config.hooks.poststop == [HookConfig(path: "/h/f")])
        #expect(config.annotations.map(\.name) == ["org.example.a", "b"])
        #expect(config.annotations.map(\.value) == ["1", ""])
    }

    @Test
    func `the linux part is read whole`() throws {
        let linux = try full.linux
        #expect(linux.namespaces.map(\.kind) == [.pid, .network, .mount, .ipc, .uts, .user, .cgroup, .time])
        #expect(linux.namespace(.network)?.path == "/run/netns/none")
        #expect(linux.uidMappings == [IDMapping(containerID: 0, hostID: 100_000, size: 65536)])
        #expect(linux.gidMappings == linux.uidMappings)
        #expect(
            linux.timeOffsets == [
                TimeOffset(clock: "monotonic", secs: -5, nanosecs: 1),
                TimeOffset(clock: "boottime", secs: 7, nanosecs: 0),
            ])
        #expect(
            linux.devices == [
                DeviceConfig(
                    kind: .character, path: "/dev/fuse", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0),
                DeviceConfig(kind: .pipe, path: "/dev/pipe"),
            ])
        #expect(linux.cgroupsPath == "/a/b" && linux.rootfsPropagation == "rslave" && linux.mountLabel == "a:b")
        #expect(linux.sysctl.map(\.name) == ["net.ipv4.ip_forward", "kernel.msgmax"])
        #expect(linux.maskedPaths == ["/proc/kcore"] && linux.readonlyPaths == ["/proc/sys"])
        #expect(
            linux.intelRdt
                == IntelRdtConfig(
                    closID: "group", l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=20", schemata: ["L2:0=1"],
                    enableMonitoring: true))
        #expect(linux.personality == PersonalityConfig(domain: 8))
        #expect(linux.netDevices.map(\.host) == ["eth5", "eth6"] && linux.netDevices.map(\.inside) == ["inner", nil])
        #expect(linux.memoryPolicy == MemoryPolicyConfig(mode: 2, nodes: "0-1", flags: 1 << 15))
        let rule = SeccompRule(
            names: ["clone"], action: "SCMP_ACT_ALLOW", errnoRet: 1,
            args: [.init(index: 5, value: UInt64.max, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ")])
        #expect(
            linux.seccomp
                == SeccompConfig(
                    defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38, architectures: ["SCMP_ARCH_X86_64"],
                    flags: ["SECCOMP_FILTER_FLAG_LOG"], listenerPath: "/run/listen", listenerMetadata: "m",
                    syscalls: [rule]))
    }

    @Test
    func `the limits are read whole`() throws {
        let limits = try #require(try full.linux.resources)
        #expect(
            limits.devices == [
                DeviceRule(allow: false), DeviceRule(allow: true, type: "c", major: 1, minor: nil, access: "rw"),
            ])
        #expect(
            limits.memory
                == MemoryConfig(
                    limit: 1_048_576, reservation: 524_288, swap: -1, kernel: -1, kernelTCP: -1, swappiness: 60,
                    disableOOMKiller: false, useHierarchy: true, checkBeforeUpdate: true))
        #expect(
            limits.cpu
                == CPUConfig(
                    shares: 512, quota: 20000, burst: 1000, period: 100_000, realtimeRuntime: 95000,
                    realtimePeriod: 1_000_000, cpus: "0-1,3", mems: "0", idle: 1))
        #expect(limits.pids == 100)
        #expect(
            limits.blockIO
                == BlockIOConfig(
                    weight: 500, leafWeight: 400,
                    weightDevice: [.init(major: 8, minor: 0, weight: 500, leafWeight: 300)],
                    readBps: [.init(major: 8, minor: 0, rate: 1000)], writeBps: [.init(major: 8, minor: 1, rate: 1001)],
                    readIOPS: [.init(major: 8, minor: 2, rate: 1002)],
                    writeIOPS: [.init(major: 8, minor: 3, rate: 1003)]))
        #expect(limits.hugepageLimits.first?.pageSize == "2MB" && limits.hugepageLimits.first?.limit == 4_194_304)
        #expect(limits.network.classID == 1_048_577 && limits.network.priorities.first?.interface == "eth0")
        #expect(limits.rdma.first?.device == "mlx5_1" && limits.rdma.first?.hcaObjects == 10000)
        #expect(limits.unified.first?.file == "memory.high" && limits.unified.first?.value == "1000000")
    }

    @Test
    func `a process and limits of their own are read`() throws {
        let process = try ProcessConfig.read(try SpecSamples.parse(#"{"args":["a"],"cwd":"/"}"#))
        try process.check()
        #expect(process == ProcessConfig(args: ["a"]))
        let limits = try ResourcesConfig.read(try SpecSamples.parse(#"{"memory":{"limit":5},"pids":{"limit":-1}}"#))
        try limits.check()
        #expect(limits.memory.limit == 5 && limits.pids == -1)
        #expect(throws: RuntimeFailure(#"process.json: cwd: "x" is not an absolute path"#)) {
            try ProcessConfig.read(try SpecSamples.parse(#"{"args":["a"],"cwd":"x"}"#)).check()
        }
        #expect(throws: RuntimeFailure("resources.json: memory.limit: expected an integer, found true")) {
            try ResourcesConfig.read(try SpecSamples.parse(#"{"memory":{"limit":true}}"#))
        }
    }

    @Test
    func `the smallest configuration is accepted`() throws {
        let text = #"{"ociVersion":"1.0.0","root":{"path":"r"}}"#
        let config = try ContainerConfig.read(bytes: Array(text.utf8))
        try config.check()
        #expect(config == ContainerConfig(ociVersion: "1.0.0", root: RootConfig(path: "r")))
    }

    @Test
    func `null is as good as absent and unknown members are ignored`() throws {
        let text = #"""
            {"ociVersion":"1.0.0","root":{"path":"r","readonly":null,"later":[1]},"process":null,"hooks":null,"vm":{"x":1},
             "mounts":null,"annotations":{"a":null,"b":"c"},"linux":{"namespaces":null,"resources":null,"new":true}}
            """#
        let config = try ContainerConfig.read(bytes: Array(text.utf8))
        try config.check()
        #expect(config.process == nil && config.mounts.isEmpty && config.annotations.map(\.name) == ["b"])
    }

    @Test
    func `the last of repeated names counts everywhere`() throws {
        let text = #"""
            {"ociVersion":"x","root":{"path":"a","path":"b"},"annotations":{"k":"1","l":"2","k":"3"},"ociVersion":"1.0.0"}
            """#
        let config = try ContainerConfig.read(bytes: Array(text.utf8))
        #expect(config.ociVersion == "1.0.0" && config.root?.path == "b")
        #expect(config.annotations.map(\.name) == ["l", "k"] && config.annotations.map(\.value) == ["2", "3"])
    }

    @Test(arguments: [
        "1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.0.3", "1.1.0", "1.1.0+dev", "1.2.0", "1.2.1-rc.1+dev.7", "1.3.0",
        "1.3.99",
    ])
    func `versions from 1 0 to 1 3 are accepted`(version: String) throws {
        let config = try SpecSamples.changed("ociVersion", to: "\"\(version)\"")
        #expect(SpecSamples.complaint(about: config) == nil)
    }

    @Test
    func `unknown capabilities and relative destinations give a warning`() throws {
        var config = try SpecSamples.changed("process.capabilities.bounding", to: #"["CAP_KILL","CAP_X\n","CAP_X\n"]"#)
        var warnings: [String] = []
        let read = try ContainerConfig.read(config) { warnings.append($0) }
        #expect(read.process?.capabilities?.bounding == 1 << 5)
        #expect(warnings == [#"config.json: process.capabilities: unknown capabilities are ignored: "CAP_X\n""#])
        config = try SpecSamples.changed("mounts[0].destination", to: #""proc""#)
        warnings = []
        #expect(try ContainerConfig.read(config) { warnings.append($0) }.mounts[0].destination == "/proc")
        #expect(warnings == [#"config.json: mounts[0].destination: "proc" is relative; it is taken from the root"#])
    }

    @Test
    func `a hundred thousand mounts are read and one more is refused`() throws {
        func config(_ count: Int) -> [UInt8] {
            let mounts = Array(repeating: #"{"destination":"/a","type":"tmpfs"}"#, count: count).joined(separator: ",")
            return Array(#"{"ociVersion":"1.0.0","root":{"path":"r"},"mounts":[\#(mounts)]}"#.utf8)
        }
        let fine = try ContainerConfig.read(bytes: config(100_000))
        try fine.check()
        #expect(fine.mounts.count == 100_000)
        #expect(throws: RuntimeFailure("config.json: mounts: 100001 entries, at most 100000 are accepted")) {
            try ContainerConfig.read(bytes: config(100_001))
        }
    }

    @Test
    func `the case of names does not count, but the right one wins`() throws {
        let text = #"{"PIDs":{"Limit":1},"memory":{"LIMIT":5,"limit":6},"cpu":{"shareS":7,"quot@":8}}"#
        let limits = try ResourcesConfig.read(try JSONValue.parse(Array(text.utf8)))
        #expect(limits.pids == 1 && limits.memory.limit == 6 && limits.cpu.shares == 7 && limits.cpu.quota == nil)
    }

    @Test
    func `letters that runc passes over are no part of a device's access`() throws {
        func access(_ letters: String) throws -> String? {
            let text = "{\"devices\":[{\"allow\":false,\"access\":\"\(letters)\"}]}"
            return try ResourcesConfig.read(try JSONValue.parse(Array(text.utf8))).devices.first?.access
        }
        #expect(try access("rwa") == "rw")
        #expect(throws: RuntimeFailure.self) { try access("a") }
    }

    @Test
    func `a text above 16 MiB is refused before it is read`() {
        let bytes = [UInt8](repeating: 0x20, count: (16 << 20) + 1)
        #expect(throws: RuntimeFailure("config.json: 16777217 bytes, at most 16777216 are accepted")) {
            try ContainerConfig.read(bytes: bytes)
        }
    }
}
