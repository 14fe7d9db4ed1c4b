/// The names of time zones, such as `Europe/Berlin`.
public enum TimeZoneName {
    /// Says what is wrong with a name, or nil. What it allows is the name of a file below a directory of time zones
    /// and leads nowhere else.
    public static func defect(of name: String) -> String? {
        if name.isEmpty { return "must not be empty" }
        if name.utf8.count > 64 { return "is longer than 64 bytes" }
        for part in name.split(separator: "/", omittingEmptySubsequences: false) {
            guard let first = part.utf8.first else { return "has an empty part" }
            guard (0x41...0x5a).contains(first) || (0x61...0x7a).contains(first) else {
                return "has a part that does not begin with a letter"
            }
            let isFit = part.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
                default: false
                }
            }
            if !isFit { return "has other characters than letters, digits and _ - +" }
        }
        return nil
    }

    /// Names that need no table.
    public static func isUTC(_ name: String) -> Bool {
        switch name {
        case "UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z", "Zulu", "UCT", "Universal", "Greenwich", "Etc/Zulu", "Etc/UCT",
            "Etc/Universal", "Etc/Greenwich":
            true
        default: false
        }
    }
}
