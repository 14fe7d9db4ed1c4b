import LinuxSystem
import Testing

@testable import ContainerRuntime

/// What `spec` and `features` print, and the tables of names.
struct SpecTemplateTests {
    @Test(arguments: [false, true], [false, true])
    func `the template is itself accepted`(rootless: Bool, cgroupNamespace: Bool) throws {
        let json = SpecTemplate.json(rootless: rootless, cgroupNamespace: cgroupNamespace, uid: 1000, gid: 1001)
        let text = json.text(indentation: "\t")
        var warnings: [String] = []
        let config = try ContainerConfig.read(bytes: Array(text.utf8)) { warnings.append($0) }
        try config.check()
        #expect(warnings.isEmpty)
        #expect(config.ociVersion == "1.3.0")
        #expect(config.process?.args == ["sh"] && config.process?.terminal == true)
        #expect(config.root == RootConfig(path: "rootfs", readonly: true))
        #expect(config.mounts.map(\.destination).contains("/sys/fs/cgroup"))
        let kinds = Set(config.linux.namespaces.map(\.kind))
        #expect(kinds.contains(.cgroup) == cgroupNamespace)
        #expect(kinds.contains(.user) == rootless && kinds.contains(.network) != rootless)
        #expect(kinds.isSuperset(of: [.pid, .ipc, .uts, .mount]))
        #expect((config.linux.resources == nil) == rootless)
    }

    @Test
    func `the rootless template maps the caller and binds sysfs`() throws {
        let config = try ContainerConfig.read(SpecTemplate.json(rootless: true, uid: 1000, gid: 1001))
        #expect(config.linux.uidMappings == [IDMapping(containerID: 0, hostID: 1000, size: 1)])
        #expect(config.linux.gidMappings == [IDMapping(containerID: 0, hostID: 1001, size: 1)])
        let sysfs = try #require(config.mounts.first { $0.destination == "/sys" })
        #expect(MountOptions(sysfs.options).isRecursiveBind && sysfs.source == "/sys")
        let terminals = try #require(config.mounts.first { $0.destination == "/dev/pts" })
        #expect(!terminals.options.contains("gid=5"))
    }

    @Test
    func `features list what the reader understands`() throws {
        let seccomp = Features.Seccomp(
            actions: ["SCMP_ACT_ALLOW"], operators: ["SCMP_CMP_EQ"], architectures: ["SCMP_ARCH_X86"],
            knownFlags: ["A", "B"], supportedFlags: ["A"])
        let json = Features.json(seccomp: seccomp, annotations: [(name: "org.example", value: "1")])
        #expect(json["ociVersionMin"] == .string("1.0.0") && json["ociVersionMax"] == .string("1.3.0"))
        #expect(json["hooks"]?.array?.count == 6)
        #expect(json["mountOptions"] == .strings(MountOptions.knownWords))
        let linux = try #require(json["linux"])
        #expect(
            linux["namespaces"] == .strings(["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]))
        #expect(linux["capabilities"]?.array?.count == 41)
        #expect(linux["cgroup"]?["systemd"] == .bool(true))
        #expect(linux["seccomp"]?["enabled"] == .bool(true))
        #expect(linux["seccomp"]?["archs"] == .strings(["SCMP_ARCH_X86"]))
        #expect(linux["seccomp"]?["supportedFlags"] == .strings(["A"]))
        #expect(linux["mountExtensions"]?["idmap"]?["enabled"] == .bool(true))
        for part in ["enabled", "schemata", "monitoring"] { #expect(linux["intelRdt"]?[part] == .bool(true)) }
        #expect(json["annotations"]?["org.example"] == .string("1"))
        #expect(try JSONValue.parse(Array(json.text(indent: 4).utf8)) == json)
        #expect(Features.json(seccomp: nil)["linux"]?["seccomp"] == .members(("enabled", .bool(false))))
    }

    @Test(arguments: [
        ("CAP_CHOWN", 0), ("CAP_KILL", 5), ("CAP_NET_RAW", 13), ("CAP_SYS_ADMIN", 21), ("CAP_MKNOD", 27),
        ("CAP_SETFCAP", 31), ("CAP_SYSLOG", 34), ("CAP_AUDIT_READ", 37), ("CAP_CHECKPOINT_RESTORE", 40),
    ])
    func `a capability has its number`(name: String, number: Int) {
        #expect(Capability.number(of: name) == number && Capability.name(number) == name)
    }

    @Test
    func `unknown capabilities have no number`() {
        #expect(Capability.count == 41 && Capability.allNames.count == 41)
        for name in ["", "CHOWN", "cap_chown", "CAP_CHOWN ", "CAP_", "CAP_CHOW"] {
            #expect(Capability.number(of: name) == nil)
        }
        #expect(Capability.name(41) == nil && Capability.name(-1) == nil)
    }

    @Test(arguments: [
        ("RLIMIT_CPU", 0), ("RLIMIT_CORE", 4), ("RLIMIT_NPROC", 6), ("RLIMIT_NOFILE", 7), ("RLIMIT_AS", 9),
        ("RLIMIT_RTTIME", 15),
    ])
    func `a limit has its number`(name: String, number: Int) {
        #expect(Rlimit.number(of: name) == number && Rlimit.name(number) == name)
        #expect(Rlimit.number(of: name.lowercased()) == nil && Rlimit.name(16) == nil)
    }
}
