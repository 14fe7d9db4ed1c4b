/// Where a systemd manager may be reached.
struct BusAddress: Equatable, Sendable {
    var path: String
    var isAbstract = false
    /// Whether there is a message bus between, which wants to be greeted first; systemd also listens by itself.
    var isBus = true

    /// In the order in which to try them.
    ///
    /// `isUser`: whether the user's own manager is meant and not the system's.
    static func candidates(
        isUser: Bool, isRoot: Bool, variable: (String) -> String?
    ) -> [BusAddress] {
        if isUser {
            var found = variable("DBUS_SESSION_BUS_ADDRESS").map(parse) ?? []
            if let directory = variable("XDG_RUNTIME_DIR"), directory.hasPrefix("/") {
                found.append(BusAddress(path: directory + "/systemd/private", isBus: false))
                found.append(BusAddress(path: directory + "/bus"))
            }
            return found
        }
        var found = variable("DBUS_SYSTEM_BUS_ADDRESS").map(parse) ?? []
        if isRoot { found.append(BusAddress(path: "/run/systemd/private", isBus: false)) }
        found.append(BusAddress(path: "/run/dbus/system_bus_socket"))
        return found
    }

    /// Reads `unix:path=/run/x,guid=…;unix:abstract=…` (D-Bus Specification, "Server Addresses"); leaves out what is no
    /// unix socket.
    static func parse(_ text: String) -> [BusAddress] {
        text.split(separator: ";").compactMap { entry in
            guard entry.hasPrefix("unix:") else { return nil }
            for pair in entry.dropFirst(5).split(separator: ",") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0] == "path" || parts[0] == "abstract", let value = unescape(parts[1])
                else {
                    continue
                }
                return BusAddress(path: value, isAbstract: parts[0] == "abstract")
            }
            return nil
        }
    }

    /// `%2f` stands for a byte.
    private static func unescape(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else {
                    return nil
                }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
