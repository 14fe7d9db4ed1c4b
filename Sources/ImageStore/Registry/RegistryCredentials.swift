internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// Who somebody is on a registry.
public struct RegistryCredential: Sendable, Equatable {
    /// The account's name.
    public var user: String
    /// Its password or token.
    public var password: String

    /// A name and a password.
    ///
    /// - Parameters:
    ///   - user: the account's name, without a colon.
    ///   - password: its password or token.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// `USER:PASSWORD` in base64.
    public var encoded: String { Data("\(user):\(password)".utf8).base64EncodedString() }

    /// Reads ``encoded``.
    public init?(encoded: String) {
        guard let data = Data(base64Encoded: encoded), let plain = String(validating: data, as: UTF8.self),
            let colon = plain.firstIndex(of: ":")
        else { return nil }
        self.init(user: String(plain[..<colon]), password: String(plain[plain.index(after: colon)...]))
    }

    /// The value of an Authorization header.
    var basic: String { "Basic " + encoded }
}

/// Credentials by registry, as docker, podman and skopeo keep them in a file.
public struct RegistryCredentials: Sendable {
    private var byRegistry: [String: RegistryCredential]

    /// None.
    public init() { byRegistry = [:] }

    /// One for one registry.
    ///
    /// - Parameters:
    ///   - registry: host and port, as names of images have it.
    ///   - credential: who to be there.
    public init(_ registry: String, _ credential: RegistryCredential) { byRegistry = [Self.key(registry): credential] }

    private struct File: Decodable {
        struct Entry: Decodable {
            var auth: String?
            var username: String?
            var password: String?
        }

        var auths: [String: Entry]?
    }

    /// Reads a file in the form of docker's `config.json`.
    ///
    /// - Parameter path: the file.
    /// - Throws: ``ImageError`` when it cannot be read or is of another form.
    public init(file path: String) throws(ImageError) {
        try self.init(try system { () throws(SystemError) in try readFile(path, limit: 1 << 20) }, name: path)
    }

    /// Reads what is in such a file.
    ///
    /// - Parameters:
    ///   - bytes: the content.
    ///   - path: what to call it when something is wrong with it.
    /// - Throws: ``ImageError`` when it is of another form.
    public init(_ bytes: [UInt8], name path: String) throws(ImageError) {
        let file = try parseJSON(File.self, bytes, path)
        byRegistry = [:]
        for (registry, entry) in file.auths ?? [:] {
            if let user = entry.username, let password = entry.password, !user.isEmpty {
                byRegistry[Self.key(registry)] = RegistryCredential(user: user, password: password)
            } else if let text = entry.auth, !text.isEmpty {
                guard let credential = RegistryCredential(encoded: text) else {
                    throw ImageError(
                        .invalidContent, "\(path): the credential of \(registry.prefix(80)) cannot be read")
                }
                byRegistry[Self.key(registry)] = credential
            }
        }
    }

    /// The one for an image: of its registry, or of the nearest path above its repository.
    public func credential(for image: ImageReference) -> RegistryCredential? {
        credential(image.registry, image.repository)
    }

    func credential(_ registry: String, _ repository: String) -> RegistryCredential? {
        var name = Self.key(registry) + "/" + repository
        while true {
            if let found = byRegistry[name] { return found }
            guard let slash = name.lastIndex(of: "/") else { return nil }
            name = String(name[..<slash])
        }
    }

    /// Files have Docker Hub under its old address, and others with a scheme.
    private static func key(_ registry: String) -> String {
        var key = registry[...]
        for scheme in ["https://", "http://"] where key.hasPrefix(scheme) { key = key.dropFirst(scheme.count) }
        while key.hasSuffix("/") { key = key.dropLast() }
        for path in ["/v1", "/v2"] where key.hasSuffix(path) { key = key.dropLast(path.count) }
        if ["index.docker.io", "registry-1.docker.io"].contains(key) { return ImageReference.hub }
        return String(key)
    }
}
