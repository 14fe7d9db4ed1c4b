import Packages
import Testing

@testable import MicroVM

let profile = KernelProfile(
    name: "rondo", path: "/k/vmlinux", machine: "microvm,acpi=off,x-option-roms=off",
    cmdline: "console=ttyS0 quiet reboot=t panic=-1", transport: .mmio)

let machine = MachineDescription(
    kernel: profile, initramfs: "/k/guest.cpio", accelerator: .emulation(tscKilohertz: 2_100_000), memory: 128,
    memoryDescriptor: 7, start: .cold, control: .descriptor(8), monitor: .path("/run/vm/qmp"),
    serialLog: "/run/vm/serial",
    disks: [MachineDisk(source: .path("/images/a.erofs"), serial: "rootfs", isReadOnly: true)],
    network: MachineNetwork(descriptor: 9, hardwareAddress: "02:00:00:00:00:01"))

@Suite("QEMU's command line")
struct QEMUTests {
    @Test func `a machine that boots afresh under emulation`() throws {
        #expect(
            try QEMU.arguments(machine) == [
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-sandbox",
                "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-accel", "tcg,tb-size=32",
                "-cpu", "qemu64,+rdrand", "-smp", "1", "-m", "128", "-object",
                "memory-backend-file,id=m,size=128M,mem-path=/proc/self/fd/7,share=off", "-M",
                "microvm,acpi=off,x-option-roms=off,memory-backend=m", "-global", "virtio-mmio.force-legacy=false",
                "-kernel", "/k/vmlinux", "-initrd", "/k/guest.cpio", "-append",
                "console=ttyS0 quiet reboot=t panic=-1 no_timer_check nolapic_timer tsc_early_khz=2100000 tsc=reliable",
                "-chardev", "socket,id=ctl,fd=8", "-device", "virtio-serial-device,max_ports=4", "-device",
                "virtserialport,chardev=ctl,name=ctl", "-drive",
                "if=none,id=d0,file=/images/a.erofs,format=raw,cache=writeback,werror=report,rerror=report,readonly=on",
                "-device", "virtio-blk-device,drive=d0,serial=rootfs", "-netdev", "tap,id=n0,fd=9", "-device",
                "virtio-net-device,netdev=n0,mac=02:00:00:00:00:01", "-device",
                "virtio-balloon-device,free-page-reporting=on", "-device", "virtio-rng-device", "-serial",
                "file:/run/vm/serial", "-qmp", "unix:/run/vm/qmp,server=on,wait=off",
            ])
    }

    @Test func `KVM takes the host's processor, and no parameters that only emulation needs`() throws {
        var machine = machine
        machine.accelerator = .kvm
        let words = try QEMU.arguments(machine)
        #expect(words.contains("kvm") && words.contains("host"))
        #expect(words.contains("console=ttyS0 quiet reboot=t panic=-1"))
        #expect(!words.contains { $0.contains("tsc") || $0.contains("tcg") })
    }

    @Test func `a machine that ACPI describes keeps the only timer that it has`() throws {
        var machine = machine
        machine.kernel.transport = .acpi
        machine.kernel.machine = "microvm,acpi=on,pit=on,pic=on"
        let words = try QEMU.arguments(machine)
        #expect(words.contains { $0.hasSuffix(" no_timer_check tsc_early_khz=2100000 tsc=reliable") })
        #expect(!words.contains { $0.contains("nolapic_timer") })
    }

    @Test func `a template shares its memory, a clone has its own and waits for a state`() throws {
        var template = machine
        template.start = .template
        var clone = machine
        clone.start = .clone
        let (one, other) = (try QEMU.arguments(template), try QEMU.arguments(clone))
        #expect(one.contains("memory-backend-file,id=m,size=128M,mem-path=/proc/self/fd/7,share=on"))
        #expect(!one.contains("-incoming"))
        #expect(other.suffix(2) == ["-incoming", "defer"])
        // Apart from that they are the same machine.
        #expect(
            one.map { $0.hasPrefix("memory-backend") ? "" : $0 }
                == other.dropLast(2).map { $0.hasPrefix("memory-backend") ? "" : $0 })
    }

    @Test func `descriptors are given instead of paths`() throws {
        var machine = machine
        machine.disks = [MachineDisk(source: .descriptor(11), serial: "up", isReadOnly: false, isDirect: true)]
        machine.monitor = .descriptor(10)
        machine.control = .path("/run/vm/ctl")
        machine.network = nil
        let words = try QEMU.arguments(machine)
        #expect(words.contains("fd=11,set=1"))
        #expect(
            words.contains("if=none,id=d0,file=/dev/fdset/1,format=raw,cache=none,werror=report,rerror=report"))
        #expect(words.contains("socket,id=qmp,fd=10") && words.contains("chardev=qmp,mode=control"))
        #expect(words.contains("socket,id=ctl,path=/run/vm/ctl"))
        #expect(!words.contains("-netdev"))
    }

    static let wrong: [(@Sendable (inout MachineDescription) -> Void, MachineDescriptionFault)] = [
        ({ $0.memory = 63 }, .memory(mebibytes: 63)), ({ $0.memory = 1 << 21 }, .memory(mebibytes: 1 << 21)),
        ({ $0.processors = 0 }, .processors(0)), ({ $0.processors = 33 }, .processors(33)),
        ({ $0.memoryDescriptor = 2 }, .descriptor(2)), ({ $0.control = .descriptor(-1) }, .descriptor(-1)),
        ({ $0.monitor = .descriptor(0) }, .descriptor(0)), ({ $0.network?.descriptor = 1 }, .descriptor(1)),
        ({ $0.serialLog = "serial" }, .path("serial")), ({ $0.initramfs = "/a,b" }, .path("/a,b")),
        ({ $0.monitor = .path("/q,server=off") }, .path("/q,server=off")),
        ({ $0.control = .path("/a\nb") }, .path("/a\nb")),
        ({ $0.disks[0].source = .path("/x,readonly=off") }, .path("/x,readonly=off")),
        ({ $0.disks[0].serial = "" }, .serial("")), ({ $0.disks[0].serial = "a,b" }, .serial("a,b")),
        ({ $0.disks[0].serial = String(repeating: "a", count: 21) }, .serial(String(repeating: "a", count: 21))),
        ({ $0.disks += $0.disks }, .serial("rootfs")),
        ({ $0.network?.hardwareAddress = "01:00:00:00:00:01" }, .hardwareAddress("01:00:00:00:00:01")),
        ({ $0.network?.hardwareAddress = "02:00:00:00:00" }, .hardwareAddress("02:00:00:00:00")),
        ({ $0.network?.hardwareAddress = "02:00:00:00:00:1,id=x" }, .hardwareAddress("02:00:00:00:00:1,id=x")),
        ({ $0.network?.hardwareAddress = "02:00:00:00:00:+1" }, .hardwareAddress("02:00:00:00:00:+1")),
        (
            { machine in
                machine.disks = (0..<5).map { MachineDisk(source: .descriptor(20), serial: "d\($0)", isReadOnly: true) }
            }, .tooManyDevices(9)
        ),
    ]

    @Test(arguments: wrong.indices)
    func `a machine that cannot be has no command line`(index: Int) {
        var machine = machine
        Self.wrong[index].0(&machine)
        #expect(throws: Self.wrong[index].1) { try QEMU.arguments(machine) }
        #expect(!Self.wrong[index].1.reason.isEmpty)
    }
}

