import ClusterModel
import Identity
import Membership
import SwiftASN1
import Testing
import X509

@Suite("The cluster's authority")
struct AuthorityTests {
    @Test func `an authority survives its files`() throws {
        let authority = try newAuthority()
        let certificate = try AuthorityCertificate(pem: authority.certificate.pem)
        #expect(certificate == authority.certificate)
        #expect(certificate.clusterID == clusterID)
        #expect(certificate.name == "Rondo cluster test")
        #expect(certificate.notBefore == UnixTime(nanoseconds: 1_800_000_000_000_000_000) - 300)
        #expect(certificate.notAfter == UnixTime(nanoseconds: 1_800_000_000_000_000_000) + 3_650 * day)
        let again = try ClusterAuthority(certificate: certificate, privateKey: authority.privateKey)
        #expect(again.pin == authority.pin)
        #expect(again.pin.utf8.count == 43)
        let node = try newNode(of: again)
        #expect(throws: Never.self) { try PeerVerifier(authority: authority.certificate).node(node.chain, now: .start) }
    }

    @Test func `an authority takes no other key, and no other certificate`() throws {
        let (one, other) = (try newAuthority(), try newAuthority())
        #expect(one.pin != other.pin)
        #expect(
            refusal { () throws(IdentityError) in
                try ClusterAuthority(certificate: one.certificate, privateKey: other.privateKey)
            } == .keyMismatch)
        #expect(
            refusal { () throws(IdentityError) in try ClusterAuthority(certificate: one.certificate, privateKey: []) }
                == .keyMismatch)
        let node = try newNode(of: one)
        #expect(refusal { () throws(IdentityError) in try AuthorityCertificate(der: node.chain[0]) } == .wrongUse)
        #expect(refusal { () throws(IdentityError) in try AuthorityCertificate(pem: node.pem) } == .malformed)
    }

    @Test func `a cluster id that could be read as something else is refused`() {
        for id in ["", "a/b", "a b", "a?b", "ä", String(repeating: "a", count: 65), "a\n"] {
            #expect(
                refusal { () throws(IdentityError) in try ClusterAuthority(clusterID: id, name: "x", now: .start) }
                    == .notCertifiable)
        }
    }

    @Test func `a cluster may have any name`() throws {
        for name in ["", "a\nb\u{0}", String(repeating: "ü", count: 300), "日本語 👨‍👩‍👧", "a,CN=b", "\u{7f}"] {
            let authority = try newAuthority(name: name)
            #expect(authority.certificate.name.hasPrefix("Rondo cluster "))
            #expect(authority.certificate.name.unicodeScalars.count <= 64)
            #expect(!authority.certificate.name.contains("\n"))
        }
    }

    @Test func `a node's certificate begins early, ends on time and never outlives the authority`() throws {
        let authority = try ClusterAuthority(clusterID: "c", name: "x", now: .start, lifetime: .seconds(100))
        let whole = UnixTime(nanoseconds: 1_800_000_000_000_000_000)
        let request = try CertificateRequest(key: NodeKey())
        let short = try authority.issueNode(request, roles: .agent, now: .start, lifetime: .seconds(10))
        #expect(short.notBefore == whole - 300)
        #expect(short.notAfter == whole + 10)
        let long = try authority.issueNode(request, roles: .agent, now: .start)
        #expect(long.notAfter == authority.certificate.notAfter)
        #expect(
            refusal { () throws(IdentityError) in try authority.issueNode(request, roles: .agent, now: .start + 101) }
                == .expired)
        #expect(
            refusal { () throws(IdentityError) in try authority.issueNode(request, roles: .agent, now: .start - 301) }
                == .notYetValid)
    }

    @Test func `the times of a certificate are read from it`() throws {
        let issued = try newNode(of: newAuthority())
        let times = try CertificateTimes(certificate: issued.chain[0])
        #expect(times == CertificateTimes(notBefore: issued.notBefore, notAfter: issued.notAfter))
        #expect(refusal { () throws(IdentityError) in try CertificateTimes(certificate: []) } == .malformed)
    }

    @Test func `lifetimes and times at the edges do not trap`() throws {
        for now in [UnixTime(nanoseconds: .min), UnixTime(nanoseconds: .max), UnixTime(nanoseconds: 0)] {
            for lifetime in [Duration.seconds(-5), .zero, .seconds(Int64.max), .nanoseconds(1)] {
                _ = try? ClusterAuthority(clusterID: "c", name: "x", now: now, lifetime: lifetime)
            }
        }
        let authority = try newAuthority()
        let node = try newNode(of: authority)
        let verifier = PeerVerifier(authority: authority.certificate)
        for now in [UnixTime(nanoseconds: .min), UnixTime(nanoseconds: .max)] {
            #expect(throws: IdentityError.self) { try verifier.node(node.chain, now: now) }
        }
    }

    @Test func `the authority decides what a certificate says, not the request`() throws {
        let authority = try newAuthority()
        let key = NodeKey()
        let issued = try authority.issueNode(
            CertificateRequest(pem: try CertificateRequest(key: key).pem), roles: [.agent, .master], now: .start)
        let certificate = try Certificate(derEncoded: issued.chain[0])
        #expect(
            try certificate.extensions.subjectAlternativeNames.map(Array.init) == [
                .uniformResourceIdentifier("rondo://\(clusterID)/node/\(key.id)?roles=agent,master")
            ])
        #expect("\(certificate.subject)" == "CN=\(key.id),O=\(clusterID)")
        #expect(try certificate.extensions.basicConstraints == .notCertificateAuthority)
        #expect(try certificate.extensions.extendedKeyUsage.map(Array.init) == [.serverAuth, .clientAuth])
        #expect(issued.chain.count == 2)
        #expect(issued.chain[1] == authority.certificate.der)
        #expect(try PEMText.certificates(in: issued.pem) == issued.chain)
        #expect(issued.attestation.count == 105)
    }

    @Test func `roles that there are not are refused`() throws {
        let authority = try newAuthority()
        let request = try CertificateRequest(key: NodeKey())
        for roles in [NodeRoles(), NodeRoles(rawValue: 4), NodeRoles(rawValue: 7), NodeRoles(rawValue: 255)] {
            #expect(
                refusal { () throws(IdentityError) in try authority.issueNode(request, roles: roles, now: .start) }
                    == .notCertifiable)
            #expect(
                refusal { () throws(IdentityError) in
                    try authority.attestation(for: request.publicKey, roles: roles, notAfter: .start)
                } == .notCertifiable)
        }
    }

    @Test func `serial numbers are 128 bits by chance`() throws {
        let authority = try newAuthority()
        var serials: Set<[UInt8]> = []
        for _ in 0..<50 {
            let bytes = Array(try Certificate(derEncoded: newNode(of: authority).chain[0]).serialNumber.bytes)
            #expect(bytes.count == 16)
            #expect(bytes[0] < 0x80)
            serials.insert(bytes)
        }
        #expect(serials.count == 50)
    }

    @Test func `the certificate of an API holds what browsers look for`() throws {
        let authority = try newAuthority()
        let key = NodeKey()
        let issued = try authority.issueAPI(
            key.publicKey, addresses: ["10.0.0.7", "2001:db8::1", "fe80::1%eth0"],
            names: ["localhost", "Master.Example"],
            now: .start)
        let certificate = try Certificate(derEncoded: issued.chain[0])
        let names = try certificate.extensions.subjectAlternativeNames.map(Array.init) ?? []
        func address(_ bytes: [UInt8]) -> GeneralName { .ipAddress(ASN1OctetString(contentBytes: bytes[...])) }
        #expect(
            names == [
                .dnsName("localhost"), .dnsName("master.example"), address([10, 0, 0, 7]),
                address([0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]),
                address([0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]),
                .uniformResourceIdentifier("rondo://\(clusterID)/api/\(key.id)"),
            ])
        #expect(try certificate.extensions.extendedKeyUsage.map(Array.init) == [.serverAuth])
        #expect(issued.attestation.isEmpty)
        #expect(issued.notAfter == UnixTime(nanoseconds: 1_800_000_000_000_000_000) + 30 * day)
    }

    @Test func `what is no address or host name does not enter a certificate`() throws {
        let authority = try newAuthority()
        let key = NodeKey().publicKey
        for address in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "10.0.0.1 ", "::g", "localhost", "1.2.3.4/8", "%eth0"] {
            #expect(
                refusal { () throws(IdentityError) in
                    try authority.issueAPI(key, addresses: [address], names: [], now: .start)
                } == .notCertifiable)
        }
        for name in [
            "", "*.example", "a..b", "-a", "a-", "a b", "a\u{0}b", ".", "ä.example", String(repeating: "a", count: 64),
            Array(repeating: "abcdefg", count: 40).joined(separator: "."),
        ] {
            #expect(
                refusal { () throws(IdentityError) in
                    try authority.issueAPI(key, addresses: [], names: [name], now: .start)
                } == .notCertifiable)
        }
        let many = (0..<65).map { "10.0.0.\($0)" }
        for (addresses, names) in [([], []), (many, []), ([], many)] as [([String], [String])] {
            #expect(
                refusal { () throws(IdentityError) in
                    try authority.issueAPI(key, addresses: addresses, names: names, now: .start)
                } == .notCertifiable)
        }
        let most = try authority.issueAPI(key, addresses: Array(many.dropLast()), names: [], now: .start)
        #expect(throws: Never.self) {
            try PeerVerifier(authority: authority.certificate).master(most.chain, now: .start)
        }
    }

    @Test func `a request shows that its sender has the key`() throws {
        let key = NodeKey()
        let request = try CertificateRequest(key: key)
        #expect(request.publicKey == key.publicKey)
        #expect(try CertificateRequest(der: request.der) == request)
        #expect(try CertificateRequest(pem: request.pem) == request)
        // Somebody else's key in a request that is signed with one's own.
        let other = NodeKey()
        let theirs = try CertificateRequest(key: other)
        func offset(of point: [UInt8], in bytes: [UInt8]) throws -> Int {
            try #require(bytes.indices.first { bytes[$0...].starts(with: point.dropFirst()) })
        }
        let mine = try offset(of: key.publicKey.compressed, in: request.der)
        let their = try offset(of: other.publicKey.compressed, in: theirs.der)
        var stolen = request.der
        stolen.replaceSubrange(mine..<mine + 64, with: theirs.der[their..<their + 64])
        #expect(refusal { () throws(IdentityError) in try CertificateRequest(der: stolen) } == .noProofOfPossession)
    }
}
