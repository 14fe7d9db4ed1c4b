public import ClusterModel

/// How a joiner, which trusts nobody yet, knows the master of its token.
public enum PinCheck {
    /// Checks a chain against a pin before anything is sent: it must end in the authority whose key has that pin, and
    /// begin with a certificate that this authority made for a master.
    ///
    /// - Parameters:
    ///   - chain: what the server showed, each in DER, its own certificate first.
    ///   - pin: from the join token.
    ///   - now: the time.
    /// - Returns: the authority, which the node keeps from now on, and the master's name.
    /// - Throws: ``IdentityError`` that says what to do.
    public static func check(
        _ chain: [[UInt8]], pin: String, now: UnixTime
    ) throws(IdentityError) -> (authority: AuthorityCertificate, master: VerifiedNode) {
        guard chain.count != 1 else {
            throw IdentityError(
                .missing, "the server did not show its authority, as a master of Rondo does; is the address right?")
        }
        _ = try PeerVerifier.shown(by: chain)
        let last = chain[chain.count - 1]
        // The pin comes first: until it fits, nothing that the server says is worth a more precise answer.
        guard try ShownCertificate(last).publicKey.pin == pin else {
            throw IdentityError(
                .wrongPin,
                "the server belongs to another cluster than the pin of the token or the command, or somebody is in "
                    + "between: nothing was sent; check the address, and take a new token or pin from the master")
        }
        let authority = try AuthorityCertificate(der: last)
        return (authority, try PeerVerifier(authority: authority).master(chain, now: now))
    }
}
