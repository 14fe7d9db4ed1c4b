internal import Glibc

/// The ways into a container's group that a process can go by itself, open before it is there.
///
/// Whoever moves another process, or one of several threads, waits until no processor is in the middle of a fork or an
/// exec: up to ten milliseconds, more than all the rest of a container's birth takes. A thread that moves itself
/// (`0` to the `tasks` of version 1) and a process that is born in its group (clone3(2) with `CLONE_INTO_CGROUP`, only
/// version 2) need not wait for anybody.
struct CgroupEntrance {
    private struct Way {
        let path: String
        /// Its `tasks`, for writing: the right to it is that of who opened it, whatever becomes of the process.
        let file: Int32
    }

    /// Into nothing.
    static var none: CgroupEntrance { CgroupEntrance([], isOptional: true) }

    private var ways: [Way] = []
    /// The version 2 group's directory; negative when there is none.
    private(set) var birthplace: Int32 = -1
    private var version2: CgroupRecord.Target?
    /// Groups that cannot be opened: the runtime's attempt says why.
    private var closed: [CgroupRecord.Target] = []
    private let isOptional: Bool

    fileprivate init(_ targets: [CgroupRecord.Target], isOptional: Bool) {
        self.isOptional = isOptional
        for target in targets {
            if target.place.controllers.isEmpty {
                version2 = target
                birthplace = Int32(truncatingIfNeeded: max(-1, Kernel.open(target.path, O_RDONLY | Kernel.directory)))
                continue
            }
            let file = Kernel.open(target.path + "/tasks", O_WRONLY)
            if file >= 0 {
                ways.append(Way(path: target.path, file: Int32(truncatingIfNeeded: file)))
            } else {
                closed.append(target)
            }
        }
    }

    /// What remains for the runtime to do: the groups that the process does not get into by itself.
    func left(inGroup: Bool) -> [CgroupRecord.Target] { closed + (version2.map { inGroup ? [] : [$0] } ?? []) }

    /// Moves the calling process, which has one thread, into the groups of version 1, and gives up all that is open.
    func enter() throws(RuntimeFailure) {
        defer { close() }
        for way in ways {
            let code = Int32(truncatingIfNeeded: -Kernel.write("0", to: way.file))
            if code > 0, !(isOptional && (code == EACCES || code == EPERM)) {
                throw CgroupRecord.refusal(of: way.path, code, "the new process")
            }
        }
    }

    /// To be called once in each process that has it.
    func close() {
        for way in ways { Kernel.close(way.file) }
        if birthplace >= 0 { Kernel.close(birthplace) }
    }
}

extension CgroupRecord {
    /// Opens the group, or groups below it as `exec --cgroup` names them, to a process of which the caller has the pid
    /// only later.
    func entrance(_ subgroups: [String] = []) throws(RuntimeFailure) -> CgroupEntrance {
        CgroupEntrance(try targets(subgroups), isOptional: isOptional)
    }
}
