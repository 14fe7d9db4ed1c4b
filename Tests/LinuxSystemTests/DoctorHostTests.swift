import Foundation
import Glibc
import Testing

@testable import LinuxSystem

struct DoctorCgroupTests {
    private static let versionOneMounts = """
        31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
        """
    private static let versionOneGroups = "5:pids:/a:b\n4:memory:/\n3:cpu,cpuacct:/\n1:name=systemd:/"

    private static func versionOne(_ more: [String: String?] = [:]) throws -> RehearsedHost {
        var files: [String: String?] = [
            "/proc/self/mountinfo": versionOneMounts, "/proc/self/cgroup": versionOneGroups,
            "/sys/fs/cgroup/cgroup.controllers": nil,
            "/sys/fs/cgroup/cpu,cpuacct/tasks": "", "/sys/fs/cgroup/memory/tasks": "",
            "/sys/fs/cgroup/pids/tasks": "",
        ]
        files.merge(more) { $1 }
        return try RehearsedHost(files)
    }

    @Test func `version 1 has a tree per controller`() throws {
        let host = try Self.versionOne()
        #expect(try host.check("cgroup").finding == "version 1")
        #expect(try host.check("cgroup-controllers").finding == "version 1: cpu, cpuacct, memory, pids")
        #expect(try host.check("cgroup-writable").finding.contains("/sys/fs/cgroup/cpu,cpuacct"))
        #expect(host.report.isReady)
        let facts = CgroupFacts(mounts: Self.versionOneMounts, membership: Self.versionOneGroups)
        #expect(facts.own["pids"] == "/a:b", "a group's name may hold colons")
        #expect(facts.trees["name=systemd"] == nil)
    }

    @Test func `a hybrid machine has both, and controllers must be on one side`() throws {
        let unified = "\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
        var host = try Self.versionOne([
            "/proc/self/mountinfo": Self.versionOneMounts + unified,
            "/proc/self/cgroup": Self.versionOneGroups + "\n0::/",
            "/sys/fs/cgroup/unified/cgroup.controllers": "",
        ])
        #expect(try host.check("cgroup").finding.hasPrefix("hybrid"))
        #expect(host.report.isReady)
        host = try Self.versionOne([
            "/proc/self/mountinfo": Self.versionOneMounts + unified,
            "/proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:/\n0::/",
            "/sys/fs/cgroup/unified/cgroup.controllers": "pids",
        ])
        let check = try host.check("cgroup-controllers")
        #expect(check.state == .missing)
        #expect(check.finding.hasSuffix("pids on version 2 while others are on version 1"))
        #expect(host.report.unmet.map(\.id) == ["cgroup-controllers"])
    }

    @Test func `version 2 says which controllers it passes on`() throws {
        var host = try RehearsedHost()
        #expect(try host.check("cgroup-controllers").finding == "version 2: cpu, cpuset, io, memory, pids")
        host = try RehearsedHost(["/sys/fs/cgroup/cgroup.controllers": "cpu pids"])
        let check = try host.check("cgroup-controllers")
        #expect(check.state == .missing && check.finding.hasSuffix("not there: memory"))
    }

