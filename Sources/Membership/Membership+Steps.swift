// Exchanges of protocol 2: a number first, and records only where they differ. Protocol 1 sends everything both ways,
// and so does everybody to whom nothing is known of the other.
extension Membership {
    /// Begins an exchange of protocol 2.
    func opening(with endpoint: Endpoint) -> Effect {
        let state = StateExchange(source: own.record.id, entries: [ownEntry])
        return .ask(.ask(table: tableSum, state), with: endpoint)
    }

    /// Begins an exchange in the way that the other understands.
    func opening(with endpoint: Endpoint, of id: NodeID?) -> Effect {
        if let member = id.flatMap({ members[$0] }), isComparing(with: member) { return opening(with: endpoint) }
        return .exchange(state(), with: endpoint)
    }

    /// The member that says it is there.
    func member(at endpoint: Endpoint) -> NodeID? {
        order.first { members[$0]?.record.addresses.contains(endpoint) ?? false }
    }

    /// Takes in a step, and answers it unless it is the last.
    mutating func receive(_ step: ExchangeStep, from sender: Endpoint, exchange: UInt64) {
        switch step {
        case .ask(let table, let state):
            heard(state.source)
            for entry in state.entries { merge(entry, from: sender, isNewcomer: false) }
            let isSame = table == tableSum && !mayLackClients(state)
            if isSame { agreed() }
            turn.append(
                .say(
                    isSame ? .same(source: own.record.id) : .summary(source: own.record.id, rows()), exchange: exchange)
            )
        case .same(let source):
            answered(by: source)
            agreed()
            if sender == host { settle(with: sender, isFirst: false) }
        case .summary(let source, let rows):
            answered(by: source)
            let difference = difference(to: rows)
            turn.append(.say(difference, exchange: exchange))
            if sender == host, difference.isLast { settle(with: sender, isFirst: false) }
        case .difference(let state, let wanted):
            heard(state.source)
            let rest = rest(wanted)
            for entry in state.entries { merge(entry, from: sender, isNewcomer: false) }
            if !step.isLast { turn.append(.say(.rest(rest), exchange: exchange)) }
        case .rest(let state):
            answered(by: state.source)
            let isHost = sender == host
            for entry in state.entries { merge(entry, from: sender, isNewcomer: isHost) }
            if isHost { settle(with: sender, isFirst: false) }
        }
    }

    /// Clients hear of each other in their own exchanges only, and the sums leave all of them out.
    private func mayLackClients(_ state: StateExchange) -> Bool {
        guard hasClients, let asker = state.entries.first?.signed.record, asker.isGossipClient else { return false }
        return members.values.contains {
            $0.status == .alive && $0.record.isGossipClient && $0.record.id != asker.id
        }
    }

    /// Somebody answered what this node asked.
    private mutating func answered(by source: NodeID) {
        heard(source)
        isExchangeBroken = false
        isLastWordHeard = isLeaving
    }

    var ownEntry: StateExchange.Entry {
        StateExchange.Entry(signed: own, status: own.record.isLeaving ? .left : .alive, accuser: nil)
    }

    private func entry(_ member: Member) -> StateExchange.Entry {
        StateExchange.Entry(signed: member.signed, status: member.status, accuser: member.accusers.first)
    }

    /// Everything that this node knows, in short.
    private func rows() -> [ExchangeStep.Row] {
        func row(_ signed: SignedRecord, _ status: MemberStatus) -> ExchangeStep.Row {
            ExchangeStep.Row(
                id: signed.record.id, incarnation: signed.record.incarnation, status: status, check: signed.check)
        }
        var rows = [row(own, own.record.isLeaving ? .left : .alive)]
        rows.reserveCapacity(order.count + 1)
        for id in order.prefix(MemberCoding.stateLimit - 1) {
            if let member = members[id] { rows.append(row(member.signed, member.status)) }
        }
        return rows
    }

    /// What the other lacks, and what this node lacks.
    private func difference(to rows: [ExchangeStep.Row]) -> ExchangeStep {
        var entries: [StateExchange.Entry] = []
        var wanted: [NodeID] = []
        var named: Set<NodeID> = [own.record.id]
        for row in rows {
            let signed = row.id == own.record.id ? own : members[row.id]?.signed
            let status = row.id == own.record.id ? .alive : members[row.id]?.status
            guard named.insert(row.id).inserted || row.id == own.record.id else { continue }
            guard let signed, let status else {
                // Absent members that are not known here need no introduction.
                if row.status == .alive || row.status == .suspect { wanted.append(row.id) }
                continue
            }
            let incarnation = signed.record.incarnation
            let isOther = row.incarnation == incarnation && row.check != signed.check
            let isWorse = row.incarnation == incarnation && row.status.gravity > status.gravity
            let isBetter = row.incarnation == incarnation && row.status.gravity < status.gravity
            if row.incarnation > incarnation || isOther || isWorse { wanted.append(row.id) }
            if row.incarnation < incarnation || isOther || isBetter {
                entries.append(members[row.id].map(entry) ?? ownEntry)
            }
        }
        for id in order where !named.contains(id) {
            if let member = members[id], member.isPresent { entries.append(entry(member)) }
        }
        let state = StateExchange(source: own.record.id, entries: Array(entries.prefix(MemberCoding.stateLimit)))
        return .difference(state, wanted: Array(wanted.prefix(MemberCoding.stateLimit)))
    }

    /// What the other wants to know.
    private func rest(_ wanted: [NodeID]) -> StateExchange {
        // Once each, however often it is wanted.
        var entries: [StateExchange.Entry] = []
        for id in Set(wanted).sorted() {
            if id == own.record.id {
                entries.append(ownEntry)
            } else if let member = members[id] {
                entries.append(entry(member))
            }
        }
        return StateExchange(source: own.record.id, entries: entries)
    }
}

extension SignedRecord {
    /// Tells this record from another of the same node and incarnation.
    var check: UInt32 { UInt32(truncatingIfNeeded: fingerprint) }
}

extension MemberStatus {
    /// How much is held against a member; only an entry with its accuser can pass that on.
    fileprivate var gravity: Int {
        switch self {
        case .alive, .left, .stale: 0
        case .suspect: 1
        case .dead: 2
        }
    }
}
