import Identity
import Testing

@Suite("Passwords as they are kept")
struct PasswordTests {
    private let cheap = PasswordHash.Cost(logRounds: 4, blockSize: 8, passes: 1)

    @Test func `a password is known again and no other is`() throws {
        let hash = try PasswordHash("correct horse", cost: cheap)
        #expect(hash.matches("correct horse"))
        for other in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\u{0}", "é"] {
            #expect(!hash.matches(other))
        }
        let read = try PasswordHash(text: hash.text)
        #expect(read == hash)
        #expect(read.matches("correct horse"))
        #expect(!hash.text.contains("horse"))
    }

    @Test func `the same password is kept differently every time`() throws {
        let texts = try (0..<8).map { _ in try PasswordHash("correct horse", cost: cheap).text }
        #expect(Set(texts).count == 8)
    }

    /// Made by Python's hashlib.scrypt.
    @Test(arguments: [
        ("password of a test", "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$+dLfmgtScZdDlAgeIq7IQVIkwIlMtdGc//2Y3u6yKi0"),
        (
            "password of another",
            "$scrypt$ln=15,r=8,p=3$MDEyMzQ1Njc4OWFiY2RlZg$Adt5QZEFrdSazC06mwsCkgX1T94XDC7aAtl/IdaCp9E"
        ),
    ])
    func `the derivation is the one that others have`(password: String, text: String) throws {
        #expect(try PasswordHash(text: text).matches(password))
        #expect(try !PasswordHash(text: text).matches(password + "!"))
    }

    @Test func `the standard cost is one that is taken, and cheaper ones are to be upgraded`() throws {
        let hash = try PasswordHash("correct horse")
        #expect(hash.text.hasPrefix("$scrypt$ln=15,r=8,p=3$"))
        #expect(!hash.needsUpgrade())
        #expect(hash.matches("correct horse"))
        #expect(try PasswordHash("correct horse", cost: cheap).needsUpgrade())
        let dear = PasswordHash.Cost(logRounds: 16, blockSize: 8, passes: 3)
        #expect(hash.needsUpgrade(to: dear))
    }

    @Test func `passwords that are too short, too long or too dear are refused`() {
        for password in ["", "1234567", "correct\u{0}horse", String(repeating: "x", count: 1_025)] {
            #expect(throws: CredentialError.self) { try PasswordHash(password, cost: cheap) }
        }
        for cost in [
            PasswordHash.Cost(logRounds: 20, blockSize: 8, passes: 1), .init(logRounds: 0, blockSize: 8, passes: 1),
            .init(logRounds: 4, blockSize: 0, passes: 1), .init(logRounds: 4, blockSize: 8, passes: 9),
            .init(logRounds: 63, blockSize: 8, passes: 1), .init(logRounds: -1, blockSize: 8, passes: 1),
        ] {
            #expect(throws: CredentialError.self) { try PasswordHash("correct horse", cost: cost) }
        }
    }

    @Test(arguments: [
        "", "$", "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ", "scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=999,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=99$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=+4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$r=8,ln=4,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=1,x=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA", "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAAA",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA==",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAB",
        "$scrypt$ln=4,r=8,p=1$c2Fs dHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$2b$12$abcdefghijklmnopqrstuv", "$scrypt$ln=4,r=8,p=1$$",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$" + String(repeating: "A", count: 100_000),
    ])
    func `a text that is no hash is refused`(text: String) {
        #expect(throws: CredentialError.self) { try PasswordHash(text: text) }
    }

    @Test func `tokens for scripts are kept as hashes`() {
        let token = StaticToken()
        #expect(StaticToken().text != token.text)
        #expect(StaticToken.id(in: token.text) == token.id)
        #expect(token.hash.utf8.count == 64)
        #expect(StaticToken.matches(token.text, hash: token.hash))
        #expect(!StaticToken.matches(token.text + "A", hash: token.hash))
        #expect(!StaticToken.matches(token.text, hash: StaticToken().hash))
        #expect(!StaticToken.matches(token.text, hash: ""))
        for text in ["", "rondo_", "rondo_a.b", "node.a.b", token.text + ".x", String(token.text.dropLast())] {
            #expect(StaticToken.id(in: text) == nil, "\(text)")
        }
    }
}
