import ClusterModel
import CryptoExtras
import FoundationEssentials
import Identity
import Testing

private let now = UnixTime(nanoseconds: 1_700_000_000_000_000_000)

private func base64URL(_ text: String) -> String {
    String(
        Data(text.utf8).base64EncodedString().prefix { $0 != "=" }
            .map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
}

private func thrown(_ body: () throws -> Void) -> CredentialError? {
    do {
        try body()
        return nil
    } catch { return error as? CredentialError }
}

@Suite("Sessions")
struct SessionTokenTests {
    private let keys = SessionKeys()

    private func token(_ keys: SessionKeys, lifetime: Duration = SessionToken.lifetime) -> String {
        SessionToken(user: "alice", version: 3, expiresAt: now + lifetime).signed(with: keys, now: now)
    }

    @Test func `a session is believed until it ends`() throws {
        let text = token(keys)
        let read = try SessionToken(verifying: text, with: keys, now: now)
        #expect(read.user == "alice")
        #expect(read.version == 3)
        #expect(read.expiresAt == now + .seconds(432_000))
        #expect(throws: Never.self) {
            try SessionToken(verifying: text, with: keys, now: now + .seconds(431_999))
        }
        #expect(thrown { _ = try SessionToken(verifying: text, with: keys, now: now + .seconds(432_000)) } == .expired)
        // A clock that was far ahead when it was issued.
        #expect(thrown { _ = try SessionToken(verifying: text, with: keys, now: now + .seconds(-4_000)) } == .notNow)
    }

    @Test func `clients can read whose it is and when it ends`() throws {
        let parts = token(keys).split(separator: ".")
        var payload = String(parts[1]).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        while payload.count % 4 != 0 { payload.append("=") }
        let data = try #require(Data(base64Encoded: String(payload)))
        struct Claims: Decodable {
            var uid: String
            var exp: Int
        }
        let claims = try JSONDecoder().decode(Claims.self, from: data)
        #expect(claims.uid == "alice")
        #expect(claims.exp == 1_700_432_000)
    }

    @Test func `keys rotate, and old ones can be forgotten`() throws {
        var keys = SessionKeys()
        let first = token(keys)
        keys.rotate()
        let second = token(keys)
        #expect(throws: Never.self) { try SessionToken(verifying: first, with: keys, now: now) }
        let copy = try SessionKeys(encoded: keys.encoded())
        #expect(copy == keys)
        #expect(throws: Never.self) { try SessionToken(verifying: second, with: copy, now: now) }
        for _ in 0..<3 { keys.rotate() }
        #expect(thrown { _ = try SessionToken(verifying: first, with: keys, now: now) } == .unknownKey)
        #expect(throws: Never.self) { try SessionToken(verifying: second, with: keys, now: now) }
        keys.forgetOld()
        #expect(thrown { _ = try SessionToken(verifying: second, with: keys, now: now) } == .unknownKey)
        for bad in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"id\":\"a\",\"secret\":[1]}]}"] {
            #expect(throws: CredentialError.self) { try SessionKeys(encoded: Array(bad.utf8)) }
        }
    }

    @Test func `no letter of a session may change`() throws {
        let text = Array(token(keys).utf8)
        var refused = 0
        for index in text.indices {
            for bit in 0..<7 {
                var changed = text
                changed[index] ^= 1 << bit
                let hostile = String(decoding: changed, as: UTF8.self)
                #expect(throws: CredentialError.self, "letter \(index), bit \(bit)") {
                    try SessionToken(verifying: hostile, with: keys, now: now)
                }
                refused += 1
            }
        }
        #expect(refused > 1_000)
        for count in [0, 1, 10, text.count - 1] {
            let short = String(decoding: text.prefix(count), as: UTF8.self)
            #expect(throws: CredentialError.self) { try SessionToken(verifying: short, with: keys, now: now) }
        }
    }

    @Test func `tokens of another making are refused`() throws {
        let good = token(keys)
        let parts = good.split(separator: ".").map(String.init)
        let none = base64URL("{\"alg\":\"none\"}") + "." + parts[1] + "."
        #expect(thrown { _ = try SessionToken(verifying: none, with: keys, now: now) } == .wrongAlgorithm)
        let blank = base64URL("{\"alg\":\"HS256\"}") + "." + parts[1] + "." + parts[2]
        #expect(thrown { _ = try SessionToken(verifying: blank, with: keys, now: now) } == .unknownKey)
        let other = token(SessionKeys())
        #expect(thrown { _ = try SessionToken(verifying: other, with: keys, now: now) } == .unknownKey)
        let mixed = parts[0] + "." + parts[1] + "." + String(other.split(separator: ".")[2])
        #expect(thrown { _ = try SessionToken(verifying: mixed, with: keys, now: now) } == .badSignature)
        for text in [
            MadeByPyJWT.good, MadeByPyJWT.none, MadeByPyJWT.confused, good + ".", good + "." + parts[1], "." + good,
            good + "=", " " + good, "a.b.c", "..", parts[1] + "." + parts[1] + "." + parts[2],
            String(repeating: "A", count: 9_000), String(repeating: ".", count: 1_000_000),
            base64URL(String(repeating: "[", count: 5_000)) + "." + parts[1] + "." + parts[2],
        ] {
            #expect(throws: CredentialError.self) { try SessionToken(verifying: text, with: keys, now: now) }
        }
    }
}

