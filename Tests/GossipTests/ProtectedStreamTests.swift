import Crypto
import Foundation
import Membership
import SwiftASN1
import Testing
import Transport
import X509

@testable import Gossip

/// A certificate that only a judge who knows it accepts.
private func identity(_ name: String) throws -> TLSIdentity {
    let key = P256.Signing.PrivateKey()
    let subject = try DistinguishedName { CommonName(name) }
    let certificate = try Certificate(
        version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PrivateKey(key).publicKey,
        notValidBefore: Date(timeIntervalSinceNow: -60), notValidAfter: Date(timeIntervalSinceNow: 3_600),
        issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
        extensions: Certificate.Extensions {}, issuerPrivateKey: Certificate.PrivateKey(key))
    var serializer = DER.Serializer()
    try serializer.serialize(certificate)
    return TLSIdentity(chain: [serializer.serializedBytes], key: Array(key.derRepresentation))
}

@Suite("Protected streams", .serialized, .timeLimit(.minutes(2)))
struct ProtectedStreamTests {
    @Test func `members exchange by TLS, and who has the keys but no certificate is sent away`() async throws {
        try await TestCluster.run { cluster in
            let mine = try identity("cluster")
            let theirs = try identity("stranger")
            let judge: PeerJudge = { $0.first == mine.chain[0] ? nil : "it is not of this cluster" }
            cluster.security = try TransportSecurity(identity: mine, judge: judge)
            try await cluster.start(members: 3)
            for node in cluster.nodes { #expect(await reached(node) { await $0.presentMembers == 3 }) }
            #expect(await cluster.nodes[0].counters.streamsAccepted > 0)
            let hint = await cluster.nodes[0].endpoint
            for security in [try TransportSecurity(identity: theirs, judge: { _ in nil }), nil] {
                cluster.security = security
                let stranger = try await cluster.start(hints: [hint])
                #expect(await eventually { await stranger.counters.streamsFailed > 0 })
                #expect(await stranger.presentMembers == 1)
            }
            #expect(await cluster.nodes[0].presentMembers == 3)
        }
    }
}
