import ClusterModel
import Identity
import Membership
import Testing

@Suite("Hostile bytes")
struct HostileTests {
    let authority: ClusterAuthority
    let verifier: PeerVerifier

    init() throws {
        authority = try newAuthority()
        verifier = PeerVerifier(authority: authority.certificate)
    }

    private func flip(_ bytes: [UInt8], _ chance: inout SeededChance) -> [UInt8] {
        var flipped = bytes
        repeat {
            flipped[Int.random(in: flipped.indices, using: &chance)] ^= 1 << UInt8.random(in: 0...7, using: &chance)
        } while flipped == bytes || UInt8.random(in: 0...3, using: &chance) == 0
        return flipped == bytes ? flip(bytes, &chance) : flipped
    }

    @Test func `certificates with flipped bits are refused`() throws {
        var chance = SeededChance(seed: 11)
        let chains = [
            try newNode(of: authority, .master).chain,
            try authority.issueAPI(NodeKey().publicKey, addresses: ["::1"], names: ["localhost"], now: .start).chain,
        ]
        for chain in chains {
            #expect(throws: Never.self) { try verifier.master(chain, now: .start) }
            for _ in 0..<1_000 {
                let flipped = flip(chain[0], &chance)
                #expect(throws: IdentityError.self, "\(flipped)") { try verifier.master([flipped], now: .start) }
            }
        }
        for _ in 0..<500 {
            let flipped = flip(authority.certificate.der, &chance)
            #expect(throws: IdentityError.self, "\(flipped)") { try AuthorityCertificate(der: flipped) }
            #expect(throws: IdentityError.self) {
                try PinCheck.check([chains[0][0], flipped], pin: authority.pin, now: .start)
            }
        }
    }

    @Test func `every bit around what is signed counts`() throws {
        let chain = try newNode(of: authority, .master).chain
        let request = try CertificateRequest(key: NodeKey())
        for index in [Int](0..<16) + [Int](-96..<0) {
            for bit in 0..<8 {
                func flipped(_ bytes: [UInt8]) -> [UInt8] {
                    var flipped = bytes
                    flipped[index < 0 ? bytes.count + index : index] ^= 1 << bit
                    return flipped
                }
                #expect(throws: IdentityError.self) { try verifier.node([flipped(chain[0])], now: .start) }
                #expect(throws: IdentityError.self) { try AuthorityCertificate(der: flipped(chain[1])) }
                #expect(throws: IdentityError.self) { try CertificateRequest(der: flipped(request.der)) }
            }
        }
    }

    @Test func `certificates and requests are cut at every length and refused`() throws {
        let chain = try newNode(of: authority).chain
        for count in 0..<chain[0].count {
            #expect(throws: IdentityError.self) { try verifier.node([Array(chain[0][..<count])], now: .start) }
        }
        #expect(throws: IdentityError.self) { try verifier.node([chain[0] + [0]], now: .start) }
        for count in 0..<chain[1].count {
            #expect(throws: IdentityError.self) { try AuthorityCertificate(der: Array(chain[1][..<count])) }
        }
        #expect(throws: IdentityError.self) { try AuthorityCertificate(der: chain[1] + chain[1]) }
        let request = try CertificateRequest(key: NodeKey())
        for count in 0..<request.der.count {
            #expect(throws: IdentityError.self) { try CertificateRequest(der: Array(request.der[..<count])) }
        }
        #expect(throws: IdentityError.self) { try CertificateRequest(der: request.der + [0]) }
        let end = Array("-----END CERTIFICATE REQUEST-----\n".utf8).count
        for count in 0..<request.pem.count - 1 {
            #expect(throws: IdentityError.self) { try CertificateRequest(pem: Array(request.pem[..<count])) }
        }
        #expect(request.pem.count > end)
        #expect(throws: IdentityError.self) { try CertificateRequest(pem: request.pem + request.pem) }
    }

    @Test func `requests with flipped bits are refused`() throws {
        var chance = SeededChance(seed: 12)
        let request = try CertificateRequest(key: NodeKey())
        for _ in 0..<1_000 {
            let flipped = flip(request.der, &chance)
            #expect(throws: IdentityError.self, "\(flipped)") { try CertificateRequest(der: flipped) }
            if let read = try? CertificateRequest(pem: flip(request.pem, &chance)) { #expect(read == request) }
        }
    }

    @Test func `texts with flipped bits are refused, or say what they said`() throws {
        var chance = SeededChance(seed: 13)
        let (issued, key) = (try newNode(of: authority), NodeKey())
        for _ in 0..<1_000 {
            if let read = try? PEMText.certificates(in: flip(issued.pem, &chance)), read != issued.chain {
                #expect(throws: IdentityError.self) {
                    _ = try verifier.node(read, now: .start)
                    _ = try AuthorityCertificate(der: read.last ?? [])
                }
            }
            // The key's file has no signature; a flipped bit must give an error, the same key or another one.
            if let other = try? NodeKey(pem: flip(key.pem, &chance)) { #expect(try other.sign([1]).count == 64) }
        }
    }

    @Test func `bytes by chance never trap`() {
        var chance = SeededChance(seed: 14)
        let tags: [UInt8] = [0x30, 0x31, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18, 0xa0, 0xa3, 0x80, 0x82, 0x86]
        for _ in 0..<4_000 {
            var bytes = (0..<Int.random(in: 0...300, using: &chance)).map { _ in
                UInt8.random(in: 0...255, using: &chance)
            }
            for index in bytes.indices where Bool.random(using: &chance) {
                bytes[index] = tags.randomElement(using: &chance) ?? 0
            }
            _ = try? verifier.node([bytes], now: .start)
            _ = try? CertificateRequest(der: bytes)
            _ = try? AuthorityCertificate(der: bytes)
            _ = try? PEMText.certificates(in: bytes)
            _ = try? JoinToken(parsing: String(decoding: bytes, as: UTF8.self))
            _ = try? MasterKey(parsing: bytes)
            _ = try? NodeKey(pem: bytes)
            _ = try? PublicKey(compressed: bytes)
        }
    }

    @Test func `deep and long structures are refused quickly`() {
        var deep: [UInt8] = []
        for _ in 0..<4_000 {
            deep = [0x30, 0x84] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: deep.count >> (8 * $0)) } + deep
        }
        let endless = (0..<8_000).flatMap { _ in [0x30, 0x80] as [UInt8] }
        let huge: [UInt8] = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff]
        let wide = [0x30, 0x82, 0x3f, 0xf0] + [UInt8](repeating: 0x05, count: 16_368)
        for bytes in [
            Array(deep.prefix(16_384)), endless, huge, wide, [0x30, 0x88] + [UInt8](repeating: 0xff, count: 40),
        ] {
            #expect(throws: IdentityError.self) { try verifier.node([bytes], now: .start) }
            #expect(throws: IdentityError.self) { try CertificateRequest(der: bytes) }
            #expect(throws: IdentityError.self) { try AuthorityCertificate(der: bytes) }
        }
        let line = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        #expect(
            refusal { () throws(IdentityError) in
                try PEMText.certificates(in: Array(String(repeating: line, count: 5).utf8))
            } == .malformed)
        #expect(
            refusal { () throws(IdentityError) in
                try PEMText.certificates(in: Array(String(repeating: line, count: 500).utf8))
            } == .oversized)
    }
}
