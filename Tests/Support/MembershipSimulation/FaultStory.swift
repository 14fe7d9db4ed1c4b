internal import Membership

/// Everything that can go wrong in a cluster, by chance, and then all is made whole again.
///
/// Members crash, come back, join, leave, stand still, move, lead, and are cloned; clocks step; packets are lost,
/// doubled, delayed and cut off; keys are changed; members of different protocol versions live together.
public final class FaultStory {
    public let cluster: MembershipSimulation
    private var clones: [Int] = []
    private var allClones: Set<Int> = []
    private var term: UInt64 = 0
    private var newestKey = 0
    private var isClientGone = false
    private var moved: Set<Int> = []
    /// What was done, for a person who looks for the reason of a failure.
    public private(set) var events: [String] = []

    public init(_ cluster: MembershipSimulation, size: Int) {
        self.cluster = cluster
        let masters = cluster.chance.pick(1...3)
        let clients = size >= 6 ? cluster.chance.pick(0...2) : 0
        let versions = (0..<size).map { _ in cluster.chance.pick(0...2) }
        cluster.startTogether(size) { index, record in
            record.roles = index < masters ? [.master, .agent] : .agent
            record.isGossipClient = index >= size - clients
            record.protocols = Self.protocols(versions[index])
        }
    }

    /// All have version 1 in common, and some speak no other.
    private static func protocols(_ kind: Int) -> ClosedRange<UInt8> { [1...1, 1...2, 1...3][kind] }

    /// One fault after another.
    public func run(steps: Int) {
        for _ in 0..<steps {
            fault()
            pass(seconds: cluster.chance.pick(1...20))
        }
    }

    private func pass(seconds: Int) {
        for _ in 0..<seconds {
            cluster.run(for: 1_000_000)
            cluster.checkIncarnations()
        }
    }

    private func fault() {
        let members = cluster.staying.filter { !clones.contains($0) }
        guard let victim = members.randomElement(using: &cluster.chance) else { return }
        switch cluster.chance.pick(0...14) {
        case 0:
            guard let other = members.randomElement(using: &cluster.chance), other != victim
            else { return }
            cluster.network.cut(from: victim, to: other)
            note("cut from \(victim) to \(other)")
        case 1:
            let parts = cluster.chance.pick(2...3)
            cluster.network.groups = (0..<cluster.count).map { _ in cluster.chance.pick(1...parts) }
            note("partition \(cluster.network.groups)")
            pass(seconds: cluster.chance.pick(10...30))
            if cluster.chance.chance(700) { cluster.network.groups = [] }
        case 2: stall(victim)
        case 3: stall(victim)
        case 4:
            let step = cluster.chance.pick(-3_600...3_600)
            cluster.stepClock(victim, by: .seconds(step))
            note("the clock of \(victim) goes \(step) s")
        case 5: if canLose(victim, of: members) { crash(victim) }
        case 6: comeBack()
        case 7: join()
        case 8:
            guard canLose(victim, of: members) else { return }
            cluster.input(.leave, to: victim)
            isClientGone = isClientGone || cluster.isClient(victim)
            note("\(victim) leaves")
        case 9: move(victim)
        case 10: elect()
        case 11: clone(victim)
        case 12: changeKeys(of: members)
        case 13:
            cluster.network.heal()
            note("the network is whole")
        default:
            cluster.spoil()
            note("loss \(cluster.network.lossPerMille) ‰")
        }
    }

    private func note(_ event: String) { events.append("\(cluster.now / 1_000_000) s: \(event)") }

    /// Two that can be probed stay in any case.
    private func canLose(_ victim: Int, of members: [Int]) -> Bool {
        members.count { $0 != victim && !cluster.isClient($0) } >= 2
    }

    private func stall(_ victim: Int) {
        let time = cluster.chance.pick(1...60)
        cluster.stall(victim, for: time * 1_000_000)
        note("\(victim) stands still for \(time) s")
    }

    private func crash(_ victim: Int) {
        cluster.stop(victim)
        isClientGone = isClientGone || cluster.isClient(victim)
        note("\(victim) crashes")
    }

    private func comeBack() {
        let stopped = (0..<cluster.count).filter { !cluster.isRunning($0) && !allClones.contains($0) }
        guard let node = stopped.randomElement(using: &cluster.chance) else { return }
        let last = cluster.membership(node).own.record
        let isRemembered = cluster.chance.chance(500)
        let isTaken = cluster.staying.contains { cluster.endpoint(of: $0) == cluster.endpoint(of: node) }
        if isTaken || cluster.chance.chance(300) { cluster.readdress(node, to: freshAddress()) }
        let kind = cluster.chance.pick(0...2)
        cluster.restart(node) {
            $0.roles = last.roles
            $0.isGossipClient = last.isGossipClient
            $0.incarnation = isRemembered ? last.incarnation + 1 : 1
            $0.protocols = Self.protocols(kind)
            $0.version = "1.0.\(kind)"
        }
        welcome(node)
        note("\(node) is back\(isRemembered ? "" : " without its incarnation")")
    }

