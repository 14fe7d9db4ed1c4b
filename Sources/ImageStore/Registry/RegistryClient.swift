internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Synchronization

/// One registry, as the distribution specification has it: manifests and blobs are read, and written where somebody
/// publishes a document.
///
/// A request that fails for a reason that may pass (no answer, a broken connection, a status of 500 or more, too many
/// requests) is sent again after a pause. A blob that was broken off goes on where it stopped. What a registry says is
/// believed only as far as the digests go.
final class RegistryClient: Sendable {
    private let send: Sender
    /// Sends a request with its Authorization header and body.
    private typealias Sender =
        @Sendable (HTTPRequest.Method, WebAddress, HTTPFields, String?, ByteBuffer?) async throws(ImageError) ->
        WebClient.Answer
    private let mayBePlain: @Sendable (WebAddress) -> Bool
    private let settings: RegistrySettings
    /// Its host, perhaps with a port.
    let registry: String
    private let base: WebAddress
    private let credential: @Sendable (_ repository: String) -> RegistryCredential?
    /// What was shown last with success, by repository.
    private let authorizations = Mutex<[String: String]>([:])

    private static let tokenLimit = 1 << 20
    private static let errorLimit = 16 << 10

    /// For a host, perhaps with a port, as names of images have it.
    init(_ registry: String, _ web: WebClient, _ settings: RegistrySettings) throws(ImageError) {
        self.registry = registry
        send = { (method, address, headers, authorization, body) async throws(ImageError) in
            try await web.fetch(method, address, headers: headers, authorization: authorization, body: body)
        }
        mayBePlain = { web.mayBePlain($0) }
        self.settings = settings
        let authority = registry == ImageReference.hub ? "registry-1.docker.io" : registry
        let probe = try WebAddress(isSecure: false, authority: authority, target: "/v2/")
        let isPlain = settings.plain.contains(registry) || web.mayBePlain(probe)
        base = try WebAddress(isSecure: !isPlain, authority: authority, target: "/v2/")
        credential = { settings.credentials.credential(registry, $0) }
    }

    /// For the images that the cluster keeps, over a connection that is there.
    init(_ cluster: ClusterSource, _ settings: RegistrySettings) {
        registry = ClusterSource.name
        self.settings = settings
        base = WebAddress(cluster: ClusterSource.root)
        mayBePlain = { _ in false }
        credential = { _ in nil }
        send = { (method, address, headers, _, _) async throws(ImageError) in
            do throws(HTTPCallError) {
                return WebClient.Answer(
                    address: address, response: try await cluster.ask(method, address.target, headers))
            } catch { throw WebClient.translate(error, address) }
        }
    }

    /// A manifest or an index by a tag or a digest; with the latter the bytes are verified.
    func manifest(_ repository: String, _ name: String) async throws(ImageError) -> (bytes: [UInt8], mediaType: String?)
    {
        var headers = HTTPFields()
        headers[.accept] = MediaType.accepted.joined(separator: ", ")
        let target = "\(base.target)\(repository)/manifests/\(name)"
        return try await retrying { () async throws(ImageError) in
            let answer = try await self.request(.get, target, repository, headers)
            let response = answer.response
            guard response.status == .ok else { throw await self.refusal(answer, repository, "\(repository):\(name)") }
            let bytes: [UInt8]
            do {
                bytes = try await WebClient.collect(response.body, limit: ImageDocument.sizeLimit)
            } catch let error as ImageError {
                throw error
            } catch {
                throw WebClient.translate(error, answer.address)
            }
            if name.hasPrefix("sha256:"), Digest(of: bytes).description != name {
                throw ImageError(.digestMismatch, "\(self.registry) sent something else than \(name); it is not used")
            }
            let type = response.headers[.contentType]?.prefix { $0 != ";" && $0 != " " }
            let isTelling =
                type.map { MediaType.accepted.contains(String($0)) || MediaType.isObsolete(String($0)) } ?? false
            return (bytes, isTelling ? type.map(String.init) : nil)
        }
    }

