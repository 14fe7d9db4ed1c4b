/// A container's control group in every tree of the machine: a value that is kept in the container's state. Making,
/// limiting and removing the group are calls in extensions of this type.
struct CgroupRecord: Equatable, Sendable {
    /// The group in one tree.
    struct Place: Equatable, Sendable {
        /// As in ``CgroupHost/Tree/controllers``.
        var controllers: [String]
        /// Where the tree is mounted.
        var mountPoint: String
        /// The group's directory, below the mount point.
        var path: String

        var directory: CgroupDirectory { CgroupDirectory(path: path) }
    }

    /// The unit of the group, where systemd makes it; nil where the runtime does (the driver `cgroupfs`).
    var systemd: SystemdUnit?
    /// One for each version 1 tree.
    var version1: [Place] = []
    var version2: Place?
    /// Whether the group belongs to the container alone, so that its processes may be killed and it be removed.
    var made = true
    /// Without privilege and with no path asked for, a group that cannot be made is done without.
    var isOptional = false

    /// All directories of the group.
    var places: [Place] { version1 + (version2.map { [$0] } ?? []) }

    /// The group in the version 1 tree of a controller.
    func version1(_ controller: String) -> Place? { version1.first { $0.controllers.contains(controller) } }
}

extension CgroupRecord {
    /// For the container's state file.
    var json: JSONValue {
        .members(
            ("driver", .string(systemd == nil ? "cgroupfs" : "systemd")), ("systemd", systemd?.json ?? .null),
            ("version1", .array(version1.map(\.json))),
            ("version2", version2?.json ?? .null), ("made", .bool(made)), ("optional", .bool(isOptional)))
    }

    /// Reads what ``json`` wrote.
    init(json: JSONValue) throws(RuntimeFailure) {
        switch json["driver"]?.string {
        case "cgroupfs": break
        case "systemd": systemd = try SystemdUnit(json: json["systemd"] ?? .null)
        default: throw RuntimeFailure("the container's state names an unknown cgroup driver; is it of another version?")
        }
        for place in json["version1"]?.array ?? [] { version1.append(try Place(json: place)) }
        if let place = json["version2"], place != .null { version2 = try Place(json: place) }
        made = json["made"]?.bool ?? true
        isOptional = json["optional"]?.bool ?? false
    }
}

extension CgroupRecord.Place {
    fileprivate var json: JSONValue {
        .members(("controllers", .strings(controllers)), ("mount", .string(mountPoint)), ("path", .string(path)))
    }

    fileprivate init(json: JSONValue) throws(RuntimeFailure) {
        guard let mountPoint = json["mount"]?.string, let path = json["path"]?.string,
            path.hasPrefix(mountPoint == "/" ? "/" : mountPoint + "/"), path.utf8.count > mountPoint.utf8.count + 1,
            !path.split(separator: "/").contains("..")
        else {
            throw RuntimeFailure("the container's state names a cgroup that is not below its mount; is it damaged?")
        }
        self.init(
            controllers: (json["controllers"]?.array ?? []).compactMap(\.string), mountPoint: mountPoint, path: path)
    }
}

/// What of the host's trees a container with a `cgroup` mount gets to see.
struct CgroupMount: Equatable, Sendable {
    /// Name of the tree below the mount, such as `cpu,cpuacct` or `unified`; of a version 2 machine unused.
    var name: String
    /// Further names that lead to it: each controller of a tree that has several.
    var links: [String]
    /// Data for mount(2) in a cgroup namespace, such as `cpu,cpuacct` or `none,name=systemd`; nil for version 2.
    var data: String?
    /// The group's directory on the host, for a bind mount where there is no cgroup namespace.
    var source: String

    /// Whether this is the version 2 tree.
    var isVersion2: Bool { data == nil }
}

extension CgroupRecord {
    /// Whether the machine has only the version 2 tree, which then is the whole `cgroup` mount of a container.
    var isUnified: Bool { version1.isEmpty && version2 != nil }

    /// What a container's `cgroup` mount is made of; version 2 comes last.
    ///
    /// An ordinary user's container may have got no group of its own; it then sees the one that it is in.
    func mountsInside() throws(RuntimeFailure) -> [CgroupMount] {
        var own: [String: String] = [:]
        if isOptional, places.contains(where: { !$0.directory.exists }) {
            let host = try CgroupHost.read()
            for tree in host.version1 + [host.version2].compactMap({ $0 }) { own[tree.mountPoint] = tree.own }
        }
        func source(_ place: Place) -> String {
            place.directory.exists ? place.path : own[place.mountPoint] ?? place.path
        }
        var mounts = version1.map { place in
            let name = Self.lastName(of: place.mountPoint)
            let names = place.controllers.map { $0.hasPrefix("name=") ? String($0.dropFirst(5)) : $0 }
            let data = place.controllers.map { $0.hasPrefix("name=") ? "none,\($0)" : $0 }
            return CgroupMount(
                name: name, links: names.filter { $0 != name }, data: data.joined(separator: ","),
                source: source(place))
        }
        if let place = version2 {
            mounts.append(
                CgroupMount(name: Self.lastName(of: place.mountPoint), links: [], data: nil, source: source(place)))
        }
        return mounts
    }

    private static func lastName(of path: String) -> String { CgroupPath.components(path).last ?? "cgroup" }
}
