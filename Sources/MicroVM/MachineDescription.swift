/// A virtual machine as its callers describe it. Nothing of it is of one machine monitor: what turns it into a command
/// line, and what is said to the monitor while it runs, is in a folder of that monitor's name.
public struct MachineDescription: Hashable, Sendable {
    /// How the machine comes to life.
    public enum Start: Hashable, Sendable {
        /// It boots, and runs a workload.
        case cold
        /// It boots to be cloned: its memory is shared with the descriptor behind it.
        case template
        /// It goes on where a template stopped, with a private copy of its memory.
        case clone
    }

    /// One end of a stream between the launcher and the machine monitor.
    public enum Endpoint: Hashable, Sendable {
        /// A connected socket that the monitor inherits.
        case descriptor(Int32)
        /// A unix socket's path: the monitor connects to it for the guest's channel, and listens for its own.
        case path(String)
    }

    /// The guest's kernel.
    public var kernel: KernelProfile
    /// The initramfs' path, with `rondo-init`.
    public var initramfs: String
    /// What runs its instructions.
    public var accelerator: MachineAccelerator
    /// Processors, 1 to 32.
    public var processors: Int
    /// Memory in MiB.
    public var memory: Int
    /// The descriptor of its memory, as long as `memory` says.
    public var memoryDescriptor: Int32
    /// How it starts.
    public var start: Start
    /// The channel to `rondo-init`.
    public var control: Endpoint
    /// The channel to the machine monitor.
    public var monitor: Endpoint
    /// Where what the kernel prints goes; a file's path.
    public var serialLog: String
    /// Its disks.
    public var disks: [MachineDisk]
    /// Its network; nil for none.
    public var network: MachineNetwork?

    /// Describes a machine.
    public init(
        kernel: KernelProfile, initramfs: String, accelerator: MachineAccelerator, processors: Int = 1, memory: Int,
        memoryDescriptor: Int32, start: Start, control: Endpoint, monitor: Endpoint, serialLog: String,
        disks: [MachineDisk] = [], network: MachineNetwork? = nil
    ) {
        self.kernel = kernel
        self.initramfs = initramfs
        self.accelerator = accelerator
        self.processors = processors
        self.memory = memory
        self.memoryDescriptor = memoryDescriptor
        self.start = start
        self.control = control
        self.monitor = monitor
        self.serialLog = serialLog
        self.disks = disks
        self.network = network
    }
}

/// What runs a guest's instructions.
public enum MachineAccelerator: Hashable, Sendable {
    /// The processor itself.
    case kvm
    /// QEMU's translator, everywhere. The host's time stamp counter in kHz, which the guest sees, spares it a
    /// calibration that fails on busy hosts.
    case emulation(tscKilohertz: UInt64)

    /// Its name, as in `--accel` and in a node's attributes.
    public var word: String {
        switch self {
        case .kvm: "kvm"
        case .emulation: "tcg"
        }
    }
}

/// A disk of a machine.
public struct MachineDisk: Hashable, Sendable {
    /// Where its bytes are.
    public enum Source: Hashable, Sendable {
        /// A file, or a block device, by its path.
        case path(String)
        /// The same, opened already.
        case descriptor(Int32)
    }

    /// Where its bytes are.
    public var source: Source
    /// What the guest finds it by: 1 to 20 letters, digits, dots and dashes.
    public var serial: String
    /// Whether nothing may be written.
    public var isReadOnly: Bool
    /// Whether writes go past the host's page cache.
    public var isDirect: Bool

    /// Describes a disk.
    public init(source: Source, serial: String, isReadOnly: Bool, isDirect: Bool = false) {
        self.source = source
        self.serial = serial
        self.isReadOnly = isReadOnly
        self.isDirect = isDirect
    }
}

/// A machine's network: a tap device that somebody opened in the namespace where it belongs.
public struct MachineNetwork: Hashable, Sendable {
    /// The tap's descriptor.
    public var descriptor: Int32
    /// The guest's address on it, as `02:00:00:00:00:01`.
    public var hardwareAddress: String

