internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import MasterCore
internal import Membership
internal import Synchronization

/// `/ui/membership`
extension ConsoleDesk {
    func membership(_ path: [String]) async throws -> GatewayResponse {
        guard path.isEmpty else { throw GatewayError(.notFound, "there is no such page") }
        let query = listQuery(["membership"], sorts: ["name", "state"], choices: ["state", "odd"])
        guard let admission = node.admission else {
            return page(
                MembershipPage(
                    members: query.listing([], of: 0),
                    absence:
                        "This master is for development: it has no other nodes. `rondo cluster init` makes a cluster."))
        }
        let gossip = await node.console.gossip.withLock { $0 }?()
        let known = try await admission.nodes()
        let rows = await rows(known, admission, gossip)
        let order = ["suspect", "dead", "stale", "alive", "left"]
        func rank(_ row: MembershipPage.Row) -> Int { row.state.flatMap { order.firstIndex(of: $0) } ?? order.count }
        let matching = rows.filter { row in
            query.matches(row.name, row.id, row.addresses.joined(separator: " "))
                && (query.choices["state"].map { $0 == row.state } ?? true)
                && (query.choices["odd"] == nil || row.disagrees)
        }
        let listing = query.listing(matching, of: rows.count) { first, second in
            query.sort == "state"
                ? (rank(first), first.name, first.id) < (rank(second), second.name, second.id)
                : (first.name, first.id) < (second.name, second.id)
        }
        let keys = admission.board.keys
        let drawn = rows.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
        return page(
            MembershipPage(
                members: listing,
                ring: drawn.count > MembershipPage.ringLimit
                    ? [] : drawn.map { ($0.name, MembershipPage.tone($0.state), $0.isSelf) },
                counts: (order + ["unknown"]).compactMap { state in
                    let count = rows.count { ($0.state ?? "unknown") == state }
                    return count > 0 || state == "alive" ? (state, count) : nil
                },
                keys: keys.gossip.enumerated().map { index, key in
                    MembershipPage.Key(name: AdmissionFacade.name(ofKey: key), seals: index == 0)
                },
                revision: keys.revision, late: rows.count { $0.isLate }, evicted: keys.evicted))
    }

    /// Those that were let in, with what the gossip and the sessions say of them, and those that only the gossip knows.
    private func rows(
        _ known: [NodeAdmission.Node], _ admission: NodeAdmission, _ gossip: GossipView?
    ) async -> [MembershipPage.Row] {
        let sessions = Set(node.directory.nodes.map(\.description))
        let agents = (try? await node.snapshot().agents) ?? [:]
        let late = Set(
            admission.board.late(known.compactMap { NodeID(hex: $0.id) }, for: admission.board.keys.revision)
                .map(\.description))
        var members: [String: Member] = [:]
        for member in gossip?.members ?? [] { members[member.record.id.description] = member }
        let own = gossip?.own.id.description
        let names = Dictionary(known.map { ($0.id, $0.name) }) { first, _ in first }
        let term = (gossip?.members.compactMap(\.record.leaderTerm) ?? []).max() ?? 0
        func row(_ id: String, _ name: String, _ role: String) -> MembershipPage.Row {
            var row = MembershipPage.Row(id: id, name: name.isEmpty ? String(id.prefix(12)) : name, role: role)
            row.isSelf = id == own
            row.hasSession = sessions.contains(id)
            row.isLate = late.contains(id) && !row.isSelf
            if agents[AgentID(id)] != nil { row.link = Link("nodes", id) }
            let record = row.isSelf ? gossip?.own : members[id]?.record
            guard let record else { return row }
            row.incarnation = record.incarnation
            row.version = record.version
            row.addresses = record.addresses.map { Self.address(of: $0) }
            row.isLeader = record.leaderTerm.map { $0 >= term } ?? false
            row.state = row.isSelf ? "alive" : members[id].map { Self.word($0.status) }
            if let member = members[id], let gossip {
                row.since = (gossip.now - member.since).inSeconds
                row.accusers = member.accusers.map { names[$0.description] ?? String($0.description.prefix(12)) }
            }
            return row
        }
        var rows = known.map { row($0.id, $0.name, $0.role) }
        let listed = Set(known.map(\.id))
        for id in members.keys.sorted() where !listed.contains(id) {
            rows.append(row(id, "", members[id].map { Self.word($0.record.roles) } ?? ""))
        }
        return rows
    }

    private static func word(_ status: MemberStatus) -> String {
        switch status {
        case .alive: "alive"
        case .suspect: "suspect"
        case .dead: "dead"
        case .left: "left"
        case .stale: "stale"
        }
    }

    private static func word(_ roles: NodeRoles) -> String {
        roles.contains([.master, .agent]) ? "combined" : roles.contains(.master) ? "master" : "agent"
    }

    private static func address(of endpoint: Endpoint) -> String {
        func byte(_ shift: UInt64) -> String { String(endpoint.low >> shift & 0xff) }
        guard endpoint.isIPv6 else {
            return [24, 16, 8, 0].map { byte($0) }.joined(separator: ".") + ":\(endpoint.port)"
        }
        let groups = [endpoint.high, endpoint.low].flatMap { half in
            [48, 32, 16, 0].map { String(half >> UInt64($0) & 0xffff, radix: 16) }
        }
        return "[" + groups.joined(separator: ":") + "]:\(endpoint.port)"
    }
}

extension ConsoleChanges {
    /// Differs when the page of the membership differs.
    func membership() async -> Int? {
        guard let gossip = await node.console.gossip.withLock({ $0 })?() else { return nil }
        var sum = 0
        for member in gossip.members {
            var hasher = Hasher()
            hasher.combine(member.record.id)
            hasher.combine(member.status)
            hasher.combine(member.record.incarnation)
            hasher.combine(member.accusers.count)
            sum &+= hasher.finalize()
        }
        return sum &+ node.directory.nodes.count
    }
}
