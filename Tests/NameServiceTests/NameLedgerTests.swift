import ClusterModel
import Testing

@testable import NameService

@Suite struct NameLedgerTests {
    private static func task(_ number: Int, on agent: Int = 0, named name: String = "web") -> (String, NameItem) {
        let task = NameSource.Task(id: "t\(number)", name: name, framework: "marathon", agent: "a\(agent)")
        return (NameItem.key(ofTask: task.id, framework: "f\(number % 3)"), .task(task))
    }

    private static func agent(_ number: Int, isAwaited: Bool = false) -> (String, NameItem) {
        let node = NameSource.Node(id: "a\(number)", addresses: [NetworkAddress(ipv4: UInt32(number))], port: 5051)
        return (NameItem.key(ofAgent: node.id), .agent(node, isAwaited: isAwaited))
    }

    /// Asks until nothing more is said; how many answers that took.
    private static func read(
        _ ledger: NameLedger, _ replica: inout NameReplica, limit: Int = NameLedger.page
    ) -> (NameSource?, Int) {
        for count in 1... {
            let changes = ledger.changes(after: replica.mark, limit: limit)
            let source = replica.take(changes)
            if !changes.hasMore { return (source, count) }
        }
        return (nil, 0)
    }

    @Test func `who asks for the first time is told everything, then only what has changed`() {
        var ledger = NameLedger(epoch: "e")
        for number in 0..<10 { ledger.set(Self.task(number).0, Self.task(number).1) }
        var replica = NameReplica()
        #expect(!ledger.isKnown(nil))
        #expect(Self.read(ledger, &replica).0?.tasks.count == 10)
        #expect(ledger.isKnown(replica.mark))
        let isChange = ledger.set(Self.task(3).0, Self.task(3).1)
        #expect(!isChange, "the same again is no change")
        ledger.set(Self.task(3).0, Self.task(3, named: "db").1)
        ledger.set(Self.task(4).0, nil)
        #expect(!ledger.isKnown(replica.mark))
        let changes = ledger.changes(after: replica.mark)
        #expect(changes.changed == [Self.task(3).0: Self.task(3, named: "db").1])
        #expect(changes.removed == [Self.task(4).0])
        #expect(!changes.isWhole)
    }

    @Test func `an answer is cut into parts of a bounded size, and nothing is shown in between`() {
        var ledger = NameLedger(epoch: "e")
        for number in 0..<95 { ledger.set(Self.task(number).0, Self.task(number).1) }
        var replica = NameReplica()
        let first = ledger.changes(after: nil, limit: 10)
        #expect(first.changed.count == 10)
        let early = replica.take(first)
        #expect(early == nil)
        // What goes and comes while the parts are on their way arrives too.
        ledger.set(Self.task(2).0, nil)
        ledger.set(Self.task(200).0, Self.task(200).1)
        let (source, count) = Self.read(ledger, &replica, limit: 10)
        #expect(source == NameSource(items: ledger.items))
        #expect(count == 9)
    }

    @Test func `removals are not remembered for ever, and who has missed them is told everything`() {
        var ledger = NameLedger(epoch: "e")
        ledger.set(Self.agent(1).0, Self.agent(1).1)
        var old = NameReplica()
        _ = Self.read(ledger, &old)
        var mark = old.mark
        for number in 0..<20_000 {
            ledger.set(Self.task(number).0, Self.task(number).1)
            ledger.set(Self.task(number).0, nil)
            if number == 19_000 { mark = NameMark(epoch: "e", revision: ledger.revision, base: ledger.revision) }
        }
        #expect(ledger.changes(after: old.mark).isWhole)
        #expect(ledger.changes(after: old.mark).changed.count == 1)
        #expect(!ledger.changes(after: mark, limit: .max).isWhole)
        #expect(ledger.changes(after: mark, limit: .max).removed.count == 999)
        // A first answer in parts does not begin anew because of what was forgotten before it began.
        for number in 0..<50 { ledger.set(Self.task(number).0, Self.task(number).1) }
        var new = NameReplica()
        #expect(Self.read(ledger, &new, limit: 7).1 == 8)
    }

