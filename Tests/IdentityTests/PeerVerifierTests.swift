import ClusterModel
import Crypto
import Identity
import Membership
import SwiftASN1
import Testing
import X509

@Suite("Judging peers")
struct PeerVerifierTests {
    let authority: ClusterAuthority
    let verifier: PeerVerifier

    init() throws {
        authority = try newAuthority()
        verifier = PeerVerifier(authority: authority.certificate)
    }

    private func refused(_ chain: [[UInt8]], requiring roles: NodeRoles = [], now: UnixTime = .start) -> IdentityError
        .Reason?
    {
        refusal { () throws(IdentityError) in try verifier.node(chain, requiring: roles, now: now) }
    }

    private func refused(_ change: (inout Forged) throws -> Void) throws -> IdentityError.Reason? {
        var forged = Forged(authority)
        try change(&forged)
        return refused([try forged.der()])
    }

    @Test func `a node is who its key says, and what its certificate says`() throws {
        let key = NodeKey()
        let issued = try newNode(of: authority, [.agent, .master], key: key)
        let node = try verifier.node(issued.chain, requiring: .master, now: .start)
        #expect(node == VerifiedNode(id: key.id, roles: [.agent, .master], notAfter: issued.notAfter))
        // What stands behind the first certificate does not count.
        #expect(try verifier.node([issued.chain[0]], now: .start) == node)
        #expect(try verifier.node([issued.chain[0], [0]], now: .start) == node)
    }

    @Test func `validity is judged at the time that is given`() throws {
        let issued = try newNode(of: authority)
        #expect(refused(issued.chain, now: .start - 300) == nil)
        #expect(refused(issued.chain, now: .start - 301) == .notYetValid)
        #expect(refused(issued.chain, now: .start + day) == nil)
        #expect(refused(issued.chain, now: .start + (day + 1)) == .expired)
        #expect(refused(issued.chain, now: .start + 3_650 * day + 1) == .expired)
        do throws(IdentityError) {
            _ = try verifier.node(issued.chain, now: .start + 3 * day)
        } catch {
            #expect(error.description.contains("expired 2 days ago"))
            #expect(error.description.contains("join again with a fresh token"))
        }
    }

    @Test func `another authority is refused, whatever it calls itself`() throws {
        for other in [try newAuthority(), try newAuthority("other"), try newAuthority(name: "else")] {
            #expect(refused(try newNode(of: other).chain) == .otherAuthority)
        }
        // The true authority's name, and somebody's own key.
        #expect(try refused { $0.signer = NodeKey().pem } == .otherAuthority)
        // A node signs for another node: the authority behind it does not help.
        let node = NodeKey()
        let nodeChain = try newNode(of: authority, key: node).chain
        var forged = Forged(authority)
        forged.signer = node.pem
        #expect(refused([try forged.der()] + nodeChain) == .otherAuthority)
        forged.issuer = nodeChain[0]
        #expect(refused([try forged.der()] + nodeChain) == .otherAuthority)
        // The authority's own certificate is no node's.
        #expect(refused([authority.certificate.der]) == .wrongUse)
    }

    @Test func `nothing is good when the authority's own time is over, or when it calls itself otherwise`() throws {
        let short = try ClusterAuthority(clusterID: clusterID, name: "test", now: .start, lifetime: .seconds(100))
        let judge = PeerVerifier(authority: short.certificate)
        let leaf = try Forged(short).der()
        func refused(_ leaf: [UInt8], now: UnixTime) -> IdentityError.Reason? {
            refusal { () throws(IdentityError) in try judge.node([leaf], now: now) }
        }
        #expect(refused(leaf, now: .start + 100) == nil)
        #expect(refused(leaf, now: .start + 101) == .expired)
        var forged = Forged(short)
        forged.issuer = try newAuthority(name: "else").certificate.der
        #expect(refused(try forged.der(), now: .start) == .otherAuthority)
    }

