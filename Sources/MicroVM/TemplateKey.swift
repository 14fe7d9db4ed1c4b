/// What a template is good for: machines that agree in all of this. There is no migration between versions or devices,
/// so whatever changes makes another template.
public struct TemplateKey: Hashable, Sendable {
    /// The kernel's SHA-256.
    public var kernel: String
    /// The initramfs' SHA-256.
    public var initramfs: String
    /// The machine monitor's name and version, as it prints them.
    public var monitor: String
    /// How the machine is made, without what differs from one to the next.
    public var shape: [String]

    /// Makes the key of a machine; nil when no template is kept for such machines: another size of memory, or more than
    /// one processor.
    /// - Parameters:
    ///   - description: the machine, as a template or as a clone of one.
    ///   - kernel: its kernel's SHA-256, of the file as it is now.
    ///   - initramfs: its initramfs' SHA-256.
    ///   - monitor: the machine monitor's name and version.
    public init?(_ description: MachineDescription, kernel: String, initramfs: String, monitor: String) {
        guard MemoryClass.hasTemplate(mebibytes: description.memory), description.processors == 1 else { return nil }
        self.kernel = kernel
        self.initramfs = initramfs
        self.monitor = monitor
        // Addresses and files are told to the clone; that there is a device, and in which slot, is in the state.
        shape =
            [
                "accelerator \(description.accelerator.word)", "processor \(QEMU.processor(description.accelerator))",
                "machine \(description.kernel.machine)", "memory \(description.memory)",
                "cmdline \(QEMU.kernelCommandLine(description))",
                "network \(description.network == nil ? "no" : "yes")",
            ] + description.disks.map { "disk \($0.serial) \($0.isReadOnly ? "ro" : "rw")" }
    }

    /// The key as a text that two keys have only if they are the same, a line for each part.
    public var text: String {
        (["kernel \(kernel)", "initramfs \(initramfs)", "monitor \(monitor)"] + shape).map { line in
            // A version is what a program printed: it must not be able to add a line.
            String(line.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) })
        }.joined(separator: "\n")
    }
}
