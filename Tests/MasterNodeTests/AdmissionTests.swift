import ClusterModel
import HTTPGateway
import HTTPTypes
import Identity
import MasterNode
import Membership
import NIOCore
import StateStore
import Testing

/// How nodes come, stay and go: join tokens, certificates, the cluster's keys, eviction.
@Suite struct AdmissionTests {
    @Test func `a token lets a node join once, and its certificate says who it is`() async throws {
        try await TrustFixture.with { fixture in
            let text = try #require(try await fixture.token()["token"]?.text)
            let key = NodeKey()
            let (status, joined) = try await fixture.join(text, key)
            #expect(status == 201)
            #expect(joined["clusterID"]?.text == fixture.authority.clusterID)
            #expect(fixture.master.node.cluster.id == fixture.authority.clusterID)
            #expect(joined["nodeID"]?.text == key.id.description)
            #expect(joined["keys.gossip.0"]?.text?.utf8.count == 64)
            let pem = try #require(joined["certificate"]?.text)
            let verifier = PeerVerifier(authority: fixture.authority.certificate)
            let now = SystemClock().now().wall
            let own = try verifier.node(
                try PEMText.certificates(in: Array(pem.utf8)), requiring: .agent, now: now)
            #expect(own.id == key.id && own.roles == .agent)
            let again = try await fixture.join(text)
            #expect(again.status == 403)
            #expect(again.body["message"]?.text?.contains("used up") == true)
            // The store has neither the token nor the gossip's key.
            let gossip = try #require(joined["keys.gossip.0"]?.text)
            for entry in try fixture.store.range(prefix: "", limit: 100, startAfter: nil).entries {
                let value = String(decoding: entry.value, as: UTF8.self)
                #expect(!value.contains(text) && !value.contains(gossip), "\(entry.key)")
            }
        }
    }

    @Test func `what does not fit is refused with the reason, and takes no use off the token`() async throws {
        try await TrustFixture.with { fixture in
            let made = try await fixture.token("{\"uses\":1}")
            let text = try #require(made["token"]?.text)
            let other = JoinToken(role: .agent, pin: fixture.authority.pin)
            let forged = text.split(separator: ".").enumerated().map {
                $0 == 3 ? other.text.split(separator: ".")[3] : $1
            }
            let refusals: [(token: String, role: String, request: String?, status: Int, word: String)] = [
                (other.text, "agent", nil, 403, "unknown"), (forged.joined(separator: "."), "agent", nil, 403, "wrong"),
                (text, "master", nil, 409, "role"), (text, "agent", "no request", 400, "request"),
                (text.dropLast(5) + "", "agent", nil, 400, "token"), ("", "agent", nil, 400, "token"),
            ]
            for (token, role, request, status, word) in refusals {
                let answer = try await fixture.join(token, role: role, request: request)
                #expect(answer.status == status, "\(word)")
                #expect(answer.body["message"]?.text?.contains(word) == true, "\(answer.body["message"]?.text ?? "")")
            }
            #expect(try await fixture.join(text).status == 201)
        }
    }

    @Test func `tokens are listed without their secrets and can be revoked`() async throws {
        try await TrustFixture.with { fixture in
            let made = try await fixture.token("{\"lifetimeSeconds\":60,\"uses\":3}")
            let text = try #require(made["token"]?.text)
            let listed = try await fixture.master.get("/rondo/v1/tokens", headers: TrustFixture.administrator)
            #expect(!String(buffer: listed.bytes).contains(text))
            #expect(try JSONNode(listed.bytes)["tokens.0.usesLeft"]?.number == 3)
            let id = try #require(made["id"]?.text)
            let revoked = try await fixture.master.send(
                .delete, "/rondo/v1/tokens/\(id)", headers: TrustFixture.administrator)
            #expect(revoked.status == .noContent)
            #expect(try await fixture.join(text).status == 403)
        }
    }

    @Test func `an expired token is refused`() async throws {
        try await TrustFixture.with { fixture in
            let text = try await fixture.master.node.makeJoinToken(lifetime: .seconds(-1), uses: 1)
            let answer = try await fixture.join(text)
            #expect(answer.status == 403)
            #expect(answer.body["message"]?.text?.contains("expired") == true)
        }
    }

    @Test func `a token that many use at once lets in as many as it is for`() async throws {
        try await TrustFixture.with { fixture in
            let text = try #require(try await fixture.token("{\"uses\":3}")["token"]?.text)
            let admitted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<12 { group.addTask { try await fixture.join(text).status == 201 } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 3)
        }
    }

