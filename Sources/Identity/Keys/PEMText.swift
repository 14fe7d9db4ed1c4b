internal import SwiftASN1

/// Certificates as text.
public enum PEMText {
    /// Longest PEM text and longest DER structure that is read.
    public static let limit = 16_384
    /// Most certificates in a chain.
    public static let chainLimit = 4

    /// The text of certificates, each in DER, in the order given.
    public static func text(certificates: [[UInt8]]) -> [UInt8] {
        certificates.flatMap { encode($0, as: "CERTIFICATE") }
    }

    /// The certificates of a text, each in DER, in its order: one to ``chainLimit``.
    ///
    /// - Throws: ``IdentityError`` for anything else.
    public static func certificates(in text: [UInt8]) throws(IdentityError) -> [[UInt8]] {
        guard text.count <= limit else { throw oversized("the certificates") }
        guard let text = String(validating: text, as: UTF8.self),
            let documents = try? PEMDocument.parseMultiple(pemString: text),
            (1...chainLimit).contains(documents.count),
            documents.allSatisfy({ $0.discriminator == "CERTIFICATE" })
        else {
            throw IdentityError(.malformed, "the text holds no certificates in PEM; restore the file, or join again")
        }
        return documents.map(\.derBytes)
    }

    static func encode(_ der: [UInt8], as kind: String) -> [UInt8] {
        Array((PEMDocument(type: kind, derBytes: der).pemString + "\n").utf8)
    }

    static func oversized(_ what: String) -> IdentityError {
        IdentityError(.oversized, "\(what) have more than \(limit) bytes; nothing that Rondo makes is that large")
    }
}
