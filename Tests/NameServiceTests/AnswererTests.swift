import ClusterModel
import Testing

@testable import NameService

@Suite struct AnswererTests {
    private let table: NameTable

    init() throws { table = try Cluster.table() }

    private func bytes(_ question: [UInt8], isStream: Bool = false, turn: Int = 0, table: NameTable? = nil) throws
        -> [UInt8]
    {
        let outcome = Answerer(table: table ?? self.table, turn: turn).outcome(question, isStream: isStream)
        guard case .answer(let answer) = outcome else {
            Issue.record("\(outcome)")
            return []
        }
        return answer
    }

    private func ask(_ name: String, _ kind: UInt16, size: UInt16? = nil) throws -> DNSMessage {
        try DNSMessage(parsing: try bytes(Ask.question(name, kind, size: size)))
    }

    @Test func `an answer is byte by byte what RFC 1035 says`() throws {
        let answer = try bytes(Ask.question("Web.rondo", 1))
        #expect(
            answer == [
                0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0,
                3, 0x57, 0x65, 0x62, 5, 0x72, 0x6f, 0x6e, 0x64, 0x6f, 0, 0, 1, 0, 1,
                0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0, 4, 172, 20, 0, 2,
            ])
    }

    @Test func `addresses of both families are told apart`() throws {
        let four = try ask("leader.mesos", RecordKind.a)
        #expect(four.answers.map(\.data) == [[10, 0, 0, 1]])
        let six = try ask("leader.mesos", RecordKind.aaaa)
        #expect(six.answers.map(\.data) == [try Cluster.address("fd00::1").bytes])
        #expect(try ask("leader.mesos", RecordKind.any).answers.count == 2)
    }

    @Test func `a service's answer brings its targets' addresses along`() throws {
        let message = try ask("_http._tcp.web.rondo", RecordKind.srv)
        #expect(message.answers.map { Array($0.data[0..<6]) } == [[0, 0, 0, 1, 0, 80], [0, 0, 0, 1, 0, 80]])
        #expect(message.additional.map(\.kind).sorted() == [RecordKind.a, RecordKind.aaaa])
    }

    @Test func `no such name and nothing of that kind are told apart, both with who says so`() throws {
        let missing = try ask("nobody.marathon.mesos", RecordKind.a)
        #expect(missing.header.code == ResponseCode.noSuchName.rawValue)
        #expect(missing.authority.map(\.kind) == [RecordKind.soa])
        #expect(missing.authority.first?.name.key == "mesos")
        for (name, kind) in [("master1.mesos", RecordKind.aaaa), ("_tcp.mesos", RecordKind.a), ("rondo", RecordKind.a)]
        {
            let empty = try ask(name, kind)
            #expect(empty.header.code == 0, "\(name)")
            #expect(empty.answers.isEmpty)
            #expect(empty.authority.map(\.kind) == [RecordKind.soa])
        }
        #expect(try ask("mesos", RecordKind.soa).answers.map(\.kind) == [RecordKind.soa])
        #expect(try ask("rondo", RecordKind.ns).answers.map(\.kind) == [RecordKind.ns])
    }

    @Test func `a label with a dot in it is no other name`() throws {
        var question = Ask.question("leaderxmesos.mesos", 1)
        question[12 + 7] = UInt8(ascii: ".")
        let message = try DNSMessage(parsing: try bytes(question))
        #expect(message.header.code == ResponseCode.noSuchName.rawValue)
    }

    @Test func `lists begin at another place each time`() throws {
        let tasks = try (0..<4).map { try Cluster.task("t\($0)", "172.20.0.\($0 + 2)") }
        let table = NameTable(try Cluster.source(tasks: tasks))
        let firsts = try (0..<8).map { turn in
            try DNSMessage(parsing: try bytes(Ask.question("web.rondo", 1), turn: turn, table: table)).answers[0].data[
                3]
        }
        #expect(firsts == [2, 3, 4, 5, 2, 3, 4, 5])
    }

    @Test func `what does not fit is marked, and is whole over a stream`() throws {
        let tasks = try (0..<200).map { try Cluster.task("t\($0)", "172.20.0.\($0 + 2)") }
        let table = NameTable(try Cluster.source(tasks: tasks))
        for (size, limit) in [(nil, 512), (100, 512), (1000, 1000), (65535, 1232)] as [(UInt16?, Int)] {
            let answer = try bytes(Ask.question("web.rondo", 1, size: size), table: table)
            let message = try DNSMessage(parsing: answer)
            #expect(answer.count <= limit)
            #expect(answer.count > limit - 40)
            #expect(message.header.flags & DNSHeader.isTruncated != 0)
            #expect(message.additional.count == (size == nil ? 0 : 1))
        }
        let answer = try bytes(Ask.question("web.rondo", 1), isStream: true, table: table)
        let message = try DNSMessage(parsing: answer)
        #expect(message.answers.count == 200)
        #expect(message.header.flags & DNSHeader.isTruncated == 0)
    }

    @Test func `ten thousand addresses are as many as a stream's message holds`() throws {
        let tasks = try (0..<10_000).map { try Cluster.task("t\($0)", "10.\($0 / 250).1.\($0 % 250)") }
        let table = NameTable(try Cluster.source(tasks: tasks))
        let answer = try bytes(Ask.question("web.rondo", 1), isStream: true, table: table)
        #expect(answer.count <= 65535)
        #expect(try DNSMessage(parsing: answer).answers.count == 4094)
    }

    @Test func `options are answered with options, another version of them is refused`() throws {
        let message = try ask("leader.mesos", 1, size: 4096)
        #expect(message.additional.map(\.kind) == [RecordKind.opt])
        #expect(message.additional.first?.group == 1232)
        var question = Ask.question("leader.mesos", 1, size: 4096)
        question[question.count - 5] = 1
        let refused = try DNSMessage(parsing: try bytes(question))
        #expect(refused.header.code == 0)
        #expect(refused.additional.first?.lifetime == 1 << 24)
    }

    @Test func `what is not a plain question is refused, and what is no question gets no answer`() throws {
        func code(_ question: [UInt8]) throws -> UInt16? { DNSMessage.header(try bytes(question))?.code }
        #expect(try code(Ask.question("leader.mesos", RecordKind.axfr)) == ResponseCode.refused.rawValue)
        #expect(try code(Ask.question("leader.mesos", 1, flags: 0x2800)) == ResponseCode.notImplemented.rawValue)
        #expect(try code(Array(Ask.question("leader.mesos", 1).dropLast())) == ResponseCode.formatError.rawValue)
        #expect(try code(Ask.question("leader.mesos", 1) + [0]) == ResponseCode.formatError.rawValue)
        #expect(try code(Ask.question("example.com", 1, flags: 0)) == ResponseCode.refused.rawValue)
        let answerer = Answerer(table: table, turn: 0)
        #expect(answerer.outcome(Ask.question("leader.mesos", 1, flags: 0x8000), isStream: false) == .silence)
        #expect(answerer.outcome([1, 2, 3], isStream: false) == .silence)
    }
}

