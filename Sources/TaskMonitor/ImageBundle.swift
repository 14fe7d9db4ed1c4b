internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The OCI configuration of a task whose container has a root of its own, from the layers of an image.
struct ImageBundle {
    /// What it has in common with a task in the host's root.
    let host: HostBundle
    let root: ImageRoot

    /// The directory in the bundle where the root is put together.
    static let rootName = "rootfs"

    /// The content of `config.json`.
    var config: String {
        var members: [(String, JSON)] = [
            ("ociVersion", .text("1.0.2")),
            // The runtime makes the directory when the image has none.
            (
                "process",
                host.process(
                    capabilities, directory: host.spec.workingDirectory, mayGainRights: root.mayGainRights)
            ),
            ("root", .object([("path", .text(Self.rootName)), ("readonly", .flag(root.isReadOnly))])),
            ("mounts", .list(mounts)), ("linux", linux),
        ]
        if let hostname = root.hostname { members.append(("hostname", .text(hostname))) }
        return JSON.object(members).encoded
    }

    // MARK: rights

    /// What engines give a container that asks for nothing.
    private static let usual: UInt64 = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31].reduce(0) { $0 | 1 << $1 }

    private var capabilities: JSON {
        var bounding = root.capabilities?.bounding ?? Self.usual
        if root.isPrivileged { bounding = .max }
        bounding &= host.privileges.bounding
        var effective = root.capabilities?.effective ?? bounding
        if root.isPrivileged { effective = .max }
        // Who is not root begins with none, as everywhere; programs' files may give some.
        effective &= bounding & host.privileges.permitted
        if host.credentials.uid != 0, root.capabilities == nil { effective = 0 }
        // Kept by users over the start of programs; root gets what is in the bounding set then.
        let kept = host.credentials.uid == 0 ? 0 : effective
        return HostBundle.capabilities(bounding: bounding, effective: effective, kept: kept)
    }

    private var linux: JSON {
        var namespaces = ["pid", "mount", "ipc", "uts"].map { JSON.object([("type", .text($0))]) }
        switch root.network {
        case .host: break
        case .own: namespaces.append(.object([("type", .text("network"))]))
        case .made(let path): namespaces.append(.object([("type", .text("network")), ("path", .text(path))]))
        }
        let devices = root.devices + (root.isPrivileged ? HostDevices.all() : [])
        var rules = [JSON.object([("allow", .flag(root.isPrivileged)), ("access", .text("rwm"))])]
        if !root.isPrivileged { rules += devices.map(\.rule) }
        var members: [(String, JSON)] = [
            ("namespaces", .list(namespaces)), ("cgroupsPath", .text("/rondo/\(host.spec.containerID)")),
            ("resources", host.resources(devices: rules)), ("devices", .list(devices.map(\.file))),
        ]
        if !root.isPrivileged {
            members.append(("maskedPaths", .list(Self.maskedPaths.map { .text($0) })))
            members.append(("readonlyPaths", .list(Self.readonlyPaths.map { .text($0) })))
            // CAP_SYS_ADMIN is 21.
            let administers = (root.capabilities?.bounding ?? 0) & 1 << 21 != 0
            if root.isFiltered { members.append(("seccomp", CallFilter.config(administers: administers))) }
        }
        return .object(members)
    }

    /// What tells about the host or controls it, and is of no use inside.
    private static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ]

    /// What may be read inside, but changes the host when written.
    private static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    // MARK: mounts

    private var mounts: [JSON] {
        let still = ["nosuid", "noexec", "nodev"]
        let hasOwnNetwork = root.network != .host
        var all = [
            Self.mount("/proc", "proc", "proc", still),
            Self.mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Self.mount(
                "/dev/pts", "devpts", "devpts",
                ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Self.mount("/dev/shm", "tmpfs", "shm", still + ["mode=1777", "size=\(root.sharedMemoryBytes)"]),
            Self.mount("/dev/mqueue", "mqueue", "mqueue", still),
            // The kernel gives a sysfs only to whoever owns the network that it shows.
            hasOwnNetwork
                ? Self.mount("/sys", "sysfs", "sysfs", still + [root.isPrivileged ? "rw" : "ro"])
                : Self.mount("/sys", "bind", "/sys", ["rbind", "rslave"] + still + ["ro"]),
        ]
        if hasOwnNetwork {
            all.append(Self.mount("/sys/fs/cgroup", "cgroup", "cgroup", still + ["relatime", "ro"]))
        }
        for mount in root.mounts {
            let access = mount.isReadOnly ? "ro" : "rw"
            switch mount.source {
            case .path(let path):
                all.append(Self.mount(mount.destination, "bind", path, ["rbind", "rprivate", access]))
            case .memory(let bytes):
                all.append(
                    Self.mount(mount.destination, "tmpfs", "tmpfs", ["nosuid", "nodev", "size=\(bytes)", access]))
            }
        }
        if let secrets = host.secretMount { all.append(secrets) }
        return all
    }

    private static func mount(_ destination: String, _ type: String, _ source: String, _ options: [String]) -> JSON {
        .object([
            ("destination", .text(destination)), ("type", .text(type)), ("source", .text(source)),
            ("options", .list(options.map { .text($0) })),
        ])
    }

    // MARK: the root

    /// Puts the root together below the bundle, in this process' own table of mounts, from which the container's is
    /// made. For a process that only makes the container: with it and the container the mount is gone.
    ///
    /// Names of layers become short links, because the kernel takes one page of options.
    func assemble(in bundle: String) throws(SystemError) {
        guard clinux_own_mounts() == 0 else { throw SystemError(call: "unshare mounts", errno: errno) }
        let links = "\(bundle)/l"
        try makeDirectories(links, mode: 0o700)
        try makeDirectories("\(bundle)/\(Self.rootName)", mode: 0o755)
        for place in ["upper", "work"] { try makeDirectories("\(root.changes)/\(place)", mode: 0o755) }
        for (index, layer) in root.layers.enumerated() {
            let name = "\(links)/\(index)"
            unlink(name)
            guard symlink(layer, name) == 0 else { throw SystemError(call: "symlink", path: name, errno: errno) }
        }
        let lower = root.layers.indices.map(String.init).joined(separator: ":")
        let options = "lowerdir=\(lower),upperdir=\(root.changes)/upper,workdir=\(root.changes)/work"
        // The bundle's name may be relative.
        let here = try FileDescriptor.open(".", flags: O_RDONLY | O_DIRECTORY)
        defer { _ = fchdir(here.raw) }
        guard chdir(links) == 0 else { throw SystemError(call: "chdir", path: links, errno: errno) }
        // What a container has changed goes with it, so nothing of it has to reach the disk when it ends. Kernels
        // before 5.10 do not know the word.
        for options in [options + ",volatile", options] {
            if Glibc.mount("overlay", "../\(Self.rootName)", "overlay", 0, options) == 0 { return }
            guard errno == EINVAL else { break }
        }
        let place = errno == EINVAL ? "on this file system; the node's directory has to be on ext4, XFS or btrfs" : ""
        throw SystemError(call: "mount overlay", path: place.isEmpty ? bundle : place, errno: errno)
    }
}

extension ImageRoot.Device {
    /// The file, in `linux.devices`.
    fileprivate var file: JSON {
        .object([
            ("type", .text(kind)), ("path", .text(path)), ("major", .number(major)), ("minor", .number(minor)),
            ("fileMode", .number(mode)), ("uid", .number(UInt64(uid))), ("gid", .number(UInt64(gid))),
        ])
    }

    /// The right to it, in `linux.resources.devices`.
    fileprivate var rule: JSON {
        .object([
            ("allow", .flag(true)), ("type", .text(kind)), ("major", .number(major)), ("minor", .number(minor)),
            ("access", .text(access)),
        ])
    }
}
