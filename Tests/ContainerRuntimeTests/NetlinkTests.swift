import Testing

@testable import ContainerRuntime

@Suite struct NetlinkTests {
    /// `struct ifaddrmsg` of interface 7 with attributes.
    private func answer(
        scope: UInt8 = 0, index: UInt32 = 7, flags: UInt32 = 0x80, _ attributes: [(UInt16, [UInt8])] = []
    ) -> [UInt8] {
        var bytes: [UInt8] = [2, 24, UInt8(truncatingIfNeeded: flags), scope]
        bytes.append(number: index)
        bytes.append(attribute: 2, [10, 0, 0, 1])
        var wide: [UInt8] = []
        wide.append(number: flags)
        bytes.append(attribute: 8, wide)
        for (kind, value) in attributes { bytes.append(attribute: kind, value) }
        return bytes
    }

    @Test func `permanent addresses of the whole world are taken along, without their label`() throws {
        let label = (UInt16(3), Array("eth0".utf8) + [0])
        let address = try #require(NetDevices.Address(answer([label, (4, [10, 0, 0, 255])]), of: 7))
        #expect(address.attributes.map(\.kind) == [2, 4, 8])
        #expect(address.attributes.first?.value == [10, 0, 0, 1])
        #expect(address.header.prefix(4) == [2, 24, 0, 0])
    }

    @Test func `what may not be done twice, and no route, is kept of the flags`() throws {
        let address = try #require(NetDevices.Address(answer(flags: 0x80 | 0x02 | 0x200 | 0x40), of: 7))
        let flags: UInt32? = address.attributes.last?.value.number(at: 0)
        #expect(flags == 0x202)
    }

    @Test func `addresses of others, of a link, of the host, and with a limited life stay`() {
        #expect(NetDevices.Address(answer(index: 8), of: 7) == nil)
        #expect(NetDevices.Address(answer(scope: 253), of: 7) == nil)
        #expect(NetDevices.Address(answer(scope: 254), of: 7) == nil)
        #expect(NetDevices.Address(answer(flags: 0), of: 7) == nil)
        #expect(NetDevices.Address([], of: 7) == nil)
        #expect(NetDevices.Address([UInt8](repeating: 0, count: 7), of: 0) == nil)
    }

    @Test(
        arguments: [
            [], [0], [0, 0, 0, 0], [3, 0, 1, 0], [200, 0, 1, 0, 5], [255, 255, 255, 255], [4, 0, 1, 0, 0, 0],
        ] as [[UInt8]])
    func `damaged attributes end the list`(bytes: [UInt8]) {
        #expect(bytes.attributes(from: 0).allSatisfy { $0.value.isEmpty })
        #expect(bytes.attributes(from: 100).isEmpty)
        #expect((bytes.number(at: -1) as UInt16?) == nil)
    }
}
