import Testing

@testable import ContainerRuntime

/// Which directories a container's group gets on which kind of machine.
struct CgroupPlanTests {
    private static let hybrid = CgroupHost(
        mountinfo: """
            25 1 0:2 / / rw - ext4 /dev/a rw
            30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:1 - cgroup cgroup rw,cpu,cpuacct
            31 25 0:27 /pod /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            32 25 0:28 / /sys/fs/cgroup/name\\040d rw - cgroup cgroup rw,xattr,name=systemd
            33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            34 25 0:30 / /mnt/again rw - cgroup cgroup rw,memory
            35 25 0:31 / /sys/fs/cgroup/rdma rw - cgroup cgroup rw,rdma
            """,
        membership: "4:memory:/pod/a\n3:name=systemd:/\n2:cpu,cpuacct:/user\n0::/own\n")
    private static let unified = CgroupHost(
        mountinfo: "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", membership: "0::/user.slice/run.scope\n")

    private func plan(
        _ path: String?, on host: CgroupHost = hybrid, rootless: Bool = false
    ) throws -> [String] {
        try CgroupSetup.plan(id: "c1", cgroupsPath: path, rootless: rootless, on: host).places.map(
            \.path)
    }

    @Test func `an absolute path counts from the top of every tree`() throws {
        #expect(
            try plan("/a/../b//c/.") == [
                "/sys/fs/cgroup/cpu,cpuacct/b/c", "/sys/fs/cgroup/memory/b/c", "/sys/fs/cgroup/name d/b/c",
                "/sys/fs/cgroup/unified/b/c",
            ])
        #expect(try plan("/a", on: Self.unified) == ["/sys/fs/cgroup/a"])
    }

    @Test(arguments: [nil, "", "c1", "../../c1"])
    func `a relative path and none count from the runtime's own group`(path: String?) throws {
        #expect(
            try plan(path) == [
                "/sys/fs/cgroup/cpu,cpuacct/user/c1", "/sys/fs/cgroup/memory/a/c1", "/sys/fs/cgroup/name d/c1",
                "/sys/fs/cgroup/unified/own/c1",
            ])
        #expect(try plan(path, on: Self.unified) == ["/sys/fs/cgroup/user.slice/c1"], "beside the runtime's own group")
    }

    @Test func `a path for the systemd driver is a plain one without it`() throws {
        #expect(try plan("x.slice:p:n", on: Self.unified) == ["/sys/fs/cgroup/user.slice/x.slice:p:n"])
    }

    @Test(arguments: ["/", "..", "/a/..", ".", "/a\nb"])
    func `a path that is no group of the container's own is refused`(path: String) {
        #expect(throws: RuntimeFailure.self) { try plan(path) }
    }

    @Test func `a machine without cgroups runs containers without limits`() throws {
        let record = try CgroupSetup.plan(
            id: "c", cgroupsPath: nil, rootless: false, on: CgroupHost(mountinfo: "", membership: ""))
        #expect(record.places.isEmpty)
        try record.create()
        try record.add(pid: 1)
        try record.apply(ResourcesConfig())
        var limited = ResourcesConfig()
        limited.pids = 5
        #expect(throws: RuntimeFailure("cannot set a pids limit: the controller pids is not available on this machine"))
        {
            try record.apply(limited)
        }
        #expect(throws: RuntimeFailure.self) { try record.freeze() }
        #expect(!record.isFrozen)
        try record.remove()
    }

    @Test func `a record survives the state file`() throws {
        for (path, rootless) in [(nil, true), ("/a/b", false)] {
            let record = try CgroupSetup.plan(
                id: "c1", cgroupsPath: path, rootless: rootless, on: Self.hybrid)
            let text = record.json.text()
            #expect(try CgroupRecord(json: JSONValue.parse(Array(text.utf8))) == record)
        }
    }

    @Test(arguments: [
        #"{}"#, #"{"driver":"systemd"}"#, #"{"driver":"else"}"#,
        #"{"driver":"cgroupfs","version2":{"mount":"/c","path":"/c"}}"#,
        #"{"driver":"cgroupfs","version2":{"mount":"/c","path":"/c/../x"}}"#,
        #"{"driver":"cgroupfs","version1":[{"mount":"/c","path":"/cc/x"}]}"#, #"{"driver":"cgroupfs","version1":[7]}"#,
    ])
    func `a damaged record is refused`(text: String) throws {
        let json = try JSONValue.parse(Array(text.utf8))
        #expect(throws: RuntimeFailure.self) { try CgroupRecord(json: json) }
    }

    @Test func `a container sees each tree under its name`() throws {
        let record = try CgroupSetup.plan(
            id: "c", cgroupsPath: "/c", rootless: false, on: Self.hybrid)
        let mounts = try record.mountsInside()
        #expect(mounts.map(\.name) == ["cpu,cpuacct", "memory", "name d", "unified"])
        #expect(mounts.map(\.links) == [["cpu", "cpuacct"], [], ["systemd"], []])
        #expect(mounts.map(\.data) == ["cpu,cpuacct", "memory", "none,name=systemd", nil])
        #expect(mounts.last?.source == "/sys/fs/cgroup/unified/c")
        #expect(!record.isUnified)
    }
}