@Suite("Templates and memory of machines")
struct TemplateTests {
    private func key(_ machine: MachineDescription, monitor: String = "QEMU 7.2.22") -> TemplateKey? {
        TemplateKey(machine, kernel: "k1", initramfs: "i1", monitor: monitor)
    }

    @Test func `what differs from clone to clone is not in the key`() {
        var other = machine
        other.start = .clone
        other.memoryDescriptor = 33
        other.control = .path("/other")
        other.serialLog = "/other"
        other.disks[0].source = .descriptor(40)
        other.network?.hardwareAddress = "02:00:00:00:00:02"
        #expect(key(machine) == key(other))
    }

    static let changes: [@Sendable (inout MachineDescription) -> Void] = [
        { $0.memory = 256 }, { $0.accelerator = .kvm }, { $0.accelerator = .emulation(tscKilohertz: 1) },
        { $0.network = nil }, { $0.disks = [] }, { $0.disks[0].serial = "other" }, { $0.disks[0].isReadOnly = false },
        { $0.kernel.cmdline += " x" }, { $0.kernel.machine = "microvm,acpi=off" },
    ]

    @Test(arguments: changes.indices)
    func `whatever is part of the machine's state makes another template`(index: Int) throws {
        var other = machine
        Self.changes[index](&other)
        let text = try #require(key(other)).text
        #expect(key(other) != key(machine))
        #expect(text != key(machine)?.text)
    }

    @Test func `kernel, initramfs and version are part of it, and a version cannot add a line`() throws {
        let keys = [
            TemplateKey(machine, kernel: "k2", initramfs: "i1", monitor: "QEMU 7.2.22"),
            TemplateKey(machine, kernel: "k1", initramfs: "i2", monitor: "QEMU 7.2.22"),
            key(machine, monitor: "QEMU 8"),
            key(machine),
        ]
        #expect(Set(keys.map { $0?.text }).count == 4)
        let forged = try #require(key(machine, monitor: "QEMU\nmemory 256"))
        #expect(forged.text.split(separator: "\n").count == key(machine)?.text.split(separator: "\n").count)
    }

    @Test func `odd sizes and more processors have no template`() {
        var other = machine
        other.memory = 130
        #expect(key(other) == nil)
        other = machine
        other.processors = 2
        #expect(key(other) == nil)
    }

    @Test func `memory follows the limit and is charged with its overhead`() {
        #expect(MemoryClass.memory(forLimit: nil) == 128)
        #expect(MemoryClass.memory(forLimit: 1) == 64)
        #expect(MemoryClass.memory(forLimit: 200 << 20) == 200)
        #expect(MemoryClass.memory(forLimit: (200 << 20) + 1) == 201)
        #expect(MemoryClass.memory(forLimit: .max) == MemoryClass.ceiling)
        #expect(MemoryClass.charge(memory: 128, start: .cold) == 224)
        #expect(MemoryClass.charge(memory: 128, start: .template) == 224)
        #expect(MemoryClass.charge(memory: 128, start: .clone) == 176)
    }
}
