internal import Glibc

/// The root of a container that has no mount namespace, bound onto itself in sight of everybody: what is mounted below
/// it goes when it goes.
enum HostMount {
    /// Returns the kernel's number of the mount, to know it by later.
    static func make(_ rootfs: String) throws(RuntimeFailure) -> UInt64 {
        let doing = "cannot bind the root filesystem \(rootfs)"
        let tree = try OpenFile(Kernel.cloneTree(AT_FDCWD, rootfs, recursive: true), doing)
        // Or the mounts below would appear at the place that it covers as well.
        try check(
            Kernel.setAttributes(tree.raw, set: 0, propagation: UInt64(Kernel.isPrivate), recursive: true), doing)
        let target = try OpenFile(Kernel.open(rootfs, Kernel.path), doing)
        try check(Kernel.attach(tree.raw, to: target.raw), doing)
        guard let number = number(of: tree) else {
            _ = Kernel.unmount(Kernel.link(tree.raw), flags: detach)
            throw RuntimeFailure("\(doing): its number in /proc/self/fdinfo cannot be read")
        }
        return number
    }

    /// Takes the mount away unless something else is in its place by now. 0 is no mount.
    static func remove(_ mount: UInt64, at rootfs: String) {
        guard mount != 0, let top = try? OpenFile(Kernel.open(rootfs, Kernel.path), ""), number(of: top) == mount
        else { return }
        _ = Kernel.unmount(Kernel.link(top.raw), flags: detach)
    }

    private static let detach = 2

    private static func number(of file: OpenFile) -> UInt64? {
        guard let text = Kernel.read("/proc/self/fdinfo/\(file.raw)") else { return nil }
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: Array("mnt_id:\t".utf8)) {
            return UInt64(String(decoding: line.dropFirst(8), as: UTF8.self))
        }
        return nil
    }
}
