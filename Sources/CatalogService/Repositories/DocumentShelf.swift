internal import Crypto
internal import Glibc
internal import LinuxSystem

/// The documents of repositories on the master's disk, each under its digest: what was fetched once is there when the
/// repository is not.
struct DocumentShelf: Sendable {
    let directory: String

    private func path(_ digest: String) -> String { "\(directory)/\(digest).json" }

    /// The name of a document: SHA-256 in hexadecimal digits.
    static func digest(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    /// Keeps a document.
    ///
    /// - Returns: its digest.
    func keep(_ bytes: [UInt8]) throws(SystemError) -> String {
        let digest = Self.digest(bytes)
        try makeDirectories(directory, mode: 0o700)
        if access(path(digest), F_OK) != 0 { try writeFileAtomically(path(digest), bytes) }
        return digest
    }

    /// A document, if it is there and whole.
    func read(_ digest: String, limit: Int) -> [UInt8]? {
        guard digest.utf8.count == 64, digest.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }),
            let bytes = try? readFile(path(digest), limit: limit), Self.digest(bytes) == digest
        else { return nil }
        return bytes
    }

    /// Removes documents that no repository uses any more.
    func clean(keeping digests: Set<String>) {
        for name in (try? listDirectory(directory)) ?? [] where name.hasSuffix(".json") {
            if !digests.contains(String(name.dropLast(".json".count))) { unlink("\(directory)/\(name)") }
        }
    }
}
