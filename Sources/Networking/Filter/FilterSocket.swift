internal import Glibc

/// The packet filter of one network namespace.
struct FilterSocket {
    let socket: NetlinkSocket

    /// Of the namespace that this thread is in.
    init() throws(NetworkError) { socket = try NetlinkSocket(.filter) }

    /// What the kernel has of a table; nil when there is none.
    func state(of table: String) throws(NetworkError) -> FilterState? {
        let doing = "read the table \(table) of the packet filter"
        do {
            try socket.ask(FilterMessages.table(table), doing)
        } catch {
            if error.isErrno(ENOENT) { return nil }
            throw error
        }
        var state = FilterState(outline: [:], elements: [:])
        for answer in try socket.list(FilterMessages.chains, doing) {
            if let chain = FilterMessages.parseChain(answer, table: table) { state.outline[chain] = [] }
        }
        for answer in try socket.list(FilterMessages.rules(table: table), doing) {
            guard let rule = FilterMessages.parseRule(answer, table: table) else { continue }
            state.outline[rule.chain, default: []].append(rule.comment)
        }
        for answer in try socket.list(FilterMessages.maps(table: table), doing) {
            guard let map = FilterMessages.parseMap(answer, table: table) else { continue }
            state.elements[map] = [:]
            for answer in try socket.list(FilterMessages.elements(map: map, table: table), doing) {
                // What is not of our form makes the map differ from what it should be, and so be made anew.
                guard let elements = FilterMessages.parseElements(answer, map: map, table: table) else {
                    state.outline = [:]
                    continue
                }
                for (port, target) in elements { state.elements[map]?[port] = target }
            }
        }
        return state
    }

    func replace(with table: FilterTable) throws(NetworkError) {
        try socket.transaction(
            FilterMessages.replace(with: table), "set up the table \(table.name) of the packet filter")
    }

    /// Removes a table; none there is fine.
    func delete(table: String) throws(NetworkError) {
        let messages = [FilterMessages.add(table: table), FilterMessages.delete(table: table)]
        try socket.transaction(messages, "remove the table \(table) of the packet filter")
    }
}
