internal import Membership

extension MembershipSimulation {
    /// An observer believed a node dead.
    public struct Death: Sendable {
        public var observer: Int
        public var subject: Int
        public var at: Int
        /// The process of the dead was there, whether stopped for a while or not.
        public var isMistaken: Bool
        /// The dead was well: neither stopped for a while nor was the observer.
        public var isFalse: Bool
    }

    /// A living node was believed dead by an observer for that long.
    public struct Absence: Sendable {
        public var observer: Int
        public var subject: Int
        public var from: Int
        public var until: Int
    }

    private func owner(of id: NodeID) -> Int? { nodes.indices.contains(Int(id.low)) ? Int(id.low) : nil }

    func note(_ report: Membership.Report, of index: Int) {
        if keepsReports { reports.append((index, report)) }
        switch report {
        case .died(let id, _):
            guard let subject = owner(of: id) else { return }
            let isWell = nodes[subject].isRunning && nodes[subject].stalledUntil <= now
            deaths.append(
                Death(
                    observer: index, subject: subject, at: now, isMistaken: nodes[subject].isRunning,
                    isFalse: isWell))
            absentSince[index << 32 | subject] = now
            if watched[subject] != nil { watched[subject]?[index] = now }
        case .recovered(let id):
            guard let subject = owner(of: id), let since = absentSince.removeValue(forKey: index << 32 | subject)
            else { return }
            absences.append(Absence(observer: index, subject: subject, from: since, until: now))
        case .joined(let id):
            if let subject = owner(of: id), watched[subject] != nil { watched[subject]?[index] = now }
        case .forgotten(let id):
            guard let subject = owner(of: id) else { return }
            seen[index << 32 | subject] = nil
            absentSince[index << 32 | subject] = nil
        case .leaveCompleted: nodes[index].isRunning = false
        default: break
        }
    }

    /// The running nodes that mean to stay.
    public var staying: [Int] {
        nodes.indices.filter { nodes[$0].isRunning && !nodes[$0].membership.own.record.isLeaving }
    }

    /// True when each running member believes exactly the running members present, and all the same of the leader and of
    /// the protocol.
    public var viewsAgree: Bool { disagreement == nil }

    /// Who believes something else than the truth.
    public var disagreement: String? {
        let staying = staying
        let version = staying.first.map { nodes[$0].membership.protocolVersion }
        let leader = staying.first.map { nodes[$0].membership.leader }
        for observer in staying {
            let view = nodes[observer].membership
            if view.presentMembers > staying.count {
                let names = Set(staying.map { Self.id(nodes[$0].identity) })
                let ghosts = view.members.filter { $0.value.isPresent && !names.contains($0.key) }
                return "\(observer) believes in the ghosts \(ghosts.keys.map { $0.low })"
            }
            for subject in staying where subject != observer {
                let status = view.members[Self.id(nodes[subject].identity)]?.status
                if status != .alive { return "\(observer) believes \(subject) \(status.map { "\($0)" } ?? "unknown")" }
            }
            if view.protocolVersion != version { return "\(observer) speaks another version" }
            if view.leader != leader { return "\(observer) follows another leader" }
        }
        return nil
    }

    func noteIncarnation(of index: Int) {
        let own = nodes[index].membership.own.record
        announced[nodes[index].identity] = max(announced[nodes[index].identity] ?? 0, own.incarnation)
    }

    /// Looks at all views: incarnations and terms never go back, and none is known that was never announced.
    public func checkIncarnations() {
        for index in nodes.indices { noteIncarnation(of: index) }
        for (observer, node) in nodes.enumerated() where node.isRunning {
            for (id, member) in node.membership.members {
                let subject = Int(id.low)
                let key = observer << 32 | subject
                let incarnation = member.record.incarnation
                if let before = seen[key], before > incarnation {
                    violations.append("\(observer) went back from \(before) to \(incarnation) of \(subject)")
                }
                if incarnation > announced[subject] ?? 0 {
                    violations.append("\(observer) believes in \(incarnation) of \(subject), who never was")
                }
                seen[key] = incarnation
            }
            let view = node.membership
            if view.leaderTerm < seenTerms[observer] ?? 0 { violations.append("\(observer) went back in terms") }
            seenTerms[observer] = view.leaderTerm
            if let leader = view.leader, let record = view.members[leader]?.record, !record.roles.contains(.master) {
                violations.append("\(observer) follows \(leader.low), who is no master")
            }
        }
    }
}
