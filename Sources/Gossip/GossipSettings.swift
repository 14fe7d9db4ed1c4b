public import Membership
public import Transport

/// What a node of the gossip needs to know beside who it is.
public struct GossipSettings: Sendable {
    /// How fast and how patient gossip is.
    public var membership: MembershipSettings
    /// The cluster. Others on the same network are not heard.
    public var cluster: String
    /// Where to listen, for packets and streams; `::` stands for all addresses of both families.
    public var listen: [IPAddress]
    /// The port for packets and streams; 0 takes a free one.
    public var port: UInt16
    /// Where others reach this node; nil takes the addresses of the interfaces, and follows their changes.
    public var advertised: [MemberEndpoint]?
    /// How nodes whose hints are all stale find each other; nil does without.
    public var beacon: BeaconSettings?
    /// Streams that others may have open here at a time; more wait in the kernel.
    public var inboundStreams = 64
    /// Time that a stream may take altogether.
    public var streamTimeout: Duration = .seconds(15)
    /// Time that a stranger has to show, on a stream, that it has a key.
    public var strangerTimeout: Duration = .seconds(4)

    /// Makes settings.
    public init(
        membership: MembershipSettings = .lan, cluster: String,
        listen: [IPAddress] = [.v6("::")], port: UInt16 = 7_946, advertised: [MemberEndpoint]? = nil,
        beacon: BeaconSettings? = BeaconSettings()
    ) {
        self.membership = membership
        self.cluster = cluster
        self.listen = listen
        self.port = port
        self.advertised = advertised
        self.beacon = beacon
    }
}

/// How a node calls to those that are near.
public struct BeaconSettings: Sendable {
    /// The port, the same for all nodes; several nodes of one machine share it.
    public var port: UInt16
    /// Time between two calls of a node that nobody answers.
    public var interval: Duration
    /// Calls on the loopback interface as well, for several nodes of one machine.
    public var includesLoopback: Bool

    /// Makes settings.
    public init(port: UInt16 = 7_947, interval: Duration = .seconds(5), includesLoopback: Bool = false) {
        self.port = port
        self.interval = interval
        self.includesLoopback = includesLoopback
    }
}

/// Who a node is, at its start.
public struct GossipIdentity: Sendable {
    /// The node.
    public var id: NodeID
    /// What it does.
    public var roles: NodeRoles
    /// The authority's word for the roles.
    public var attestation: [UInt8]
    /// The software's version.
    public var version: String
    /// One more than the last incarnation that was stored; 1 for a new node.
    public var incarnation: UInt64
    /// Nobody can probe this node.
    public var isGossipClient: Bool

    /// Makes an identity.
    public init(
        id: NodeID, roles: NodeRoles, attestation: [UInt8], version: String, incarnation: UInt64 = 1,
        isGossipClient: Bool = false
    ) {
        self.id = id
        self.roles = roles
        self.attestation = attestation
        self.version = version
        self.incarnation = incarnation
        self.isGossipClient = isGossipClient
    }

    func record(at addresses: [MemberEndpoint]) -> MemberRecord {
        MemberRecord(
            id: id, roles: roles, addresses: addresses, version: version, incarnation: incarnation,
            isGossipClient: isGossipClient)
    }
}

/// What a node counted since its start.
public struct GossipCounters: Sendable {
    /// Datagrams sent, and their bytes.
    public var packetsSent = 0
    /// Bytes of datagrams sent.
    public var bytesSent = 0
    /// Datagrams received, refused ones included.
    public var packetsReceived = 0
    /// Bytes of datagrams received.
    public var bytesReceived = 0
    /// Bytes of streams, both ways.
    public var streamBytes = 0
    /// Exchanges that this node asked for.
    public var streamsOpened = 0
    /// Exchanges that others asked for.
    public var streamsAccepted = 0
    /// Exchanges that this node asked for and that came to nothing.
    public var streamsFailed = 0
    /// Calls to those that are near.
    public var beaconsSent = 0
    /// Calls heard from others of this cluster.
    public var beaconsHeard = 0
    /// What was not taken, by the name of the reason.
    public var refused: [String: Int] = [:]
}

/// Why a node could not start.
public enum GossipError: Error, Equatable, CustomStringConvertible {
    /// A port is taken, or an address is not this machine's.
    case cannotListen(String)
    /// The record of this node would be larger than a record may be.
    case recordTooLarge

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .cannotListen(let reason): "gossip \(reason)"
        case .recordTooLarge:
            "this node's gossip record is larger than \(MemberCoding.recordLimit) bytes; use a shorter version text"
        }
    }
}
