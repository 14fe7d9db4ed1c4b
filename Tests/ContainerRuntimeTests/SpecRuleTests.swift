import Testing

@testable import ContainerRuntime

/// Configurations whose types and ranges are right and which are wrong all the same.
enum SpecRules {
    private static let needsUTS = "can only be set in a uts namespace; add one to linux.namespaces"
    private static let withoutUser =
        #"[{"type":"pid"},{"type":"mount"},{"type":"uts"},{"type":"ipc"},{"type":"network"},{"type":"time"}]"#
    private static let mapping = #"{"containerID":0,"hostID":1,"size":1}"#

    static let all: [SpecCase] = [versions, process, outer, mounts, linux, deviceNames, sysctls, resources].flatMap {
        $0
    }

    static let versions: [SpecCase] =
        ["2.0.0", "0.2.0", "1.4.0", "1.10.0", "1.4.0-rc.1"].map {
            .at("ociVersion", "\"\($0)\"", "\"\($0)\" is not supported; this runtime follows the versions 1.0 to 1.3")
        }
        + [
            "", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.00.0", "1..0", "1.0.0-", "1.0.0+", "1.0.0-rc 1",
            " 1.0.0", "-1.0.0",
            "1.0.99999999999999999999",
        ].map { .at("ociVersion", "\"\($0)\"", "expected a version such as 1.2.0, found \"\($0)\"") }

