/// The name of an image as people write it, made whole: registry, repository, and a tag, a digest, or both.
///
/// Without a registry it is Docker Hub's, `docker.io`, where a name of one part is below `library`; without tag and
/// digest the tag is `latest`. With both, the digest decides and the tag is only shown.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible, Codable {
    /// Host, and port when one is named; `docker.io` when none was written.
    public let registry: String
    /// The path on the registry, such as `library/nginx`.
    public let repository: String
    /// The tag.
    public let tag: String?
    /// The digest of the manifest or index.
    public let digest: Digest?

    static let hub = "docker.io"

    /// The longest name without tag and digest.
    static let nameLimit = 255

    /// Reads a name strictly, as the distribution specification defines it.
    ///
    /// - Parameter text: such as `nginx`, `registry:5000/web/app:1.2` or `app@sha256:…`.
    /// - Throws: ``ImageError`` of code `image.invalid-name`, saying which part is wrong.
    public init(parsing text: String) throws(ImageError) {
        guard !text.isEmpty, text.utf8.count <= 1_024 else { throw Self.bad(text, "a name has 1 to 1024 bytes") }
        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            digest = try Digest(parsing: String(rest[rest.index(after: at)...]))
            rest = rest[..<at]
        }
        var tag: String?
        let afterSlash = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[afterSlash...].firstIndex(of: ":") {
            let found = rest[rest.index(after: colon)...]
            guard Self.isTag(found) else {
                throw Self.bad(
                    text, "a tag has 1 to 128 letters, digits, '_', '.' and '-', and begins with neither of those")
            }
            tag = String(found)
            rest = rest[..<colon]
        }
        let (registry, path) = try Self.split(rest, of: text)
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy(Self.isPathPart) else {
            throw Self.bad(
                text, "a repository is of lower-case letters and digits, with single '.', '_' or '-' between them")
        }
        if registry == nil, parts.count == 1, Digest(hex: String(path)) != nil {
            throw Self.bad(text, "64 digits are an identifier and no name")
        }
        self.registry = registry ?? Self.hub
        let isHub = self.registry == Self.hub
        repository = isHub && parts.count == 1 ? "library/" + path : String(path)
        guard self.registry.utf8.count + repository.utf8.count < Self.nameLimit else {
            throw Self.bad(text, "the name is longer than \(Self.nameLimit) bytes")
        }
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    private init(registry: String, repository: String, tag: String?, digest: Digest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The same image by a digest alone.
    func pinned(to digest: Digest) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
    }

    /// The same image on another registry.
    func on(_ registry: String) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: tag, digest: digest)
    }

    /// What a registry is asked for: the digest if there is one.
    var manifestName: String { digest?.description ?? tag ?? "latest" }

    /// Registry and repository.
    public var name: String { "\(registry)/\(repository)" }

    /// The whole name.
    public var description: String {
        name + (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The first part is a registry when it could be a host's name or address and no path.
    private static func split(
        _ name: Substring, of text: String
    ) throws(ImageError) -> (registry: String?, path: Substring) {
        guard let slash = name.firstIndex(of: "/") else { return (nil, name) }
        let first = name[..<slash]
        let looksLikeHost =
            first.contains(".") || first.contains(":") || first == "localhost"
            || first.utf8.contains { (0x41...0x5A).contains($0) }
        guard looksLikeHost else { return (nil, name) }
        guard isHost(first) else { throw bad(text, "\"\(first.prefix(80))\" is no host and port of a registry") }
        let host = first == "index.docker.io" || first == "registry-1.docker.io" ? Self.hub : String(first)
        return (host, name[name.index(after: slash)...])
    }

    /// A host's name or address, perhaps with a port.
    static func isHost(_ text: Substring) -> Bool {
        var host = text
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return false }
            let address = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            let isAddress = address.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || (0x41...0x46).contains($0) || $0 == 0x3A
            }
            return isAddress && address.utf8.contains(0x3A)
                && (rest.isEmpty || (rest.first == ":" && isPort(rest.dropFirst())))
        }
        if let colon = text.firstIndex(of: ":") {
            guard isPort(text[text.index(after: colon)...]) else { return false }
            host = text[..<colon]
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            let bytes = label.utf8
            return (1...63).contains(bytes.count) && bytes.first != 0x2D && bytes.last != 0x2D
                && bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == 0x2D }
        }
    }

    private static func isPort(_ text: Substring) -> Bool {
        (1...5).contains(text.utf8.count) && text.utf8.allSatisfy(isDigit) && (1...65_535).contains(Int(text) ?? 0)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { isLower(byte | 0x20) }

    static func isTag(_ text: Substring) -> Bool {
        let bytes = text.utf8
        guard (1...128).contains(bytes.count), let first = bytes.first,
            isLetter(first) || isDigit(first) || first == 0x5F
        else { return false }
        return bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
    private static func isPathPart(_ part: Substring) -> Bool {
        var separators: [UInt8] = [0x2D]
        for byte in part.utf8 {
            if isLower(byte) || isDigit(byte) {
                let isRunOfDashes = separators.allSatisfy { $0 == 0x2D }
                let isOther = separators == [0x2E] || separators == [0x5F] || separators == [0x5F, 0x5F]
                guard separators.isEmpty || isRunOfDashes || isOther else { return false }
                separators = []
            } else if byte == 0x2E || byte == 0x5F || byte == 0x2D {
                separators.append(byte)
            } else {
                return false
            }
        }
        guard let first = part.utf8.first else { return false }
        return separators.isEmpty && (isLower(first) || isDigit(first))
    }

    private static func bad(_ text: String, _ reason: String) -> ImageError {
        ImageError(.invalidName, "\"\(text.prefix(200))\" is no name of an image: \(reason)")
    }

    /// Reads it as text.
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    /// Writes it as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