    @Test func `no mounts are a gap in all three checks`() throws {
        let host = try RehearsedHost(["/proc/self/mountinfo": "garbage\n- - -", "/proc/self/cgroup": ":\n::::"])
        for id in ["cgroup", "cgroup-controllers", "cgroup-writable"] { #expect(try host.state(id) == .missing) }
    }

    @Test func `a group of a container that holds processes cannot pass controllers on`() throws {
        let files: [String: String?] = [
            "/sys/fs/cgroup/cgroup.type": "domain", "/sys/fs/cgroup/cgroup.procs": "1\n7",
            "/sys/fs/cgroup/cgroup.subtree_control": "",
        ]
        var host = try RehearsedHost(files)
        #expect(try host.state("cgroup-writable") == .limited)
        host = try RehearsedHost(
            files.merging(["/sys/fs/cgroup/cgroup.subtree_control": "cpu memory pids"]) { $1 })
        #expect(try host.state("cgroup-writable") == .ok)
    }

    @Test func `mounts that are read-only stop root as well`() throws {
        var host = try RehearsedHost()
        host.sealed = ["/sys/fs/cgroup"]
        let check = try host.check("cgroup-writable")
        #expect(check.state == .missing && !check.needsRoot)
        #expect(check.advice?.contains("remount") == true)
    }

    @Test func `a delegated group is something, and a handed-over one is enough`() throws {
        var host = try RehearsedHost([
            "/sys/fs/cgroup/user.slice/me/cgroup.procs": "",
            "/sys/fs/cgroup/user.slice/me/cgroup.controllers": "memory pids",
            "/sys/fs/cgroup/rondo/cgroup.procs": "",
        ])
        host.becomeOrdinary()
        #expect(try host.state("cgroup-writable") == .missing)
        host.handedOver = ["/sys/fs/cgroup/user.slice/me"]
        let check = try host.check("cgroup-writable")
        #expect(check.state == .limited && check.needsRoot)
        #expect(check.finding == "only /user.slice/me is delegated to this user, with memory, pids")
        host.handedOver = ["/sys/fs/cgroup/rondo"]
        #expect(try host.state("cgroup-writable") == .ok)
    }
}

struct DoctorMachineTests {
    @Test func `a guest without nested virtualization is told so`() throws {
        var host = try RehearsedHost([
            "/proc/cpuinfo": "flags : fpu hypervisor", "/sys/class/misc/kvm/dev": nil,
            "/sys/module/kvm_intel/parameters/nested": nil, "/dev/vhost-vsock": nil,
        ])
        host.abilities.kvm = nil
        let processor = try host.check("cpu-virtualization")
        #expect(processor.state == .missing && processor.advice?.contains("nested=1") == true)
        #expect(try host.state("kvm") == .missing)
        #expect(try host.check("vhost-vsock").finding == "no /dev/vhost-vsock")
        #expect(host.report.isReady, "containers need no virtual machine")
        let guest = try RehearsedHost(["/proc/cpuinfo": "flags : svm hypervisor"])
        #expect(try guest.check("cpu-virtualization").finding == "svm (AMD), in this virtual machine (nested)")
    }

    @Test func `files of other security modules are told apart`() throws {
        #expect(
            try RehearsedHost().check("lsm").finding == "lockdown, capability, landlock, apparmor; AppArmor enabled")
        #expect(try RehearsedHost(["/sys/fs/selinux/enforce": "1"]).state("lsm") == .limited)
        #expect(try RehearsedHost(["/sys/fs/selinux/enforce": "0"]).state("lsm") == .ok)
        #expect(try RehearsedHost(["/sys/kernel/security/lsm": nil]).state("lsm") == .limited)
    }

    @Test func `forwarding that is off limits networks`() throws {
        let host = try RehearsedHost([
            "/proc/sys/net/ipv4/ip_forward": "0", "/proc/sys/net/ipv6/conf/all/disable_ipv6": "1",
        ])
        #expect(try host.state("forwarding-ipv4") == .limited)
        #expect(try host.state("forwarding-ipv6") == .missing)
    }

    @Test func `the packet filter's refusals differ`() throws {
        var host = try RehearsedHost()
        host.abilities.nftables = .failed(step: "ask the packet filter", errno: EINVAL)
        #expect(try host.state("nftables") == .missing)
        host.abilities.nftables = .failed(step: "ask the packet filter", errno: EPERM)
        #expect(try host.state("nftables") == .limited)
    }

    @Test func `open files count up to what can be reached`() throws {
        var host = try RehearsedHost()
        #expect(
            try host.check("open-files").finding == "1024 now, 524288 at most; can be raised to 1048576")
        host.abilities.capabilities = 0
        host.abilities.openFilesHard = 4096
        #expect(try host.state("open-files") == .limited)
        host.abilities.openFilesHard = .max
        #expect(try host.check("open-files").finding == "1024 now, unlimited at most")
    }

    @Test func `the least limit of processes counts, also that of the own group`() throws {
        #expect(try RehearsedHost().check("processes").finding == "120000 (kernel.threads-max)")
        let host = try RehearsedHost(["/sys/fs/cgroup/user.slice/me/pids.max": "500"])
        #expect(try host.check("processes").finding == "500 (/sys/fs/cgroup/user.slice/me/pids.max)")
        #expect(try host.state("processes") == .limited)
        #expect(try RehearsedHost(["/sys/fs/cgroup/user.slice/me/pids.max": "max"]).state("processes") == .ok)
    }

    @Test func `disk and memory are judged by what is free`() throws {
        var host = try RehearsedHost(["/proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 100000 kB"])
        #expect(try host.state("memory") == .limited)
        host.abilities.freeDiskBytes = 1 << 30
        #expect(try host.check("disk").finding == "1 GiB free at /var/lib")
        #expect(try host.state("disk") == .limited)
        host.abilities.freeDiskBytes = 1 << 20
        #expect(try host.state("disk") == .missing)
        host.abilities.freeDiskBytes = 1 << 40
        host.abilities.freeFiles = 3
        #expect(try host.state("disk") == .limited)
        #expect(HostDoctor.amount(3 << 29) == "1.5 GiB")
        #expect(HostDoctor.amount(1023) == "1023 B")
        #expect(HostDoctor.amount(.max) == "16777215 TiB")
    }
}

