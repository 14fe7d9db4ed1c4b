import Glibc
import Testing

@testable import Identity

@Suite("Addresses in certificates")
struct AddressTextTests {
    /// What the system makes of a text.
    private func system(_ text: String) -> [UInt8]? {
        var (four, six) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: six) { Array($0) } }
        return nil
    }

    @Test func `addresses are read as the system reads them`() {
        for text in [
            "0.0.0.0", "255.255.255.255", "10.0.0.1", "::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4", "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "ABCD:ef01::0",
            "1111:2222:3333:4444:5555:6666:7777:8888", "fe80::1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
            "+1.2.3.4",
            "1.2.3.4 ", "", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1", "1:", "12345::", "::g",
            "::+1",
            "1.2.3.4::", "::1.2.3.4:1", "::1.2.3", "fe80::1%eth0", "::1/64", "1:2:3:4:5:6:7:1.2.3.4", "::٣", "१.2.3.4",
        ] { #expect(AddressText.bytes(text) == system(text), "\(text)") }
    }

    @Test func `texts by chance are read as the system reads them`() {
        var chance = SeededChance(seed: 21)
        let pieces = ["1", "ab", "0", ":", ":", "::", ".", "255", "ffff", "10.0.0.1", "1:2:3", "00", "-"]
        var good = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...12, using: &chance)
            let text = (0..<count).map { _ in pieces.randomElement(using: &chance) ?? "" }.joined()
            let bytes = AddressText.bytes(text)
            if bytes != nil { good += 1 }
            #expect(bytes == system(text), "\(text)")
        }
        #expect(good > 100)
    }
}