    /// Describes a network.
    public init(descriptor: Int32, hardwareAddress: String) {
        self.descriptor = descriptor
        self.hardwareAddress = hardwareAddress
    }
}

/// What makes a description one that no machine can have.
public enum MachineDescriptionFault: Error, Hashable, Sendable {
    /// The machine has eight slots, and these are too many devices.
    case tooManyDevices(Int)
    /// Less memory than the kernel boots with, or no whole number of MiB that is reasonable.
    case memory(mebibytes: Int)
    /// Processors that cannot be.
    case processors(Int)
    /// A path that is not absolute, or has what an option of the machine monitor cannot hold.
    case path(String)
    /// A serial that cannot be, or that two disks have.
    case serial(String)
    /// A hardware address that is none, or is a group's.
    case hardwareAddress(String)
    /// A descriptor that is negative, or one of the standard streams.
    case descriptor(Int32)

    /// What to tell: lower case, no full stop.
    public var reason: String {
        switch self {
        case .tooManyDevices(let count):
            "the machine would have \(count) devices, and has \(MachineDescription.slots) slots: use fewer volumes"
        case .memory(let mebibytes):
            "\(mebibytes) MiB of memory: a machine has from \(MemoryClass.floor) to \(MemoryClass.ceiling)"
        case .processors(let count): "\(count) processors: a machine has from 1 to 32"
        case .path(let path): "the path \"\(path)\" must be absolute and have no comma and no control character"
        case .serial(let serial):
            "a disk's serial \"\(serial)\" must be 1 to 20 letters, digits, dots and dashes, and its own"
        case .hardwareAddress(let address): "\"\(address)\" is no hardware address of one device"
        case .descriptor(let number): "the descriptor \(number) cannot be given to a machine"
        }
    }
}

extension MachineDescription {
    /// Slots of virtio devices that the machine has, without hotplug.
    public static let slots = 8

    /// Devices that take a slot: the control channel, memory balloon and random numbers, network, disks.
    public var devices: Int { 3 + (network == nil ? 0 : 1) + disks.count }

    /// Checks what does not depend on the machine monitor.
    /// - Throws: the first thing that is wrong.
    public func check() throws(MachineDescriptionFault) {
        guard devices <= Self.slots else { throw .tooManyDevices(devices) }
        guard (MemoryClass.floor...MemoryClass.ceiling).contains(memory) else { throw .memory(mebibytes: memory) }
        guard (1...32).contains(processors) else { throw .processors(processors) }
        var descriptors = [memoryDescriptor]
        var paths = [kernel.path, initramfs, serialLog]
        for endpoint in [control, monitor] {
            switch endpoint {
            case .descriptor(let number): descriptors.append(number)
            case .path(let path): paths.append(path)
            }
        }
        var serials: Set<String> = []
        for disk in disks {
            switch disk.source {
            case .descriptor(let number): descriptors.append(number)
            case .path(let path): paths.append(path)
            }
            guard Self.isSerial(disk.serial), serials.insert(disk.serial).inserted else { throw .serial(disk.serial) }
        }
        if let network {
            descriptors.append(network.descriptor)
            guard Self.isHardwareAddress(network.hardwareAddress) else {
                throw .hardwareAddress(network.hardwareAddress)
            }
        }
        for path in paths where !Self.isPath(path) { throw .path(path) }
        for number in descriptors where number < 3 { throw .descriptor(number) }
    }

    /// Options of QEMU are lists with commas; a path with one could add an option.
    static func isPath(_ path: String) -> Bool {
        path.utf8.first == UInt8(ascii: "/") && path.utf8.count < 4_096
            && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: ",") }
    }

    private static func isSerial(_ serial: String) -> Bool {
        (1...20).contains(serial.utf8.count)
            && serial.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func isHardwareAddress(_ address: String) -> Bool {
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.utf8.count == 2 && part.utf8.first != UInt8(ascii: "+") ? UInt8(part, radix: 16) : nil
        }
        // The lowest bit of the first byte is a group's.
        return parts.count == 6 && numbers.count == 6 && numbers[0] & 1 == 0 && numbers != [0, 0, 0, 0, 0, 0]
    }
}
