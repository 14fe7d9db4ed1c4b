internal import Crypto
internal import Membership
internal import SwiftASN1
internal import X509

/// A request for a certificate (PKCS #10) whose sender was shown to have the key. Names and extensions that it asks
/// for are not even looked at: the authority decides what a certificate says.
public struct CertificateRequest: Hashable, Sendable {
    /// The request in DER.
    public let der: [UInt8]
    /// The key that asks.
    public let publicKey: PublicKey

    /// The request in PEM.
    public var pem: [UInt8] { PEMText.encode(der, as: CertificateSigningRequest.defaultPEMDiscriminator) }

    /// A request of a key's owner.
    ///
    /// - Throws: ``IdentityError`` when the library fails.
    public init(key: NodeKey) throws(IdentityError) {
        do {
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName { CommonName(key.id.description) },
                privateKey: Certificate.PrivateKey(key.key), attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256)
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            der = serializer.serializedBytes
        } catch { throw .failed("making a certificate request") }
        publicKey = key.publicKey
    }

    /// Reads a request and checks that its sender has the key.
    ///
    /// - Throws: ``IdentityError`` for anything else than a request signed with its own key on P-256.
    public init(der: [UInt8]) throws(IdentityError) {
        guard der.count <= PEMText.limit else { throw PEMText.oversized("the certificate request") }
        // The first field says version 1; then come a name, the key, and what else is wished for.
        guard let signed = SignedStructure(der, firstField: [2, 1, 0], fieldCount: 3...4) else {
            throw IdentityError(
                .malformed, "the certificate request cannot be read, or is not signed with ECDSA on P-256; make it anew"
            )
        }
        publicKey = try signed.publicKey(at: 2)
        guard signed.isSigned(by: publicKey) else {
            throw IdentityError(
                .noProofOfPossession, "the certificate request is not signed by the key that it names; make it anew")
        }
        self.der = der
    }

    /// Reads a request in PEM and checks that its sender has the key.
    ///
    /// - Throws: ``IdentityError`` for anything else than a request signed with its own key on P-256.
    public init(pem: [UInt8]) throws(IdentityError) {
        guard pem.count <= PEMText.limit else { throw PEMText.oversized("the certificate request") }
        guard let text = String(validating: pem, as: UTF8.self), let document = try? PEMDocument(pemString: text),
            document.discriminator == CertificateSigningRequest.defaultPEMDiscriminator
        else { throw IdentityError(.malformed, "the text is not a certificate request in PEM") }
        try self.init(der: document.derBytes)
    }
}
