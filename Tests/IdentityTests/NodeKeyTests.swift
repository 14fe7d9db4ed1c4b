import Identity
import Membership
import Testing

@Suite("Keys of nodes")
struct NodeKeyTests {
    @Test func `a key survives its file, and its id with it`() throws {
        let key = NodeKey()
        let again = try NodeKey(pem: key.pem)
        #expect(again.id == key.id)
        #expect(NodeID(hex: key.id.description) == key.id)
    }
}
