import ClusterModel
import Testing

@Suite struct NetworkAddressTests {
    @Test(arguments: ["0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "fd00::2", "1::", "2001:db8::1:0:0:1"])
    func `an address is written as it is read`(text: String) {
        #expect(NetworkAddress(text)?.description == text)
    }

    @Test(arguments: [
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
    func `forms of IPv6 that mean the same are one address`(text: String, canonical: String) {
        #expect(NetworkAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1..2.3", "-1.2.3.4", "1.2.3.+4", ":",
        ":::",
        "1", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1%eth0", ":1", "1:",
        "1:2:3:4:5:6:7:8::",
        "::1.2.3", "1.2.3.4::", "fe80::-1", String(repeating: "1", count: 100), "0:0:0:0:0:0:0:0:", ":0:0:0:0:0:0:0:0",
    ])
    func `what is no address is refused`(text: String) { #expect(NetworkAddress(text) == nil) }

    @Test func `bytes and text agree`() throws {
        var generator = Seeded(7)
        for _ in 0..<2000 {
            let bytes = (0..<(Bool.random(using: &generator) ? 4 : 16)).map { _ in
                Bool.random(using: &generator) ? 0 : UInt8.random(in: 0...255, using: &generator)
            }
            let address = try #require(NetworkAddress(bytes: bytes))
            #expect(address.bytes == bytes)
            #expect(NetworkAddress(address.description) == address)
        }
        #expect(NetworkAddress(bytes: [1, 2, 3]) == nil)
    }

    @Test func `a prefix knows its network, its hosts and its neighbours`() throws {
        let prefix = try #require(NetworkPrefix("172.20.5.9/22"))
        #expect(prefix.network.description == "172.20.4.0/22")
        #expect(prefix.host(1).description == "172.20.4.1/22")
        #expect(prefix.host(~0).description == "172.20.7.255/22")
        #expect(prefix.hostNumber == 0x109)
        #expect(prefix.contains(try #require(NetworkAddress("172.20.7.255"))))
        #expect(!prefix.contains(try #require(NetworkAddress("172.20.8.0"))))
        #expect(prefix.overlaps(try #require(NetworkPrefix("172.16.0.0/12"))))
        #expect(prefix.overlaps(try #require(NetworkPrefix("172.20.6.0/24"))))
        #expect(!prefix.overlaps(try #require(NetworkPrefix("172.20.8.0/24"))))
        #expect(!prefix.overlaps(try #require(NetworkPrefix("::/0"))))
        #expect(try #require(NetworkPrefix("0.0.0.0/0")).contains(try #require(NetworkAddress("9.9.9.9"))))
        let six = try #require(NetworkPrefix("fd00:1:2:3::9/64"))
        #expect(six.network.description == "fd00:1:2:3::/64")
        #expect(six.host(255).description == "fd00:1:2:3::ff/64")
        #expect(try #require(NetworkPrefix("fd00::1/128")).network.description == "fd00::1/128")
    }

    @Test(arguments: ["1.2.3.4", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/+1", "1.2.3.4/", "/8", "1.2.3.4/8/8"])
    func `what is no prefix is refused`(text: String) { #expect(NetworkPrefix(text) == nil) }
}

/// The same numbers in every run (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