    static let process: [SpecCase] = [
        .at("process.cwd", #""home""#, #""home" is not an absolute path"#),
        .at("process.cwd", #""""#, #""" is not an absolute path"#),
        .at("process.args", "[]", "must name a program"), .at("process.args", nil, "must name a program"),
        .at("process.args[0]", #""""#, "must not be empty"),
        .at("process.env[0]", #""PATH""#, #"expected NAME=VALUE, found "PATH""#),
        .at("process.env[1]", #""=x""#, #"a variable without a name, found "=x""#),
        .at("process.env[1]", #""""#, #"a variable without a name, found """#),
        .at(
            "process.rlimits[0].type", #""NOFILE""#,
            #"expected the name of a limit such as RLIMIT_NOFILE, found "NOFILE""#),
        .at(
            "process.rlimits[0].type", #""RLIMIT_NOFIL""#,
            #"expected the name of a limit such as RLIMIT_NOFILE, found "RLIMIT_NOFIL""#),
        SpecCase(
            "process.rlimits[1].type", #""RLIMIT_NOFILE""#, "process.rlimits[1]: a second limit of type RLIMIT_NOFILE"),
        SpecCase(
            "process.rlimits[0].soft", "4097",
            "process.rlimits[0]: the soft limit 4097 of RLIMIT_NOFILE is above its hard limit 4096"),
        .at(
            "process.scheduler.policy", #""SCHED_NONE""#,
            #"expected the name of a policy such as SCHED_OTHER, found "SCHED_NONE""#),
        .at(
            "process.scheduler.flags[1]", #""FAST""#,
            #"expected a flag such as SCHED_FLAG_RESET_ON_FORK, found "FAST""#),
        .at("process.scheduler.priority", "4", "is for SCHED_FIFO and SCHED_RR only"),
        SpecCase(
            "process.scheduler.policy", #""SCHED_FIFO""#,
            "process.scheduler.priority: must be from 1 to 99 for SCHED_FIFO and SCHED_RR"),
        .at(
            "process.scheduler", #"{"policy":"SCHED_DEADLINE","runtime":5,"deadline":4,"period":9}"#,
            "SCHED_DEADLINE needs 0 < runtime <= deadline <= period"),
        .at(
            "process.scheduler", #"{"policy":"SCHED_DEADLINE"}"#,
            "SCHED_DEADLINE needs 0 < runtime <= deadline <= period"),
        SpecCase(
            "process.scheduler", #"{"policy":"SCHED_RR"}"#,
            "process.scheduler.priority: must be from 1 to 99 for SCHED_FIFO and SCHED_RR"),
        SpecCase(
            "process.scheduler.period", "5",
            "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only"),
        .at(
            "process.ioPriority.class", #""BE""#,
            #"expected IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE, found "BE""#),
        .at("process.execCPUAffinity.initial", #""a""#, #"expected a list such as 0-3,7, found "a""#),
        .at("process.execCPUAffinity.final", #""1,""#, #"expected a list such as 0-3,7, found "1,""#),
        .at("process.execCPUAffinity.final", #""1,,2""#, #"expected a list such as 0-3,7, found "1,,2""#),
        .at("process.apparmorProfile", #""a\nb""#, #"must not hold control characters, found "a\nb""#),
        .at("process.selinuxLabel", #""a\u0001""#, #"must not hold control characters, found "a\u0001""#),
    ]

    static let outer: [SpecCase] = [
        .at("root.path", #""""#, "must not be empty"),
        SpecCase("linux.namespaces[4]", #"{"type":"pid"}"#, "hostname: \(needsUTS)"),
        .at("hostname", "\"\(String(repeating: "h", count: 65))\"", "65 bytes long, at most 64 are possible"),
        .at("domainname", "\"\(String(repeating: "d", count: 99))\"", "99 bytes long, at most 64 are possible"),
        SpecCase("annotations[\"\"]", #""x""#, "annotations: must not hold an empty name"),
        .at("annotations[\"b\"]", "5", "expected a string, found 5"),
        .at("hooks.prestart[0].path", #""a""#, #""a" is not an absolute path"#),
        .at("hooks.createRuntime[0].path", #""./a""#, #""./a" is not an absolute path"#),
        .at("hooks.createContainer[0].path", #""""#, #""" is not an absolute path"#),
        .at("hooks.startContainer[0].path", #""a/b""#, #""a/b" is not an absolute path"#),
        .at("hooks.poststart[0].path", #""~""#, #""~" is not an absolute path"#),
        .at("hooks.poststop[0].path", #""..""#, #"".." is not an absolute path"#),
        .at("hooks.prestart[0].timeout", "0", "must be greater than 0, found 0"),
        .at("hooks.poststop[0].timeout", "-9223372036854775808", "must be greater than 0, found -9223372036854775808"),
    ]

    static let mounts: [SpecCase] = [
        .at("mounts[0].destination", #""""#, "must not be empty"),
        .at("mounts[1].source", nil, "missing, but required for a bind mount"),
        .at(
            "mounts[1].options", #"["bind","mode=1","idmap=uids=0-1;gids=0-1-1"]"#,
            #""idmap=uids=0-1;gids=0-1-1" is no map of ids such as idmap=uids=0-1000-10;gids=0-1000-10"#),
        SpecCase("mounts[0].options", #"["idmap"]"#, "mounts[0]: only bind mounts can have id mappings"),
        SpecCase("mounts[0].uidMappings", "[\(mapping)]", "mounts[0]: only bind mounts can have id mappings"),
        .at("mounts[1].uidMappings", nil, "missing beside gidMappings"),
        .at("mounts[1].gidMappings", nil, "missing beside uidMappings"),
        .at("mounts[0].options", #"["tmpcopyup"]"#, "tmpcopyup is for mounts of type tmpfs only"),
        .at(
            "mounts[1].uidMappings[0]", #"{"containerID":4294967294,"hostID":0,"size":2}"#,
            "containerID and size together exceed 4294967295"),
        .at(
            "mounts[1].gidMappings[0]", #"{"containerID":0,"hostID":4294967290,"size":6}"#,
            "hostID and size together exceed 4294967295"),
        .at(
            "mounts[1].gidMappings[1]", #"{"containerID":9,"hostID":0,"size":1}"#,
            "overlaps another range inside the container"),
        .at(
            "mounts[1].gidMappings[1]", #"{"containerID":10,"hostID":5009,"size":1}"#,
            "overlaps another range on the host"),
    ]

    static let linux: [SpecCase] = [
        .at("linux.namespaces[8]", #"{"type":"pid"}"#, "a second namespace of type pid"),
        .at("linux.namespaces[1].path", #""run/x""#, #""run/x" is not an absolute path"#),
        .at(
            "linux.namespaces[0].type", #""net""#,
            #"expected one of pid, network, mount, ipc, uts, user, cgroup, time, found "net""#),
        SpecCase(
            "linux.namespaces", withoutUser,
            "linux.uidMappings: can only be set for a user namespace; add one to linux.namespaces"),
        .at("linux.uidMappings", "[]", "required for a new user namespace"),
        .at("linux.gidMappings", nil, "required for a new user namespace"),
        .at(
            "linux.uidMappings[0].hostID", "4294967294", "hostID and size together exceed 4294967295",
            place: "linux.uidMappings[0]"),
        .at(
            "linux.gidMappings[1]", #"{"containerID":65535,"hostID":0,"size":1}"#,
            "overlaps another range inside the container"),
        .at(
            "linux.uidMappings",
            "[\((0..<341).map { #"{"containerID":\#($0),"hostID":\#($0),"size":1}"# }.joined(separator: ","))]",
            "341 ranges, the kernel takes at most 340"),
        .at("linux.timeOffsets[\"realtime\"]", "{}", "expected the clock monotonic or boottime"),
        .at(
            "linux.namespaces[7]", #"{"type":"uts"}"#, "a second namespace of type uts"),
        .at(
            "linux.rootfsPropagation", #""public""#,
            "expected shared, slave, private or unbindable, or one of them with an r before, found \"public\""),
        .at("linux.maskedPaths[0]", #""proc/kcore""#, #""proc/kcore" is not an absolute path"#),
        .at("linux.readonlyPaths[0]", #""""#, #""" is not an absolute path"#),
        .at("linux.devices[0].path", #""dev/fuse""#, #""dev/fuse" is not an absolute path"#),
        .at("linux.devices[0].type", #""x""#, #"expected c, u, b or p, found "x""#),
        .at("linux.personality.domain", #""LINUX64""#, #"expected LINUX or LINUX32, found "LINUX64""#),
        .at("linux.personality.flags", #"["A"]"#, "no flags are supported; leave the list empty"),
        .at("linux.intelRdt.closID", #"".""#, #""." is no name of a folder"#),
        .at("linux.intelRdt.closID", #""..""#, #"".." is no name of a folder"#),
        .at("linux.intelRdt.closID", #""a/b""#, #""a/b" is no name of a folder"#),
        .at("linux.intelRdt.memBwSchema", #""L3:0=f""#, "must be one line that starts with MB:"),
        .at("linux.intelRdt.memBwSchema", #""MB:0=20\nL3:0=f""#, "must be one line that starts with MB:"),
        .at("linux.intelRdt.schemata[0]", #""L3:0=f\nMB:0=20""#, "must be one line"),
        .at("linux.seccomp.syscalls[0].names", "[]", "must name a system call"),
        .at(
            "linux.memoryPolicy.mode", #""MPOL_X""#,
            #"invalid memory policy mode "MPOL_X"; use a name such as MPOL_BIND"#),
        .at(
            "linux.memoryPolicy.flags[0]", #""F""#,
            #"invalid memory policy flag "F"; use one such as MPOL_F_STATIC_NODES"#),
        .at("linux.memoryPolicy.nodes", #""0-""#, #"expected a list such as 0-3,7, found "0-""#),
        .at("linux.memoryPolicy.nodes", #""""#, "must name a node for this mode"),
        .at(
            "linux.memoryPolicy.mode", #""MPOL_LOCAL""#, "this mode requires 0 nodes but got 2",
            place: "linux.memoryPolicy.nodes"),
        .at(
            "linux.memoryPolicy.flags[1]", #""MPOL_F_RELATIVE_NODES""#,
            "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other", place: "linux.memoryPolicy.flags"),
        .at(
            "linux.memoryPolicy", #"{"mode":"MPOL_PREFERRED","flags":["MPOL_F_STATIC_NODES"]}"#,
            "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES need nodes", place: "linux.memoryPolicy.flags"),
        .at(
            "linux.memoryPolicy", #"{"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_NUMA_BALANCING"]}"#,
            "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY only", place: "linux.memoryPolicy.flags"),
        .at(
            "linux.netDevices[\"eth5\"].name", #""eth6""#, #"a second device would be called "eth6" inside"#,
            place: "linux.netDevices[\"eth6\"]"),
    ]

    static let deviceNames: [SpecCase] = ["a/b", "a b", "a:b", ".", "..", "sixteen-bytes-xy", "e%d"].flatMap { name in
        let reason = "\"\(name)\" is no name of a network device"
        return [
            SpecCase.at("linux.netDevices[\"\(name)\"]", "{}", reason),
            SpecCase.at("linux.netDevices[\"eth5\"].name", "\"\(name)\"", reason),
        ]
    }

    static let sysctls: [SpecCase] =
        ["kernel.core_pattern", "vm.swappiness", "kernel/core_pattern", "kernel.sysrq", "fs.file-max", "netx.y"].map {
            .at("linux.sysctl[\"\($0)\"]", #""1""#, "belongs to no namespace, so setting it would change the host")
        }
        + ["", "net", "net..ipv4", "net/../kernel/core_pattern", ".net.ipv4", "net.ipv4.", "net/./x", "net.a b"].map {
            .at("linux.sysctl[\"\($0)\"]", #""1""#, "is no name of a kernel parameter")
        }
        + [.at("linux.sysctl[\"kernel.hostname\"]", #""x""#, "conflicts with the field hostname; use that")]

    static let resources: [SpecCase] = [
        .at("linux.resources.devices[1].type", #""p""#, #"expected a, b or c, found "p""#),
        .at("linux.resources.devices[1].access", #""rx""#, #"expected some of the letters r, w and m, found "rx""#),
        .at("linux.resources.devices[1].access", #""rwmr""#, #"expected some of the letters r, w and m, found "rwmr""#),
        .at("linux.resources.cpu.cpus", #""0\n1""#, #"expected a list such as 0-3,7, found "0\n1""#),
        .at("linux.resources.cpu.mems", #""all""#, #"expected a list such as 0-3,7, found "all""#),
        .at("linux.resources.hugepageLimits[0].pageSize", #""../x""#, #"expected a size such as 2MB, found "../x""#),
        .at("linux.resources.hugepageLimits[0].pageSize", #""2M""#, #"expected a size such as 2MB, found "2M""#),
        .at("linux.resources.hugepageLimits[1]", #"{"pageSize":"2MB","limit":1}"#, "a second limit for pages of 2MB"),
        .at("linux.resources.network.priorities[0].name", #""a b""#, #""a b" is no name of a network device"#),
        .at("linux.resources.rdma[\"a b\"]", "{}", "is no name of a device"),
        .at("linux.resources.unified[\"../memory.max\"]", #""1""#, "expected the name of a file such as memory.high"),
        .at("linux.resources.unified[\"..\"]", #""1""#, "expected the name of a file such as memory.high"),
        .at("linux.resources.unified[\"\"]", #""1""#, "expected the name of a file such as memory.high"),
    ]
}

extension SpecCase {
    /// A change that is complained about at another place.
    fileprivate static func at(_ path: String, _ value: String?, _ reason: String, place: String) -> SpecCase {
        SpecCase(path, value, "\(place): \(reason)")
    }
}

struct SpecRuleTests {
    @Test(arguments: SpecRules.all)
    func `a rule that is broken is named with its place`(wrong: SpecCase) throws {
        let config = try SpecSamples.changed(wrong.path, to: wrong.value)
        #expect(SpecSamples.complaint(about: config) == "config.json: \(wrong.message)")
    }

    private func complaint(_ change: (inout ContainerConfig) -> Void) throws -> String? {
        var config = try ContainerConfig.read(bytes: Array(SpecSamples.full.utf8))
        change(&config)
        do {
            try config.check()
            return nil
        } catch { return error.message }
    }

    @Test(arguments: [
        (NamespaceKind.uts, "config.json: hostname: can only be set in a uts namespace; add one to linux.namespaces"),
        (.mount, "config.json: linux.maskedPaths: can only be set in a mount namespace; add one to linux.namespaces"),
        (.time, "config.json: linux.timeOffsets: can only be set in a time namespace; add one to linux.namespaces"),
        (.user, "config.json: linux.uidMappings: can only be set for a user namespace; add one to linux.namespaces"),
        (
            .ipc,
            "config.json: linux.sysctl[\"kernel.msgmax\"]: needs a namespace of type ipc; add one to linux.namespaces"
        ),
        (
            .network,
            "config.json: linux.sysctl[\"net.ipv4.ip_forward\"]: needs a namespace of type network; add one to linux.namespaces"
        ),
    ])
    func `what belongs to a namespace needs that namespace`(kind: NamespaceKind, message: String) throws {
        #expect(try complaint { config in config.linux.namespaces.removeAll { $0.kind == kind } } == message)
    }

    @Test
    func `net devices need a network namespace`() throws {
        let message = try complaint { config in
            config.linux.namespaces.removeAll { $0.kind == .network }
            config.linux.sysctl = []
        }
        #expect(
            message
                == "config.json: linux.netDevices: can only be moved to a network namespace; add one to linux.namespaces"
        )
    }

    @Test
    func `a sysctl of the host's own network namespace is refused`() throws {
        let message = try complaint { config in
            config.linux.namespaces.removeAll { $0.kind == .network }
            config.linux.namespaces.append(NamespaceConfig(kind: .network, path: "/proc/self/ns/net"))
        }
        #expect(
            message
                == #"config.json: linux.sysctl["net.ipv4.ip_forward"]: must not be set in the network namespace of the host"#
        )
    }

    @Test
    func `idmap without mappings needs a user namespace`() throws {
        let change: (inout ContainerConfig) -> Void = { config in
            config.mounts[1].uidMappings = []
            config.mounts[1].gidMappings = []
            config.mounts[1].options = ["bind", "ridmap"]
        }
        #expect(try complaint(change) == nil)
        let message = try complaint { config in
            change(&config)
            config.linux.namespaces.removeAll { $0.kind == .user }
        }
        #expect(
            message
                == "config.json: mounts[1].options: idmap needs uidMappings and gidMappings, or a user namespace to take them from"
        )
    }

    @Test
    func `a user namespace to join needs no mappings`() throws {
        let message = try complaint { config in
            config.linux.uidMappings = []
            config.linux.gidMappings = []
            config.linux.namespaces.removeAll { $0.kind == .user }
            config.linux.namespaces.append(NamespaceConfig(kind: .user, path: "/proc/1/ns/user"))
        }
        #expect(message == nil)
    }

    @Test(arguments: [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"), ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
        ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"), ("kernel.sem", "kernel/sem"),
    ])
    func `a kernel parameter has its file`(name: String, file: String) {
        #expect(SysctlRules.file(of: name) == file)
    }

    @Test(arguments: [
        "kernel.shm_rmid_forced", "kernel/sem", "fs.mqueue.msg_max", "net.core.somaxconn", "user.max_user_namespaces",
        "kernel.domainname",
    ])
    func `parameters of namespaces are accepted`(name: String) throws {
        #expect(try complaint { $0.linux.sysctl = [(name: name, value: "1")] } == nil)
    }

    @Test(arguments: ["0", "0-3", "0-3,7", "0-31:2/4", "1,2,3"])
    func `lists of numbers are accepted`(list: String) {
        #expect(SpecNames.isNumberList(list))
    }
}
