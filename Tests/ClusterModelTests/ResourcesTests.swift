// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Foundation
import Testing

/// Two ways to compute a bag: its value, or that there is none.
private func bag(_ compute: () throws -> Resources) -> Resources? { try? compute() }

struct ResourcesTests {
    private static let seeds = 0..<3_000 as Range<UInt64>

    /// Bags drawn from a seed; those that cannot be (a port twice) are left out.
    private func draw(_ seed: UInt64, _ count: Int) -> [Resources] {
        var random = SeededRandom(seed: seed)
        var bags: [Resources] = []
        while bags.count < count {
            if let bag = try? Resources(random.items()) { bags.append(bag) }
        }
        return bags
    }

    @Test func `addition is commutative and associative where it is defined`() {
        for seed in Self.seeds {
            let bags = draw(seed, 3)
            let (a, b, c) = (bags[0], bags[1], bags[2])
            #expect(bag { try a.adding(b) } == bag { try b.adding(a) }, "seed \(seed)")
            let left = bag { try a.adding(b).adding(c) }
            let right = bag { try a.adding(b.adding(c)) }
            #expect(left == right, "seed \(seed)")
        }
    }

    @Test func `what was added can be taken away again and nothing else changes`() throws {
        var defined = 0
        for seed in Self.seeds {
            let bags = draw(seed, 2)
            guard let sum = try? bags[0].adding(bags[1]) else { continue }
            defined += 1
            #expect(try sum.subtracting(bags[1]) == bags[0], "seed \(seed)")
            #expect(try sum.subtracting(bags[0]) == bags[1], "seed \(seed)")
            #expect(sum.contains(bags[0]) && sum.contains(bags[1]), "seed \(seed)")
        }
        #expect(defined > 1_000)
    }

    @Test func `containment is the same as that subtraction succeeds`() {
        var contained = 0
        for seed in Self.seeds {
            let bags = draw(seed, 2)
            // A part of the first is drawn too, or containment would be rare.
            let part = bags[0].filter { _ in seed % 3 != 0 }
            for other in [bags[1], part] {
                let difference = try? bags[0].subtracting(other)
                #expect(bags[0].contains(other) == (difference != nil), "seed \(seed)")
                if difference != nil { contained += 1 }
            }
        }
        #expect(contained > 2_000)
    }

