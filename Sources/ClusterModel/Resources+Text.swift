extension Resources {
    /// Reads Mesos' text form: `cpus:4;mem:1024;ports:[31000-31100];zones:{a, b}`, with a role in parentheses where
    /// resources are reserved: `cpus(analytics):2`. Such reservations are the agent's own (static) ones.
    ///
    /// - Throws: `.invalid` naming the part that cannot be read, `.overlap` and the like when parts do not add up.
    public init(text: String) throws(ResourceError) {
        var items: [Resource] = []
        for part in text.split(separator: ";") {
            let part = Self.trimmed(part)
            if part.isEmpty { continue }
            items.append(try Self.item(part))
        }
        try self.init(items)
    }

    private static func item(_ part: Substring) throws(ResourceError) -> Resource {
        guard let colon = part.firstIndex(of: ":") else {
            throw .invalid(name: String(part.prefix(64)), why: "has no colon; write NAME:AMOUNT, such as cpus:4")
        }
        let head = trimmed(part[..<colon])
        let tail = trimmed(part[part.index(after: colon)...])
        return Resource(kind: try kind(head), value: try value(tail, of: head))
    }

    private static func kind(_ head: Substring) throws(ResourceError) -> ResourceKind {
        guard let open = head.firstIndex(of: "(") else {
            guard isName(head) else { throw .invalid(name: String(head.prefix(64)), why: "is not a valid name") }
            return ResourceKind(name: String(head))
        }
        let name = trimmed(head[..<open])
        let rest = head[head.index(after: open)...]
        guard isName(name), rest.hasSuffix(")") else {
            throw .invalid(name: String(head.prefix(64)), why: "is not a name or a name with a role in parentheses")
        }
        let role = RoleName(String(trimmed(rest.dropLast())))
        if let defect = role.defect { throw .invalid(name: String(name), why: "has a role that \(defect)") }
        let reservations = role == .everyone ? [] : [Reservation(kind: .fixed, role: role)]
        return ResourceKind(name: String(name), reservations: reservations)
    }

    private static func value(_ tail: Substring, of head: Substring) throws(ResourceError) -> ResourceValue {
        let name = String(head.prefix(64))
        if tail.hasPrefix("[") {
            guard let ranges = RangeSet(text: String(tail)) else {
                throw .invalid(name: name, why: "has no valid ranges; write [31000-31100, 32000-32000]")
            }
            return .ranges(ranges)
        }
        if tail.hasPrefix("{") {
            guard tail.hasSuffix("}"), tail.utf8.count >= 2 else {
                throw .invalid(name: name, why: "has no valid set; write {a, b}")
            }
            let names = tail.dropFirst().dropLast().split(separator: ",").map { String(trimmed($0)) }
            return .set(Set(names.filter { !$0.isEmpty }))
        }
        let digits = tail.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        guard digits, let number = Double(tail), let amount = Quantity(number) else {
            throw .invalid(name: name, why: "has no valid amount; write a number such as 4 or 0.5")
        }
        return .scalar(amount)
    }

    private static func isName(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"()[]{};:,".utf8.contains($0) }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}
