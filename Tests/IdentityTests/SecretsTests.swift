import Identity
import Testing

@Suite("Secrets at rest")
struct SecretsTests {
    let key = MasterKey()

    private func refused(
        _ envelope: [UInt8], _ purpose: String = "secret", _ name: String = "db/password", key: MasterKey? = nil
    ) -> IdentityError.Reason? {
        refusal { () throws(IdentityError) in
            try KeyEnvelope.open(envelope, purpose: purpose, name: name, with: key ?? self.key)
        }
    }

    private func seal(_ value: [UInt8]) throws -> [UInt8] {
        try KeyEnvelope.seal(value, purpose: "secret", name: "db/password", with: key)
    }

    @Test func `a value comes out as it went in`() throws {
        for count in [0, 1, 15, 16, 17, 4_096, KeyEnvelope.valueLimit] {
            let value = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let envelope = try seal(value)
            #expect(envelope.count == count + KeyEnvelope.overhead)
            #expect(try KeyEnvelope.open(envelope, purpose: "secret", name: "db/password", with: key) == value)
        }
        #expect(
            refusal { () throws(IdentityError) in
                try KeyEnvelope.seal(
                    [UInt8](repeating: 0, count: KeyEnvelope.valueLimit + 1), purpose: "secret", name: "x", with: key)
            } == .oversized)
        let long = String(repeating: "n", count: 1_025)
        #expect(
            refusal { () throws(IdentityError) in
                try KeyEnvelope.seal([], purpose: "secret", name: long, with: key)
            } == .oversized)
    }

    @Test func `the same value is never the same twice, and is not to be seen`() throws {
        let value = Array("correct horse battery staple".utf8)
        let (one, other) = (try seal(value), try seal(value))
        #expect(one != other)
        #expect(one[9..<69] != other[9..<69])
        #expect(!String(decoding: one, as: UTF8.self).contains("horse"))
    }

    @Test func `an envelope opens only for its purpose, its name and its key`() throws {
        let envelope = try seal([1, 2, 3])
        #expect(refused(envelope) == nil)
        #expect(refused(envelope, "authority-key") == .cannotOpen)
        #expect(refused(envelope, "secret", "db/passwor") == .cannotOpen)
        #expect(refused(envelope, "secretd", "b/password") == .cannotOpen)
        #expect(refused(envelope, "secret", "") == .cannotOpen)
        #expect(refused(envelope, key: MasterKey()) == .cannotOpen)
        // The wrapped key of one envelope in front of the value of another.
        let other = try seal([1, 2, 3])
        #expect(refused(Array(envelope[..<69]) + other[69...]) == .cannotOpen)
    }

    @Test func `which master key is missing is said`() throws {
        let envelope = try seal([1])
        let error = #expect(throws: IdentityError.self) {
            try KeyEnvelope.open(envelope, purpose: "secret", name: "db/password", with: MasterKey())
        }
        #expect(error?.description.contains(ByteText.hex(key.id)) == true)
        #expect(error?.description.contains("--key-file") == true)
    }

    @Test func `an envelope is cut at every length and refused`() throws {
        let envelope = try seal(Array("a secret".utf8))
        for count in 0..<envelope.count { #expect(refused(Array(envelope[..<count])) != nil) }
        #expect(refused(envelope + [0]) == .cannotOpen)
        #expect(refused(envelope + [UInt8](repeating: 0, count: KeyEnvelope.valueLimit)) == .malformed)
    }

    @Test func `every flipped bit of an envelope is refused`() throws {
        let envelope = try seal(Array("a secret".utf8))
        for index in envelope.indices {
            for bit in 0..<8 {
                var flipped = envelope
                flipped[index] ^= 1 << bit
                #expect(refused(flipped) != nil)
            }
        }
    }

    @Test func `a new master key needs no value to be read`() throws {
        let new = MasterKey()
        let envelope = try seal([7, 8, 9])
        let moved = try KeyEnvelope.rewrap(envelope, purpose: "secret", name: "db/password", from: key, to: new)
        #expect(moved[69...] == envelope[69...])
        #expect(KeyEnvelope.isWrapped(moved, by: new))
        #expect(!KeyEnvelope.isWrapped(moved, by: key))
        #expect(try KeyEnvelope.open(moved, purpose: "secret", name: "db/password", with: new) == [7, 8, 9])
        #expect(refused(moved) == .cannotOpen)
        // A rotation that was interrupted is run again.
        #expect(try KeyEnvelope.rewrap(moved, purpose: "secret", name: "db/password", from: key, to: new) == moved)
        var altered = moved
        altered[20] ^= 1
        #expect(
            refusal { () throws(IdentityError) in
                try KeyEnvelope.rewrap(altered, purpose: "secret", name: "db/password", from: key, to: new)
            } == .cannotOpen)
        #expect(
            refusal { () throws(IdentityError) in
                try KeyEnvelope.rewrap(envelope, purpose: "secret", name: "other", from: key, to: new)
            } == .cannotOpen)
        #expect(
            refusal { () throws(IdentityError) in
                try KeyEnvelope.rewrap(envelope, purpose: "secret", name: "db/password", from: MasterKey(), to: new)
            } == .cannotOpen)
    }

    @Test func `a master key is read from bytes, hexadecimal digits and base64`() throws {
        let bytes = (0..<32).map { UInt8($0 * 7 + 3) }
        let envelope = try KeyEnvelope.seal([1], purpose: "p", name: "n", with: MasterKey(parsing: bytes))
        let hex = ByteText.hex(bytes)
        let base64 = ByteText.base64URL(bytes).replacing("-", with: "+").replacing("_", with: "/")
        for text in [
            hex, hex + "\n", hex.uppercased(), base64, base64 + "=", base64 + "=\n", ByteText.base64URL(bytes),
        ] {
            let read = try MasterKey(parsing: Array(text.utf8))
            #expect(try KeyEnvelope.open(envelope, purpose: "p", name: "n", with: read) == [1])
        }
        #expect(try MasterKey(parsing: key.text).id == key.id)
        #expect(!"\(key)".contains(String(decoding: key.text.prefix(64), as: UTF8.self)))
    }

    @Test func `what is no master key is refused`() {
        let zero = [UInt8](repeating: 0, count: 32)
        let texts = [
            "", "\n", "password", String(repeating: "g", count: 64), String(repeating: "a", count: 63),
            String(repeating: "0", count: 64), String(repeating: "A", count: 42),
            String(repeating: "A", count: 43) + "==",
            String(repeating: "a", count: 5_000), " " + String(repeating: "ab", count: 32),
        ]
        for file in [zero, Array(zero.dropLast()), [0xff, 0xfe]] + texts.map({ Array($0.utf8) }) {
            #expect(refusal { () throws(IdentityError) in try MasterKey(parsing: file) } == .malformed)
        }
    }

    @Test func `an authority's key is kept in an envelope`() throws {
        let authority = try newAuthority()
        let envelope = try KeyEnvelope.seal(
            authority.privateKey, purpose: "authority-key", name: clusterID, with: key)
        let opened = try KeyEnvelope.open(envelope, purpose: "authority-key", name: clusterID, with: key)
        #expect(try ClusterAuthority(certificate: authority.certificate, privateKey: opened).pin == authority.pin)
    }
}
