import Foundation
import Glibc
import Testing

@testable import LinuxSystem

/// A machine made of files.
struct RehearsedHost {
    let scratch: Scratch
    /// What may not be written, with all below it, but for what is handed over.
    var sealed: [String] = []
    var handedOver: [String] = []
    var abilities = HostAbilities()

    /// A capable machine of today, seen by root; `files` come on top, nil removes one.
    init(_ files: [String: String?] = [:]) throws {
        scratch = try Scratch()
        var all: [String: String?] = [
            "/proc/sys/kernel/osrelease": "6.12.9-amd64",
            "/proc/filesystems": "nodev\tsysfs\nnodev\toverlay\n\text4",
            "/proc/sys/kernel/seccomp/actions_avail": "kill_process kill_thread trap errno user_notif trace log allow",
            "/proc/sys/kernel/pid_max": "4194304",
            "/proc/sys/kernel/threads-max": "120000",
            "/proc/sys/fs/nr_open": "1048576",
            "/proc/sys/kernel/random/entropy_avail": "256",
            "/proc/sys/net/ipv4/ip_forward": "1",
            "/proc/sys/net/ipv6/conf/all/forwarding": "1",
            "/proc/sys/net/ipv6/conf/all/disable_ipv6": "0",
            "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vmx sse",
            "/proc/meminfo": "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB",
            "/proc/self/mountinfo":
                "25 1 0:2 / / rw - ext4 /dev/a rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw",
            "/proc/self/cgroup": "0::/user.slice/me",
            "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids",
            "/sys/class/misc/kvm/dev": "10:232",
            "/sys/module/kvm_intel/parameters/nested": "Y",
            "/dev/vhost-vsock": "", "/dev/net/tun": "",
            "/sys/kernel/security/lsm": "lockdown,capability,landlock,apparmor",
            "/sys/module/apparmor/parameters/enabled": "Y",
            "/etc/passwd": "root:x:0:0::/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh",
            "/etc/subuid": "root:100000:65536\nann:165536:65536", "/etc/subgid": "root:100000:65536\nann:165536:65536",
            "/usr/bin/newuidmap": "", "/usr/bin/newgidmap": "",
        ]
        for namespace in HostNamespace.allCases {
            all["/proc/self/ns/\(namespace.rawValue)"] = ""
            all["/proc/sys/user/max_\(namespace.rawValue)_namespaces"] = "30000"
        }
        all.merge(files) { $1 }
        for (path, text) in all {
            guard let text else { continue }
            let full = scratch.path + path
            try makeDirectories(String(full[..<full.lastIndex(of: "/")!]))
            try writeFileAtomically(full, Array("\(text)\n".utf8), mode: 0o755, durable: false)
        }
        abilities.uid = 0
        abilities.capabilities = 0x1ff_ffff_ffff
        for namespace in HostNamespace.allCases {
            abilities.namespaces[namespace] = .worked
            abilities.inUserNamespace[namespace] = .worked
        }
        abilities.mountInUserNamespace = .worked
        abilities.overlay = .worked
        abilities.overlayInUserNamespace = .worked
        abilities.nftables = .worked
        for call in KernelCall.allCases { abilities.calls[call] = EINVAL }
        abilities.calls[.seccompNotify] = 0
        abilities.calls[.random] = 0
        abilities.calls[.closeRange] = 0
        abilities.kvm = 12
        abilities.openFiles = 1024
        abilities.openFilesHard = 524_288
        abilities.dataDirectory = "/var/lib"
        abilities.freeDiskBytes = 50 << 30
        abilities.freeFiles = 1_000_000
    }

    /// Takes the administrator's rights away.
    mutating func becomeOrdinary() {
        abilities.uid = 1000
        abilities.capabilities = 0
        for namespace in HostNamespace.allCases where namespace != .user {
            abilities.namespaces[namespace] = .failed(step: "enter the namespaces", errno: EPERM)
        }
        abilities.overlay = .failed(step: "enter the namespaces", errno: EPERM)
        sealed = ["/sys/fs/cgroup", "/dev"]
        abilities.kvm = -EACCES
    }

