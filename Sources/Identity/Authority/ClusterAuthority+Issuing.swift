public import ClusterModel
internal import FoundationEssentials
public import Membership
internal import SwiftASN1
internal import X509

extension ClusterAuthority {
    /// Most addresses and most names in an API's certificate.
    public static let nameLimit = 64

    /// Makes a node's certificate. It names the id that follows from the key, and no address.
    ///
    /// - Parameters:
    ///   - request: what the node sent; it was checked when it was read.
    ///   - roles: what the node may do.
    ///   - now: the time.
    ///   - lifetime: how long it lasts; never longer than the authority.
    /// - Returns: the certificate and the attestation of the same roles until the same time.
    /// - Throws: ``IdentityError`` for roles that there are not, or when the authority is not valid now.
    public func issueNode(
        _ request: CertificateRequest, roles: NodeRoles, now: UnixTime, lifetime: Duration = nodeLifetime
    ) throws(IdentityError) -> IssuedCertificate {
        guard roles.isCertifiable else {
            throw IdentityError(.notCertifiable, "a node is an agent, a master or both; ask for one of these roles")
        }
        let id = request.publicKey.id
        let name = GeneralName.uniformResourceIdentifier(PeerName.uri(of: id, roles: roles, cluster: clusterID))
        let (der, times) = try issue(
            request.publicKey, commonName: id.description, names: [name], uses: [.serverAuth, .clientAuth], now: now,
            lifetime: lifetime)
        return IssuedCertificate(
            chain: [der, certificate.der], notBefore: times.notBefore, notAfter: times.notAfter,
            attestation: try attestation(for: request.publicKey, roles: roles, notAfter: times.notAfter))
    }

    /// Makes the certificate that a master's API shows to browsers and clients, which look for addresses and names in
    /// it. Nodes find in it whose API it is.
    ///
    /// - Parameters:
    ///   - publicKey: the master's own key.
    ///   - addresses: IPv4 and IPv6 addresses; a zone (`%eth0`) is left out.
    ///   - names: DNS names; asterisks are refused.
    ///   - now: the time.
    ///   - lifetime: how long it lasts; never longer than the authority.
    /// - Returns: the certificate.
    /// - Throws: ``IdentityError`` for a name or address that is none, for none at all, or for too many.
    public func issueAPI(
        _ publicKey: PublicKey, addresses: [String], names: [String], now: UnixTime, lifetime: Duration = apiLifetime
    ) throws(IdentityError) -> IssuedCertificate {
        guard !addresses.isEmpty || !names.isEmpty, max(addresses.count, names.count) <= Self.nameLimit else {
            throw IdentityError(
                .notCertifiable,
                "the certificate of an API holds 1 to \(Self.nameLimit) addresses or names; \(addresses.count) and "
                    + "\(names.count) were asked for: name fewer with --advertise")
        }
        var all: [GeneralName] = []
        for name in names { all.append(.dnsName(try Self.dnsName(name))) }
        for address in addresses {
            all.append(.ipAddress(ASN1OctetString(contentBytes: try Self.bytes(of: address)[...])))
        }
        all.append(.uniformResourceIdentifier(PeerName.uri(apiOf: publicKey.id, cluster: clusterID)))
        let (der, times) = try issue(
            publicKey, commonName: "Rondo API", names: all, uses: [.serverAuth], now: now, lifetime: lifetime)
        return IssuedCertificate(
            chain: [der, certificate.der], notBefore: times.notBefore, notAfter: times.notAfter, attestation: [])
    }

    private func issue(
        _ publicKey: PublicKey, commonName: String, names: [GeneralName], uses: [ExtendedKeyUsage.Usage],
        now: UnixTime, lifetime: Duration
    ) throws(IdentityError) -> ([UInt8], Times) {
        try certificate.check(now: now)
        let times = Self.times(now: now, lifetime: lifetime, end: certificate.notAfter)
        let der = try Self.make("a certificate", times) {
            let own = try Certificate(derEncoded: certificate.der)
            let key = Certificate.PublicKey(publicKey.key)
            return try Certificate(
                version: .v3, serialNumber: Self.serial(), publicKey: key, notValidBefore: times.notBefore.date,
                notValidAfter: times.notAfter.date, issuer: own.subject,
                subject: DistinguishedName {
                    OrganizationName(clusterID)
                    CommonName(commonName)
                },
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(uses)
                    SubjectAlternativeNames(names)
                    SubjectKeyIdentifier(hash: key)
                    AuthorityKeyIdentifier(keyIdentifier: try own.extensions.subjectKeyIdentifier?.keyIdentifier)
                },
                issuerPrivateKey: signer)
        }
        return (der, times)
    }

    private static func bytes(of address: String) throws(IdentityError) -> [UInt8] {
        guard let bytes = AddressText.bytes(address.prefix { $0 != "%" }) else {
            throw IdentityError(.notCertifiable, "'\(address.prefix(64))' is not an IPv4 or IPv6 address")
        }
        return bytes
    }

    private static func dnsName(_ name: String) throws(IdentityError) -> String {
        let labels = name.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        let isGood =
            name.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case 0x30...0x39, 0x61...0x7a, 0x2d, 0x5f: true
                        default: false
                        }
                    }
            }
        guard isGood else { throw IdentityError(.notCertifiable, "'\(name.prefix(64))' is not the name of a host") }
        return name.lowercased()
    }
}