    /// Downloads a blob into its writer and goes on where it broke off, until it is whole or `isThere` says that it has
    /// come from elsewhere. Progress is told of every piece that has arrived, and with a negative number of bytes that
    /// have to come again.
    func blob(
        _ repository: String, _ blob: Descriptor, into writer: BlobWriter, unless isThere: () -> Bool,
        progress: @Sendable (Int64) -> Void
    ) async throws(ImageError) {
        let target = "\(base.target)\(repository)/blobs/\(blob.digest)"
        progress(writer.size)
        var pause = settings.firstPause
        var failures = 0
        while writer.size < blob.size, !isThere() {
            let before = writer.size
            do throws(ImageError) {
                try await download(target, repository, blob, writer, isThere, progress)
            } catch {
                // What brings something on its way is not stuck.
                failures = writer.size > before ? 1 : failures + 1
                if writer.size > before { pause = settings.firstPause }
                guard error.isPassing, failures < settings.attempts else { throw error.tried(failures) }
                try await wait(&pause)
            }
        }
    }

    private func download(
        _ target: String, _ repository: String, _ blob: Descriptor, _ writer: BlobWriter, _ isThere: () -> Bool,
        _ progress: @Sendable (Int64) -> Void
    ) async throws(ImageError) {
        var headers = HTTPFields()
        let from = writer.size
        if from > 0 { headers[.range] = "bytes=\(from)-" }
        let answer = try await request(.get, target, repository, headers)
        let response = answer.response
        switch response.status.code {
        case 206 where from > 0 && Self.rangeStart(response.headers) == from: break
        case 200, 206, 416:
            guard response.status == .ok || from > 0 else { fallthrough }
            // This one does not know ranges, or means another one.
            if from > 0 {
                progress(-from)
                try writer.restart()
            }
            guard response.status == .ok else {
                throw ImageError(.registry, "\(registry) cannot go on in the middle of \(blob.digest)", isPassing: true)
            }
        default: throw await refusal(answer, repository, blob.digest.description)
        }
        do {
            for try await piece in response.body {
                guard Int64(piece.readableBytes) <= blob.size - writer.size else {
                    throw ImageError(
                        .digestMismatch,
                        "\(registry) sends more than the \(blob.size) bytes that \(blob.digest) should have")
                }
                let result = piece.withUnsafeReadableBytes { bytes in
                    Result { () throws(ImageError) in try writer.write(bytes) }
                }
                try result.get()
                progress(Int64(piece.readableBytes))
                if writer.size < blob.size, isThere() { return }
            }
        } catch let error as ImageError {
            throw error
        } catch {
            throw WebClient.translate(error, answer.address)
        }
        guard writer.size == blob.size else {
            throw ImageError(
                .registry, "\(registry) sent \(writer.size) of the \(blob.size) bytes of \(blob.digest)",
                isPassing: true)
        }
    }

    /// A small blob, verified; the caller has looked at its size.
    func bytes(_ repository: String, _ blob: Descriptor) async throws(ImageError) -> [UInt8] {
        let target = "\(base.target)\(repository)/blobs/\(blob.digest)"
        return try await retrying { () async throws(ImageError) in
            let answer = try await self.request(.get, target, repository, HTTPFields())
            guard answer.response.status == .ok else {
                throw await self.refusal(answer, repository, blob.digest.description)
            }
            let bytes: [UInt8]
            do {
                bytes = try await WebClient.collect(answer.response.body, limit: Int(blob.size))
            } catch let error as ImageError {
                throw error
            } catch {
                throw WebClient.translate(error, answer.address)
            }
            guard Digest(of: bytes) == blob.digest else {
                throw ImageError(.digestMismatch, "\(self.registry) sent something else than \(blob.digest)")
            }
            return bytes
        }
    }