    @Test func `a node renews its own certificate and nobody else's`() async throws {
        try await TrustFixture.with { fixture in
            let node = try await fixture.node()
            func body(_ key: NodeKey) throws -> String {
                let pem = String(decoding: try CertificateRequest(key: key).pem, as: UTF8.self)
                return "{\"request\":\"\(TrustFixture.escaped(pem))\"}"
            }
            let renewed = try await node.ask(.post, "/rondo/v1/certificate", body(node.key))
            #expect(renewed.status == 200)
            let pem = try #require(renewed.body?["certificate"]?.text)
            #expect(try PEMText.certificates(in: Array(pem.utf8)) != node.chain)
            #expect(try await node.ask(.post, "/rondo/v1/certificate", body(NodeKey())).status == 403)
            var stranger = node
            stranger.chain = []
            #expect(try await stranger.ask(.post, "/rondo/v1/certificate", body(node.key)).status == 401)
            let bad = try TrustFixture.trust().authority
            stranger.chain = try bad.issueNode(
                CertificateRequest(key: node.key), roles: .agent, now: SystemClock().now().wall
            ).chain
            #expect(try await stranger.ask(.post, "/rondo/v1/certificate", body(node.key)).status == 401)
        }
    }

    @Test func `an evicted node is shut out, also with a certificate that is good, and cannot come back`() async throws
    {
        try await TrustFixture.with { fixture in
            let node = try await fixture.node()
            #expect(try await node.ask(.get, "/rondo/v1/keys").status == 200)
            let evicted = try await fixture.master.send(
                .post, "/rondo/v1/members/\(node.key.id)/evict", headers: TrustFixture.administrator)
            #expect(evicted.status == .noContent)
            #expect(try await node.ask(.get, "/rondo/v1/keys").status == 401)
            #expect(try await node.ask(.get, "/state").status == 401)
            let text = try #require(try await fixture.token()["token"]?.text)
            let back = try await fixture.join(text, node.key)
            #expect(back.status == 409)
            #expect(back.body["message"]?.text?.contains("evicted") == true)
            let again = try await fixture.master.send(
                .post, "/rondo/v1/members/\(node.key.id)/evict", headers: TrustFixture.administrator)
            #expect(again.status == .notFound)
        }
    }

    @Test func `a node that leaves takes its key along`() async throws {
        try await TrustFixture.with { fixture in
            let node = try await fixture.node()
            #expect(try await node.ask(.post, "/rondo/v1/leave").status == 204)
            #expect(try await node.ask(.get, "/rondo/v1/keys").status == 401)
            let members = try await fixture.master.json("/rondo/v1/members", headers: TrustFixture.administrator)
            #expect(members["members.0"] == nil)
            #expect(members["evicted.0"]?.text == node.key.id.description)
        }
    }

    @Test func `nodes may not do what administrators do`() async throws {
        try await TrustFixture.with { fixture in
            let node = try await fixture.node()
            for path in ["/rondo/v1/keys/rotate", "/rondo/v1/members/\(node.key.id)/evict", "/rondo/v1/tokens"] {
                #expect(try await node.ask(.post, path, "{}").status == 403, "\(path)")
            }
        }
    }

    @Test func `after a rotation a node gets the new key, and the old one is gone`() async throws {
        try await TrustFixture.with { fixture in
            let node = try await fixture.node()
            let first = try #require(try await node.ask(.get, "/rondo/v1/keys").body?["keys.gossip.0"]?.text)
            let rotated = try await fixture.master.send(
                .post, "/rondo/v1/keys/rotate", headers: TrustFixture.administrator)
            #expect(rotated.status == .ok)
            let last = try await node.ask(.get, "/rondo/v1/keys").body
            #expect(last?["keys.gossip.0"]?.text != first)
            #expect(last?["keys.gossip.1"] == nil)
        }
    }

    @Test func `keys come back after a restart, and not without the master key`() async throws {
        let store = MemoryStore()
        let trust = try TrustFixture.trust()
        func start(_ trust: ClusterTrust) async throws -> ClusterKeys? {
            try await MasterFixture.with(store: store, change: { $0.trust = trust }, { $0.node.clusterKeys })
        }
        let first = try await start(trust)
        #expect(try await start(trust) == first)
        let other = ClusterTrust(authority: trust.authority, verifier: trust.verifier, masterKey: MasterKey())
        await #expect(throws: MasterNodeError.self) { _ = try await start(other) }
    }
}
