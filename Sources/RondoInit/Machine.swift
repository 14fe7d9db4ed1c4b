import CGuest
import GuestChannel

/// The machine itself: what is mounted, its clock, chance, name and figures.
struct Machine {
    /// Devices that FREEZE unbound, by their names on the virtio bus.
    private var unbound: [[UInt8]] = []

    private static let diskDriver = "/sys/bus/virtio/drivers/virtio_blk/"

    /// What every process finds, and the drivers of a kernel that has them as modules.
    func bringUp() throws(KernelError) {
        let quiet = UInt(CGUEST_NO_SUID) | UInt(CGUEST_NO_DEVICES) | UInt(CGUEST_NO_EXEC)
        for path in ["/proc", "/sys", "/dev", "/run", "/tmp"] { try Kernel.makeDirectories(bytes(path)) }
        try Kernel.mount("proc", bytes("/proc"), "proc", quiet)
        try Kernel.mount("sysfs", bytes("/sys"), "sysfs", quiet)
        // The kernel may have mounted it before.
        do { try Kernel.mount("devtmpfs", bytes("/dev"), "devtmpfs", UInt(CGUEST_NO_SUID), "mode=0755") } catch {
            guard error.number == 16 else { throw error }
        }
        try Kernel.makeDirectories(bytes("/dev/pts"))
        try Kernel.mount("devpts", bytes("/dev/pts"), "devpts", UInt(CGUEST_NO_SUID), "mode=0620,ptmxmode=0666,gid=5")
        try Kernel.mount("tmpfs", bytes("/run"), "tmpfs", UInt(CGUEST_NO_SUID) | UInt(CGUEST_NO_DEVICES), "mode=0755")
        try Kernel.mount("tmpfs", bytes("/tmp"), "tmpfs", UInt(CGUEST_NO_SUID) | UInt(CGUEST_NO_DEVICES), "mode=1777")
        // A kernel without groups of version 2 has no containers, but starts processes.
        try? Kernel.mount("cgroup2", bytes("/sys/fs/cgroup"), "cgroup2", quiet)
    }

    /// Loads the modules that `/modules` lists, a path in each line, in that order.
    func loadModules() {
        guard let list = try? Kernel.read(bytes("/modules"), limit: 16_384) else { return }
        for path in list.split(separator: 10) {
            do throws(KernelError) {
                let file = try Kernel.open(Array(path), Int(CGUEST_READ))
                defer { cguest_close(file) }
                try Kernel.check(cguest_load_module(file))
            } catch { Kernel.log(bytes("cannot load ") + Array(path) + bytes(": ") + error.text) }
        }
    }

    /// Opens the port that the host calls `ctl`. Its number says nothing: ports are found by their names.
    func openPort() -> Int32? {
        // A driver may still be looking at its devices.
        for _ in 0..<500 {
            for name in Kernel.names(in: bytes("/sys/class/virtio-ports")) {
                let path = bytes("/sys/class/virtio-ports/") + name + bytes("/name")
                guard let label = try? Kernel.read(path, limit: 64), label.starts(with: bytes("ctl")),
                    label.count == 3 || label[3] == 10
                else { continue }
                if let port = try? Kernel.open(bytes("/dev/") + name, Int(CGUEST_PORT)) { return port }
            }
            cguest_sleep(10)
        }
        return nil
    }

    /// What the guest says of itself.
    var hello: GuestHello {
        var release = [CChar](repeating: 0, count: 64)
        let length = cguest_release(&release, release.count)
        return GuestHello(
            uptime: cguest_clock(0) / 1_000_000, clock: cguest_clock(1),
            release: release[..<length].map { UInt8(bitPattern: $0) })
    }

    /// Sets the clock and mixes the host's chance in.
    func renew(_ renewal: GuestRenewal) throws(KernelError) {
        try Kernel.check(cguest_set_clock(renewal.clock))
        let result = renewal.entropy.withUnsafeBufferPointer { cguest_add_entropy($0.baseAddress, $0.count) }
        try Kernel.check(result)
    }

    /// Carries CONFIG out.
    /// - Throws: what failed, with what it was about.
    func configure(_ configuration: GuestConfiguration) throws(Failure) {
        do throws(KernelError) {
            try renew(configuration.renewal)
            let result = Kernel.withText(configuration.hostname) {
                cguest_set_hostname($0, configuration.hostname.count)
            }
            try Kernel.check(result)
        } catch { throw Failure(error, "setting clock, entropy and name") }
        for disk in configuration.disks {
            guard let device = Self.device(of: disk.serial) else {
                throw Failure(code: 19, bytes("there is no disk ") + disk.serial)
            }
            do throws(KernelError) {
                try Kernel.makeDirectories(disk.path)
                let type = disk.fileSystem == .erofs ? "erofs" : "ext4"
                try Kernel.mount(device, disk.path, type, disk.isReadOnly ? UInt(CGUEST_READ_ONLY) : 0)
            } catch { throw Failure(error, bytes("mounting disk ") + disk.serial) }
        }
    }

