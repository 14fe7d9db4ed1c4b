internal import ClusterModel

/// What nf_tables is told and asked (linux/netfilter/nf_tables.h), byte by byte as `nft` does it. Nothing here opens a
/// socket.
enum FilterMessages {
    private static let subsystem: UInt16 = 10
    private static let bothFamilies: UInt8 = 1

    private enum Kind: UInt16 {
        case newTable = 0
        case getTable = 1
        case deleteTable = 2
        case newChain = 3
        case getChain = 4
        case newRule = 6
        case getRule = 7
        case newSet = 9
        case getSet = 10
        case newElement = 12
        case getElement = 13
        case deleteElement = 14
    }

    /// Element lists are attributes, and those have less than 64 KiB.
    static let mostElements = 500

    /// `struct nfgenmsg` of tables that see both families.
    private static var header: [UInt8] { [bothFamilies, 0, 0, 0] }

    private static func message(_ kind: Kind, flags: UInt16 = 0, _ fill: (inout [UInt8]) -> Void) -> NetlinkMessage {
        var body = header
        fill(&body)
        return NetlinkMessage(kind: subsystem << 8 | kind.rawValue, flags: flags, body)
    }

    private static func isKind(_ message: NetlinkMessage, _ kind: Kind) -> Bool {
        message.kind == subsystem << 8 | kind.rawValue
    }

    /// What goes together: all of it is done or nothing.
    static func batch(_ messages: [NetlinkMessage]) -> [NetlinkMessage] {
        let (begin, end): (UInt16, UInt16) = (16, 17)
        let body: [UInt8] = [0, 0, UInt8(subsystem >> 8), UInt8(subsystem & 0xff)]
        return [NetlinkMessage(kind: begin, body)] + messages + [NetlinkMessage(kind: end, body)]
    }

    // MARK: Changes

    static func add(table: String) -> NetlinkMessage {
        message(.newTable, flags: NetlinkMessage.create) {
            $0.append(attribute: 1, text: table)
            $0.append(attribute: 2, big: UInt32(0))
        }
    }

    static func delete(table: String) -> NetlinkMessage {
        message(.deleteTable) { $0.append(attribute: 1, text: table) }
    }

    static func add(_ chain: FilterChain, table: String) -> NetlinkMessage {
        message(.newChain, flags: NetlinkMessage.create) { body in
            body.append(attribute: 1, text: table)
            body.append(attribute: 3, text: chain.name)
            guard let hook = chain.hook else { return }
            let acceptOthers: UInt32 = 1
            body.append(attribute: 7, text: hook.type)
            body.append(attribute: 5, big: acceptOthers)
            body.append(nested: 4) {
                $0.append(attribute: 1, big: hook.place.rawValue)
                $0.append(attribute: 2, big: hook.priority)
            }
        }
    }

    static func add(_ rule: FilterRule, chain: String, table: String) -> NetlinkMessage {
        message(.newRule, flags: NetlinkMessage.create | NetlinkMessage.append) { body in
            body.append(attribute: 1, text: table)
            body.append(attribute: 2, text: chain)
            body.append(nested: 4) { $0 += rule.encodedSteps }
            // In nft's own form: kind, length, text with a NUL; at most 128 bytes.
            let comment = Array(rule.comment.utf8.prefix(120)) + [0]
            body.append(attribute: 7, [0, UInt8(comment.count)] + comment)
        }
    }

    static func add(_ map: FilterMap, table: String) -> NetlinkMessage {
        let (isMap, port, ipv4, ipv6): (UInt32, UInt32, UInt32, UInt32) = (8, 13, 7, 8)
        return message(.newSet, flags: NetlinkMessage.create) { body in
            body.append(attribute: 1, text: table)
            body.append(attribute: 2, text: map.name)
            body.append(attribute: 3, big: isMap)
            body.append(attribute: 4, big: port)
            body.append(attribute: 5, big: UInt32(2))
            // Types in a row have six bits each; they are for those who list the map.
            body.append(attribute: 6, big: (map.isIPv6 ? ipv6 : ipv4) << 6 | port)
            body.append(attribute: 7, big: UInt32(map.isIPv6 ? 20 : 8))
            body.append(attribute: 10, big: map.id)
        }
    }

    static func add(_ elements: [(UInt16, FilterMap.Target)], map: String, id: UInt32?, table: String) -> NetlinkMessage
    {
        message(.newElement, flags: NetlinkMessage.create) { body in
            body.append(attribute: 1, text: table)
            body.append(attribute: 2, text: map)
            if let id { body.append(attribute: 4, big: id) }
            body.append(nested: 3) { list in
                for (port, target) in elements { append(port, target, to: &list) }
            }
        }
    }

    static func delete(_ ports: [UInt16], map: String, table: String) -> NetlinkMessage {
        message(.deleteElement) { body in
            body.append(attribute: 1, text: table)
            body.append(attribute: 2, text: map)
            body.append(nested: 3) { list in
                for port in ports { append(port, nil, to: &list) }
            }
        }
    }

