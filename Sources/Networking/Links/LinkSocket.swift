internal import ClusterModel
internal import Glibc

/// Interfaces, addresses and routes of one network namespace.
struct LinkSocket {
    let socket: NetlinkSocket

    /// Of the namespace that this thread is in.
    init() throws(NetworkError) { socket = try NetlinkSocket(.routing) }

    func link(_ name: String) throws(NetworkError) -> LinkState? {
        do {
            let answers = try socket.ask(LinkMessages.link(name), "look for the interface \(name)")
            return answers.lazy.compactMap(LinkMessages.parseLink).first
        } catch {
            if error.isErrno(ENODEV) { return nil }
            throw error
        }
    }

    func links() throws(NetworkError) -> [LinkState] {
        try socket.list(LinkMessages.links, "list the interfaces").compactMap(LinkMessages.parseLink)
    }

    func addresses() throws(NetworkError) -> [AddressState] {
        try socket.list(LinkMessages.addresses, "list the addresses").compactMap(LinkMessages.parseAddress)
    }

    func routes() throws(NetworkError) -> [RouteState] {
        try socket.list(LinkMessages.routes, "list the routes").compactMap(LinkMessages.parseRoute)
    }

    /// Removes an interface; one that is not there is fine.
    func delete(_ link: LinkState) throws(NetworkError) {
        do {
            try socket.change(LinkMessages.delete(link.index), "remove the interface \(link.name)")
        } catch {
            if !error.isErrno(ENODEV) { throw error }
        }
    }

    func change(_ message: NetlinkMessage, _ doing: String) throws(NetworkError) {
        try socket.change(message, doing)
    }
}
