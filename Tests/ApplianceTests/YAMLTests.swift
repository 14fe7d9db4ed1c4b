import Appliance
import Testing

struct YAMLTests {
    @Test func `a document keeps the order of its keys and their lines`() throws {
        let value = try YAMLDocument.parse(Array("b: 1\na:\n  - x\n  - 'y z'\n".utf8))
        guard case .mapping(let entries, _) = value else { return #expect(Bool(false), "not a mapping") }
        #expect(entries.map(\.key) == ["b", "a"])
        #expect(entries.map(\.line) == [1, 2])
        #expect(
            entries[1].value == .sequence([.scalar("x", line: 3), .scalar("y z", line: 4, isPlain: false)], line: 3))
    }

    @Test func `deep, long and foreign text is refused`() {
        #expect(throws: YAMLError.self) {
            try YAMLDocument.parse(
                Array((String(repeating: "[", count: 100) + String(repeating: "]", count: 100)).utf8))
        }
        #expect(throws: YAMLError.self) { try YAMLDocument.parse([0xff, 0xfe, 0x41]) }
        #expect(throws: YAMLError.self) {
            try YAMLDocument.parse(Array(repeating: UInt8(ascii: " "), count: YAMLDocument.bytesMax + 1))
        }
        let many = (0...YAMLDocument.valuesMax).map { "- \($0)\n" }.joined()
        #expect(throws: YAMLError.self) { try YAMLDocument.parse(Array(many.utf8)) }
    }
}
