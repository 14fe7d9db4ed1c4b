/// What the runtime remembers of a container between its commands: `<root>/<id>/state.json`.
///
/// The container's configuration is kept beside it as `config.json`, a copy of the bundle's at the time of create.
struct ContainerRecord: Equatable, Sendable {
    var ociVersion: String
    var id: String
    /// The host's pid of the container's init; 0 while the container is being made, before there is an init.
    var initPid: Int32 = 0
    /// Clock ticks after boot, field 22 of `/proc/PID/stat`: tells the init from a later process with its pid.
    var initStartTime: UInt64 = 0
    /// Whether init is there already, but `create` is not through with it.
    var isCreating = false
    /// RFC 3339, UTC, with nanoseconds.
    var created: String
    /// Absolute.
    var bundle: String
    /// Absolute.
    var rootfs: String
    /// The name, or `#uid`, of who created the container.
    var owner: String
    /// The kernel's number of the mount that ``HostMount`` made; 0 for none.
    var hostMount: UInt64 = 0
    var annotations: [(name: String, value: String)] = []
    var cgroup: CgroupRecord
    /// The class of `linux.intelRdt`; nil without that.
    var caches: CacheGroup?

    static func == (left: Self, right: Self) -> Bool {
        left.ociVersion == right.ociVersion && left.id == right.id && left.initPid == right.initPid
            && left.initStartTime == right.initStartTime && left.isCreating == right.isCreating
            && left.created == right.created
            && left.bundle == right.bundle && left.rootfs == right.rootfs && left.owner == right.owner
            && left.hostMount == right.hostMount
            && left.annotations.elementsEqual(right.annotations, by: ==) && left.cgroup == right.cgroup
            && left.caches == right.caches
    }
}

extension ContainerRecord {
    /// The form of `state.json`.
    var json: JSONValue {
        var members = [
            JSONMember(name: "ociVersion", value: .string(ociVersion)),
            JSONMember(name: "id", value: .string(id)),
            JSONMember(name: "hostMount", value: .number(String(hostMount))),
            JSONMember(name: "initPid", value: .number(String(initPid))),
            JSONMember(name: "initStartTime", value: .number(String(initStartTime))),
            JSONMember(name: "created", value: .string(created)),
            JSONMember(name: "bundle", value: .string(bundle)),
            JSONMember(name: "rootfs", value: .string(rootfs)),
            JSONMember(name: "owner", value: .string(owner)),
            JSONMember(name: "annotations", value: Self.object(annotations)),
            JSONMember(name: "cgroup", value: cgroup.json),
        ]
        if let caches { members.append(JSONMember(name: "intelRdt", value: caches.json)) }
        if isCreating { members.append(JSONMember(name: "creating", value: .bool(true))) }
        return .object(members)
    }

    /// Reads ``json``; strict, because only the runtime writes it.
    init(json: JSONValue) throws(RuntimeFailure) {
        guard let cgroup = json["cgroup"] else { throw Self.missing("cgroup") }
        self.init(
            ociVersion: try Self.text(json, "ociVersion"), id: try Self.text(json, "id"),
            initPid: try Self.number(json, "initPid"), initStartTime: try Self.number(json, "initStartTime"),
            created: try Self.text(json, "created"), bundle: try Self.text(json, "bundle"),
            rootfs: try Self.text(json, "rootfs"), owner: try Self.text(json, "owner"),
            hostMount: json["hostMount"] == nil ? 0 : try Self.number(json, "hostMount"),
            cgroup: try CgroupRecord(json: cgroup))
        caches = try json["intelRdt"].map { json throws(RuntimeFailure) in try CacheGroup(json: json) }
        isCreating = json["creating"] == .bool(true)
        if case .object(let members)? = json["annotations"] {
            for member in members {
                guard case .string(let value) = member.value else { throw Self.missing("annotations") }
                annotations.append((name: member.name, value: value))
            }
        }
    }

    /// The `state` of the runtime-spec (runtime.md), which hooks read and `state` prints, with what runc adds to it.
    /// The `owner` is who the container belongs to; runc leaves it empty outside of `list`.
    func state(_ status: ContainerStatus, owner: String = "") -> JSONValue {
        var members = [
            JSONMember(name: "ociVersion", value: .string(ociVersion)),
            JSONMember(name: "id", value: .string(id)),
            JSONMember(name: "pid", value: .number(String(status == .stopped ? 0 : initPid))),
            JSONMember(name: "status", value: .string(status.rawValue)),
            JSONMember(name: "bundle", value: .string(bundle)),
            JSONMember(name: "rootfs", value: .string(rootfs)),
            JSONMember(name: "created", value: .string(created)),
        ]
        if !annotations.isEmpty { members.append(JSONMember(name: "annotations", value: Self.object(annotations))) }
        members.append(JSONMember(name: "owner", value: .string(owner)))
        return .object(members)
    }

    private static func object(_ pairs: [(name: String, value: String)]) -> JSONValue {
        .object(pairs.map { JSONMember(name: $0.name, value: .string($0.value)) })
    }

    private static func text(_ json: JSONValue, _ name: String) throws(RuntimeFailure) -> String {
        guard case .string(let text)? = json[name] else { throw missing(name) }
        return text
    }

    private static func number<Number: FixedWidthInteger>(
        _ json: JSONValue, _ name: String
    ) throws(RuntimeFailure) -> Number {
        guard case .number(let lexeme)? = json[name], let number = Number(lexeme) else { throw missing(name) }
        return number
    }

    private static func missing(_ name: String) -> RuntimeFailure {
        RuntimeFailure("state.json has no usable \(name); remove the container with delete --force")
    }
}

/// Where a container is in its life (runtime.md), with runc's `paused`.
enum ContainerStatus: String, Sendable {
    case creating, created, running, paused, stopped
}