    private static func append(_ port: UInt16, _ target: FilterMap.Target?, to list: inout [UInt8]) {
        list.append(nested: 1) { element in
            element.append(nested: 1) { $0.append(attribute: 1, big: port) }
            guard let target else { return }
            element.append(nested: 2) {
                var bytes = target.address.bytes
                bytes.append(big: target.port)
                $0.append(attribute: 1, bytes + [0, 0])
            }
        }
    }

    /// Makes the table what it should be, whatever it was before: in one step, so that no packet finds it missing.
    static func replace(with table: FilterTable) -> [NetlinkMessage] {
        // Adding it first makes the removal go through where there was none.
        var messages = [add(table: table.name), delete(table: table.name), add(table: table.name)]
        messages += table.chains.map { add($0, table: table.name) }
        for map in table.maps {
            messages.append(add(map, table: table.name))
            messages += chunks(map.elements).map { add($0, map: map.name, id: map.id, table: table.name) }
        }
        for chain in table.chains {
            messages += chain.rules.map { add($0, chain: chain.name, table: table.name) }
        }
        return messages
    }

    /// Changes what is in the maps and nothing else.
    static func change(
        _ map: String, from old: [UInt16: FilterMap.Target], to new: [UInt16: FilterMap.Target], table: String
    ) -> [NetlinkMessage] {
        let gone = old.filter { new[$0.key] != $0.value }.keys.sorted()
        var messages: [NetlinkMessage] = stride(from: 0, to: gone.count, by: mostElements).map {
            delete(Array(gone[$0..<min($0 + mostElements, gone.count)]), map: map, table: table)
        }
        let added = new.filter { old[$0.key] != $0.value }
        messages += chunks(added).map { add($0, map: map, id: nil, table: table) }
        return messages
    }

    private static func chunks(_ elements: [UInt16: FilterMap.Target]) -> [[(UInt16, FilterMap.Target)]] {
        let sorted = elements.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return stride(from: 0, to: sorted.count, by: mostElements).map {
            Array(sorted[$0..<min($0 + mostElements, sorted.count)])
        }
    }

    // MARK: Questions

    static func table(_ name: String) -> NetlinkMessage {
        message(.getTable) { $0.append(attribute: 1, text: name) }
    }

    static var chains: NetlinkMessage { message(.getChain) { _ in } }

    static func rules(table: String) -> NetlinkMessage {
        message(.getRule) { $0.append(attribute: 1, text: table) }
    }

    static func maps(table: String) -> NetlinkMessage {
        message(.getSet) { $0.append(attribute: 1, text: table) }
    }

    static func elements(map: String, table: String) -> NetlinkMessage {
        message(.getElement) {
            $0.append(attribute: 1, text: table)
            $0.append(attribute: 2, text: map)
        }
    }

    private static func attributes(_ message: NetlinkMessage, _ kind: Kind, table: String) -> NetlinkAttributes? {
        guard isKind(message, kind), message.body.first == bothFamilies,
            let attributes = message.body[...].attributes(from: 4), attributes[1]?.text == table
        else { return nil }
        return attributes
    }

    /// The name of a chain of a table.
    static func parseChain(_ message: NetlinkMessage, table: String) -> String? {
        attributes(message, .newChain, table: table)?[3]?.text
    }

    /// The chain that a rule is in, and its comment; an empty one for rules that are not ours.
    static func parseRule(_ message: NetlinkMessage, table: String) -> (chain: String, comment: String)? {
        guard let attributes = attributes(message, .newRule, table: table), let chain = attributes[2]?.text
        else { return nil }
        guard let data = attributes[7], data.count >= 2, data.first == 0 else { return (chain, "") }
        return (chain, data.dropFirst(2).prefix(Int(data[data.startIndex + 1])).text ?? "")
    }

    static func parseMap(_ message: NetlinkMessage, table: String) -> String? {
        attributes(message, .newSet, table: table)?[2]?.text
    }

    /// The elements in one answer; nil when the answer is not about this map or has something else in it.
    static func parseElements(
        _ message: NetlinkMessage, map: String, table: String
    ) -> [(UInt16, FilterMap.Target)]? {
        guard let attributes = attributes(message, .newElement, table: table), attributes[2]?.text == map
        else { return nil }
        guard let list = attributes[3] else { return [] }
        guard let elements = NetlinkAttributes(list) else { return nil }
        var found: [(UInt16, FilterMap.Target)] = []
        for element in elements.all {
            guard let parts = NetlinkAttributes(element.value), let key = parts.nested(1)?[1], key.count == 2,
                let port: UInt16 = key.big(), let data = parts.nested(2)?[1], data.count == 8 || data.count == 20,
                let address = NetworkAddress(bytes: data.dropLast(4)),
                let target: UInt16 = data.big(at: data.count - 4)
            else { return nil }
            found.append((port, FilterMap.Target(address: address, port: target)))
        }
        return found
    }
}
