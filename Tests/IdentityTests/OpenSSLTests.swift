import ClusterModel
import Crypto
import Identity
import Membership
import Testing

/// What the openssl command makes of our certificates, and we of what it makes.
@Suite("Beside openssl", .enabled(if: OpenSSL.isInstalled))
struct OpenSSLTests {
    @Test func `openssl accepts the certificates, each for its use alone`() throws {
        let openssl = try OpenSSL()
        defer { openssl.remove() }
        let authority = try newAuthority()
        try openssl.write("ca.pem", authority.certificate.pem)
        try openssl.write("node.pem", try newNode(of: authority, [.agent, .master]).pem)
        let api = try authority.issueAPI(
            NodeKey().publicKey, addresses: ["10.0.0.7", "2001:db8::1"], names: ["localhost"], now: .start)
        try openssl.write("api.pem", api.pem)
        try openssl.write("other.pem", try newNode(of: newAuthority()).pem)
        func verify(_ file: String, at seconds: Int64 = 100, _ more: String...) throws -> Int32 {
            let time = "\(1_800_000_000 + seconds)"
            let all = ["verify", "-x509_strict", "-CAfile", "ca.pem", "-attime", time] + more + [file]
            return try openssl.run(all).code
        }
        #expect(try verify("ca.pem") == 0)
        #expect(try verify("node.pem", "-purpose", "sslserver") == 0)
        #expect(try verify("node.pem", "-purpose", "sslclient") == 0)
        #expect(try verify("node.pem", at: -299) == 0)
        #expect(try verify("node.pem", at: -301) != 0)
        #expect(try verify("node.pem", at: day - 1) == 0)
        #expect(try verify("node.pem", at: day + 1) != 0)
        #expect(try verify("other.pem") != 0)
        #expect(try verify("api.pem", "-purpose", "sslserver") == 0)
        #expect(try verify("api.pem", "-purpose", "sslclient") != 0)
        #expect(try verify("api.pem", "-verify_ip", "10.0.0.7") == 0)
        #expect(try verify("api.pem", "-verify_ip", "2001:db8::1") == 0)
        #expect(try verify("api.pem", "-verify_ip", "10.0.0.8") != 0)
        #expect(try verify("api.pem", "-verify_hostname", "localhost") == 0)
        #expect(try verify("api.pem", "-verify_hostname", "example") != 0)
    }

    @Test func `openssl reads the names and limits that were meant`() throws {
        let openssl = try OpenSSL()
        defer { openssl.remove() }
        let (authority, key) = (try newAuthority(name: "blue"), NodeKey())
        try openssl.write("ca.pem", authority.certificate.pem)
        try openssl.write("node.pem", try newNode(of: authority, key: key).pem)
        let ca = try openssl.run("x509", "-in", "ca.pem", "-noout", "-text").text
        for words in [
            "Subject: O = \(clusterID), CN = Rondo cluster blue", "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign",
            "NIST CURVE: P-256", "Not After : Jan 12 08:00:00 2037 GMT",
        ] { #expect(ca.contains(words), "\(words) is not in \(ca)") }
        let node = try openssl.run("x509", "-in", "node.pem", "-noout", "-text").text
        for words in [
            "CN = \(key.id)", "URI:rondo://\(clusterID)/node/\(key.id)?roles=agent", "CA:FALSE", "Digital Signature",
            "TLS Web Server Authentication, TLS Web Client Authentication", "Not Before: Jan 15 07:55:00 2027 GMT",
            "Not After : Jan 16 08:00:00 2027 GMT",
        ] { #expect(node.contains(words), "\(words) is not in \(node)") }
    }

    @Test func `the pin is the digest of the key as openssl writes it`() throws {
        let openssl = try OpenSSL()
        defer { openssl.remove() }
        let authority = try newAuthority()
        try openssl.write("ca.pem", authority.certificate.pem)
        try openssl.write("public.pem", Array(try openssl.run("x509", "-in", "ca.pem", "-pubkey", "-noout").text.utf8))
        _ = try openssl.run("pkey", "-pubin", "-in", "public.pem", "-outform", "DER", "-out", "public.der")
        #expect(ByteText.base64URL(SHA256.hash(data: try openssl.read("public.der"))) == authority.pin)
        // And the id that of the compressed point.
        let key = NodeKey()
        try openssl.write("key.pem", key.pem)
        _ = try openssl.run(
            "ec", "-in", "key.pem", "-pubout", "-conv_form", "compressed", "-outform", "DER", "-out", "p")
        let point = try openssl.read("p").suffix(33)
        #expect(Array(point) == key.publicKey.compressed)
        #expect(NodeID(bytes: Array(SHA256.hash(data: point).prefix(16))) == key.id)
    }

    @Test func `requests are understood in both directions, and decide nothing but the key`() throws {
        let openssl = try OpenSSL()
        defer { openssl.remove() }
        try openssl.write("ours.pem", try CertificateRequest(key: NodeKey()).pem)
        #expect(try openssl.run("req", "-in", "ours.pem", "-verify", "-noout").code == 0)
        func theirs(_ kind: String..., more: [String] = []) throws -> [UInt8] {
            let arguments = [
                "req", "-new", "-nodes", "-keyout", "key.pem", "-out", "theirs.pem", "-subj", "/CN=root/O=all",
            ]
            let extensions = ["-addext", "subjectAltName=DNS:master", "-addext", "basicConstraints=critical,CA:TRUE"]
            let result = try openssl.run(arguments + extensions + kind + more)
            #expect(result.code == 0, "\(result.text)")
            return try openssl.read("theirs.pem")
        }
        let request = try CertificateRequest(pem: theirs("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
        let key = try NodeKey(pem: openssl.read("key.pem"))
        #expect(request.publicKey == key.publicKey)
        let authority = try newAuthority()
        let issued = try authority.issueNode(request, roles: .agent, now: .start)
        #expect(try PeerVerifier(authority: authority.certificate).node(issued.chain, now: .start).id == key.id)
        try openssl.write("node.pem", issued.pem)
        let text = try openssl.run("x509", "-in", "node.pem", "-noout", "-text").text
        #expect(!text.contains("DNS:master"))
        #expect(!text.contains("CN = root"))
        #expect(text.contains("CA:FALSE"))
        for kind in [
            ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"], ["rsa:2048"], ["ed25519"],
            ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-sha384"],
        ] {
            let other = try theirs("-newkey", more: kind)
            #expect(refusal { () throws(IdentityError) in try CertificateRequest(pem: other) } == .malformed)
        }
    }

    @Test func `an authority that openssl made in our words is another one`() throws {
        let openssl = try OpenSSL()
        defer { openssl.remove() }
        let authority = try newAuthority(name: "blue")
        let made = try openssl.run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem",
            "-out", "ca.pem", "-subj", "/O=\(clusterID)/CN=Rondo cluster blue", "-days", "4000",
            "-addext", "keyUsage=critical,keyCertSign")
        #expect(made.code == 0, "\(made.text)")
        let theirs = try AuthorityCertificate(pem: openssl.read("ca.pem"))
        #expect(theirs.name == authority.certificate.name)
        #expect(theirs.pin != authority.pin)
    }
}
