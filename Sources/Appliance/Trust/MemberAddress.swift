internal import Gossip
internal import Transport

// Membership and Transport both have an `Endpoint`; only here they meet.
extension MemberEndpoint {
    /// Reads what `text` writes.
    init?(text: String) {
        guard case .tcp(let address, let port)? = try? Endpoint(parsing: text) else { return nil }
        self.init(address, port: port)
    }

    /// The address alone.
    var networkAddress: IPAddress? {
        guard case .tcp(let address, _)? = try? Endpoint(parsing: text) else { return nil }
        return address
    }
}
