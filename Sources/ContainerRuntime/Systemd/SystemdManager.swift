internal import Glibc
internal import LinuxSystem

/// A property of a unit, with a value of the type that systemd wants there.
struct UnitProperty: Equatable, Sendable {
    var name: String
    var value: BusValue

    init(_ name: String, _ value: BusValue) {
        self.name = name
        self.value = value
    }
}

/// What the runtime asks of systemd (org.freedesktop.systemd1(5)): the system's manager, or the user's own.
struct SystemdManager {
    private let connection: BusConnection

    init(_ connection: BusConnection) { self.connection = connection }

    /// Connects to the first manager that can be reached.
    init(isUser: Bool) throws(RuntimeFailure) {
        let candidates = BusAddress.candidates(isUser: isUser, isRoot: geteuid() == 0) {
            GlobalOptions.Surroundings.variable($0)
        }
        var tried: [String] = []
        for candidate in candidates {
            do throws(RuntimeFailure) {
                connection = try BusConnection(candidate)
                return
            } catch {
                tried.append(error.message.contains(candidate.path) ? error.message : "\(candidate.path): \(error)")
            }
        }
        let reason =
            tried.isEmpty
            ? "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set" : tried.joined(separator: "; ")
        throw RuntimeFailure(
            isUser
                ? "the user's systemd cannot be reached: \(reason); log in with a session of systemd (loginctl"
                    + " enable-linger), or use the cgroupfs driver"
                : "systemd is not running here: \(reason); use the cgroupfs driver, which is the one without"
                    + " --systemd-cgroup")
    }

    private func property(_ name: String) throws(RuntimeFailure) -> String {
        let answer = try connection.call(
            BusConnection.properties, "Get", [.string(BusConnection.manager), .string(name)]
        ).checked("cannot ask systemd for its \(name)")
        guard case .variant(let value)? = try answer.values("v").first, let text = value.text else {
            throw RuntimeFailure("systemd has no usable \(name)")
        }
        return text
    }

    /// Such as 252, of `252.39-1~deb12u2` or `v249`.
    var version: Int {
        get throws(RuntimeFailure) { Self.version(of: try property("Version")) }
    }

    static func version(of text: String) -> Int {
        Int(text.drop { $0 == "v" }.prefix { $0.isASCII && $0.isNumber }) ?? 0
    }

    /// The group of the manager itself: groups of a user's units are below it.
    var controlGroup: String {
        get throws(RuntimeFailure) { try property("ControlGroup") }
    }

    /// Makes a unit that is gone when it has no processes any more, and waits until it is there.
    func start(_ unit: String, _ properties: [UnitProperty]) throws(RuntimeFailure) {
        let body: [BusValue] = [
            .string(unit), .string("replace"), Self.list(properties), .array("(sa(sv))", []),
        ]
        var answer = try connection.call(BusConnection.manager, "StartTransientUnit", body)
        // What failed before under this name stays known until somebody says that this is known.
        if answer.failure?.name == "org.freedesktop.systemd1.UnitExists" {
            try resetFailed(unit)
            answer = try connection.call(BusConnection.manager, "StartTransientUnit", body)
        }
        let result = try connection.end(of: answer.checked("systemd does not make the unit \(unit)"))
        guard result == "done" else {
            try? resetFailed(unit)
            throw RuntimeFailure(
                "systemd could not make the unit \(unit): \(result); see journalctl, or systemctl status \(unit)")
        }
    }

    /// Ends a unit and waits until it is gone; one that is not there is fine.
    func stop(_ unit: String) throws(RuntimeFailure) {
        let answer = try connection.call(BusConnection.manager, "StopUnit", [.string(unit), .string("replace")])
        if answer.failure == nil {
            _ = try connection.end(of: answer)
        } else if answer.failure?.name != "org.freedesktop.systemd1.NoSuchUnit" {
            _ = try answer.checked("systemd does not stop the unit \(unit)")
        }
        try? resetFailed(unit)
    }

    private func resetFailed(_ unit: String) throws(RuntimeFailure) {
        _ = try connection.call(BusConnection.manager, "ResetFailedUnit", [.string(unit)])
    }

    /// Changes a unit until it ends.
    func set(_ unit: String, _ properties: [UnitProperty]) throws(RuntimeFailure) {
        guard !properties.isEmpty else { return }
        _ = try connection.call(
            BusConnection.manager, "SetUnitProperties", [.string(unit), .bool(true), Self.list(properties)]
        ).checked("systemd does not change the unit \(unit)")
    }

    /// Moves a process into a unit; a user's manager can have it done where the user may not.
    func attach(_ pid: Int32, to unit: String) throws(RuntimeFailure) {
        _ = try connection.call(
            BusConnection.manager, "AttachProcessesToUnit",
            [.string(unit), .string("/"), .array("u", [.uint32(UInt32(bitPattern: pid))])]
        ).checked("systemd does not move process \(pid) into the unit \(unit)")
    }

    private static func list(_ properties: [UnitProperty]) -> BusValue {
        .array("(sv)", properties.map { .structure([.string($0.name), .variant($0.value)]) })
    }
}