@Suite struct ForwardingTests {
    private func query(_ name: String = "example.com", size: UInt16? = nil) throws -> Answerer.Query {
        let outcome = Answerer(table: NameTable(), turn: 0).outcome(Ask.question(name, 1, size: size), isStream: false)
        guard case .forward(let query) = outcome else { throw DNSError.invalid }
        return query
    }

    @Test func `names of others are passed on with another number`() throws {
        let query = try query()
        let passed = Answerer.passedOn(query, id: 0xabcd)
        #expect(Array(passed.prefix(2)) == [0xab, 0xcd])
        #expect(Array(passed.dropFirst(2)) == Array(query.message.dropFirst(2)))
        for name in ["mesos.example.com", "xmesos", "rondo.org", "com"] { _ = try self.query(name) }
    }

    @Test func `an answer comes back with the asker's number`() throws {
        let query = try query()
        var answer = Ask.question("EXAMPLE.com", 1, id: 7, flags: 0x8180) + [1, 2, 3]
        #expect(Answerer.passedBack(answer, to: query, id: 7)?.prefix(2) == [0x12, 0x34])
        #expect(Answerer.passedBack(answer, to: query, id: 8) == nil)
        #expect(Answerer.passedBack(Ask.question("example.org", 1, id: 7, flags: 0x8180), to: query, id: 7) == nil)
        #expect(Answerer.passedBack(Ask.question("example.com", 28, id: 7, flags: 0x8180), to: query, id: 7) == nil)
        #expect(Answerer.passedBack(Ask.question("example.com", 1, id: 7), to: query, id: 7) == nil)
        #expect(Answerer.passedBack([0, 7, 0x81], to: query, id: 7) == nil)
        answer += [UInt8](repeating: 0, count: 600)
        let short = try #require(Answerer.passedBack(answer, to: query, id: 7))
        #expect(try DNSMessage(parsing: short).header.flags & DNSHeader.isTruncated != 0)
        #expect(Answerer.passedBack(answer, to: try self.query(size: 1232), id: 7)?.count == answer.count)
    }
}
