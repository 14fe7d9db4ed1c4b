internal import ClusterModel

/// A JSON value on its way out. Written by ourselves, so that absent fields are left out, the order of fields is ours,
/// and all but ASCII is escaped: some Mesos clients count characters where bytes are meant.
enum JSONText {
    case text(String)
    case number(Double)
    case integer(Int64)
    case flag(Bool)
    case list([JSONText])
    case object([(String, JSONText?)])

    var encoded: String {
        var bytes: [UInt8] = []
        write(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(_ out: inout [UInt8]) {
        switch self {
        case .text(let text): Self.write(text, &out)
        case .number(let number):
            if let whole = Int64(exactly: number) {
                out += Array("\(whole)".utf8)
            } else {
                out += Array((number.isFinite ? "\(number)" : "0").utf8)
            }
        case .integer(let integer): out += Array("\(integer)".utf8)
        case .flag(let flag): out += Array((flag ? "true" : "false").utf8)
        case .list(let list):
            out.append(UInt8(ascii: "["))
            for (index, item) in list.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                item.write(&out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let fields):
            out.append(UInt8(ascii: "{"))
            var isFirst = true
            for case (let name, let value?) in fields {
                if !isFirst { out.append(UInt8(ascii: ",")) }
                isFirst = false
                Self.write(name, &out)
                out.append(UInt8(ascii: ":"))
                value.write(&out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: String, _ out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for unit in text.utf16 {
            switch unit {
            case 0x22, 0x5c: out += [0x5c, UInt8(unit)]
            case 0x0a: out += [0x5c, UInt8(ascii: "n")]
            case 0x20..<0x7f: out.append(UInt8(unit))
            default:
                let digits = String(unit, radix: 16)
                out += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

extension JSONText {
    /// Resources as Mesos' read endpoints have them: a number per scalar, a text per range.
    static func resources(_ resources: Resources) -> JSONText {
        var fields: [(String, JSONText?)] = []
        for name in ["cpus", "disk", "gpus", "mem"] { fields.append((name, .number(resources.total(name).value))) }
        let others = Set(resources.items.map(\.kind.name)).subtracting(["cpus", "disk", "gpus", "mem"])
        for name in others.sorted() {
            let ranges = resources.allRanges(name)
            let items = resources.items.filter { $0.kind.name == name }
            if !ranges.isEmpty {
                fields.append((name, .text(ranges.description)))
            } else if case .set = items.first?.value {
                fields.append((name, items.first.map { .text($0.value.description) }))
            } else {
                fields.append((name, .number(resources.total(name).value)))
            }
        }
        return .object(fields)
    }

    static func attributes(_ attributes: [Attribute]) -> JSONText {
        .object(
            attributes.map { attribute in
                switch attribute.value {
                case .text(let text): (attribute.name, .text(text))
                case .scalar(let number): (attribute.name, .number(number))
                case .ranges(let ranges): (attribute.name, .text(ranges.description))
                }
            })
    }

    static func labels(_ labels: [Label]) -> JSONText? {
        if labels.isEmpty { return nil }
        return .list(labels.map { .object([("key", .text($0.key)), ("value", $0.value.map { .text($0) })]) })
    }
}
