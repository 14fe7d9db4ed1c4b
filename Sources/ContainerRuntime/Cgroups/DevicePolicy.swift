/// Rights over a device, with the kernel's bits (`BPF_DEVCG_ACC_…`).
struct DeviceAccess: OptionSet, Equatable, Sendable {
    var rawValue: UInt8

    static let mknod = DeviceAccess(rawValue: 1)
    static let read = DeviceAccess(rawValue: 2)
    static let write = DeviceAccess(rawValue: 4)
    static let all: DeviceAccess = [.mknod, .read, .write]

    /// In the letters of `devices.allow`.
    var text: String {
        (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.mknod) ? "m" : "")
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(text: String) throws(RuntimeFailure) {
        self.init(rawValue: 0)
        for letter in text.utf8 {
            switch letter {
            case UInt8(ascii: "r"): insert(.read)
            case UInt8(ascii: "w"): insert(.write)
            case UInt8(ascii: "m"): insert(.mknod)
            default: throw RuntimeFailure("device access \"\(text)\" is not made of r, w and m")
            }
        }
    }
}

/// A checked entry of a device list.
struct DeviceEntry: Equatable, Sendable {
    /// What an entry speaks of.
    struct Devices: Equatable, Sendable {
        /// nil for character and block devices.
        var isBlock: Bool?
        /// nil for any.
        var major: UInt32?
        /// nil for any.
        var minor: UInt32?

        /// Whether every device of the other is also meant here.
        func covers(_ other: Self) -> Bool {
            (isBlock == nil || isBlock == other.isBlock) && (major == nil || major == other.major)
                && (minor == nil || minor == other.minor)
        }

        /// Whether there is a device that both mean.
        func overlaps(_ other: Self) -> Bool {
            (isBlock == nil || other.isBlock == nil || isBlock == other.isBlock)
                && (major == nil || other.major == nil || major == other.major)
                && (minor == nil || other.minor == nil || minor == other.minor)
        }

        var isEverything: Bool { self == Devices() }
    }

    var allow: Bool
    var devices: Devices
    var access: DeviceAccess

    init(allow: Bool, devices: Devices, access: DeviceAccess) {
        self.allow = allow
        self.devices = devices
        self.access = access
    }

    init(_ rule: DeviceRule) throws(RuntimeFailure) {
        func number(_ value: Int64?) throws(RuntimeFailure) -> UInt32? {
            // -1 is how other runtimes keep "any" in their own files.
            guard let value, value != -1 else { return nil }
            guard let checked = Int32(exactly: value), checked >= 0 else {
                throw RuntimeFailure("device number \(value) in linux.resources.devices is out of range")
            }
            return UInt32(checked)
        }
        let isBlock: Bool? =
            switch rule.type {
            case "a": nil
            case "b": true
            case "c", "u": false
            default:
                throw RuntimeFailure("device type \"\(rule.type)\" in linux.resources.devices is none of a, b and c")
            }
        self.init(
            allow: rule.allow,
            devices: Devices(isBlock: isBlock, major: try number(rule.major), minor: try number(rule.minor)),
            access: rule.access.isEmpty ? .all : try DeviceAccess(text: rule.access))
    }

    /// What every container may use, after all rules of its own: the devices that the specification wants in every
    /// container (config-linux.md, "Default Devices"), terminals, and making device nodes, which does not open them.
    static let standard: [DeviceEntry] = {
        func entry(_ isBlock: Bool, _ major: UInt32?, _ minor: UInt32?, _ access: DeviceAccess) -> DeviceEntry {
            DeviceEntry(
                allow: true, devices: Devices(isBlock: isBlock, major: major, minor: minor), access: access)
        }
        return [entry(false, nil, nil, .mknod), entry(true, nil, nil, .mknod)]
            + [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)].map { entry(false, $0.0, $0.1, .all) }
            + [entry(false, 136, nil, .all)]
    }()

    /// A container's whole list: its own rules in their order, then the standard devices. Before the first, nothing
    /// is allowed.
    static func list(_ rules: [DeviceRule]) throws(RuntimeFailure) -> [DeviceEntry] {
        guard rules.count <= 4096 else {
            throw RuntimeFailure("linux.resources.devices has \(rules.count) entries; 4096 are the most")
        }
        var entries: [DeviceEntry] = []
        for rule in rules { entries.append(try DeviceEntry(rule)) }
        return entries + standard
    }
}

