import Packages
import Testing

@testable import MicroVM

@Suite("Kernel profiles")
struct KernelProfileTests {
    private static let good = #"""
        { "path": "/usr/lib/rondo/vmlinux", "machine": "microvm,acpi=off,x-option-roms=off",
          "cmdline": "console=ttyS0 quiet", "transport": "mmio" }
        """#

    private func read(_ text: String, file: String = "own.json") -> Result<KernelProfile, KernelProfileFault> {
        Result { () throws(KernelProfileFault) in try KernelProfile(file: file, bytes: Array(text.utf8)) }
    }

    @Test func `a profile is read as it is written`() throws {
        let profile = try read(Self.good).get()
        #expect(profile.name == "own")
        #expect(profile.path == "/usr/lib/rondo/vmlinux")
        #expect(profile.machine == "microvm,acpi=off,x-option-roms=off")
        #expect(profile.transport == .mmio)
        #expect(profile.digest == nil)
        let digest = String(repeating: "0a", count: 32)
        let pinned = Self.good.replacing("\"mmio\"", with: "\"mmio\", \"digest\": \"\(digest)\"")
        #expect(try read(pinned).get().digest == digest)
        let stock = Self.good.replacing("mmio", with: "acpi").replacing("acpi=off", with: "acpi=on,pit=on,pic=on")
        #expect(try read(stock).get().transport == .acpi)
        // QEMU's machine has ACPI unless it is told otherwise.
        #expect(try read(stock.replacing("acpi=on,", with: "")).get().transport == .acpi)
    }

    @Test(
        arguments: [
            ("own.json", "", nil, "is no JSON"), ("own.json", "[]", nil, "must be an object"),
            ("own", good, nil, "must be called NAME.json"), (".json", good, nil, "must be called"),
            ("a/b.json", good, nil, "must be called"), ("..json", good, nil, "must be called"),
            ("own.json", "{}", "path", "is missing"),
            ("own.json", good.replacing("\"quiet\"", with: ""), nil, nil),
            ("own.json", good.replacing("\"path\"", with: "\"Path\""), "Path", "is not known"),
            (
                "own.json", good.replacing("\"/usr/lib/rondo/vmlinux\"", with: "3"), "path",
                "must be a text, it is a integer"
            ),
            ("own.json", good.replacing("/usr/lib", with: "usr/lib"), "path", "must be absolute"),
            ("own.json", good.replacing("/usr/lib", with: "/usr,lib"), "path", "no comma"),
            ("own.json", good.replacing("\"mmio\"", with: "\"pci\""), "transport", "must be mmio or acpi"),
            ("own.json", good.replacing("\"mmio\"", with: "\"acpi\""), "machine", "has acpi=off"),
            ("own.json", good.replacing("acpi=off,", with: ""), "machine", "must have acpi=off"),
            ("own.json", good.replacing("microvm", with: "q35"), "machine", "must begin with microvm"),
            ("own.json", good.replacing("x-option-roms=off", with: "usb=on"), "machine", "has \"usb=on\""),
            ("own.json", good.replacing("x-option-roms=off", with: "memory-backend=x"), "machine", "memory-backend"),
            ("own.json", good.replacing("x-option-roms=off", with: "pit"), "machine", "has \"pit\""),
            ("own.json", good.replacing("x-option-roms=off", with: "acpi=off"), "machine", "has acpi twice"),
            ("own.json", good.replacing("quiet", with: "init=/bin/sh"), "cmdline", "has init"),
            ("own.json", good.replacing("quiet", with: "tsc=unstable"), "cmdline", "has tsc"),
            ("own.json", good.replacing("quiet", with: "ü"), "cmdline", "printable ASCII"),
            ("own.json", good.replacing("quiet", with: "\\n"), "cmdline", "printable ASCII"),
            (
                "own.json", good.replacing("quiet", with: String(repeating: "a", count: 1_100)), "cmdline",
                "more than 1024"
            ),
            (
                "own.json", good.replacing("\"mmio\"", with: "\"mmio\", \"digest\": \"sha256:00\""), "digest",
                "64 hexadecimal"
            ),
            ("own.json", String(repeating: " ", count: 17_000) + good, nil, "is no JSON"),
        ] as [(String, String, String?, String?)])
    func `what is wrong with a profile is said with its field`(
        file: String, text: String, field: String?, problem: String?
    ) throws {
        guard let problem else {
            #expect(throws: Never.self) { try read(text, file: file).get() }
            return
        }
        guard case .failure(let fault) = read(text, file: file) else {
            Issue.record("was taken")
            return
        }
        #expect(fault.field == field)
        #expect(fault.problem.contains(problem), "\(fault.problem)")
        #expect(fault.reason.hasPrefix("kernel profile \(file): "))
    }

    @Test func `one bad file of a folder does not take the others away`() {
        let (good, bad) = (Array(Self.good.utf8), Array("{".utf8))
        let found = KernelProfile.list(
            of: [("b.json", good), ("README", bad), ("a.json", good), ("c.json", bad)])
        #expect(found.profiles.map(\.name) == ["a", "b"])
        #expect(found.faults.map(\.file) == ["c.json"])
    }
}

@Suite("What a machine cannot give")
struct MachineRefusalTests {
    @Test func `an ordinary container can be had`() {
        let demand = MachineDemand(
            namespaces: [
                .mount: .own, .pid: .own, .network: .joined(path: "/run/netns/x"), .cgroup: .host, .user: .host,
            ],
            mounts: [
                .init(destination: "/proc", type: "proc", source: "proc", canBeCopied: false),
                .init(
                    destination: "/etc/hosts", type: "bind", source: "/x/hosts", options: ["rprivate"],
                    canBeCopied: true),
            ], devices: ["/dev/null", "/dev/net/tun"], settings: ["net.core.somaxconn", "kernel.msgmax"])
        #expect(demand.refusals.isEmpty)
    }

    @Test(
        arguments: [
            (MachineDemand(namespaces: [.network: .host]), "the host's network"),
            (MachineDemand(namespaces: [.pid: .host]), "the host's pid namespace"),
            (MachineDemand(namespaces: [.ipc: .host]), "the host's ipc namespace"),
            (MachineDemand(namespaces: [.uts: .host]), "the host's uts namespace"),
            (MachineDemand(namespaces: [.mount: .host]), "the host's mount namespace"),
            (MachineDemand(namespaces: [.pid: .joined(path: "/proc/7/ns/pid")]), "the pid namespace /proc/7/ns/pid"),
            (
                MachineDemand(namespaces: [.user: .joined(path: "/proc/7/ns/user")]),
                "the user namespace /proc/7/ns/user"
            ),
            (
                MachineDemand(mounts: [
                    .init(
                        destination: "/var/run/docker.sock", type: "bind", source: "/var/run/docker.sock",
                        canBeCopied: false)
                ]), "the mount /var/run/docker.sock of /var/run/docker.sock"
            ),
            (
                MachineDemand(mounts: [
                    .init(destination: "/m", type: "bind", source: "/m", options: ["ro", "rshared"], canBeCopied: true)
                ]), "the mount option rshared of /m"
            ),
            (
                MachineDemand(mounts: [.init(destination: "/n", type: "nfs", source: "h:/n", canBeCopied: false)]),
                "the mount /n of h:/n"
            ),
            (MachineDemand(devices: ["/dev/null", "/dev/dri/card0"]), "the device /dev/dri/card0"),
            (MachineDemand(isPrivileged: true), "--privileged"),
            (MachineDemand(passedDescriptors: 2), "2 passed descriptors"),
            (MachineDemand(settings: ["vm.swappiness"]), "the kernel setting vm.swappiness"),
        ] as [(MachineDemand, String)])
    func `what cannot be had is refused by name`(demand: MachineDemand, feature: String) {
        #expect(demand.refusals.map(\.feature) == [feature])
        #expect(demand.refusals.allSatisfy { $0.reason.contains($0.feature) && !$0.explanation.isEmpty })
    }

    @Test func `all that is wrong is said at once, always in the same order`() {
        let demand = MachineDemand(
            namespaces: [.pid: .host, .network: .host, .ipc: .host], devices: ["/dev/sda"], isPrivileged: true)
        #expect(
            demand.refusals.map(\.feature) == [
                "the host's ipc namespace", "the host's network", "the host's pid namespace", "the device /dev/sda",
                "--privileged",
            ])
    }
}
