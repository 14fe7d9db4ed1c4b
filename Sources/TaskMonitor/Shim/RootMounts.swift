internal import CLinux
internal import Glibc
internal import LinuxSystem

/// One mount that makes up a container's root (`containerd.types.Mount`).
struct RootMount: Equatable {
    let type: String
    let source: String
    let options: [String]

    /// The kernel takes one page of options.
    private static let pageSize = 4096
    private static let bind = 4096
    private static let readOnly = 1
    private static let remount = 32
    /// MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: must come in a call of their own.
    private static let propagation = 0xF << 17
    private static let recursive = 16384

    init(type: String, source: String, options: [String]) {
        self.type = type
        self.source = source
        self.options = options
    }

    /// Reads the message.
    init(_ bytes: ArraySlice<UInt8>) throws(ShimFailure) {
        let message = try ProtobufMessage(bytes)
        type = try message.text(1)
        source = try message.text(2)
        options = try message.texts(4)
    }

    /// Mounts it.
    ///
    /// - Parameter target: where.
    /// - Throws: why the kernel does not.
    func mount(on target: String) throws(ShimFailure) {
        let (folder, options) = type == "overlay" ? Self.shortened(self.options) : (nil, self.options)
        var (flags, data) = Self.parse(options)
        var source = source
        var device: Int32 = -1
        if let loop = data.firstIndex(of: "loop") {
            data.remove(at: loop)
            (source, device) = try LoopDevice.attach(source, readOnly: flags & Self.readOnly != 0)
        }
        // From then on the mount holds the device.
        defer { if device >= 0 { close(device) } }
        let text = data.joined(separator: ",")
        guard text.utf8.count < Self.pageSize else { throw failure("its options are longer than a page") }
        // Layers are named relative to the folder that they are all in; this process has no other use for its own.
        if let folder, chdir(folder) != 0 { throw failure("\(SystemError(call: "chdir", path: folder, errno: errno))") }
        defer { if folder != nil { _ = chdir("/") } }
        let plain = flags & ~Self.propagation
        if flags & Self.remount == 0 || !text.isEmpty {
            try call(source, target, type, plain, text)
        }
        if flags & Self.propagation != 0 {
            try call("", target, "", flags & (Self.propagation | Self.recursive), "")
        }
        if plain & (Self.bind | Self.readOnly) == Self.bind | Self.readOnly {
            try call("", target, "", plain | Self.remount, "")
        }
    }

    private func call(
        _ source: String, _ target: String, _ type: String, _ flags: Int, _ data: String
    ) throws(ShimFailure) {
        let result = source.withCString { source in
            target.withCString { target in
                type.withCString { type in
                    data.withCString { data in
                        clinux_syscall(
                            Int(SYS_mount), Int(bitPattern: source), Int(bitPattern: target), Int(bitPattern: type),
                            flags, data.pointee == 0 ? 0 : Int(bitPattern: data), 0)
                    }
                }
            }
        }
        guard result >= 0 else { throw failure(SystemError.text(of: Int32(-result))) }
    }

    private func failure(_ reason: String) -> ShimFailure {
        .unknown("cannot mount \(type.isEmpty ? source : "\(type) (\(source))") as the container's root: \(reason)")
    }

    /// Splits options into the kernel's flags and what the file system itself understands.
    static func parse(_ options: [String]) -> (flags: Int, data: [String]) {
        var flags = 0
        var data: [String] = []
        for option in options {
            if option == "defaults" || option.isEmpty { continue }
            if let flag = flag(option) {
                flags |= flag
            } else if let opposite = opposites[option] {
                flags &= ~(flag(opposite) ?? 0)
            } else {
                data.append(option)
            }
        }
        return (flags, data)
    }

    private static let opposites = [
        "async": "sync", "atime": "noatime", "dev": "nodev", "diratime": "nodiratime", "exec": "noexec",
        "nomand": "mand", "norelatime": "relatime", "nostrictatime": "strictatime", "rw": "ro", "suid": "nosuid",
    ]