    @Test(arguments: 0..<UInt64(50))
    func `a listener ends up with what the master has, however it asks`(seed: UInt64) {
        var chance = SeededChance(seed)
        var ledger = NameLedger(epoch: "1")
        var replica = NameReplica()
        for step in 0..<2_000 {
            let number = Int.random(in: 0..<200, using: &chance)
            switch Int.random(in: 0..<20, using: &chance) {
            case 0..<9: ledger.set(Self.task(number).0, Self.task(number, named: "n\(step % 3)").1)
            case 9..<17: ledger.set(Self.task(number).0, nil)
            case 17: ledger.removeTasks(of: "f\(number % 3)")
            case 18: _ = replica.take(ledger.changes(after: replica.mark, limit: 1 + number % 9))
            default:
                let items = ledger.items
                // Another life of the master, which is given everything at once.
                if number < 10 {
                    ledger = NameLedger(epoch: "\(step)")
                    ledger.replace(with: items)
                }
            }
        }
        #expect(Self.read(ledger, &replica, limit: 13).0 == NameSource(items: ledger.items), "seed \(seed)")
    }

    @Test func `tasks of agents that a restarted master awaits keep their names`() {
        var ledger = NameLedger(epoch: "1")
        for number in 1...3 {
            ledger.set(Self.agent(number).0, Self.agent(number).1)
            ledger.set(Self.task(number, on: number).0, Self.task(number, on: number).1)
        }
        var replica = NameReplica()
        _ = Self.read(ledger, &replica)

        var next = NameLedger(epoch: "2")
        for number in 1...3 { next.set(Self.agent(number).0, Self.agent(number, isAwaited: true).1) }
        #expect(Self.read(next, &replica).0?.tasks.map(\.id) == ["t3", "t1", "t2"])
        // Agent 1 is back without its task, agent 2 with it, agent 3 is given up.
        next.set(Self.agent(1).0, Self.agent(1).1)
        next.set(Self.agent(2).0, Self.agent(2).1)
        next.set(Self.task(2, on: 2).0, Self.task(2, on: 2).1)
        #expect(Self.read(next, &replica).0?.tasks.map(\.id) == ["t3", "t2"])
        next.set(Self.agent(3).0, nil)
        #expect(Self.read(next, &replica).0 == NameSource(items: next.items))
        // Nothing comes back with yet another life.
        var last = NameLedger(epoch: "3")
        for number in 1...3 { last.set(Self.agent(number).0, Self.agent(number, isAwaited: true).1) }
        #expect(Self.read(last, &replica).0?.tasks.map(\.id) == ["t2"])
    }

    @Test func `a master that was restarted in the middle of an answer takes nothing away`() {
        var ledger = NameLedger(epoch: "1")
        ledger.set(Self.agent(1).0, Self.agent(1).1)
        for number in 0..<20 { ledger.set(Self.task(number).0, Self.task(number, on: 1).1) }
        var replica = NameReplica()
        _ = Self.read(ledger, &replica)
        var next = NameLedger(epoch: "2")
        next.set(Self.agent(1).0, Self.agent(1, isAwaited: true).1)
        next.set(Self.agent(2).0, Self.agent(2).1)
        let early = replica.take(next.changes(after: replica.mark, limit: 1))
        #expect(early == nil)
        var last = NameLedger(epoch: "3")
        last.set(Self.agent(1).0, Self.agent(1, isAwaited: true).1)
        #expect(Self.read(last, &replica).0?.tasks.count == 20)
    }

    @Test func `changes to what is not known are not taken`() {
        var ledger = NameLedger(epoch: "1")
        ledger.set(Self.agent(1).0, Self.agent(1).1)
        let mark = NameMark(epoch: "1", revision: 0, base: 1)
        let changes = ledger.changes(after: mark)
        #expect(!changes.isWhole)
        var replica = NameReplica()
        let taken = replica.take(changes)
        #expect(taken == nil)
        #expect(replica.mark == nil)
        #expect(Self.read(ledger, &replica).0?.agents.count == 1)
    }
}

/// SplitMix64.
private struct SeededChance: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
