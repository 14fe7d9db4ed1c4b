import ClusterModel
import Scheduling
import Testing

struct OfferBookTests {
    private let info = AgentInfo(
        hostname: "h", address: "127.0.0.1", port: 5051, resources: Resources(), version: "0")

    private func offer(
        _ book: inout OfferBook, to framework: FrameworkID = "f", on agent: AgentID = "m", role: RoleName = "*",
        at now: Duration = .zero
    ) -> OfferID {
        let allocation = Allocation(
            framework: framework, role: role, agent: agent, resources: resources(cpus: 1))
        return book.make(allocation, agent: info, now: now).id
    }

    @Test func `offers get ids that are never used twice`() {
        var book = OfferBook(prefix: "master-O")
        let first = offer(&book)
        #expect(first == "master-O0")
        book.end(first, as: .declined)
        #expect(offer(&book) == "master-O1")
        #expect(book.count == 1)
    }

    @Test func `offers of one agent and role validate together in the given order`() throws {
        var book = OfferBook(prefix: "O")
        let (first, second) = (offer(&book), offer(&book))
        #expect(try book.validate([second, first], for: "f").map(\.id) == [second, first])
    }

    @Test func `what cannot be accepted is refused with a reason that says what to do`() {
        var book = OfferBook(prefix: "O")
        let good = offer(&book)
        let used = offer(&book)
        let otherAgent = offer(&book, on: "n")
        let otherRole = offer(&book, role: "r")
        let foreign = offer(&book, to: "g")
        book.end(used, as: .accepted)
        let cases: [([OfferID], OfferError)] = [
            ([], .none), ([good, good], .duplicate(good)), ([used], .ended(used, .accepted)),
            (["O77"], .unknown("O77")), ([foreign], .foreign(foreign, framework: "f")),
            ([good, otherAgent], .differentAgents("m", "n")), ([good, otherRole], .differentRoles("*", "r")),
            ([good, used], .ended(used, .accepted)),
        ]
        for (ids, expected) in cases {
            let error = #expect(throws: OfferError.self) { try book.validate(ids, for: "f") }
            #expect(error == expected)
            #expect(error?.description.contains(": ") == true)
        }
        #expect(book.count == 4)
    }

    @Test(arguments: [OfferEnd.accepted, .declined, .rescinded, .expired])
    func `an offer ends once and the book remembers how`(end: OfferEnd) {
        var book = OfferBook(prefix: "O")
        let id = offer(&book)
        #expect(book.end(id, as: end)?.id == id)
        #expect(book.end(id, as: .accepted) == nil)
        #expect(book.end(of: id) == end)
        let error = #expect(throws: OfferError.self) { try book.validate([id], for: "f") }
        #expect(error == .ended(id, end))
    }

    @Test func `only so many ends are remembered`() {
        var book = OfferBook(prefix: "O", rememberedMax: 100)
        let ids = (0..<1_000).map { _ in offer(&book) }
        for id in ids { book.end(id, as: .declined) }
        #expect(book.isEmpty)
        #expect(ids.filter { book.end(of: $0) != nil } == Array(ids.suffix(100)))
        let error = #expect(throws: OfferError.self) { try book.validate([ids[0]], for: "f") }
        #expect(error == .unknown(ids[0]))
    }

    @Test func `a lost agent or framework takes its offers along in order`() {
        var book = OfferBook(prefix: "O")
        let all = (0..<8).map { offer(&book, to: $0 % 2 == 0 ? "f" : "g", on: $0 < 4 ? "m" : "n") }
        #expect(book.offers(to: "g").map(\.id) == [all[1], all[3], all[5], all[7]])
        #expect(book.rescind(on: "m").map(\.id) == Array(all[0..<4]))
        #expect(book.rescind(to: "f").map(\.id) == [all[4], all[6]])
        #expect(book.all.map(\.id) == [all[5], all[7]])
        #expect(book.offers(on: "m").isEmpty)
        #expect(book[all[5]]?.frameworkID == "g")
        #expect(book.end(of: all[0]) == .rescinded)
    }

    @Test func `offers expire in time when there is a timeout`() {
        var book = OfferBook(prefix: "O", timeout: .seconds(10))
        let first = offer(&book, at: .seconds(0))
        let second = offer(&book, at: .seconds(1))
        let third = offer(&book, at: .seconds(2))
        #expect(book.nextDeadline == .seconds(10))
        book.end(first, as: .accepted)
        #expect(book.nextDeadline == .seconds(11))
        #expect(book.expire(now: .milliseconds(10_999)).isEmpty)
        #expect(book.expire(now: .seconds(11)).map(\.id) == [second])
        #expect(book.end(of: second) == .expired)
        book.end(third, as: .declined)
        #expect(book.nextDeadline == nil)
        var patient = OfferBook(prefix: "P")
        _ = offer(&patient)
        #expect(patient.nextDeadline == nil)
        #expect(patient.expire(now: .seconds(1_000_000)).isEmpty)
    }

    @Test func `the indexes agree with the offers after any history`() {
        for seed in 0..<200 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var book = OfferBook(prefix: "O", timeout: .seconds(5), rememberedMax: 10)
            var model: [OfferID: (FrameworkID, AgentID, Duration)] = [:]
            var now = Duration.zero
            for _ in 0..<100 {
                now += .milliseconds(Int.random(in: 0...500, using: &random))
                let framework = FrameworkID("f\(Int.random(in: 0...3, using: &random))")
                let agent = AgentID("m\(Int.random(in: 0...3, using: &random))")
                switch Int.random(in: 0...9, using: &random) {
                case 0...5: model[offer(&book, to: framework, on: agent, at: now)] = (framework, agent, now)
                case 6:
                    if let gone = book.rescindOne(of: framework) { model[gone] = nil }
                case 7:
                    let gone = Set(book.rescind(on: agent).map(\.id))
                    #expect(gone == Set(model.filter { $0.value.1 == agent }.keys), "seed \(seed)")
                    model = model.filter { !gone.contains($0.key) }
                default:
                    let gone = Set(book.expire(now: now).map(\.id))
                    #expect(gone == Set(model.filter { $0.value.2 + .seconds(5) <= now }.keys), "seed \(seed)")
                    model = model.filter { !gone.contains($0.key) }
                }
                #expect(Set(book.all.map(\.id)) == Set(model.keys), "seed \(seed)")
                #expect(
                    Set(book.offers(to: framework).map(\.id)) == Set(model.filter { $0.value.0 == framework }.keys),
                    "seed \(seed)")
            }
        }
    }
}

extension OfferBook {
    fileprivate mutating func rescindOne(of framework: FrameworkID) -> OfferID? {
        offers(to: framework).first.flatMap { end($0.id, as: .rescinded)?.id }
    }
}
