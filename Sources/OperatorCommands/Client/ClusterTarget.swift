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
    static func of(_ configuration: Configuration) throws -> ClusterTarget {
        let contexts = try Contexts.load()
        let token = configuration.text(.token)
        if let name = configuration.text(.context) { return try ClusterTarget(contexts.named(name), token: token) }
        if let named = configuration.endpoint(.master) {
            if let known = contexts.contexts.first(where: { $0.address == "\(named)" }) {
                return try ClusterTarget(known, token: token)
            }
            guard named.isLoopback else {
                throw ApplianceError(
                    .usage,
                    "nothing is known of the cluster at \(named); get to know it with `rondo login \(named) --pin PIN` "
                        + "(`rondo cluster init` prints the line)")
            }
            return ClusterTarget(endpoint: named, token: token)
        }
        let socket = NodeFiles(configuration).socketPath
        if access(socket, R_OK | W_OK) == 0, let local = try? Endpoint(unixPath: socket) {
            return ClusterTarget(endpoint: local, token: token)
        }
        if let current = contexts.inUse, !configuration.isSet(.data) { return try ClusterTarget(current, token: token) }
        return ClusterTarget(endpoint: .tcp(.loopback, port: 5_050), token: token)
    }

    private init(endpoint: Endpoint, token: String?) {
        self.endpoint = endpoint
        self.token = token
    }

    init(_ context: ClusterContext, token: String? = nil) throws {
        endpoint = try Endpoint(parsing: context.address)
        self.token = token ?? context.token
        guard let pem = context.authority else { return }
        let verifier = PeerVerifier(authority: try AuthorityCertificate(pem: Array(pem.utf8)))
        security = try TransportSecurity(identity: nil, judge: verifier.masterJudge { SystemClock().now().wall })
    }
}
