/// The unit of systemd that a container's group belongs to.
struct SystemdUnit: Equatable, Sendable {
    /// `PREFIX-NAME.scope`, or a name that ends in `.slice`.
    var name: String
    /// The slice above.
    var slice: String
    /// Whether it is one of the user's own manager.
    var isUser: Bool
    /// What annotations ask for; only to make the unit, so the state does not keep it.
    var extra: [UnitProperty] = []

    var isSlice: Bool { name.hasSuffix(Self.suffix) }

    private static let suffix = ".slice"

    /// Reads `slice:prefix:name`; without one the unit is named after the container.
    init(cgroupsPath: String?, id: String, isUser: Bool) throws(RuntimeFailure) {
        var (slice, prefix, name) = ("", "runc", id)
        if let cgroupsPath, !cgroupsPath.isEmpty {
            let parts = cgroupsPath.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else {
                throw RuntimeFailure(
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got"
                        + " \"\(cgroupsPath)\" instead")
            }
            (slice, prefix, name) = (parts[0], parts[1], parts[2].isEmpty ? id : parts[2])
        }
        self.slice = slice.isEmpty ? (isUser ? "user.slice" : "system.slice") : slice
        self.name = name.hasSuffix(Self.suffix) ? name : "\(prefix)-\(name).scope"
        self.isUser = isUser
        try check()
    }

    init(name: String, slice: String, isUser: Bool) throws(RuntimeFailure) {
        self.name = name
        self.slice = slice
        self.isUser = isUser
        try check()
    }

    /// As systemd takes names (systemd.unit(5)); they also become names of directories.
    private func check() throws(RuntimeFailure) {
        let isValid =
            name.utf8.count < 256
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "\\"), UInt8(ascii: "@"):
                    true
                default: false
                }
            }
        guard isValid else {
            throw RuntimeFailure(
                "systemd takes no unit of the name \(name): letters, digits and : - _ . \\ @, less than 256 in all")
        }
        if isSlice { _ = try Self.expand(name) }
    }

    /// The directories of a slice: `a-b.slice` is in `a.slice`.
    static func expand(_ slice: String) throws(RuntimeFailure) -> [String] {
        guard slice.hasSuffix(suffix), slice.utf8.count < 256, !slice.utf8.contains(where: { $0 <= 0x20 || $0 == 0x2f })
        else { throw invalid(slice) }
        let name = slice.dropLast(suffix.count)
        if name == "-" { return [] }
        var names: [String] = []
        var prefix = ""
        for part in name.split(separator: "-", omittingEmptySubsequences: false) {
            guard !part.isEmpty else { throw invalid(slice) }
            prefix += (prefix.isEmpty ? "" : "-") + part
            names.append(prefix + suffix)
        }
        return names
    }

    private static func invalid(_ slice: String) -> RuntimeFailure {
        RuntimeFailure("invalid slice name: \(slice): it is like a-b.slice, with parts that are not empty")
    }

    /// The directories of the unit, below the manager's.
    var directories: [String] {
        get throws(RuntimeFailure) {
            // Where a slice is, its own name says.
            if isSlice { return try Self.expand(name) }
            return try Self.expand(slice) + [name]
        }
    }
}

extension SystemdUnit {
    /// For the container's state file.
    var json: JSONValue {
        .members(("unit", .string(name)), ("slice", .string(slice)), ("user", .bool(isUser)))
    }

    /// Reads what ``json`` wrote.
    init(json: JSONValue) throws(RuntimeFailure) {
        guard let name = json["unit"]?.string, let slice = json["slice"]?.string, let isUser = json["user"]?.bool else {
            throw RuntimeFailure("the container's state names no unit of systemd; is it damaged?")
        }
        try self.init(name: name, slice: slice, isUser: isUser)
    }
}