/// A device list as version 1 keeps it: one default and exceptions from it (cgroup-v1/devices.rst).
struct DevicePolicy: Equatable, Sendable {
    struct Exception: Equatable, Sendable {
        var devices: DeviceEntry.Devices
        var access: DeviceAccess

        /// As written to `devices.allow` and `devices.deny`.
        var text: String {
            func text(_ number: UInt32?) -> String { number.map { String($0) } ?? "*" }
            let type = devices.isBlock.map { $0 ? "b" : "c" } ?? "a"
            return "\(type) \(text(devices.major)):\(text(devices.minor)) \(access.text)"
        }
    }

    var allowsByDefault = false
    var exceptions: [Exception] = []

    /// Brings an ordered list into the form of version 1.
    ///
    /// - Throws: when it has none: the kernel would silently ignore a hole in a wider exception, and leave more
    ///   allowed than was asked for.
    init(_ entries: [DeviceEntry]) throws(RuntimeFailure) {
        for entry in entries {
            if entry.devices.isEverything, entry.access == .all {
                allowsByDefault = entry.allow
                exceptions = []
                continue
            }
            for isBlock in entry.devices.isBlock.map({ [$0] }) ?? [false, true] {
                var devices = entry.devices
                devices.isBlock = isBlock
                if entry.allow == allowsByDefault {
                    try remove(devices, entry.access)
                } else {
                    add(devices, entry.access)
                }
            }
        }
        exceptions.removeAll(where: \.access.isEmpty)
    }

    private mutating func add(_ devices: DeviceEntry.Devices, _ access: DeviceAccess) {
        if let index = exceptions.firstIndex(where: { $0.devices == devices }) {
            exceptions[index].access.formUnion(access)
        } else {
            exceptions.append(Exception(devices: devices, access: access))
        }
    }

    private mutating func remove(_ devices: DeviceEntry.Devices, _ access: DeviceAccess) throws(RuntimeFailure) {
        for index in exceptions.indices where devices.overlaps(exceptions[index].devices) {
            if devices.covers(exceptions[index].devices) {
                exceptions[index].access.subtract(access)
            } else if !exceptions[index].access.isDisjoint(with: access) {
                let hole = Exception(devices: devices, access: access).text
                throw RuntimeFailure(
                    "the device rule \"\(hole)\" would be a hole in the earlier rule"
                        + " \"\(exceptions[index].text)\", which cgroup version 1 cannot have; list devices one by one")
            }
        }
    }

    /// Reads `devices.list`. The kernel does not show exceptions where everything is allowed by default.
    init(list: String) {
        for line in list.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            guard fields.count == 4, let access = try? DeviceAccess(text: String(fields[3])) else { continue }
            if fields[0] == "a" {
                allowsByDefault = true
                exceptions = []
                return
            }
            func number(_ field: Substring) -> UInt32? { field == "*" ? nil : UInt32(field) }
            exceptions.append(
                Exception(
                    devices: DeviceEntry.Devices(
                        isBlock: fields[0] == "b", major: number(fields[1]), minor: number(fields[2])),
                    access: access))
        }
    }

    /// A write of one text to one of the control files.
    struct Change: Equatable, Sendable {
        var file: String
        var text: String
    }

    /// The writes that lead from what a group has to this, never allowing more than either on the way.
    func changes(from current: DevicePolicy) -> [Change] {
        func change(_ allow: Bool, _ text: String) -> Change {
            Change(file: allow ? "devices.allow" : "devices.deny", text: text)
        }
        if allowsByDefault {
            return [change(true, "a")] + exceptions.map { change(false, $0.text) }
        }
        var changes: [Change] = []
        var present = current.exceptions
        if current.allowsByDefault {
            changes.append(change(false, "a"))
            present = []
        }
        changes += Self.difference(present, exceptions).map { change(false, $0.text) }
        changes += Self.difference(exceptions, present).map { change(true, $0.text) }
        return changes
    }

    private static func difference(_ left: [Exception], _ right: [Exception]) -> [Exception] {
        left.compactMap { entry in
            let other = right.first { $0.devices == entry.devices }?.access ?? []
            let rest = entry.access.subtracting(other)
            return rest.isEmpty ? nil : Exception(devices: entry.devices, access: rest)
        }
    }
}
