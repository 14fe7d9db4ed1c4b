extension Membership {
    /// What can happen to this node.
    public enum Event: Sendable {
        /// A deadline may have passed; comes at `nextDeadline` or later.
        case tick
        /// Endpoints of possible members became known, by a person, a beacon or a kept hint.
        case join([Endpoint])
        /// An authenticated packet arrived.
        case packet([GossipMessage], from: Endpoint)
        /// A state came over a stream; an answer belongs on the same stream when `exchange` is given.
        case state(StateExchange, from: Endpoint, exchange: UInt64?)
        /// A step of an exchange of protocol 2 came over the stream with that number; unless it is the last, it is
        /// answered there.
        case step(ExchangeStep, from: Endpoint, exchange: UInt64)
        /// An exchange that this node asked for came to nothing.
        case exchangeFailed(Endpoint)
        /// This node's own addresses are other ones now.
        case addressesChanged([Endpoint])
        /// This node leads in a term of the store, or no longer leads.
        case leadership(term: UInt64?)
        /// This node's roles and the proof of them are other ones now.
        case attested(roles: NodeRoles, attestation: [UInt8])
        /// This node is to leave the cluster.
        case leave
    }

    /// What the driver must do, in order.
    public enum Effect: Sendable {
        /// Encode, seal and send a packet, which keeps to the budget of the settings.
        case send([GossipMessage], to: Endpoint)
        /// Open a stream, send the state, and hand in the answer with `Event.state`, or `exchangeFailed`.
        case exchange(StateExchange, with: Endpoint)
        /// Answer on the stream with that number.
        case answer(StateExchange, exchange: UInt64)
        /// Open a stream, say that step, and hand in what comes back with `Event.step`, or `exchangeFailed`.
        case ask(ExchangeStep, with: Endpoint)
        /// Say that step on the stream with that number, and close it when the step is the last.
        case say(ExchangeStep, exchange: UInt64)
        /// Tell the rest of this program.
        case report(Report)
    }

    /// What the rest of the program learns.
    public enum Report: Hashable, Sendable {
        /// A member is there that was not known.
        case joined(NodeID)
        /// A member does not answer; the first accuser is named.
        case suspected(NodeID, accuser: NodeID)
        /// A member answered the accusation, or came back from the dead with a new incarnation.
        case recovered(NodeID)
        /// A member did not answer in time; all who accused it are named.
        case died(NodeID, accusers: [NodeID])
        /// A member left on purpose.
        case departed(NodeID)
        /// A gossip client has been silent for long.
        case becameStale(NodeID)
        /// A live member is at other addresses than before.
        case addressesChanged(NodeID, from: [Endpoint], to: [Endpoint])
        /// Something else in a member's record changed.
        case updated(NodeID)
        /// A dead or departed member was forgotten; its address is free.
        case forgotten(NodeID)
        /// A new member has the address of one that was believed present. Both are kept: the key says who is who.
        case addressContested(Endpoint, newcomer: NodeID, holder: NodeID)
        /// Another node leads, or none; terms never go back.
        case leaderChanged(NodeID?, term: UInt64)
        /// This node was accused by another and announced itself anew.
        case refuted(accuser: NodeID, incarnation: UInt64)
        /// Another machine runs under this node's key, for instance from a copied data directory.
        case duplicateIdentity(addresses: [Endpoint])
        /// What a sender said was not accepted. Reported once for each sender and kind of reason.
        case refused(Refusal, from: Endpoint)
        /// This process was stopped, or its clock jumped, for that long.
        case stalled(Duration)
        /// The news of leaving has spread: the process may end.
        case leaveCompleted
    }

    /// Why something was not accepted.
    public enum Refusal: Hashable, Sendable {
        /// The signature or attestation is not good; the verifier's own words.
        case notVerified(NodeID, reason: String)
        /// No version of the protocol is spoken by both.
        case incompatibleProtocol(NodeID, theirs: ClosedRange<UInt8>, ours: ClosedRange<UInt8>)
        /// A node that is no master claims to lead. The rest of its record counts.
        case leaderWithoutMasterRole(NodeID)
        /// Two records of one node differ under one incarnation.
        case conflictingRecords(NodeID)
        /// An accusation names an incarnation of this node that never was.
        case forgedIncarnation(accuser: NodeID)

        var kind: Int {
            switch self {
            case .notVerified: 0
            case .incompatibleProtocol: 1
            case .leaderWithoutMasterRole: 2
            case .conflictingRecords: 3
            case .forgedIncarnation: 4
            }
        }
    }

    /// What a verifier says of a record.
    public enum Verdict: Sendable {
        /// Signed by the node's key, the id belongs to the key, and the roles are attested.
        case good
        /// It is not, for that reason.
        case bad(String)
    }

    /// The cryptography, which is the caller's.
    public struct Proofs: Sendable {
        /// Signs `MemberCoding.body(of:)` of this node's own record.
        public var sign: @Sendable (MemberRecord) -> [UInt8]
        /// Judges a record from outside.
        public var verify: @Sendable (SignedRecord) -> Verdict

        /// Wraps both functions.
        public init(
            sign: @escaping @Sendable (MemberRecord) -> [UInt8], verify: @escaping @Sendable (SignedRecord) -> Verdict
        ) {
            self.sign = sign
            self.verify = verify
        }
    }
}

/// One thing that a packet says.
public enum GossipMessage: Hashable, Sendable {
    /// "Are you there?" A node that is not the target keeps silent.
    case ping(sequence: UInt32, target: NodeID, source: NodeID, incarnation: UInt64)
    /// "I am", in answer to a ping, or passed on by the one who was asked to probe.
    case ack(sequence: UInt32, source: NodeID)
    /// "I cannot reach it either, but I am well": keeps the asker from blaming its own network less than it should.
    case nack(sequence: UInt32, source: NodeID)
    /// "Please probe that one for me."
    case pingRequest(sequence: UInt32, target: NodeID, at: Endpoint, source: NodeID)
    /// A member's newest record.
    case alive(SignedRecord)
    /// A member does not answer.
    case suspect(Accusation)
    /// A member did not answer an accusation in time.
    case dead(Accusation)
    /// "Are you there, and is your table like mine?" A ping of protocol 2; four bytes of its id name the target.
    case check(sequence: UInt32, target: UInt32, source: NodeID, incarnation: UInt64, table: UInt64)
    /// "I am", in answer to a check, and whether both tables are the same.
    case confirm(sequence: UInt32, agrees: Bool)
}

/// What two members tell each other over a stream: everything they know.
public struct StateExchange: Hashable, Sendable {
    /// One member as the sender sees it.
    public struct Entry: Hashable, Sendable {
        /// Its newest record.
        public var signed: SignedRecord
        /// What the sender believes.
        public var status: MemberStatus
        /// The first accuser of a suspect or dead member.
        public var accuser: NodeID?

        /// Makes an entry.
        public init(signed: SignedRecord, status: MemberStatus, accuser: NodeID?) {
            self.signed = signed
            self.status = status
            self.accuser = accuser
        }
    }

    /// Who tells.
    public var source: NodeID
    /// All members that the sender knows, itself among them.
    public var entries: [Entry]

    /// Makes a state.
    public init(source: NodeID, entries: [Entry]) {
        self.source = source
        self.entries = entries
    }
}
