/// Which control groups a machine has, out of two files of `/proc`.
struct CgroupFacts: Equatable {
    /// How the controllers are mounted.
    enum Kind: Equatable {
        case none
        /// One tree per controller.
        case v1
        /// One tree for all controllers.
        case v2
        /// Trees per controller, and beside them a version 2 tree for the controllers that are left.
        case hybrid
    }

    /// How the controllers are mounted.
    let kind: Kind
    /// Mount point by controller of version 1.
    let trees: [String: String]
    /// Mount point of version 2.
    let unified: String?
    /// Group of this process by controller of version 1; by the empty name for version 2.
    let own: [String: String]

    /// Controllers that tasks cannot do without.
    static let needed = ["cpu", "memory", "pids"]

    /// Reads the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`.
    init(mounts: String, membership: String) {
        var own: [String: String] = [:]
        for line in membership.split(separator: "\n") {
            // "ID:CONTROLLERS:GROUP"; a group's name may hold colons.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for name in fields[1].split(separator: ",", omittingEmptySubsequences: false) {
                own[String(name)] = String(fields[2])
            }
        }
        var trees: [String: String] = [:]
        var unified: String?
        for line in mounts.split(separator: "\n") {
            guard let mount = Mount(line) else { continue }
            if mount.kind == "cgroup2", unified == nil { unified = mount.point }
            guard mount.kind == "cgroup" else { continue }
            for option in mount.options where !option.hasPrefix("name=") && own[option] != nil {
                if trees[option] == nil { trees[option] = mount.point }
            }
        }
        kind = trees.isEmpty ? (unified == nil ? .none : .v2) : (unified == nil ? .v1 : .hybrid)
        self.trees = trees
        self.unified = unified
        self.own = own
    }

    init(_ host: HostTree) {
        self.init(
            mounts: host.text("/proc/self/mountinfo", limit: 16 << 20) ?? "",
            membership: host.text("/proc/self/cgroup", limit: 1 << 20) ?? "")
    }
}