    @Test func `a certificate that the authority signed for something else is refused`() throws {
        #expect(try refused { _ in } == nil)
        #expect(try refused { $0.uses = [.clientAuth] } == .wrongUse)
        #expect(try refused { $0.uses = [.serverAuth] } == .wrongUse)
        #expect(try refused { $0.uses = [.any] } == .wrongUse)
        #expect(try refused { $0.uses = [] } == .wrongUse)
        #expect(try refused { $0.constraints = nil } == .wrongUse)
        #expect(try refused { $0.constraints = .isCertificateAuthority(maxPathLength: nil) } == .wrongUse)
        #expect(try refused { $0.usage = KeyUsage(digitalSignature: true, keyCertSign: true) } == .wrongUse)
        #expect(try refused { $0.usage = KeyUsage(keyEncipherment: true) } == .wrongUse)
        #expect(try refused { $0.version = .v1 } == .malformed)
        let unknown = Certificate.Extension(oid: [1, 2, 3, 4], critical: true, value: [5, 0])
        #expect(try refused { $0.more = [unknown] } == .wrongUse)
        let harmless = Certificate.Extension(oid: [1, 2, 3, 4], critical: false, value: [5, 0])
        #expect(try refused { $0.more = [harmless] } == nil)
        #expect(
            try refused { $0.publicKey = Certificate.PublicKey(P384.Signing.PrivateKey().publicKey) } == .notCertifiable
        )
    }

    @Test func `names must be those of the key, of this cluster and written in the one way`() throws {
        let key = NodeKey()
        func name(_ text: String?, _ commonName: String? = nil) throws -> IdentityError.Reason? {
            try refused {
                $0.key = key
                $0.uri = text.map { [$0] } ?? []
                $0.commonName = commonName
            }
        }
        let prefix = "rondo://\(clusterID)/node/"
        #expect(try name("\(prefix)\(key.id)?roles=agent") == nil)
        #expect(try name("\(prefix)\(key.id)?roles=agent,master") == nil)
        #expect(try name("rondo://other/node/\(key.id)?roles=agent") == .otherCluster)
        #expect(try name("\(prefix)\(NodeKey().id)?roles=agent") == .keyMismatch)
        let other = NodeKey().id
        #expect(try name("\(prefix)\(other)?roles=agent", "\(other)") == .keyMismatch)
        #expect(try name("\(prefix)\(key.id)?roles=agent", NodeKey().id.description) == .keyMismatch)
        #expect(try name("rondo://\(clusterID)/api/\(key.id)") == .wrongUse)
        for text in [
            nil, "", "rondo://", "rondo://\(clusterID)", "https://\(clusterID)/node/\(key.id)?roles=agent", prefix,
            "\(prefix)\(key.id)", "\(prefix)\(key.id)?roles=", "\(prefix)\(key.id)?roles=master,agent",
            "\(prefix)\(key.id)?roles=agent?roles=master", "\(prefix)\(key.id)?roles=agent&x=1",
            "\(prefix)\(key.id)?roles=root", "\(prefix)\("\(key.id)".uppercased())A?roles=agent",
            "\(prefix)\(key.id)/?roles=agent", "\(prefix)\(key.id)?roles=agent ",
            "RONDO://\(clusterID)/node/\(key.id)?roles=agent",
            prefix + String(repeating: "a", count: 5_000),
        ] {
            #expect(try name(text) == .wrongUse)
        }
        let two = ["\(prefix)\(key.id)?roles=agent", "\(prefix)\(key.id)?roles=master"]
        #expect(
            try refused {
                $0.key = key
                $0.uri = two
            } == .wrongUse)
    }

    @Test func `who dials a master gets a master`() throws {
        let (agent, master, api) = (NodeKey(), NodeKey(), NodeKey())
        let agentChain = try newNode(of: authority, .agent, key: agent).chain
        let masterChain = try newNode(of: authority, .master, key: master).chain
        let apiChain = try authority.issueAPI(api.publicKey, addresses: ["127.0.0.1"], names: [], now: .start).chain
        #expect(refused(agentChain, requiring: .master) == .missingRole)
        #expect(refused(masterChain, requiring: .agent) == .missingRole)
        #expect(refused(masterChain, requiring: .master) == nil)
        #expect(refused(apiChain) == .wrongUse)
        #expect(refusal { () throws(IdentityError) in try verifier.master(agentChain, now: .start) } == .missingRole)
        #expect(try verifier.master(masterChain, now: .start).id == master.id)
        let node = try verifier.master(apiChain, now: .start)
        #expect(node.id == api.id)
        #expect(node.roles == .master)
        #expect(
            refusal { () throws(IdentityError) in try verifier.master(apiChain, now: .start + 31 * day) } == .expired)
    }

    @Test func `an evicted node stays out, and eviction counts at once`() throws {
        let key = NodeKey()
        let chain = try newNode(of: authority, .master, key: key).chain
        #expect(refused(chain) == nil)
        verifier.evicted = [key.id]
        #expect(refused(chain) == .evicted)
        let api = try authority.issueAPI(key.publicKey, addresses: ["127.0.0.1"], names: [], now: .start).chain
        #expect(refusal { () throws(IdentityError) in try verifier.master(api, now: .start) } == .evicted)
        verifier.evicted = []
        #expect(refused(chain) == nil)
        let other = PeerVerifier(authority: authority.certificate, evicted: [key.id])
        #expect(refusal { () throws(IdentityError) in try other.node(chain, now: .start) } == .evicted)
    }

    @Test func `chains are bounded`() throws {
        let chain = try newNode(of: authority).chain
        #expect(refused([]) == .missing)
        #expect(refused([[]]) == .malformed)
        #expect(refused(Array(repeating: chain[0], count: 4)) == nil)
        #expect(refused(Array(repeating: chain[0], count: 5)) == .oversized)
        #expect(refused([[UInt8](repeating: 0x30, count: 16_385)]) == .oversized)
    }

    @Test func `a judge says nothing of what is good, and gives the reason otherwise`() throws {
        let agent = try newNode(of: authority, .agent).chain
        let master = try newNode(of: authority, .master).chain
        let judge = verifier.nodeJudge { .start }
        #expect(judge(agent) == nil)
        #expect(judge([])?.contains("no certificate") == true)
        #expect(verifier.nodeJudge(requiring: .master) { .start }(agent)?.contains("master is needed") == true)
        #expect(verifier.masterJudge { .start }(master) == nil)
        #expect(verifier.masterJudge { .start + 2 * day }(master)?.contains("expired") == true)
    }
}
