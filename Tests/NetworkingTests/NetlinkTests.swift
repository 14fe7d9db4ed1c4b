import ClusterModel
import Testing

@testable import Networking

@Suite struct NetlinkTests {
    @Test func `a message has its length, kind, flags and number in front, in the machine's order`() {
        let message = NetlinkMessage(kind: 16, flags: 0x600, [1, 2, 3, 4, 5])
        #expect(
            message.encoded(sequence: 7) == [21, 0, 0, 0, 16, 0, 1, 6, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0])
    }

    @Test func `answers are read one after the other`() throws {
        let bytes =
            NetlinkMessage(kind: 16, [1]).encoded(sequence: 3) + NetlinkMessage(kind: 3, []).encoded(sequence: 4)
        let answers = try #require(NetlinkMessage.parse(bytes[...]))
        #expect(answers.map(\.sequence) == [3, 4])
        #expect(answers.map(\.message.kind) == [16, 3])
        #expect(answers[0].message.body == [1])
    }

    @Test func `the kernel's errors are its negative numbers`() {
        func error(_ bytes: [UInt8]) -> Int32? { NetlinkMessage(kind: 2, bytes).errorNumber }
        #expect(error([0, 0, 0, 0]) == 0)
        #expect(error([0xfe, 0xff, 0xff, 0xff]) == 2)
        #expect(error([0, 0, 0, 0x80]) == Int32.max)
        #expect(error([1]) == Int32.max)
        #expect(NetlinkMessage(kind: 16, []).errorNumber == nil)
    }

    @Test(
        arguments: [
            [1], [15, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [17, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [255, 255, 255, 255, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func `an answer whose lengths do not add up is refused`(bytes: [UInt8]) {
        #expect(NetlinkMessage.parse(bytes[...]) == nil)
    }

    @Test(arguments: [[1], [3, 0, 1, 0], [200, 0, 1, 0, 5], [0, 0, 0, 0], [4, 0, 1, 0, 0]] as [[UInt8]])
    func `attributes whose lengths do not add up are refused`(bytes: [UInt8]) {
        #expect(NetlinkAttributes(bytes[...]) == nil)
        #expect(bytes[...].attributes(from: 100) == nil)
    }

    @Test func `attributes are found by their kind, without the bits that say how they are made`() throws {
        var bytes: [UInt8] = [9, 9, 9, 9]
        bytes.append(attribute: 1, text: "eth0")
        bytes.append(nested: 18) { $0.append(attribute: 1, text: "veth") }
        let attributes = try #require(bytes[...].attributes(from: 4))
        #expect(attributes[1]?.text == "eth0")
        #expect(attributes.nested(18)?[1]?.text == "veth")
        #expect(attributes[2] == nil)
    }

    @Test func `no bytes whatever make parsing trap`() {
        var generator = Seeded(11)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            // Small lengths lead deeper than random ones.
            for place in stride(from: 0, to: bytes.count - 1, by: 4) where Bool.random(using: &generator) {
                bytes[place] = UInt8.random(in: 0...40, using: &generator)
                bytes[place + 1] = 0
            }
            _ = NetlinkMessage.parse(bytes[...])
            for kind: UInt16 in [16, 20, 24, 0x100, 0xa03, 0xa06, 0xa09, 0xa0c] {
                let message = NetlinkMessage(kind: kind, bytes)
                _ = LinkMessages.parseLink(message)
                _ = LinkMessages.parseAddress(message)
                _ = LinkMessages.parseRoute(message)
                _ = TrackedConnections.parse(message)
                _ = FilterMessages.parseChain(message, table: "t")
                _ = FilterMessages.parseRule(message, table: "t")
                _ = FilterMessages.parseElements(message, map: "m", table: "t")
            }
        }
    }
}

/// Layouts are those of rtnetlink(7); Tests/System/network.py compares the outcome with what `ip` shows.
@Suite struct LinkMessageTests {
    private func number(_ text: String) throws -> NetworkPrefix { try #require(NetworkPrefix(text)) }

    @Test func `a bridge is added up, with its hardware address`() {
        let message = LinkMessages.addBridge("br0", hardware: [2, 1, 2, 3, 4, 5], mtu: 1500)
        #expect(message.kind == 16)
        #expect(message.flags == 0x600)
        #expect(
            message.body == [
                0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
                10, 0, 1, 0, 2, 1, 2, 3, 4, 5, 0, 0,
                8, 0, 3, 0, 98, 114, 48, 0,
                8, 0, 4, 0, 0xdc, 5, 0, 0,
                16, 0, 18, 0x80, 11, 0, 1, 0, 98, 114, 105, 100, 103, 101, 0, 0,
            ])
    }

    @Test func `a port is one message: pair, bridge, and the other end in a namespace`() throws {
        let message = LinkMessages.addPort(
            "rv1", bridge: 7, mtu: 1500, inside: "eth0", hardware: [2, 0x72, 10, 0, 0, 2], namespace: 5)
        let body = message.body[...]
        let attributes = try #require(body.attributes(from: 16))
        #expect(attributes[3]?.text == "rv1")
        #expect(attributes[10]?.number() == Int32(7))
        let info = try #require(attributes.nested(18))
        #expect(info[1]?.text == "veth")
        let peer = try #require(info.nested(2)?[1])
        #expect(Array(peer.prefix(16)) == [UInt8](repeating: 0, count: 16))
        let inside = try #require(peer.attributes(from: 16))
        #expect(inside[3]?.text == "eth0")
        #expect(inside[28]?.number() == Int32(5))
        #expect(inside[1].map { Array($0) } == [2, 0x72, 10, 0, 0, 2])
    }

    @Test func `addresses are added as ip does it`() throws {
        let four = LinkMessages.addAddress(try number("10.0.0.1/24"), index: 3)
        #expect(
            four.body == [
                2, 24, 0, 0, 3, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 1, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 4, 0, 10, 0, 0, 255,
            ])
        let six = LinkMessages.addAddress(try number("fd00::1/64"), index: 3)
        let address: [UInt8] = [0xfd] + [UInt8](repeating: 0, count: 14) + [1]
        #expect(
            six.body == [10, 64, 0, 0, 3, 0, 0, 0, 20, 0, 2, 0] + address + [20, 0, 1, 0] + address
                + [8, 0, 8, 0, 2, 0, 0, 0])
        #expect(LinkMessages.parseAddress(NetlinkMessage(kind: 20, six.body))?.prefix == (try number("fd00::1/64")))
    }

    @Test func `the default route leads over the gateway`() throws {
        let message = LinkMessages.addDefaultRoute(via: try #require(NetworkAddress("10.0.0.1")), index: 2)
        #expect(
            message.body == [2, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1, 8, 0, 4, 0, 2, 0, 0, 0])
        let route = try #require(LinkMessages.parseRoute(NetlinkMessage(kind: 24, message.body)))
        #expect(route.target.description == "0.0.0.0/0")
        #expect(route.gateway?.description == "10.0.0.1")
        #expect(route.interface == 2)
    }

    @Test func `an address of the wrong length, or a prefix longer than addresses are, is no address`() {
        #expect(
            LinkMessages.parseAddress(NetlinkMessage(kind: 20, [2, 24, 0, 0, 1, 0, 0, 0, 7, 0, 2, 0, 1, 2, 3, 0]))
                == nil)
        #expect(
            LinkMessages.parseAddress(NetlinkMessage(kind: 20, [2, 33, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4]))
                == nil)
        #expect(
            LinkMessages.parseAddress(NetlinkMessage(kind: 20, [10, 24, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4]))
                == nil)
    }
}
