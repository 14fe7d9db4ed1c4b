import ClusterModel
import Identity
import Membership
import SwiftASN1
import Testing
import X509

@Suite("Joining")
struct JoiningTests {
    let authority: ClusterAuthority
    let token: JoinToken

    init() throws {
        authority = try newAuthority()
        token = JoinToken(role: .agent, pin: authority.pin)
    }

    @Test func `a token survives being pasted`() throws {
        for pasted in [token.text, "  \(token.text)\n", "\t\(token.text)\r\n"] {
            let read = try JoinToken(parsing: pasted)
            #expect(read == token)
            #expect(read.matches(hash: token.hash))
        }
        #expect(token.hash.count == 32)
        #expect(token.text.hasPrefix("rondo1.agent.\(token.id)."))
        #expect(token.text.hasSuffix(".\(authority.pin)"))
        #expect(JoinToken(role: .master, pin: authority.pin).text.hasPrefix("rondo1.master."))
        #expect(JoinToken.Role.master.roles == .master)
        #expect(JoinToken.Role.agent.roles == .agent)
    }

    @Test func `a token in a log does not give its secret away`() {
        let secret = token.text.split(separator: ".")[3]
        #expect(!"\(token)".contains(secret))
        #expect(!String(reflecting: token).contains(secret))
        #expect("\(token)".contains(token.id))
    }

    @Test func `no two tokens are alike`() {
        let tokens = (0..<200).map { _ in JoinToken(role: .agent, pin: authority.pin) }
        #expect(Set(tokens.map(\.id)).count == 200)
        #expect(Set(tokens.map(\.hash)).count == 200)
        #expect(!tokens[0].matches(hash: tokens[1].hash))
        #expect(!token.matches(hash: []))
        #expect(!token.matches(hash: Array(token.hash.dropLast())))
    }

    private func words(_ text: String) -> String {
        do throws(IdentityError) {
            _ = try JoinToken(parsing: text)
            return "good"
        } catch {
            #expect(error.description.contains("rondo cluster token create"))
            return error.description
        }
    }

    @Test func `what is wrong with a token is said in words`() {
        let parts = token.text.split(separator: ".").map(String.init)
        func text(_ change: (inout [String]) -> Void) -> String {
            var parts = parts
            change(&parts)
            return parts.joined(separator: ".")
        }
        #expect(words("").contains("is empty"))
        #expect(words(" \n").contains("is empty"))
        #expect(words("SWMTKN-1-abc").contains("starts with 'rondo1.'"))
        #expect(words("join.abcdef.secret").contains("old kind"))
        #expect(words(text { $0[0] = "rondo2" }).contains("newer version"))
        #expect(words(text { $0[0] = "rondo" }).contains("starts with 'rondo1.'"))
        #expect(words(text { $0[1] = "root" }).contains("role"))
        #expect(words(text { $0[2] = "short" }).contains("id"))
        #expect(words(text { $0[2] = "ABCDEFGHIJ" }).contains("id"))
        #expect(words(text { $0[3].removeLast() }).contains("secret has 42 of 43"))
        #expect(words(text { $0[3] += "A" }).contains("mistake in its secret"))
        #expect(words(text { $0[4].removeLast(10) }).contains("pin has 33 of 43"))
        #expect(words(text { $0[4] = String(repeating: "!", count: 43) }).contains("mistake in its pin"))
        #expect(words(text { $0.removeLast() }).contains("4 of 5 parts"))
        #expect(words(text { $0.append("x") }).contains("more than 5"))
        #expect(words(text { $0[3].insert("\n", at: $0[3].startIndex) }).contains("broken in two"))
        #expect(words("--token \(token.text)").contains("broken in two"))
        #expect(words(String(repeating: "a", count: 300)).contains("too long"))
        #expect(words(String(repeating: " ", count: 3_000)).contains("too long"))
    }

    @Test func `a token is cut at every length and refused`() {
        let text = token.text
        for count in 0..<text.count {
            #expect(throws: IdentityError.self) { try JoinToken(parsing: String(text.prefix(count))) }
            #expect(throws: IdentityError.self) { try JoinToken(parsing: String(text.suffix(count))) }
        }
    }

    @Test func `a token with a flipped bit is refused, or does not fit what the master keeps`() {
        let bytes = Array(token.text.utf8)
        var (cases, read) = (0, 0)
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << bit
                cases += 1
                guard let text = String(validating: flipped, as: UTF8.self), let other = try? JoinToken(parsing: text)
                else { continue }
                read += 1
                let isKnown =
                    other.id == token.id && other.matches(hash: token.hash) && other.pin == token.pin
                    && other.role == token.role
                #expect(!isKnown)
            }
        }
        #expect(cases > 800)
        #expect(read > 0)
    }

    // MARK: the pin

    private func refused(_ chain: [[UInt8]], pin: String? = nil, now: UnixTime = .start) -> IdentityError.Reason? {
        refusal { () throws(IdentityError) in try PinCheck.check(chain, pin: pin ?? token.pin, now: now) }
    }

    @Test func `a joiner knows the master by the pin`() throws {
        let key = NodeKey()
        let api = try authority.issueAPI(key.publicKey, addresses: ["127.0.0.1"], names: [], now: .start)
        let (found, master) = try PinCheck.check(api.chain, pin: token.pin, now: .start)
        #expect(found == authority.certificate)
        #expect(found.clusterID == clusterID)
        #expect(master.id == key.id)
        #expect(refused(try newNode(of: authority, .master).chain) == nil)
    }

    @Test func `a joiner sends nothing to anybody else`() throws {
        let other = try newAuthority()
        let key = NodeKey().publicKey
        let good = try authority.issueAPI(key, addresses: ["127.0.0.1"], names: [], now: .start).chain
        let bad = try other.issueAPI(key, addresses: ["127.0.0.1"], names: [], now: .start).chain
        #expect(refused(bad) == .wrongPin)
        // The true authority behind a certificate that it did not make.
        #expect(refused([bad[0], good[1]]) == .otherAuthority)
        #expect(refused([good[0], bad[1]]) == .wrongPin)
        #expect(refused([bad[0], good[1], bad[1]]) == .wrongPin)
        #expect(refused([]) == .missing)
        #expect(refused([good[1]]) == .missing)
        #expect(refused([good[0]]) == .missing)
        #expect(refused(good, pin: "") == .wrongPin)
        #expect(refused([good[1], good[1]]) == .wrongUse)
        #expect(refused(Array(repeating: good[0], count: 4) + [good[1]]) == .oversized)
        // An agent of the same cluster, which has a certificate of the true authority, is no master.
        #expect(refused(try newNode(of: authority, .agent).chain) == .missingRole)
        #expect(refused(good, now: .start + 40 * day) == .expired)
        #expect(refused(good, now: .start - day) == .notYetValid)
        // A certificate with the right key that is no authority's.
        var forged = Forged(authority)
        forged.key = try NodeKey(pem: authority.privateKey)
        forged.subject = try Certificate(derEncoded: good[1]).subject
        #expect(refused([good[0], try forged.der()]) == .wrongUse)
        forged.constraints = .isCertificateAuthority(maxPathLength: nil)
        #expect(refused([good[0], try forged.der()]) == .wrongUse)
        forged.usage = KeyUsage(keyCertSign: true)
        #expect(refused([good[0], try forged.der()]) == nil)
    }
}