struct DoctorReportTests {
    private struct Shape: Decodable, Equatable {
        struct Check: Decodable, Equatable {
            var id: String
            var title: String
            var state: String
            var finding: String
            var neededFor: String
            var advice: String?
            var required: Bool
            var needsRoot: Bool
        }
        var ready: Bool
        var root: Bool
        var counts: [String: Int]
        var checks: [Check]
    }

    @Test func `the document has these names and nothing else`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let report = try RehearsedHost(["/proc/sys/net/ipv4/ip_forward": "0"]).report
            .only(["forwarding-ipv4", "kernel"])
        #expect(
            String(decoding: try encoder.encode(report), as: UTF8.self)
                == """
                {"checks":[{"finding":"6.12.9-amd64","id":"kernel","neededFor":"everything","needsRoot":false,\
                "required":true,"state":"ok","title":"release of the kernel"},{"advice":"sysctl \
                net.ipv4.ip_forward=1, and the same in /etc/sysctl.d","finding":"off","id":"forwarding-ipv4",\
                "neededFor":"networks of containers","needsRoot":false,"required":false,"state":"limited",\
                "title":"forwarding of IPv4"}],"counts":{"limited":1,"missing":0,"ok":1},"ready":true,"root":true}
                """)
    }

    @Test func `a filter takes known names only and keeps the table's order`() throws {
        let report = try RehearsedHost().report
        #expect(try report.only(["tun", "kernel", "tun"]).checks.map(\.id) == ["kernel", "tun"])
        #expect(try report.only([]) == report)
        let error = #expect(throws: DoctorReport.UnknownCheck.self) { try report.only(["kernel", "kvmm"]) }
        #expect(error?.description.hasPrefix("there is no check 'kvmm'; the checks are kernel, ns-cgroup") == true)
    }

    @Test func `readiness is asked of the checks that are shown`() throws {
        let report = try RehearsedHost(["/proc/sys/kernel/seccomp/actions_avail": nil]).report
        #expect(report.unmet.map(\.id) == ["seccomp"])
        #expect(try report.only(["kvm"]).isReady)
    }

    /// Other programs mount elsewhere meanwhile.
    private static func mountsWhereTried() throws -> [String] {
        try readText("/proc/self/mountinfo", limit: 16 << 20).split(separator: "\n").compactMap { Mount($0)?.point }
            .filter { point in
                ["/tmp", "/run", "/mnt", "/var"].contains { point == $0 || point.hasPrefix("\($0)/merged") }
            }
    }

    @Test func `this machine is looked at in less than a second and left as it was`() throws {
        let descriptors = try listDirectory("/proc/self/fd").count
        let mounts = try Self.mountsWhereTried()
        let start = HostFacts.monotonicMilliseconds()
        let report = HostDoctor.examine(dataDirectory: "/var/lib/none/such")
        let took = HostFacts.monotonicMilliseconds() - start
        #expect(took < 1000, "\(took) ms")
        #expect(report.checks.map(\.id) == HostDoctor.identifiers)
        #expect(!report.isRoot || geteuid() == 0)
        #expect(report.checks.first { $0.id == "kernel" }?.finding == (try HostFacts.kernelRelease()))
        for check in report.checks where check.state != .ok { #expect(check.advice != nil, "\(check)") }
        let bytes = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(Shape.self, from: bytes).checks.count == report.checks.count)
        #expect(try Self.mountsWhereTried() == mounts)
        // Other tests open and close descriptors meanwhile; a leak would be one for each of the probes.
        #expect(try listDirectory("/proc/self/fd").count < descriptors + 20)
    }

    @Test func `the effective capabilities are read from the status`() {
        #expect(HostAbilities.capabilities("Name:\tx\nCapPrm:\t0\nCapEff:\t00000000a80425fb\n") == 0xa804_25fb)
        #expect(HostAbilities.capabilities("CapEff:\tzz") == 0)
    }
}