    private static func flag(_ option: String) -> Int? {
        switch option {
        case "ro": readOnly
        case "nosuid": 2
        case "nodev": 4
        case "noexec": 8
        case "sync": 16
        case "remount": remount
        case "mand": 64
        case "dirsync": 128
        case "noatime": 1024
        case "nodiratime": 2048
        case "bind": bind
        case "rbind": bind | recursive
        case "unbindable": 1 << 17
        case "runbindable": 1 << 17 | recursive
        case "private": 1 << 18
        case "rprivate": 1 << 18 | recursive
        case "slave": 1 << 19
        case "rslave": 1 << 19 | recursive
        case "shared": 1 << 20
        case "rshared": 1 << 20 | recursive
        case "relatime": 1 << 21
        case "strictatime": 1 << 24
        default: nil
        }
    }

    /// Options with many lower layers, with the folder that is common to the layers taken out when they would not fit.
    static func shortened(_ options: [String]) -> (folder: String?, options: [String]) {
        let length = options.reduce(0) { $0 + $1.utf8.count + 1 }
        guard length >= pageSize - 512, let index = options.firstIndex(where: { $0.hasPrefix("lowerdir=") }) else {
            return (nil, options)
        }
        let layers = options[index].dropFirst("lowerdir=".count).split(separator: ":").map { $0.split(separator: "/") }
        guard let first = layers.first, layers.count > 1, !options[index].contains("\\") else { return (nil, options) }
        let shared = first.dropLast().indices.prefix { index in
            layers.allSatisfy { $0.count > index + 1 && $0[index] == first[index] }
        }.count
        guard shared > 0 else { return (nil, options) }
        var result = options
        result[index] = "lowerdir=" + layers.map { $0.dropFirst(shared).joined(separator: "/") }.joined(separator: ":")
        return ("/" + first.prefix(shared).joined(separator: "/"), result)
    }

    /// Takes away all that is mounted on a path, one on the other.
    ///
    /// - Parameter path: a folder that may be none.
    /// - Returns: the error, `EBUSY` when it may be tried again soon, 0 when nothing is mounted there any more.
    static func unmountAll(_ path: String) -> Int32 {
        for _ in 0..<1024 {
            // A link in its place must not lead elsewhere.
            let result = path.withCString { clinux_syscall(Int(SYS_umount2), Int(bitPattern: $0), 8, 0, 0, 0, 0) }
            switch Int32(-result) {
            case 0: continue
            case EINVAL, ENOENT: return 0
            case let error: return error
            }
        }
        return EBUSY
    }
}

/// Files as block devices (`loop(4)`), for images of file systems.
enum LoopDevice {
    private static let getFree: UInt = 0x4C82
    private static let setFile: UInt = 0x4C00
    private static let setStatus: UInt = 0x4C04
    private static let clearFile: UInt = 0x4C01

    /// Makes a device of a file that vanishes with its last use, to which the returned descriptor counts.
    static func attach(_ file: String, readOnly: Bool) throws(ShimFailure) -> (path: String, descriptor: Int32) {
        do throws(SystemError) {
            let mode = readOnly ? O_RDONLY : O_RDWR
            let image = try FileDescriptor.open(file, flags: mode)
            let control = try FileDescriptor.open("/dev/loop-control", flags: O_RDWR)
            for _ in 0..<64 {
                let number = clinux_syscall(Int(SYS_ioctl), Int(control.raw), Int(getFree), 0, 0, 0, 0)
                guard number >= 0 else { throw SystemError(call: "find a free loop device", errno: Int32(-number)) }
                let path = "/dev/loop\(number)"
                let device = try FileDescriptor.open(path, flags: mode)
                let result = clinux_syscall(
                    Int(SYS_ioctl), Int(device.raw), Int(setFile), Int(image.raw), 0, 0, 0)
                // Somebody else was quicker.
                if result == -Int(EBUSY) { continue }
                guard result >= 0 else { throw SystemError(call: "attach", path: file, errno: Int32(-result)) }
                // struct loop_info64: lo_flags are at 52; LO_FLAGS_READ_ONLY and LO_FLAGS_AUTOCLEAR.
                var status = [UInt8](repeating: 0, count: 232)
                status[52] = readOnly ? 5 : 4
                let set = status.withUnsafeMutableBytes { clinux_ioctl(device.raw, setStatus, $0.baseAddress) }
                guard set == 0 else {
                    _ = clinux_ioctl(device.raw, clearFile, nil)
                    throw SystemError(call: "set up \(path) for", path: file, errno: -set)
                }
                return (path, device.release())
            }
            throw SystemError(call: "find a free loop device for", path: file, errno: EBUSY)
        } catch {
            throw .unknown("cannot use an image as the container's root: \(error)")
        }
    }
}