    /// Something that could not be done, and why.
    struct Failure: Error {
        var fault: GuestFault

        init(code: UInt16, _ reason: [UInt8]) { fault = GuestFault(code: code, reason: reason) }
        init(_ error: KernelError, _ what: [UInt8]) {
            self.init(code: UInt16(truncatingIfNeeded: error.number), what + bytes(": ") + error.text)
        }
        init(_ error: KernelError, _ what: String) { self.init(error, bytes(what)) }
    }

    private static func device(of serial: [UInt8]) -> [UInt8]? {
        // Names of disks are the kernel's; their order is nobody's.
        for name in Kernel.names(in: bytes("/sys/block")) {
            guard let found = try? Kernel.read(bytes("/sys/block/") + name + bytes("/serial"), limit: 64) else {
                continue
            }
            if Array(found.prefix { $0 > 0x20 }) == serial { return bytes("/dev/") + name }
        }
        return nil
    }

    /// Lets go of all disks, so that clones find their own.
    mutating func unbindDisks() {
        for name in Kernel.names(in: bytes(Self.diskDriver)) where name.starts(with: bytes("virtio")) {
            guard (try? Kernel.tell(bytes(Self.diskDriver + "unbind"), name)) != nil else { continue }
            unbound.append(name)
        }
    }

    /// Takes them back; their sizes are read anew.
    mutating func bindDisks() {
        for name in unbound { try? Kernel.tell(bytes(Self.diskDriver + "bind"), name) }
        unbound = []
    }

    /// Writes a piece of a file; only its last makes it seen.
    func write(_ piece: GuestFilePiece) throws(KernelError) {
        let hidden = piece.path + bytes(".rondo-part")
        if !piece.isContinued {
            if let slash = piece.path.lastIndex(of: UInt8(ascii: "/")), slash > 0 {
                try Kernel.makeDirectories(Array(piece.path[..<slash]))
            }
            _ = Kernel.withText(hidden) { cguest_remove($0) }
        }
        let kind = piece.isContinued ? CGUEST_APPEND : CGUEST_CREATE
        let file = try Kernel.open(hidden, Int(kind))
        defer { cguest_close(file) }
        try Kernel.writeAll(file, piece.content)
        guard piece.isLast else { return }
        try Kernel.check(cguest_set_mode(file, UInt32(piece.mode)))
        try Kernel.check(Kernel.withText(hidden) { from in Kernel.withText(piece.path) { cguest_rename(from, $0) } })
    }

    /// What the machine uses now; what cannot be read is 0.
    var figures: GuestFigures {
        let memory = (try? Kernel.read(bytes("/proc/meminfo"))) ?? []
        let load = (try? Kernel.read(bytes("/proc/loadavg"))) ?? []
        let processes = load.split(separator: UInt8(ascii: "/")).dropFirst().first.map { numbers(in: $0).first ?? 0 }
        return GuestFigures(
            uptime: cguest_clock(0) / 1_000_000, busy: Self.busy, memory: Self.kibibytes("MemTotal:", memory) << 10,
            memoryAvailable: Self.kibibytes("MemAvailable:", memory) << 10,
            processes: UInt32(truncatingIfNeeded: processes ?? 0))
    }

    /// Microseconds of all processors that were not idle. The usual count is by ticks, and a guest without a timer of its
    /// own has next to none; the scheduler's own is exact, where the kernel shows it.
    private static var busy: UInt64 {
        let processors = (try? Kernel.read(bytes("/proc/stat"), limit: 256)) ?? []
        // user nice system idle iowait irq softirq steal, in hundredths of a second.
        var ticks = numbers(in: processors.prefix { $0 != 10 })
        if ticks.count > 4 { ticks.removeSubrange(3...4) }
        var nanoseconds: UInt64 = 0
        let scheduler = (try? Kernel.read(bytes("/proc/schedstat"), limit: 16_384)) ?? []
        for line in scheduler.split(separator: 10) where line.starts(with: bytes("cpu")) {
            // The processor's number, six figures of other things, the time that tasks ran.
            let figures = numbers(in: line)
            if figures.count > 7 { nanoseconds &+= figures[7] }
        }
        return max(ticks.prefix(6).reduce(0, &+) &* 10_000, nanoseconds / 1_000)
    }

    private static func kibibytes(_ name: String, _ text: [UInt8]) -> UInt64 {
        for line in text.split(separator: 10) where line.starts(with: bytes(name)) {
            return numbers(in: line).first ?? 0
        }
        return 0
    }
}

/// The numbers in a text, in order.
private func numbers(in text: ArraySlice<UInt8>) -> [UInt64] {
    text.split { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.map { digits in
        digits.reduce(0) { $0 &* 10 &+ UInt64($1 - UInt8(ascii: "0")) }
    }
}