@Suite("Logins of service accounts")
struct ServiceAccountTests {
    private func verify(_ token: String, now: UnixTime = now, user: String = "marathon") throws {
        try ServiceAccountKey(pem: MadeByPyJWT.publicKey).verify(token, of: user, now: now)
    }

    @Test func `what PyJWT signs is believed`() throws {
        try verify(MadeByPyJWT.good)
        try verify(MadeByPyJWT.withMore)
        try ServiceAccountKey(pem: MadeByPyJWT.pkcs1).verify(MadeByPyJWT.good, of: "marathon", now: now)
        try verify(MadeByPyJWT.good, now: now + .seconds(299))
    }

    @Test(arguments: [
        ("none", MadeByPyJWT.none, CredentialError.wrongAlgorithm),
        ("HMAC with the public key", MadeByPyJWT.confused, .wrongAlgorithm),
        ("HMAC below RS256", MadeByPyJWT.hmacBelow, .badSignature),
        ("RS512", MadeByPyJWT.rs512, .wrongAlgorithm), ("PS256", MadeByPyJWT.ps256, .wrongAlgorithm),
        ("another key", MadeByPyJWT.weak, .badSignature), ("another user", MadeByPyJWT.otherUser, .wrongUser),
        ("not before", MadeByPyJWT.future, .notNow), ("for ever", MadeByPyJWT.forever, .notNow),
    ])
    func `what it must not believe`(name: String, token: String, error: CredentialError) {
        #expect(thrown { try verify(token) } == error, "\(name)")
    }

    @Test(arguments: [MadeByPyJWT.noUid, MadeByPyJWT.noExp, MadeByPyJWT.textExp, MadeByPyJWT.crit])
    func `what lacks a claim or has too much`(token: String) {
        guard case .malformed = thrown({ try verify(token) }) else {
            Issue.record("not refused as malformed")
            return
        }
    }

    @Test func `a login token expires, and is its user's`() {
        #expect(thrown { try verify(MadeByPyJWT.good, now: now + .seconds(300)) } == .expired)
        #expect(thrown { try verify(MadeByPyJWT.good, user: "metronome") } == .wrongUser)
        #expect(thrown { try verify(MadeByPyJWT.good, user: "") } == .wrongUser)
    }

    @Test func `no letter of a login token may change`() throws {
        let key = try ServiceAccountKey(pem: MadeByPyJWT.publicKey)
        let text = Array(MadeByPyJWT.good.utf8)
        for index in text.indices {
            var changed = text
            changed[index] ^= 1 << UInt8(index % 7)
            let hostile = String(decoding: changed, as: UTF8.self)
            #expect(throws: CredentialError.self, "letter \(index)") {
                try key.verify(hostile, of: "marathon", now: now)
            }
        }
    }

    @Test func `what Swift signs is believed, and exp may be a fraction`() throws {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let text = base64URL("{\"alg\":\"RS256\"}") + "." + base64URL("{\"exp\":1700000010.5,\"uid\":\"svc\"}")
        let signature = try key.signature(for: Data(text.utf8), padding: .insecurePKCS1v1_5)
        let token =
            text + "."
            + String(
                signature.rawRepresentation.base64EncodedString().prefix { $0 != "=" }
                    .map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
        let mine = try ServiceAccountKey(pem: key.publicKey.pemRepresentation)
        try mine.verify(token, of: "svc", now: now + .seconds(10))
        #expect(thrown { try mine.verify(token, of: "svc", now: now + .seconds(11)) } == .expired)
    }

    @Test func `keys that are weak, private or no keys are refused`() throws {
        let `private` = try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
        for pem in [
            "", "x", MadeByPyJWT.weakKey, `private`, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            String(repeating: "x", count: 5_000),
            MadeByPyJWT.publicKey.replacing("BEGIN PUBLIC", with: "BEGIN CERTIFICATE"),
        ] {
            guard case .badKey(let reason) = thrown({ _ = try ServiceAccountKey(pem: pem) }) else {
                Issue.record("taken: \(pem.prefix(40))")
                continue
            }
            #expect(!reason.contains("MII"))
        }
    }
}
