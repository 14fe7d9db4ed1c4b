internal import ClusterModel
internal import FoundationEssentials
internal import SwiftASN1
internal import X509

/// A certificate as a stranger shows it: bytes with a key and a signature in them.
struct ShownCertificate {
    let publicKey: PublicKey
    private let der: [UInt8]
    private let signed: SignedStructure

    init(_ der: [UInt8]) throws(IdentityError) {
        guard der.count <= PEMText.limit else { throw PEMText.oversized("the certificate") }
        // The first field says version 3; then come serial number, algorithm, issuer, validity, subject and key.
        guard let signed = SignedStructure(der, firstField: [0xa0, 3, 2, 1, 2], fieldCount: 7...10) else {
            throw ReadCertificate.unreadable
        }
        publicKey = try signed.publicKey(at: 6)
        self.der = der
        self.signed = signed
    }

    /// Reads it all; nil when the key did not sign it.
    func read(signedBy key: PublicKey) throws(IdentityError) -> ReadCertificate? {
        guard signed.isSigned(by: key) else { return nil }
        return try ReadCertificate(der, publicKey)
    }

    /// Reads a certificate out of this node's own files, which needs no proof.
    func readUnverified() throws(IdentityError) -> ReadCertificate { try ReadCertificate(der, publicKey) }
}

/// A certificate whose signature was checked, or that nobody else can have written.
struct ReadCertificate {
    let der: [UInt8]
    let publicKey: PublicKey
    let notBefore: UnixTime
    let notAfter: UnixTime
    private let certificate: Certificate

    fileprivate init(_ der: [UInt8], _ publicKey: PublicKey) throws(IdentityError) {
        guard let certificate = try? Certificate(derEncoded: der) else { throw Self.unreadable }
        self.der = der
        self.publicKey = publicKey
        self.certificate = certificate
        notBefore = UnixTime(certificate.notValidBefore)
        notAfter = UnixTime(certificate.notValidAfter)
    }

    fileprivate static var unreadable: IdentityError {
        IdentityError(
            .malformed,
            "the certificate cannot be read, or is not signed with ECDSA on P-256; connect with the one that this "
                + "cluster gave out")
    }

    func isIssued(by subject: ReadCertificate) -> Bool { certificate.issuer == subject.certificate.subject }

    /// Refuses what is not valid now. Both ends belong to the validity, as RFC 5280 has it.
    func check(_ whose: String, now: UnixTime, onceExpired advice: String) throws(IdentityError) {
        let early = notBefore.wholeSeconds - now.wholeSeconds
        if early > 0 {
            throw IdentityError(
                .notYetValid,
                "\(whose) is not valid before \(spell(seconds: early)) from now: the clock here is behind, or the one "
                    + "of the master was ahead; set the clocks")
        }
        let late = now.wholeSeconds - notAfter.wholeSeconds
        if late > 0 {
            throw IdentityError(.expired, "\(whose) expired \(spell(seconds: late)) ago; \(advice)")
        }
    }

    /// True for an authority: it may sign, and says so in a way that nobody may overlook.
    var isAuthority: Bool {
        guard let constraints = try? certificate.extensions.basicConstraints,
            case .isCertificateAuthority = constraints,
            let usage = try? certificate.extensions.keyUsage, usage.keyCertSign
        else { return false }
        return hasKnownExtensions
    }

    /// True for a certificate that signs handshakes, for each of these uses, and no other certificates.
    func isLeaf(for uses: [ExtendedKeyUsage.Usage]) -> Bool {
        guard let constraints = try? certificate.extensions.basicConstraints, constraints == .notCertificateAuthority,
            let usage = try? certificate.extensions.keyUsage, usage.digitalSignature, !usage.keyCertSign,
            let extended = try? certificate.extensions.extendedKeyUsage, uses.allSatisfy(extended.contains)
        else { return false }
        return hasKnownExtensions
    }

    private var hasKnownExtensions: Bool {
        let known: [ASN1ObjectIdentifier] = [
            .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
            .X509ExtensionID.subjectAlternativeName,
        ]
        return certificate.extensions.allSatisfy { !$0.critical || known.contains($0.oid) }
    }

    /// The URIs among the names.
    var uris: [String] {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in
            if case .uniformResourceIdentifier(let text) = name { text } else { nil }
        }
    }

    /// The subject's attribute of a kind; nil when there is not exactly one.
    func subject(_ kind: ASN1ObjectIdentifier) -> String? {
        let attributes = certificate.subject.flatMap { $0 }.filter { $0.type == kind }
        guard attributes.count == 1 else { return nil }
        return String(attributes[0].value)
    }
}
