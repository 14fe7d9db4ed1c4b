/// QEMU's command line for a machine. The order of devices is part of a template's state: it must not change between a
/// template and its clones, and does not depend on anything but the description.
public enum QEMU {
    /// What QEMU is called.
    public static let program = "qemu-system-x86_64"

    /// The arguments for a machine, without the program's name.
    /// - Parameter machine: the machine.
    /// - Returns: the arguments.
    /// - Throws: what makes the description impossible.
    public static func arguments(_ machine: MachineDescription) throws(MachineDescriptionFault) -> [String] {
        try machine.check()
        var words = [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            // No privilege, program or limit can be had once it runs.
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]
        switch machine.accelerator {
        case .kvm: words += ["-accel", "kvm"]
        case .emulation: words += ["-accel", "tcg,tb-size=32"]
        }
        words += ["-cpu", processor(machine.accelerator), "-smp", "\(machine.processors)", "-m", "\(machine.memory)"]
        let sharing = machine.start == .template ? "on" : "off"
        words += [
            "-object",
            "memory-backend-file,id=m,size=\(machine.memory)M,mem-path=/proc/self/fd/\(machine.memoryDescriptor)"
                + ",share=\(sharing)",
            "-M", "\(machine.kernel.machine),memory-backend=m",
            "-global", "virtio-mmio.force-legacy=false",
            "-kernel", machine.kernel.path, "-initrd", machine.initramfs, "-append", kernelCommandLine(machine),
        ]
        words += ["-chardev", "socket,id=ctl,\(end(machine.control))"]
        words += ["-device", "virtio-serial-device,max_ports=4", "-device", "virtserialport,chardev=ctl,name=ctl"]
        for (index, disk) in machine.disks.enumerated() { words += arguments(of: disk, index) }
        if let network = machine.network {
            words += [
                "-netdev", "tap,id=n0,fd=\(network.descriptor)",
                "-device", "virtio-net-device,netdev=n0,mac=\(network.hardwareAddress)",
            ]
        }
        words += ["-device", "virtio-balloon-device,free-page-reporting=on", "-device", "virtio-rng-device"]
        words += ["-serial", "file:\(machine.serialLog)"]
        switch machine.monitor {
        case .path(let path): words += ["-qmp", "unix:\(path),server=on,wait=off"]
        case .descriptor:
            words += ["-chardev", "socket,id=qmp,\(end(machine.monitor))", "-mon", "chardev=qmp,mode=control"]
        }
        if machine.start == .clone { words += ["-incoming", "defer"] }
        return words
    }

    /// The processor that the guest sees. RDRAND spares an emulated guest seconds of waiting for chance.
    static func processor(_ accelerator: MachineAccelerator) -> String {
        switch accelerator {
        case .kvm: "host"
        case .emulation: "qemu64,+rdrand"
        }
    }

    /// The kernel's command line: the profile's, and what an emulated clock needs so that no calibration waits or fails.
    static func kernelCommandLine(_ machine: MachineDescription) -> String {
        switch machine.accelerator {
        case .kvm: machine.kernel.cmdline
        case .emulation(let kilohertz):
            // Without it the kernel calibrates the timer of its interrupt controller for 0.1 s and more. Where ACPI
            // describes the machine there is no other timer, and nothing that waits would ever wake.
            machine.kernel.cmdline + " no_timer_check" + (machine.kernel.transport == .mmio ? " nolapic_timer" : "")
                + " tsc_early_khz=\(kilohertz) tsc=reliable"
        }
    }

    private static func end(_ endpoint: MachineDescription.Endpoint) -> String {
        switch endpoint {
        case .descriptor(let number): "fd=\(number)"
        case .path(let path): "path=\(path)"
        }
    }

    /// Errors of the host's disk go to the guest: the usual policy would stop the machine.
    private static func arguments(of disk: MachineDisk, _ index: Int) -> [String] {
        var words: [String] = []
        let file: String
        switch disk.source {
        case .path(let path): file = path
        case .descriptor(let number):
            words += ["-add-fd", "fd=\(number),set=\(index + 1)"]
            file = "/dev/fdset/\(index + 1)"
        }
        let drive =
            "if=none,id=d\(index),file=\(file),format=raw,cache=\(disk.isDirect ? "none" : "writeback")"
            + ",werror=report,rerror=report" + (disk.isReadOnly ? ",readonly=on" : "")
        return words + ["-drive", drive, "-device", "virtio-blk-device,drive=d\(index),serial=\(disk.serial)"]
    }
}
