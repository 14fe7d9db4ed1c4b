/// Readers of the kernel's statistics files.
enum CgroupStatistics {
    /// A list such as `0-3,7` (cpuset.cpus); numbers that are no processor's are left out.
    static func list(_ text: String) -> [UInt16] {
        var numbers: [UInt16] = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").map { UInt16($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, ends.count <= 2 else {
                continue
            }
            numbers.append(contentsOf: first...last)
        }
        return numbers
    }

    /// Lines `8:0 Read 4096`, or without an operation, of version 1; the total below them is left out.
    static func blockIO(_ text: String) -> [JSONValue] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count == 2 || fields.count == 3, let device = device(fields[0]),
                let value = fields.last.flatMap({ UInt64($0) })
            else { return nil }
            return entry(device, fields.count == 3 ? String(fields[1]) : "", value)
        }
    }

    /// Lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6` of version 2.
    static func ioStat(_ text: String) -> (bytes: [JSONValue], operations: [JSONValue]) {
        var bytes: [JSONValue] = []
        var operations: [JSONValue] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let first = fields.first, let device = device(first) else { continue }
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                switch pair[0] {
                case "rbytes": bytes.append(entry(device, "Read", value))
                case "wbytes": bytes.append(entry(device, "Write", value))
                case "dbytes": bytes.append(entry(device, "Discard", value))
                case "rios": operations.append(entry(device, "Read", value))
                case "wios": operations.append(entry(device, "Write", value))
                case "dios": operations.append(entry(device, "Discard", value))
                default: break
                }
            }
        }
        return (bytes, operations)
    }

    private static func device(_ text: Substring) -> (major: UInt64, minor: UInt64)? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let major = UInt64(parts[0]), let minor = UInt64(parts[1]) else { return nil }
        return (major, minor)
    }

    private static func entry(_ device: (major: UInt64, minor: UInt64), _ operation: String, _ value: UInt64)
        -> JSONValue
    {
        var members: [JSONMember] = []
        for (name, number) in [("major", device.major), ("minor", device.minor)] where number != 0 {
            members.append(JSONMember(name: name, value: .int(number)))
        }
        if !operation.isEmpty { members.append(JSONMember(name: "op", value: .string(operation))) }
        if value != 0 { members.append(JSONMember(name: "value", value: .int(value))) }
        return .object(members)
    }

    /// Lines `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`; nil when there are none.
    static func pressure(_ text: String) -> JSONValue? {
        var kinds: [JSONMember] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let kind = fields.first, kind == "some" || kind == "full" else { continue }
            let members: [JSONMember] = fields.dropFirst().compactMap { field in
                let pair = field.split(separator: "=")
                guard pair.count == 2, isDecimal(pair[1]) else { return nil }
                return JSONMember(name: String(pair[0]), value: .number(String(pair[1])))
            }
            kinds.append(JSONMember(name: String(kind), value: .object(members)))
        }
        return kinds.isEmpty ? nil : .object(kinds)
    }

    /// Whether a number as the kernel writes it is also one of JSON.
    private static func isDecimal(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }) else {
            return false
        }
        return parts[0] == "0" || !parts[0].hasPrefix("0")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
