internal import CLinux
internal import Glibc

/// The devices and links that every container has (OCI runtime-spec, config-linux.md), and those of its configuration.
struct Devices {
    let linux: LinuxConfig
    let root: RootDirectory

    private static let standard = [
        DeviceConfig(kind: .character, path: "/dev/null", major: 1, minor: 3, fileMode: 0o666),
        DeviceConfig(kind: .character, path: "/dev/zero", major: 1, minor: 5, fileMode: 0o666),
        DeviceConfig(kind: .character, path: "/dev/full", major: 1, minor: 7, fileMode: 0o666),
        DeviceConfig(kind: .character, path: "/dev/random", major: 1, minor: 8, fileMode: 0o666),
        DeviceConfig(kind: .character, path: "/dev/urandom", major: 1, minor: 9, fileMode: 0o666),
        DeviceConfig(kind: .character, path: "/dev/tty", major: 5, minor: 0, fileMode: 0o666),
    ]

    private static let links = [
        ("/dev/fd", "/proc/self/fd"), ("/dev/stdin", "/proc/self/fd/0"), ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ]

    func make(hasConsole: Bool) throws(RuntimeFailure) {
        let before = umask(0)
        defer { umask(before) }
        let own = Set(linux.devices.map { RootDirectory.normalized($0.path) })
        for device in Self.standard where !own.contains(RootDirectory.normalized(device.path)) { try make(device) }
        for device in linux.devices { try make(device) }
        for (name, target) in Self.links { try link(name, to: target) }
        if try root.find("/proc/kcore") != nil { try link("/dev/core", to: "/proc/kcore") }
        try link("/dev/ptmx", to: "pts/ptmx")
    }

    private func make(_ device: DeviceConfig) throws(RuntimeFailure) {
        // The console is bound when there is one; a node by that name would be the host's.
        if RootDirectory.normalized(device.path) == ["dev", "ptmx"] { return }
        let (directory, name) = try root.parent(of: device.path)
        if linux.namespace(.user) != nil {
            try bindHost(device, directory, name)
            return
        }
        let type: Int =
            switch device.kind {
            case .character, .unbuffered: Int(S_IFCHR)
            case .block: Int(S_IFBLK)
            case .pipe: Int(S_IFIFO)
            }
        let mode = Int(device.fileMode ?? 0o666) & 0o7777
        let result = Kernel.makeNode(directory.raw, name, mode: type | mode, device: number(of: device))
        if result == -Int(EEXIST) {
            try adopt(device, directory, name, type)
        } else if result == -Int(EPERM) {
            try bindHost(device, directory, name)
            return
        } else {
            try check(result, "cannot make the device \(device.path)")
        }
        try check(
            Kernel.changeOwner(directory.raw, name, uid: Int(device.uid ?? 0), gid: Int(device.gid ?? 0)),
            "cannot give \(device.path) to its owner")
    }

    /// A node that is in the image already must be the same device.
    private func adopt(_ device: DeviceConfig, _ directory: OpenFile, _ name: String, _ type: Int)
        throws(RuntimeFailure)
    {
        let found = try OpenFile(
            Kernel.openAt(directory.raw, name, Kernel.path | Kernel.noFollow), "cannot open \(device.path)")
        var facts = stat()
        guard fstat(found.raw, &facts) == 0, Int(facts.st_mode & S_IFMT) == type,
            device.kind == .pipe || Int(facts.st_rdev) == number(of: device)
        else { throw RuntimeFailure("\(device.path) is in the root filesystem already and is something else") }
    }

    private func bindHost(_ device: DeviceConfig, _ directory: OpenFile, _ name: String) throws(RuntimeFailure) {
        let tree = try OpenFile(
            Kernel.cloneTree(AT_FDCWD, device.path, recursive: false), "cannot bind the host's \(device.path)")
        let harmless = MountOptions.Attribute.noSuid | MountOptions.Attribute.noExec
        try check(
            Kernel.setAttributes(tree.raw, set: harmless, recursive: false), "cannot bind the host's \(device.path)")
        let made = Kernel.openAt(directory.raw, name, O_WRONLY | O_CREAT | O_EXCL | Kernel.noFollow, mode: 0o666)
        if made >= 0 {
            Kernel.close(Int32(made))
        } else if made != -Int(EEXIST) {
            try check(made, "cannot make a place for \(device.path)")
        }
        let target = try OpenFile(
            Kernel.openAt(directory.raw, name, Kernel.path | Kernel.noFollow), "cannot open the place of \(device.path)"
        )
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot bind the host's \(device.path)")
    }

    private func number(of device: DeviceConfig) -> Int {
        let major = UInt64(bitPattern: device.major)
        let minor = UInt64(bitPattern: device.minor)
        return Int(
            truncatingIfNeeded: (major & 0xfff) << 8 | (minor & 0xff) | (minor & 0xfff00) << 12
                | (major & 0xfffff000) << 32)
    }

    private func link(_ name: String, to target: String) throws(RuntimeFailure) {
        let (directory, last) = try root.parent(of: name)
        let result = Kernel.makeLink(target, directory.raw, last)
        if result == -Int(EEXIST), last == "ptmx" {
            // An image's own node would give terminals of the host.
            _ = Kernel.withPath(last) { Kernel.call(SYS_unlinkat, Int(directory.raw), $0, 0) }
            try check(Kernel.makeLink(target, directory.raw, last), "cannot make \(name)")
        } else if result != -Int(EEXIST) {
            try check(result, "cannot make \(name)")
        }
    }
}