    var report: DoctorReport {
        let (sealed, handedOver) = (sealed, handedOver)
        let tree = HostTree(root: scratch.path) { path in
            func isIn(_ places: [String]) -> Bool { places.contains { path == $0 || path.hasPrefix("\($0)/") } }
            return isIn(handedOver) || !isIn(sealed)
        }
        return DoctorReport(checks: HostDoctor.checks(tree, abilities), isRoot: abilities.isRoot)
    }

    func check(_ id: String) throws -> DoctorCheck { try #require(report.checks.first { $0.id == id }) }
    func state(_ id: String) throws -> DoctorCheck.State { try check(id).state }
}

struct DoctorTests {
    @Test func `a capable machine has no gap`() throws {
        let report = try RehearsedHost().report
        for check in report.checks {
            #expect(check.state == .ok && check.advice == nil, "\(check)")
            #expect(!check.title.isEmpty && !check.finding.isEmpty && !check.neededFor.isEmpty)
        }
        #expect(report.isReady && report.isRoot)
        #expect(report.checks.map(\.id) == HostDoctor.identifiers)
    }

    @Test func `an empty machine has every gap, with advice, and does not trap`() {
        let checks = HostDoctor.checks(HostTree(root: "/nonexistent"), HostAbilities())
        #expect(Set(checks.map(\.id)).count == checks.count)
        for check in checks {
            #expect(check.state != .ok, "\(check)")
            #expect(check.advice?.isEmpty == false, "\(check)")
        }
        #expect(!DoctorReport(checks: checks, isRoot: false).isReady)
    }

    @Test(arguments: [
        ("5.10.0-30-amd64", DoctorCheck.State.ok), ("5.9.16", .missing), ("4.18.0-553.el8", .missing), ("6.1", .ok),
        ("10.0-rc1", .ok), ("", .missing), ("5", .missing), ("99999999999999999999.1", .missing),
    ])
    func `the kernel's release is compared by its numbers`(release: String, state: DoctorCheck.State) throws {
        #expect(try RehearsedHost(["/proc/sys/kernel/osrelease": release]).state("kernel") == state)
    }

    @Test func `an ordinary user is told what works without root and where root would see more`() throws {
        var host = try RehearsedHost()
        host.becomeOrdinary()
        #expect(try host.check("ns-net").finding == "can be made inside a user namespace, without root")
        #expect(try host.state("overlay") == .ok)
        let groups = try host.check("cgroup-writable")
        #expect(groups.state == .missing && groups.needsRoot && groups.advice?.contains("run as root") == true)
        let kvm = try host.check("kvm")
        #expect(kvm.state == .limited && kvm.needsRoot && kvm.advice?.contains("kvm") == true)
        #expect(try host.state("nftables") == .limited)
        #expect(try host.check("subids").finding == "ann has 65536 in subuid, 65536 in subgid")
        #expect(host.report.unmet.map(\.id) == ["cgroup-writable"])
        #expect(!host.report.isRoot)
    }

    @Test func `root without capabilities is told to get them, not to become root`() throws {
        var host = try RehearsedHost()
        host.becomeOrdinary()
        host.abilities.uid = 0
        host.abilities.inUserNamespace = [:]
        let check = try host.check("ns-mnt")
        #expect(check.state == .missing && check.isRequired)
        #expect(check.advice?.contains("SYS_ADMIN") == true)
    }

    // MARK: Namespaces

    @Test func `limits of zero forbid namespaces`() throws {
        let host = try RehearsedHost([
            "/proc/sys/user/max_user_namespaces": "0", "/proc/sys/user/max_net_namespaces": "0",
            "/proc/self/ns/time": nil,
        ])
        #expect(try host.state("ns-user") == .missing)
        #expect(try host.check("ns-net").advice?.contains("sysctl user.max_net_namespaces=") == true)
        #expect(try host.state("ns-time") == .missing)
        #expect(try host.check("unprivileged-userns").finding == "user.max_user_namespaces is 0")
        #expect(host.report.unmet.map(\.id) == ["ns-net"], "root needs neither user nor time namespaces")
    }