    // MARK: - Writing

    /// Has a registry keep a blob, in one piece, unless it has it.
    func push(_ repository: String, _ blob: Descriptor, _ bytes: [UInt8]) async throws(ImageError) {
        let there = "\(base.target)\(repository)/blobs/\(blob.digest)"
        let isThere = try await retrying { () async throws(ImageError) in
            try await self.request(.head, there, repository, HTTPFields()).response.status == .ok
        }
        if isThere { return }
        try await retrying { () async throws(ImageError) in
            let begun = try await self.request(
                .post, "\(self.base.target)\(repository)/blobs/uploads/", repository, HTTPFields(), ByteBuffer())
            guard begun.response.status == .accepted else {
                throw await self.refusal(begun, repository, "\(repository)", writing: true)
            }
            _ = try? await WebClient.collect(begun.response.body, limit: Self.errorLimit)
            guard let location = begun.response.headers[.location], let place = begun.address.following(location),
                place.isSameOrigin(as: self.base)
            else { throw ImageError(.registry, "\(self.registry) names no place of its own for what is pushed") }
            let target = place.target + (place.target.contains("?") ? "&" : "?") + "digest=\(blob.digest)"
            var headers = HTTPFields()
            headers[.contentType] = "application/octet-stream"
            let answer = try await self.request(.put, target, repository, headers, ByteBuffer(bytes: bytes))
            guard answer.response.status == .created else {
                throw await self.refusal(answer, repository, "\(repository)", writing: true)
            }
            _ = try? await WebClient.collect(answer.response.body, limit: Self.errorLimit)
        }
    }

    /// Has a registry keep a manifest under a name, which is seen from then on.
    func push(
        _ repository: String, _ name: String, _ manifest: [UInt8], mediaType: String
    ) async throws(ImageError) {
        var headers = HTTPFields()
        headers[.contentType] = mediaType
        let (fields, target) = (headers, "\(base.target)\(repository)/manifests/\(name)")
        try await retrying { () async throws(ImageError) in
            let answer = try await self.request(.put, target, repository, fields, ByteBuffer(bytes: manifest))
            guard answer.response.status == .created else {
                throw await self.refusal(answer, repository, "\(repository):\(name)", writing: true)
            }
            _ = try? await WebClient.collect(answer.response.body, limit: Self.errorLimit)
        }
    }

    private static func rangeStart(_ headers: HTTPFields) -> Int64? {
        guard let text = headers[.contentRange], text.hasPrefix("bytes ") else { return nil }
        return Int64(text.dropFirst("bytes ".count).prefix { $0 != "-" })
    }

    // MARK: - Requests

    private func retrying<Value>(
        _ body: () async throws(ImageError) -> Value
    ) async throws(ImageError) -> Value {
        var pause = settings.firstPause
        var attempt = 1
        while true {
            do throws(ImageError) {
                return try await body()
            } catch {
                guard error.isPassing, attempt < settings.attempts else { throw error.tried(attempt) }
                attempt += 1
                try await wait(&pause)
            }
        }
    }

    private func wait(_ pause: inout Duration) async throws(ImageError) {
        do { try await Task.sleep(for: pause) } catch { throw ImageError(wrapping: error) }
        pause = min(pause * 2, .seconds(10))
    }

    /// Sends a request and shows the registry who one is when it asks.
    private func request(
        _ method: HTTPRequest.Method, _ target: String, _ repository: String, _ headers: HTTPFields,
        _ body: ByteBuffer? = nil
    ) async throws(ImageError) -> WebClient.Answer {
        var address = base
        address.target = target
        let known = authorizations.withLock { $0[repository] }
        let answer = try await send(method, address, headers, known, body)
        guard answer.response.status == .unauthorized, answer.address.isSameOrigin(as: address) else { return answer }
        guard let challenge = AuthChallenge(answer.response.headers[values: .wwwAuthenticate]) else { return answer }
        _ = try? await WebClient.collect(answer.response.body, limit: Self.errorLimit)
        let authorization = try await authorize(challenge, repository)
        let second = try await send(method, address, headers, authorization, body)
        if second.response.status != .unauthorized { authorizations.withLock { $0[repository] = authorization } }
        return second
    }

