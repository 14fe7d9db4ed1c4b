import ClusterModel
import Testing

@testable import Networking

@Suite struct FilterMessageTests {
    private let bridge = "rondo0"

    private func target(_ address: String, _ port: UInt16) throws -> FilterMap.Target {
        FilterMap.Target(address: try #require(NetworkAddress(address)), port: port)
    }

    @Test func `a table and chains are added byte by byte as nft does it`() {
        #expect(FilterMessages.add(table: bridge).body == NftMessages.table)
        let guardChain = FilterChain(
            name: "guard", hook: FilterHook(type: "filter", place: .prerouting, priority: -300), rules: [])
        #expect(FilterMessages.add(guardChain, table: bridge).body == NftMessages.guardChain)
        let plain = FilterChain(name: "mappings", hook: nil, rules: [])
        #expect(FilterMessages.add(plain, table: bridge).body == NftMessages.plainChain)
        // nft leaves the policy out where it is accepting anyway.
        let post = FilterChain(
            name: "post", hook: FilterHook(type: "nat", place: .postrouting, priority: 100), rules: [])
        #expect(
            without(5, FilterMessages.add(post, table: bridge).body) == NftMessages.postChain)
    }

    /// A body without attributes of a kind.
    private func without(_ kind: UInt16, _ body: [UInt8]) -> [UInt8] {
        var rest = body[4...]
        var kept = Array(body.prefix(4))
        while let length: UInt16 = rest.number(), let found: UInt16 = rest.number(at: 2) {
            let size = (Int(length) + 3) & ~3
            if found & 0x3fff != kind { kept += rest.prefix(size) }
            rest = rest.dropFirst(size)
        }
        return kept
    }

    @Test func `maps and their elements are added as nft does it`() throws {
        let four = FilterMap(name: "tcp4", isIPv6: false, elements: [:], id: 1)
        let six = FilterMap(name: "tcp6", isIPv6: true, elements: [:], id: 2)
        // nft adds a note for itself about the order of bytes.
        #expect(FilterMessages.add(four, table: bridge).body == without(13, NftMessages.tcp4))
        #expect(FilterMessages.add(six, table: bridge).body == without(13, NftMessages.tcp6))
        let element4 = try target("10.0.0.2", 80)
        #expect(
            FilterMessages.add([(8080, element4)], map: "tcp4", id: 1, table: bridge).body == NftMessages.tcp4Elements)
        let element6 = try target("fd00::2", 80)
        #expect(
            FilterMessages.add([(8080, element6)], map: "tcp6", id: 2, table: bridge).body == NftMessages.tcp6Elements)
    }

    @Test func `rules are added as nft does it`() throws {
        func body(_ chain: String, _ steps: [FilterExpression]) -> [UInt8] {
            let rule = FilterRule(purpose: "", steps: steps)
            return without(7, FilterMessages.add(rule, chain: chain, table: bridge).body)
        }
        let loopback = try #require(NetworkPrefix("127.0.0.0/8"))
        let pool = try #require(NetworkPrefix("10.0.0.0/22"))
        #expect(body("guard", .from(bridge) + .target(in: loopback) + [.verdict(.drop)]) == NftMessages.loopbackRule)
        #expect(body("pre", .targetIsHost + [.verdict(.jump("mappings"))]) == NftMessages.jumpRule)
        let port: FilterExpression = .bytes(.transport, offset: 2, count: 2)
        #expect(
            body(
                "mappings",
                .isIPv6(false) + .transport(6) + [port, .lookup(map: "tcp4", id: 1), .redirect(isIPv6: false)])
                == NftMessages.tcp4Rule)
        #expect(
            body(
                "mappings",
                .isIPv6(true) + .transport(6) + [port, .lookup(map: "tcp6", id: 2), .redirect(isIPv6: true)])
                == NftMessages.tcp6Rule)
        #expect(body("post", .source(in: pool) + .notTo(bridge) + [.masquerade]) == NftMessages.outgoingRule)
        #expect(body("post", .to(bridge) + .isRedirected + .sourceIsHost + [.masquerade]) == NftMessages.hostRule)
        #expect(body("forward", .to(bridge) + .isAnswer + [.verdict(.accept)]) == NftMessages.answerRule)
        #expect(body("forward", .to(bridge) + .notFrom(bridge) + [.verdict(.drop)]) == NftMessages.dropRule)
        #expect(
            body("forward", .to(bridge) + .isRedirected + [.verdict(.accept)])
                == without(7, NftMessages.publishedRule))
    }

    @Test func `a rule's comment is read back from what was sent`() throws {
        let rule = FilterRule(purpose: "answers", steps: .isAnswer + [.verdict(.accept)])
        let sent = FilterMessages.add(rule, chain: "forward", table: bridge)
        let read = try #require(FilterMessages.parseRule(sent, table: bridge))
        #expect(read == ("forward", rule.comment))
        #expect(FilterMessages.parseRule(sent, table: "other") == nil)
        let foreign = NetlinkMessage(kind: sent.kind, NftMessages.dropRule)
        #expect(FilterMessages.parseRule(foreign, table: bridge)?.comment == "")
    }

    @Test func `elements are read back from what was sent`() throws {
        let wanted = [(UInt16(8080), try target("10.0.0.2", 80)), (9090, try target("10.0.0.3", 81))]
        let sent = FilterMessages.add(wanted, map: "tcp4", id: nil, table: bridge)
        let read = try #require(FilterMessages.parseElements(sent, map: "tcp4", table: bridge))
        #expect(read.map(\.0) == wanted.map(\.0))
        #expect(read.map(\.1) == wanted.map(\.1))
        #expect(FilterMessages.parseElements(sent, map: "udp4", table: bridge) == nil)
    }

    @Test func `a batch begins and ends with the number of nf_tables`() {
        let batch = FilterMessages.batch([FilterMessages.add(table: bridge)])
        #expect(batch.map(\.kind) == [16, 0xa00, 17])
        #expect(batch[0].body == [0, 0, 0, 10])
    }

    @Test func `thousands of elements are split into messages that can be said`() throws {
        var elements: [UInt16: FilterMap.Target] = [:]
        for port in UInt16(1)...UInt16(5000) { elements[port] = try target("fd00::2", port) }
        let messages = FilterMessages.change("tcp6", from: [:], to: elements, table: bridge)
        #expect(messages.count == 10)
        #expect(messages.allSatisfy { $0.body.count < 65_000 })
        let read = try messages.flatMap { try #require(FilterMessages.parseElements($0, map: "tcp6", table: bridge)) }
        #expect(Dictionary(uniqueKeysWithValues: read) == elements)
    }

    @Test func `a map is changed by what differs, removals first`() throws {
        let old = [UInt16(1): try target("10.0.0.2", 1), 2: try target("10.0.0.2", 2), 3: try target("10.0.0.2", 3)]
        let new = [UInt16(1): try target("10.0.0.2", 1), 2: try target("10.0.0.9", 2), 4: try target("10.0.0.2", 4)]
        let messages = FilterMessages.change("tcp4", from: old, to: new, table: bridge)
        #expect(messages.map(\.kind) == [0xa0e, 0xa0c])
        #expect(FilterMessages.change("tcp4", from: new, to: new, table: bridge).isEmpty)
    }
}