    @Test func `bags are canonical and never hold an empty or negative item`() throws {
        for seed in Self.seeds {
            var random = SeededRandom(seed: seed)
            let items = random.items()
            guard let bag = try? Resources(items) else { continue }
            #expect(bag == (try? Resources(items.shuffled(using: &random))), "seed \(seed)")
            for (item, next) in zip(bag.items, bag.items.dropFirst()) {
                #expect(item.kind < next.kind, "seed \(seed)")
            }
            for item in bag.items {
                #expect(!item.value.isEmpty, "seed \(seed)")
                if case .scalar(let quantity) = item.value { #expect(quantity > .zero, "seed \(seed)") }
            }
            #expect(try bag.subtracting(bag).isEmpty, "seed \(seed)")
        }
    }

    @Test func `the order of kinds is total`() {
        for seed in Self.seeds {
            var random = SeededRandom(seed: seed)
            let (a, b) = (random.kind(["cpus"]), random.kind(["cpus"]))
            #expect([a < b, b < a, a == b].count { $0 } == 1, "seed \(seed): \(a) and \(b)")
        }
    }

    @Test func `a failed step leaves the bag as it was`() {
        for seed in Self.seeds {
            let bags = draw(seed, 2)
            var changed = bags[0]
            if (try? changed.subtract(bags[1])) == nil { #expect(changed == bags[0], "seed \(seed)") }
            changed = bags[0]
            if (try? changed.add(bags[1])) == nil { #expect(changed == bags[0], "seed \(seed)") }
        }
    }

    @Test func `bags survive JSON`() throws {
        for seed in 0..<500 as Range<UInt64> {
            let bag = draw(seed, 1)[0]
            let data = try JSONEncoder().encode(bag)
            #expect(try JSONDecoder().decode(Resources.self, from: data) == bag, "seed \(seed)")
        }
    }

    @Test func `JSON from outside is brought into canonical form or refused`() throws {
        let shuffled = [Resource.scalar("mem", 1), .scalar("cpus", 1), .scalar("mem", 2), .scalar("disk", 0)]
        let data = try JSONEncoder().encode(shuffled)
        let bag = try JSONDecoder().decode(Resources.self, from: data)
        #expect(bag.description == "cpus:1; mem:3")
        let twice = try JSONEncoder().encode([Resource.ports(1, 5), .ports(5, 6)])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Resources.self, from: twice) }
        for text in ["1", "-1000"] {
            let json =
                #"[{"kind":{"name":"cpus","reservations":[],"isRevocable":false,"isShared":false},"#
                + #""value":{"scalar":{"_0":\#(text)}}}]"#
            let read = try? JSONDecoder().decode(Resources.self, from: Data(json.utf8))
            #expect((read != nil) == (text == "1"))
        }
    }

    @Test func `sums that are too large are errors`() throws {
        let huge = Resource(kind: ResourceKind(name: "mem"), value: .scalar(Quantity(thousandths: .max)!))
        let bag = try Resources([huge])
        #expect(throws: ResourceError.overflow(name: "mem")) { try bag.adding(Resources([.scalar("mem", 0.001)])) }
        let other = Resource(kind: ResourceKind(name: "mem", isRevocable: true), value: huge.value)
        // `total` must not trap where no sum exists.
        #expect(try bag.adding(Resources([other])).total("mem").thousandths == .max)
    }

    @Test func `what cannot be added or taken says why`() throws {
        let bag = try Resources([.scalar("cpus", 2), .ports(1, 10)])
        #expect(throws: ResourceError.overlap(name: "ports", what: "some of [10-11]")) {
            try bag.adding(Resources([.ports(10, 11)]))
        }
        #expect(throws: ResourceError.insufficient(name: "cpus", role: .everyone, wanted: "2.5", available: "2")) {
            try bag.subtracting(Resources([.scalar("cpus", 2.5)]))
        }
        #expect(throws: ResourceError.insufficient(name: "mem", role: .everyone, wanted: "1", available: "none")) {
            try bag.subtracting(Resources([.scalar("mem", 1)]))
        }
        let text = try Resources([Resource(kind: ResourceKind(name: "cpus"), value: .set(["x"]))])
        #expect(throws: ResourceError.typeMismatch(name: "cpus")) { try bag.adding(text) }
        #expect(throws: ResourceError.self) { try bag.subtracting(text) }
        #expect(!bag.contains(text))
    }

    @Test(arguments: ["", String(repeating: "x", count: 256)])
    func `names must be usable`(name: String) {
        #expect(throws: ResourceError.self) { try Resources([.scalar(name, 1)]) }
    }

    @Test func `a persistent volume is whole and there once`() throws {
        let volume = ResourceKind(name: "disk", disk: DiskDetails(persistenceID: "v"))
        let bag = try Resources([Resource(kind: volume, value: .scalar(Quantity(10)!))])
        let part = try Resources([Resource(kind: volume, value: .scalar(Quantity(5)!))])
        #expect(!bag.contains(part))
        #expect(bag.contains(bag))
        #expect(throws: ResourceError.self) { try bag.adding(bag) }
    }

    @Test func `reservations decide to whom a kind may be offered`() {
        func kind(_ role: String) -> ResourceKind {
            ResourceKind(name: "cpus", reservations: [Reservation(kind: .fixed, role: RoleName(role))])
        }
        #expect(ResourceKind(name: "cpus").isOfferable(to: "anyone".role))
        #expect(kind("a").isOfferable(to: "a".role))
        #expect(kind("a").isOfferable(to: "a/b".role))
        #expect(!kind("a").isOfferable(to: "ab".role))
        #expect(!kind("a/b").isOfferable(to: "a".role))
    }

    @Test func `totals go over roles and kinds`() throws {
        let kind = ResourceKind(name: "ports", reservations: [Reservation(kind: .fixed, role: "a".role)])
        let extra = RangeSet([RangeSet.Range(begin: 20, end: 22)!])
        let bag = try Resources([
            .scalar("cpus", 1),
            Resource(kind: ResourceKind(name: "cpus", isRevocable: true), value: .scalar(Quantity(2)!)),
            .ports(1, 3), Resource(kind: kind, value: .ranges(extra)),
        ])
        #expect(bag.total("cpus").value == 3)
        #expect(bag.total("none") == .zero)
        #expect(bag.allRanges("ports").description == "[1-3, 20-22]")
    }
}

extension String {
    var role: RoleName { RoleName(self) }
}