    private func authorize(_ challenge: AuthChallenge, _ repository: String) async throws(ImageError) -> String {
        let credential = credential(repository)
        switch challenge {
        case .basic:
            guard let credential else {
                throw ImageError(
                    .unauthorized, wanting)
            }
            return credential.basic
        case .bearer(let realm, let service, let scope):
            return "Bearer " + (try await token(realm, service, scope ?? "repository:\(repository):pull", credential))
        }
    }

    private var wanting: String { "\(registry) wants a user and a password; \(settings.credentialAdvice)" }

    private struct Token: Decodable {
        var token: String?
        var accessToken: String?

        enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
        }
    }

    private func token(
        _ realm: String, _ service: String?, _ scope: String, _ credential: RegistryCredential?
    ) async throws(ImageError) -> String {
        guard var address = WebAddress(realm) else {
            throw ImageError(.registry, "\(registry) names no valid address for tokens")
        }
        // A password must not go over the wire in the clear because a registry says so.
        guard address.isSecure || (!base.isSecure && mayBePlain(address)) else {
            throw ImageError(.registry, "\(registry) wants tokens to be had without TLS, which is refused")
        }
        var query = address.target.contains("?") ? "&" : "?"
        if let service { query += "service=\(Self.escaped(service))&" }
        address.target += query + "scope=\(Self.escaped(scope))"
        let answer = try await send(.get, address, [:], credential?.basic, nil)
        switch answer.response.status.code {
        case 200: break
        case 401, 403:
            throw ImageError(
                .unauthorized,
                credential == nil
                    ? wanting
                    : "\(registry) does not take the user and the password")
        default: throw await refusal(answer, "", "a token")
        }
        let bytes: [UInt8]
        do {
            bytes = try await WebClient.collect(answer.response.body, limit: Self.tokenLimit)
        } catch {
            throw WebClient.translate(error, answer.address)
        }
        let document = try parseJSON(Token.self, bytes, "the token of \(registry)")
        guard let token = document.token ?? document.accessToken, !token.isEmpty,
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw ImageError(.registry, "\(address.authority) gave no token")
        }
        return token
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._~:/,".utf8.contains(byte)
            if isPlain {
                result.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    /// What an answer means that is not the one that was asked for.
    private func refusal(
        _ answer: WebClient.Answer, _ repository: String, _ what: String, writing: Bool = false
    ) async -> ImageError {
        let status = answer.response.status.code
        let name = answer.address.authority
        let body = (try? await WebClient.collect(answer.response.body, limit: Self.errorLimit)) ?? []
        let reason = Self.reason(body)
        switch status {
        case 401, 403:
            return ImageError(
                .unauthorized,
                "\(name) does not allow to \(writing ? "write" : "read") \(repository)\(reason); is the credential right?"
            )
        case 404: return ImageError(.notFound, "\(name) has no \(what)\(reason)")
        case 408, 425, 429, 500...599:
            return ImageError(.registry, "\(name) answered with status \(status)\(reason)", isPassing: true)
        default: return ImageError(.registry, "\(name) answered with status \(status)\(reason)")
        }
    }

    private struct Errors: Decodable {
        struct One: Decodable {
            var message: String?
        }

        var errors: [One]?
    }

    /// What the registry says about it, short and without control characters.
    private static func reason(_ body: [UInt8]) -> String {
        guard let message = (try? parseJSON(Errors.self, body, ""))?.errors?.first?.message, !message.isEmpty else {
            return ""
        }
        return " (\(TarEntry.shown(Array(message.utf8))))"
    }
}
