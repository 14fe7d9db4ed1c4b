import Identity
import Membership
import Testing

@Suite("Keys and names of nodes")
struct KeyTests {
    @Test func `a key survives its file, and its id and signatures with it`() throws {
        let key = NodeKey()
        let again = try NodeKey(pem: key.pem)
        #expect(again.id == key.id)
        #expect(again.publicKey == key.publicKey)
        let signature = try again.sign([1, 2, 3])
        #expect(signature.count == 64)
        #expect(key.publicKey.verifies(signature, over: [1, 2, 3]))
        #expect(!key.publicKey.verifies(signature, over: [1, 2, 4]))
        #expect(!NodeKey().publicKey.verifies(signature, over: [1, 2, 3]))
        #expect(!key.publicKey.verifies(signature + [0], over: [1, 2, 3]))
        #expect(!key.publicKey.verifies([], over: [1, 2, 3]))
        #expect(!key.publicKey.verifies([UInt8](repeating: 0, count: 64), over: [1, 2, 3]))
        #expect(!key.publicKey.verifies([UInt8](repeating: 255, count: 64), over: [1, 2, 3]))
    }

    @Test func `an id follows from the compressed key`() throws {
        // The generator of the curve; the digest was computed with coreutils' sha256sum.
        let point = try #require(
            ByteText.bytes(hex: "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"))
        #expect(try PublicKey(compressed: point).id.description == "5baff89de7de5c1d7b6193a1567ceeeb")
    }

    @Test func `what is no key is refused`() {
        for bytes: [UInt8] in [
            [], [1], Array("-----BEGIN PRIVATE KEY-----".utf8), [UInt8](repeating: 65, count: 20_000),
        ] {
            #expect(refusal { () throws(IdentityError) in try NodeKey(pem: bytes) } == .malformed)
        }
        let good = NodeKey().publicKey.compressed
        for bytes in [[], Array(good.dropLast()), good + [0], [4] + good.dropFirst(), [0] + good.dropFirst()] {
            #expect(refusal { () throws(IdentityError) in try PublicKey(compressed: bytes) } == .malformed)
        }
        let beyond: [UInt8] = [2] + [UInt8](repeating: 255, count: 32)
        #expect(refusal { () throws(IdentityError) in try PublicKey(compressed: beyond) } == .malformed)
    }

    @Test func `an id is read from its text and bytes, and from nothing else`() throws {
        let id = NodeID(high: 0x0123_4567_89ab_cdef, low: 1)
        #expect(NodeID(hex: "0123456789abcdef0000000000000001") == id)
        #expect(NodeID(bytes: id.bytes) == id)
        #expect(id.bytes.count == 16)
        for text in [
            "", "0123456789abcdef000000000000000", "0123456789abcdef00000000000000011",
            "0123456789ABCDEF0000000000000001", "0x23456789abcdef0000000000000001", "０123456789abcdef00000000000000",
        ] {
            #expect(NodeID(hex: text) == nil)
        }
        #expect(NodeID(bytes: [UInt8](repeating: 0, count: 15)) == nil)
        #expect(NodeID(bytes: [UInt8](repeating: 0, count: 17)) == nil)
    }

    @Test func `roles have one text each`() {
        #expect(NodeRoles([.master, .agent]).text == "agent,master")
        #expect(NodeRoles(text: "agent,master") == [.agent, .master])
        #expect(NodeRoles(text: "master") == .master)
        for text in ["", "master,agent", "agent,agent", "agent,", ",agent", "Agent", "agent master", "root"] {
            #expect(NodeRoles(text: text) == nil)
        }
    }

    @Test func `bytes have one text each`() {
        var chance = SeededChance(seed: 1)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &chance) }
            #expect(ByteText.bytes(hex: ByteText.hex(bytes)) == bytes)
            #expect(ByteText.bytes(base64URL: ByteText.base64URL(bytes)) == bytes)
        }
        #expect(ByteText.base64URL([0xfb, 0xff, 0xfe]) == "-__-")
        #expect(ByteText.base64URL(Array("any carnal pleas".utf8)) == "YW55IGNhcm5hbCBwbGVhcw")
        // A single character holds no byte, spare bits must be zero, and there is no padding.
        for text in ["A", "AAAAA", "AB", "AAB", "AA=", "A+", "A/", "é"] {
            #expect(ByteText.bytes(base64URL: text) == nil)
        }
        for text in ["0", "0g", "AB", " 0"] { #expect(ByteText.bytes(hex: text) == nil) }
    }

    @Test func `comparing takes all bytes into account`() {
        #expect(ByteText.isEqual([], []))
        #expect(ByteText.isEqual([1, 2], [1, 2]))
        #expect(!ByteText.isEqual([1, 2], [1, 3]))
        #expect(!ByteText.isEqual([0, 2], [1, 2]))
        #expect(!ByteText.isEqual([1], [1, 2]))
    }
}