    @Test func `settings against ordinary users are named with their remedy`() throws {
        var host = try RehearsedHost(["/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"])
        host.becomeOrdinary()
        host.abilities.mountInUserNamespace = .failed(step: "mount in them", errno: EACCES)
        #expect(try host.state("unprivileged-userns") == .limited)
        let check = try host.check("ns-user")
        #expect(check.state == .limited && check.isRequired)
        #expect(check.finding == "can be made, but give no rights (mount in them: permission denied)")
        #expect(check.advice?.contains("AppArmor profile") == true)
        let debian = try RehearsedHost(["/proc/sys/kernel/unprivileged_userns_clone": "0"])
        #expect(try debian.state("unprivileged-userns") == .missing)
    }

    @Test func `ranges of ids are counted by name and by number`() {
        let text = "ann:100000:65536\n1000:200000:10\nbob:1:99\nann:x:5\nann:1\nann:4:-1\nann:1:99999999999999\n"
        #expect(HostDoctor.subordinateCount(text, ["ann", "1000"]) == 65546)
        #expect(HostDoctor.subordinateCount(text, ["eve"]) == 0)
    }

    @Test func `a small range of ids limits, none is a gap`() throws {
        var user = try RehearsedHost(["/etc/subuid": "ann:1:100"])
        user.becomeOrdinary()
        #expect(try user.state("subids") == .limited)
        user.abilities.uid = 1001
        #expect(try user.check("subids").finding == "/etc/subuid has no range for 1001")
        #expect(try RehearsedHost(["/etc/subgid": nil]).check("subids").finding == "root needs none")
        let host = try RehearsedHost(["/usr/bin/newgidmap": nil])
        #expect(try host.check("newuidmap").finding == "not installed: newgidmap")
    }

    // MARK: The kernel's calls

    @Test func `calls are there unless the kernel does not know them`() throws {
        var host = try RehearsedHost()
        host.abilities.calls[.openat2] = ENOSYS
        host.abilities.calls[.mountSetattr] = EPERM
        host.abilities.calls[.closeRange] = EINVAL
        host.abilities.calls[.pidfdOpen] = EMFILE
        #expect(try host.state("openat2") == .missing)
        #expect(try host.check("idmapped-mounts").finding == "a seccomp filter refuses it")
        #expect(try host.check("close-range").advice == "boot Linux 5.11 or later")
        #expect(try host.state("pidfd") == .ok)
        #expect(host.report.unmet.map(\.id) == ["openat2", "close-range"])
    }

    @Test func `rings can be forbidden for all or for most`() throws {
        var host = try RehearsedHost(["/proc/sys/kernel/io_uring_disabled": "1"])
        #expect(try host.state("io-uring") == .limited)
        #expect(try RehearsedHost(["/proc/sys/kernel/io_uring_disabled": "2"]).state("io-uring") == .missing)
        host = try RehearsedHost()
        host.abilities.calls[.ioUring] = EPERM
        #expect(try host.check("io-uring").advice?.contains("seccomp") == true)
    }

    @Test func `an overlay may be a module that is not loaded, or not be there`() throws {
        let modules = "/lib/modules/6.12.9-amd64/modules.dep"
        var host = try RehearsedHost([
            "/proc/filesystems": "nodev\tproc",
            modules: "kernel/fs/overlayfs/overlay.ko.zst:\nkernel/net/nf-tables.ko: kernel/lib/x.ko",
        ])
        host.abilities.overlay = .notTried
        host.abilities.overlayInUserNamespace = .notTried
        #expect(try host.check("overlay").finding == "a module that is loaded at its first use")
        #expect(HostTree(root: host.scratch.path).module("nf_tables") == .loadable)
        #expect(HostTree(root: host.scratch.path).module("x") == .absent)
        host = try RehearsedHost(["/proc/filesystems": "nodev\tproc"])
        #expect(try host.state("overlay") == .missing)
        #expect(!host.report.isReady)
    }

    @Test func `an old kernel is the reason for no overlay without root`() throws {
        var host = try RehearsedHost(["/proc/sys/kernel/osrelease": "5.10.3"])
        host.abilities.overlayInUserNamespace = .failed(step: "mount an overlay", errno: EPERM)
        #expect(try host.check("overlay-userns").advice == "boot Linux 5.11 or later")
    }
}
