internal import FoundationEssentials

/// A JSON web token in its compact form (RFC 7515 §3.1, RFC 7519), taken apart but not believed yet.
///
/// Who verifies one says which algorithm it must have; the token's own header is only ever compared with that, so it
/// cannot choose how it is checked. Tokens with critical extensions are refused (RFC 7515 §4.1.11).
struct SignedToken {
    /// The longest token in bytes.
    static let textLimit = 8 << 10
    /// How far clocks may be apart.
    static let leeway = 300.0

    struct Header: Decodable {
        var alg: String
        var kid: String?
        var crit: [String]?
    }

    /// The claims that are looked at; all others are ignored.
    struct Claims: Decodable {
        var uid: String
        var exp: Double
        var iat: Double?
        var nbf: Double?
        /// The version of the user's credentials, in our own tokens.
        var ver: Int?
    }

    let header: Header
    /// What is signed: the text up to the second dot.
    let signed: [UInt8]
    let signature: [UInt8]
    private let payload: [UInt8]

    init(_ text: String) throws(CredentialError) {
        guard text.utf8.count <= Self.textLimit else { throw .malformed("it is longer than \(Self.textLimit) bytes") }
        let parts = text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let head = TokenText.decode(base64URL: parts[0]),
            let payload = TokenText.decode(base64URL: parts[1]), let signature = TokenText.decode(base64URL: parts[2])
        else { throw .malformed("it is not three parts of base64url with dots between them") }
        guard let header = try? JSONDecoder().decode(Header.self, from: Data(head)) else {
            throw .malformed("its header is not JSON with the field alg")
        }
        guard header.crit == nil else { throw .malformed("it has critical extensions, which are not supported") }
        self.header = header
        self.signature = signature
        self.payload = payload
        signed = Array(parts[0].utf8) + [UInt8(ascii: ".")] + Array(parts[1].utf8)
    }

    /// The claims; to be read only after the signature has been verified.
    func claims() throws(CredentialError) -> Claims {
        guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(payload)) else {
            throw .malformed("its claims are not JSON with the fields uid and exp")
        }
        return claims
    }
}

extension SignedToken.Claims {
    /// Compares the times with now; both arguments are in seconds, `lifetime` is the longest that it may still be good.
    func check(now: Double, lifetime: Double) throws(CredentialError) {
        guard exp > now else { throw .expired }
        let leeway = SignedToken.leeway
        guard exp <= now + lifetime + leeway, iat ?? now <= now + leeway, nbf ?? now <= now + leeway else {
            throw .notNow
        }
    }
}
