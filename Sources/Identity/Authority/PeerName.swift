internal import Membership

/// Names inside certificates: `rondo://CLUSTER/node/ID?roles=agent,master` for a node and `rondo://CLUSTER/api/ID` for
/// the API of the master with that id. No address is among them, so nothing has to change when addresses do.
enum PeerName: Equatable {
    case node(NodeID, NodeRoles)
    case api(NodeID)
    case otherCluster
    case unknown

    static func isGood(clusterID: String) -> Bool {
        (1...64).contains(clusterID.utf8.count)
            && clusterID.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d: true
                default: false
                }
            }
    }

    static func uri(of id: NodeID, roles: NodeRoles, cluster: String) -> String {
        "rondo://\(cluster)/node/\(id)?roles=\(roles.text)"
    }

    static func uri(apiOf id: NodeID, cluster: String) -> String { "rondo://\(cluster)/api/\(id)" }

    init(uri: String, cluster: String) {
        self = .unknown
        guard uri.utf8.count <= 256, uri.hasPrefix("rondo://") else { return }
        let parts = uri.dropFirst(8).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return }
        guard parts[0] == cluster else {
            self = .otherCluster
            return
        }
        switch parts[1] {
        case "node":
            let ends = parts[2].split(separator: "?roles=", omittingEmptySubsequences: false)
            guard ends.count == 2, let id = NodeID(hex: ends[0]), let roles = NodeRoles(text: ends[1]) else { return }
            self = .node(id, roles)
        case "api":
            guard let id = NodeID(hex: parts[2]) else { return }
            self = .api(id)
        default: return
        }
    }
}