    private func join() {
        guard cluster.count < 80 else { return }
        // The address of one that is gone is free for others.
        let gone = (0..<cluster.count).filter { !cluster.isRunning($0) }.randomElement(using: &cluster.chance)
        let address = cluster.chance.chance(300) ? gone.map { cluster.endpoint(of: $0) } : nil
        let taken = address.map { address in cluster.staying.contains { cluster.endpoint(of: $0) == address } }
        let kind = cluster.chance.pick(0...2)
        let node = cluster.start(at: taken == false ? address : nil) { $0.protocols = Self.protocols(kind) }
        welcome(node)
        note("\(node) joins")
    }

    private func welcome(_ node: Int) {
        cluster.setKeys(node, read: [newestKey, newestKey - 1], write: newestKey)
        invite(node)
    }

    private func freshAddress() -> Endpoint {
        Endpoint(ipv4: 0x0b00_0000 + UInt32(truncatingIfNeeded: cluster.chance.next() >> 40), port: 7_946)
    }

    /// A person, a kept hint or the beacon tells a node of another.
    private func invite(_ node: Int) {
        let others = cluster.staying.filter { $0 != node && !cluster.isClient($0) && !clones.contains($0) }
        if let other = others.randomElement(using: &cluster.chance) { cluster.join(node, to: other) }
    }

    private func move(_ victim: Int) {
        cluster.move(victim, to: freshAddress())
        moved.insert(victim)
        note("\(victim) moves")
    }

    private func elect() {
        let masters = cluster.staying.filter {
            cluster.membership($0).own.record.roles.contains(.master) && !clones.contains($0)
        }
        guard let leader = masters.randomElement(using: &cluster.chance) else { return }
        term += 1
        cluster.input(.leadership(term: term), to: leader)
        note("\(leader) leads in term \(term)")
    }

    private func clone(_ victim: Int) {
        if let clone = clones.popLast() {
            cluster.stop(clone)
            note("the clone \(clone) stops")
        } else if !cluster.isClient(victim) {
            let record = cluster.membership(victim).own.record
            let clone = cluster.start(identity: cluster.identity(victim)) {
                $0.roles = record.roles
                $0.protocols = record.protocols
            }
            clones.append(clone)
            allClones.insert(clone)
            invite(clone)
            note("\(clone) is a clone of \(victim)")
        }
    }

    /// A new key is known everywhere before anybody writes with it, but for one who missed it.
    private func changeKeys(of members: [Int]) {
        let forgetful = cluster.chance.chance(200) ? members.randomElement(using: &cluster.chance) : nil
        let old = newestKey
        newestKey += 1
        for node in members where node != forgetful {
            cluster.setKeys(node, read: [old, newestKey], write: cluster.chance.chance(500) ? newestKey : old)
        }
        note("key \(newestKey)\(forgetful.map { ", but not for \($0)" } ?? "")")
    }

    /// Ends all faults, waits until all views agree, so many periods at most, and says what is wrong then.
    public func heal(within limit: Int, period: Int) -> String? {
        cluster.network.heal()
        cluster.network.lossPerMille = min(cluster.network.lossPerMille, 50)
        for clone in clones { cluster.stop(clone) }
        note("all is whole")
        while (0..<cluster.count).contains(where: { cluster.isStalled($0) }) { pass(seconds: 1) }
        for node in cluster.staying {
            cluster.setKeys(node, read: [newestKey], write: newestKey)
            if cluster.membership(node).own.record.leaderTerm != nil { cluster.input(.leadership(term: nil), to: node) }
        }
        elect()
        for node in cluster.staying where moved.contains(node) || cluster.membership(node).presentMembers == 1 {
            invite(node)
        }
        // Nobody can probe a client: its silence is noticed in its own time, by newcomers later.
        let settings = cluster.settings
        let silence = settings.clientStaleAfter + settings.clientInterval * 3 + settings.probeInterval * 6
        let patience = Int(silence.components.seconds) * 1_000_000
        if isClientGone { cluster.run(for: patience) }
        periods = 0
        while cluster.disagreement != nil, periods < limit {
            cluster.run(for: period)
            cluster.checkIncarnations()
            periods += 1
        }
        return cluster.disagreement ?? cluster.violations.first
    }

    /// The time that healing took.
    public private(set) var periods = 0
}
