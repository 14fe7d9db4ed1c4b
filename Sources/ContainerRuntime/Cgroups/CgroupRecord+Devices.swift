internal import CLinux
import Glibc
internal import LinuxSystem

extension CgroupRecord {
    /// Limits the container to the devices of its rules and the standard ones.
    func applyDevices(_ rules: [DeviceRule]) throws(RuntimeFailure) {
        let entries = try DeviceEntry.list(rules)
        // In a user namespace the kernel lets nobody change device rules, and nobody make device nodes.
        if Self.isInUserNamespace { return }
        if let place = version1("devices"), place.directory.exists {
            return try applyVersion1(DevicePolicy(entries), place.directory)
        }
        guard let group = version2?.directory, group.exists else {
            guard !isOptional, rules.contains(where: { !$0.allow }) else { return }
            throw RuntimeFailure("cannot limit devices: neither a devices controller nor cgroup version 2 is here")
        }
        try Self.attach(DeviceProgram(entries), to: group, mayFail: isOptional || rules.allSatisfy(\.allow))
    }

    private func applyVersion1(_ policy: DevicePolicy, _ group: CgroupDirectory) throws(RuntimeFailure) {
        let current = DevicePolicy(list: group.read("devices.list") ?? "")
        // One after the other to the same file, mostly.
        var open: (name: String, file: OpenFile)?
        for change in policy.changes(from: current) {
            var result = 0
            if open?.name != change.file {
                result = Kernel.open("\(group.path)/\(change.file)", O_WRONLY)
                open = result < 0 ? nil : (change.file, OpenFile(Int32(truncatingIfNeeded: result)))
            }
            if let open { result = Kernel.write(change.text, to: open.file.raw) }
            let code = Int32(truncatingIfNeeded: -min(result, 0))
            if code == 0 || isOptional && (code == EPERM || code == EACCES) { continue }
            throw group.failure(change.file, change.text, code)
        }
    }

    private static func attach(
        _ program: DeviceProgram, to group: CgroupDirectory, mayFail: Bool
    ) throws(RuntimeFailure) {
        let code: Int32
        do throws(SystemError) {
            let directory = try FileDescriptor.open(group.path, flags: O_RDONLY | O_DIRECTORY)
            code = program.instructions.withUnsafeBufferPointer {
                clinux_bpf_limit_devices(directory.raw, $0.baseAddress, UInt32(clamping: $0.count)) == 0 ? 0 : errno
            }
        } catch {
            throw RuntimeFailure("cannot limit devices: \(error)")
        }
        guard code != 0, !(mayFail && (code == EPERM || code == EACCES || code == ENOSYS)) else { return }
        var failure = RuntimeFailure("cannot attach the device program to \(group.path)", errno: code)
        if code == EPERM { failure.message += "; it takes CAP_BPF or CAP_SYS_ADMIN" }
        if code == EINVAL || code == ENOSYS { failure.message += "; is the kernel built with CONFIG_CGROUP_BPF?" }
        throw failure
    }

    /// Outside of user namespaces all ids stand for themselves (user_namespaces(7)).
    static var isInUserNamespace: Bool {
        guard let map = CgroupDirectory(path: "/proc/self").read("uid_map") else { return false }
        let fields = map.split(whereSeparator: { $0 == " " || $0 == "\n" })
        return fields != ["0", "0", "4294967295"]
    }
}
