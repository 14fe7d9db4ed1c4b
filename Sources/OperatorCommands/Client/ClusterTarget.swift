internal import Appliance
internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import Identity
internal import MasterNode
internal import Transport

/// Whom a command asks, whom it trusts there, and what it shows.
struct ClusterTarget: Sendable {
    var endpoint: Endpoint
    var security: TransportSecurity?
    var token: String?

    /// In this order: the master or context that is named; the socket of this machine's node, when it may be opened; the
    /// context in use; loopback without TLS, where `rondo dev` is.
    init(_ configuration: Configuration) throws {
        let contexts = try Contexts.load()
        token = configuration.text(.token)
        if let name = configuration.text(.context) {
            try self.init(contexts.named(name), token: token)
            return
        }
        if let named = configuration.endpoint(.master) {
            if let known = contexts.contexts.first(where: { $0.address == "\(named)" }) {
                try self.init(known, token: token)
                return
            }
            guard named.isLoopback else {
                throw ApplianceError(
                    .usage,
                    "nothing is known of the cluster at \(named); get to know it with `rondo login \(named) --pin PIN` "
                        + "(`rondo cluster init` prints the line)")
            }
            endpoint = named
            return
        }
        let socket = NodeFiles(configuration).socketPath
        if access(socket, R_OK | W_OK) == 0, let local = try? Endpoint(unixPath: socket) {
            endpoint = local
        } else if let current = contexts.inUse, !configuration.isSet(.data) {
            try self.init(current, token: token)
        } else {
            endpoint = .tcp(.loopback, port: 5_050)
        }
    }

    init(_ context: ClusterContext, token: String? = nil) throws {
        endpoint = try Endpoint(parsing: context.address)
        self.token = token ?? context.token
        guard let pem = context.authority else { return }
        let verifier = PeerVerifier(authority: try AuthorityCertificate(pem: Array(pem.utf8)))
        security = try TransportSecurity(identity: nil, judge: verifier.masterJudge { SystemClock().now().wall })
    }
}
