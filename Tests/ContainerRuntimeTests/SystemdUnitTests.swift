import Testing

@testable import ContainerRuntime

/// Which unit, with which properties, a container becomes.
struct SystemdUnitTests {
    private static let hybrid = CgroupHost(
        mountinfo: """
            30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            """,
        membership: "4:memory:/pod/a\n0::/own\n")
    private static let unified = CgroupHost(
        mountinfo: "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", membership: "0::/user.slice/run.scope\n")

    private func plan(_ path: String?, _ host: CgroupHost = unified, user: Bool = false) throws -> CgroupRecord {
        try CgroupSetup.plan(SystemdUnit(cgroupsPath: path, id: "c1", isUser: user), on: host) {
            "/user.slice/user-7.slice/user@7.service"
        }
    }

    @Test func `slice, prefix and name say where the group will be`() throws {
        let record = try plan("a-b.slice:cri:x1")
        #expect(record.systemd?.name == "cri-x1.scope")
        #expect(record.systemd?.slice == "a-b.slice")
        #expect(record.places.map(\.path) == ["/sys/fs/cgroup/a.slice/a-b.slice/cri-x1.scope"])
        #expect(!record.isOptional)
        #expect(
            try plan("m.slice:p:x", Self.hybrid).places.map(\.path) == [
                "/sys/fs/cgroup/memory/m.slice/p-x.scope", "/sys/fs/cgroup/unified/m.slice/p-x.scope",
            ])
    }

    @Test(arguments: [
        (nil, "/system.slice/runc-c1.scope"), ("", "/system.slice/runc-c1.scope"), (":p:n", "/system.slice/p-n.scope"),
        ("::n", "/system.slice/-n.scope"), ("-.slice:p:n", "/p-n.scope"), (":p:", "/system.slice/p-c1.scope"),
        ("system.slice:p:pod-x.slice", "/pod.slice/pod-x.slice"),
    ])
    func `what is not said has a usual value`(path: String?, group: String) throws {
        #expect(try plan(path).places.map(\.path) == ["/sys/fs/cgroup" + group])
    }

    @Test func `units of a user are below the user's manager`() throws {
        let record = try plan(nil, user: true)
        #expect(
            record.places.map(\.path) == [
                "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/user.slice/runc-c1.scope"
            ])
        #expect(record.systemd?.slice == "user.slice")
        #expect(throws: RuntimeFailure.self) { try plan(nil, Self.hybrid, user: true) }
    }

    @Test(arguments: [
        "a", "/a/b", "a:b", "a.slice:b:c:d", "a:b:c", ".slice:b:c", "-a.slice:b:c", "a--b.slice:b:c", "a-.slice:b:c",
        "a/b.slice:b:c", "../a.slice:b:c", "a.slice:b:c/d", "a.slice:b:../x", "a.slice:b:ä", "a.slice:b:a\nb",
        "a.slice::.slice", "a.slice:b:c-.slice", "a\u{0}.slice:b:c", "a.slice:b c:d",
    ])
    func `names that systemd does not take are refused`(path: String) {
        #expect(throws: RuntimeFailure.self) { try plan(path) }
    }

    @Test func `a name of 255 bytes is the longest`() throws {
        let name = String(repeating: "n", count: 255 - "p-.scope".utf8.count)
        #expect(try plan("a.slice:p:\(name)").systemd?.name.utf8.count == 255)
        #expect(throws: RuntimeFailure.self) { try plan("a.slice:p:\(name)n") }
    }

    @Test func `a record survives the state file`() throws {
        let record = try plan("a-b.slice:cri:x1", Self.hybrid)
        let text = record.json.text()
        #expect(try CgroupRecord(json: JSONValue.parse(Array(text.utf8))) == record)
        let damaged = text.replacing("cri-x1.scope", with: "cri/x1.scope")
        #expect(throws: RuntimeFailure.self) { try CgroupRecord(json: JSONValue.parse(Array(damaged.utf8))) }
    }

    @Test func `a scope takes its process, a slice does not`() throws {
        let properties = UnitProperties(version: 252, isUnified: true)
        let scope = properties.base(
            try SystemdUnit(cgroupsPath: "a.slice:p:n", id: "c", isUser: false), id: "c", pid: 9)
        #expect(scope.first == UnitProperty("Description", .string("OCI container c")))
        #expect(scope.contains(UnitProperty("Slice", .string("a.slice"))))
        #expect(scope.contains(UnitProperty("Delegate", .bool(true))))
        #expect(scope.contains(UnitProperty("PIDs", .array("u", [.uint32(9)]))))
        #expect(scope.contains(UnitProperty("DefaultDependencies", .bool(false))))
        #expect(
            scope.filter { $0.name.hasSuffix("Accounting") }.map(\.name) == [
                "MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting",
            ])
        let slice = properties.base(
            try SystemdUnit(cgroupsPath: "a.slice:p:n.slice", id: "c", isUser: false), id: "c", pid: 9)
        #expect(slice.contains(UnitProperty("Wants", .strings(["a.slice"]))))
        #expect(!slice.contains { $0.name == "PIDs" || $0.name == "Slice" || $0.name == "Delegate" })
        let old = UnitProperties(version: 252, isUnified: false)
        #expect(
            old.base(try SystemdUnit(cgroupsPath: nil, id: "c", isUser: false), id: "c", pid: 9).contains {
                $0.name == "BlockIOAccounting"
            })
    }

    @Test func `the version of systemd is the number at its beginning`() {
        for (text, version) in [("252.39-1~deb12u2", 252), ("v249", 249), ("245-1.fc32", 245), ("", 0), ("x", 0)] {
            #expect(SystemdManager.version(of: text) == version)
        }
    }

    @Test func `addresses are tried in order`() {
        func found(_ isUser: Bool, _ isRoot: Bool, _ variables: [String: String]) -> [String] {
            BusAddress.candidates(isUser: isUser, isRoot: isRoot) { variables[$0] }.map {
                ($0.isAbstract ? "@" : "") + $0.path + ($0.isBus ? "" : " direct")
            }
        }
        #expect(found(false, true, [:]) == ["/run/systemd/private direct", "/run/dbus/system_bus_socket"])
        #expect(found(false, false, [:]) == ["/run/dbus/system_bus_socket"])
        #expect(
            found(
                false, true,
                ["DBUS_SYSTEM_BUS_ADDRESS": "tcp:host=x;unix:guid=1,path=/a%20b;unix:abstract=c;unix:path=%zz;unix:"]
            )
            .prefix(2) == ["/a b", "@c"])
        #expect(found(true, false, [:]).isEmpty)
        #expect(
            found(true, false, ["XDG_RUNTIME_DIR": "/run/user/7", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/b,guid=1"])
                == [
                    "/b", "/run/user/7/systemd/private direct", "/run/user/7/bus",
                ])
        #expect(found(true, false, ["XDG_RUNTIME_DIR": "relative"]).isEmpty)
    }
}
