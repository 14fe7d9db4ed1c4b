import HTTPGateway
import HTTPTypes
import LinuxSystem
import NIOCore
import Synchronization
import Testing
import Transport

@testable import ImageStore

@Suite("Pulling from registries")
struct RegistryTests {
    /// Something that stays long when it is compressed.
    private static let one = TarBytes.make { tar in
        var state: UInt64 = 1
        let text = (0..<50_000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return String(state >> 60, radix: 16)
        }
        tar.file("one", text.joined())
    }
    private static let two = TarBytes.make { tar in
        tar.file("two", "2")
        tar.file(".wh.one", "")
    }

    private static func code(_ body: () async throws -> Void) async -> ImageError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? ImageError)?.code
        }
    }

    @Test func `an image is pulled, verified and unpacked`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let digest = try registry.put("1", layers: [Self.one, Self.two])
            let events = Mutex<[PullProgress]>([])
            let image = try await store.pull(registry.reference(), options: registry.options()) { event in
                events.withLock { $0.append(event) }
            }
            #expect(image.digest == digest)
            #expect(image.config.entrypoint == ["/bin/app"])
            let layers = try await store.layers(of: image)
            #expect(layers.count == 2)
            #expect(layers[0].hasSuffix("\(Digest(of: Self.two).hex.prefix(32))/fs"))
            #expect(try store.image(registry.reference()) == image)
            let received = events.withLock { $0 }.reduce(Int64(0)) { sum, event in
                if case .received(let bytes) = event { sum + bytes } else { sum }
            }
            #expect(received == image.size)
            #expect(events.withLock { $0.first } == .found(layers: 2, bytes: image.size))
        }
    }

    @Test func `what is here is not fetched again`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            try registry.put("2", layers: [Self.one, Self.two])
            _ = try await store.pull(registry.reference(), options: registry.options())
            _ = try await store.pull(registry.reference("app:2"), options: registry.options())
            #expect(registry.count("/blobs/\(Digest(of: gzip(Self.one)))") == 1)
            let before = registry.seen.count
            var options = registry.options()
            options.onlyMissing = true
            _ = try await store.pull(registry.reference(), options: options)
            #expect(registry.seen.count == before)
        }
    }

    @Test func `many pulls of one image fetch each blob once`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one, Self.two])
            let (reference, options) = (try registry.reference(), registry.options())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 { group.addTask { _ = try await store.pull(reference, options: options) } }
                try await group.waitForAll()
            }
            for blob in [gzip(Self.one), gzip(Self.two)] { #expect(registry.count("/blobs/\(Digest(of: blob))") == 1) }
        }
    }

    @Test func `an index leads to the image for the platform`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let foreign = Platform(os: "linux", architecture: "s390x")
            let (own, other) = (
                try registry.put("own", layers: [Self.one]),
                try registry.put("other", layers: [Self.two], platform: foreign)
            )
            let index = ImageIndex(manifests: [
                Descriptor(mediaType: MediaType.manifest, digest: other, size: 1, platform: foreign),
                Descriptor(mediaType: MediaType.manifest, digest: own, size: 1, platform: .own),
            ])
            registry.put("1", MediaType.index, try writeJSON(index))
            #expect(try await store.pull(registry.reference(), options: registry.options()).digest == own)
            var options = registry.options()
            options.platform = foreign
            #expect(try await store.pull(registry.reference(), options: options).digest == other)
            options.platform = Platform(os: "linux", architecture: "mips")
            #expect(await Self.code { _ = try await store.pull(registry.reference(), options: options) } == .notFound)
        }
    }

    // MARK: - Faults

    @Test func `a registry that is ill for a while is asked again`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            registry.misbehave { _, count, _ in count <= 3 ? .text(.serviceUnavailable, "{}") : nil }
            _ = try await store.pull(registry.reference(), options: registry.options())
        }
    }

    @Test func `a registry that stays ill is given up, and nothing has a name`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            registry.misbehave { path, _, _ in path.contains("/blobs/") ? .text(.internalServerError, "{}") : nil }
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: registry.options()) }
                    == .registry)
            #expect(try store.list().isEmpty)
            #expect(registry.count("/blobs/") == 5)
        }
    }

    @Test(arguments: [true, false])
    func `a download that breaks off goes on, with ranges and without`(honoursRanges: Bool) async throws {
        try await FakeRegistry.with(honoursRanges: honoursRanges) { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            registry.misbehave { path, count, _ in
                path.contains(Digest(of: blob).hex) && count <= 2 ? FakeRegistry.cut(blob, after: 200) : nil
            }
            let image = try await store.pull(registry.reference(), options: registry.options())
            #expect(try await store.layers(of: image).count == 1)
            let ranges = registry.seen.filter { $0.path.contains(Digest(of: blob).hex) }.map(\.range)
            #expect(ranges.first == .some(nil))
            #expect(ranges.last == "bytes=200-")
        }
    }

    @Test func `a pull that was broken off is used by the next one, also when it is damaged`() async throws {
        try await FakeRegistry.with { registry, store, scratch in
            try registry.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            try scratch.write("images/partial/\(Digest(of: blob).hex)", Array(blob[..<300]))
            _ = try await store.pull(registry.reference(), options: registry.options())
            #expect(registry.seen.contains { $0.range == "bytes=300-" })

            try registry.put("2", layers: [Self.two])
            let other = gzip(Self.two)
            try scratch.write("images/partial/\(Digest(of: other).hex)", Array(repeating: 0x55, count: 10))
            _ = try await store.pull(registry.reference("app:2"), options: registry.options())
            #expect(try await store.layers(of: store.find("\(registry.host)/app:2")).count == 1)
        }
    }

    @Test func `a blob with other bytes is refused`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            registry.misbehave { path, _, request in
                guard path.contains(Digest(of: blob).hex) else { return nil }
                return FakeRegistry.blob([UInt8](repeating: 7, count: blob.count), request, true)
            }
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: registry.options()) }
                    == .digestMismatch)
            #expect(try store.list().isEmpty)
            #expect(registry.count(Digest(of: blob).hex) == 1)
        }
    }

    @Test func `a blob with more bytes than it should have is refused before they are all here`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            registry.misbehave { path, _, _ in
                guard path.contains(Digest(of: blob).hex) else { return nil }
                return .stream(.ok) { writer in
                    for _ in 0..<10_000 { try await writer.write(ByteBuffer(repeating: 1, count: 64 << 10)) }
                }
            }
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: registry.options()) }
                    == .digestMismatch)
        }
    }

    @Test func `a layer with another archive than the configuration says is refused`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one], compress: { _ in gzip(Self.two) })
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: registry.options()) }
                    == .digestMismatch)
            #expect(try store.usage().layers == 0)
        }
    }

    @Test func `a manifest that is not the one of the digest is refused`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let digest = try registry.put("1", layers: [Self.one])
            try registry.put("2", layers: [Self.two])
            registry.misbehave { path, _, _ in
                path.contains("/manifests/sha256:") ? .text(.ok, "{}", type: MediaType.manifest) : nil
            }
            let reference = try ImageReference(parsing: "\(registry.host)/app@\(digest)")
            #expect(
                await Self.code { _ = try await store.pull(reference, options: registry.options()) } == .digestMismatch)
        }
    }

    @Test func `a registry that falls silent is given up`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            registry.misbehave { path, _, _ in
                path.contains("/blobs/") ? .stream(.ok) { _ in try await Task.sleep(for: .seconds(30)) } : nil
            }
            var options = registry.options()
            options.registry.attempts = 2
            options.registry.timeout = .milliseconds(150)
            let reference = try registry.reference()
            #expect(await Self.code { _ = try await store.pull(reference, options: options) } == .unreachable)
        }
    }

    @Test func `a registry that falls silent in the middle of a blob is asked for the rest`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            registry.misbehave { path, count, _ in
                guard path.contains(Digest(of: blob).hex), count == 1 else { return nil }
                return .stream(.ok) { writer in
                    try await writer.write(ByteBuffer(bytes: blob[..<200]))
                    try await Task.sleep(for: .seconds(60))
                }
            }
            var options = registry.options()
            options.registry.timeout = .milliseconds(500)
            let image = try await store.pull(registry.reference(), options: options)
            #expect(try await store.layers(of: image).count == 1)
            #expect(registry.seen.last?.range == "bytes=200-")
        }
    }

    @Test func `nobody waits for another registry, and who has waited long has it too`() async throws {
        try await FakeRegistry.with { registry, store, scratch in
            let slow = FakeRegistry(registry.transport)
            try await slow.start()
            try registry.put("1", layers: [Self.one])
            try slow.put("1", layers: [Self.one])
            let blob = gzip(Self.one)
            let (opened, opening) = AsyncStream.makeStream(of: Void.self)
            let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
            slow.misbehave { path, _, _ in
                guard path.contains(Digest(of: blob).hex) else { return nil }
                return .stream(.ok) { writer in
                    try await writer.write(ByteBuffer(bytes: blob[..<200]))
                    beginning.finish()
                    for await _ in opened {}
                    try await writer.write(ByteBuffer(bytes: blob[200..<300]))
                    try await Task.sleep(for: .seconds(60))
                }
            }
            let (reference, options) = (try slow.reference(), registry.options())
            async let other = store.pull(reference, options: options)
            for await _ in begun {}
            let image = try await store.pull(registry.reference(), options: options)
            #expect(try await store.layers(of: image).count == 1)
            opening.finish()
            let late = try await other
            #expect(late.digest == image.digest)
            #expect(try store.list().count == 2)
            #expect(try listDirectory(scratch.path + "/images/partial").isEmpty)
            await slow.stop()
        }
    }

    @Test(arguments: [HTTPResponse.Status.unauthorized, .forbidden, .notFound, .badRequest, .gone])
    func `a definite answer is not asked for again`(status: HTTPResponse.Status) async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            registry.misbehave { path, _, _ in path.contains("/blobs/") ? .text(status, "{}") : nil }
            let reference = try registry.reference()
            #expect(await Self.code { _ = try await store.pull(reference, options: registry.options()) } != nil)
            #expect(registry.seen.count == 2)
            registry.misbehave { _, _, _ in .text(status, "{}") }
            #expect(await Self.code { _ = try await store.pull(reference, options: registry.options()) } != nil)
            #expect(registry.seen.count == 3)
        }
    }

    @Test func `a registry that is not there is said to be`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let reference = try registry.reference()
            await registry.stop()
            #expect(
                await Self.code { _ = try await store.pull(reference, options: registry.options()) } == .unreachable)
        }
    }

    @Test func `redirects are followed, but not for ever`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            registry.misbehave { path, _, _ in
                guard path.hasPrefix("/v2/"), path.contains("/blobs/") else { return nil }
                return .complete(.temporaryRedirect, headers: [.location: path.replacing("/v2/", with: "/cdn/")])
            }
            _ = try await store.pull(registry.reference(), options: registry.options())
            registry.misbehave { path, _, _ in .complete(.found, headers: [.location: path]) }
            #expect(
                await Self.code { _ = try await store.pull(registry.reference("app:2"), options: registry.options()) }
                    == .registry)
            registry.misbehave { _, _, _ in .complete(.found, headers: [.location: "http://198.51.100.1/"]) }
            #expect(
                await Self.code { _ = try await store.pull(registry.reference("app:2"), options: registry.options()) }
                    == .registry)
        }
    }

    @Test func `no layer is too small or too large by its own word`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [])
            let image = try await store.pull(registry.reference(), options: registry.options())
            #expect(try await store.layers(of: image) == [store.root + "/empty"])
        }
    }

    // MARK: - Who one is

    @Test func `a token is fetched with the credential and shown to nobody else`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let elsewhere = FakeRegistry(registry.transport)
            try await elsewhere.start(on: "127.0.0.2")
            try registry.put("1", layers: [Self.one])
            try elsewhere.put("1", layers: [Self.one])
            let (host, other) = (registry.host, elsewhere.host)
            registry.misbehave { path, _, request in
                if path.hasPrefix("/token") {
                    let isRight =
                        request.headers[.authorization] == RegistryCredential(user: "u", password: "p:w").basic
                    return isRight ? .text(.ok, #"{"token":"abc"}"#) : .text(.unauthorized, "{}")
                }
                guard request.headers[.authorization] == "Bearer abc" else {
                    let challenge = #"Bearer realm="http://\#(host)/token",service="s",scope="repository:app:pull""#
                    return .text(.unauthorized, "{}", headers: [.wwwAuthenticate: challenge])
                }
                guard path.contains("/blobs/") else { return nil }
                return .complete(.temporaryRedirect, headers: [.location: "http://\(other)\(path)"])
            }
            var options = registry.options()
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: options) } == .unauthorized)
            options.registry.credentials = RegistryCredentials(host, RegistryCredential(user: "u", password: "p:w"))
            _ = try await store.pull(registry.reference(), options: options)
            #expect(registry.seen.contains { $0.path == "/token?service=s&scope=repository:app:pull" })
            #expect(!elsewhere.seen.isEmpty)
            #expect(elsewhere.seen.allSatisfy { $0.authorization == nil })
            await elsewhere.stop()
        }
    }

    @Test func `a name and a password are shown when they are asked for`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            try registry.put("1", layers: [Self.one])
            let right = RegistryCredential(user: "u", password: "p")
            registry.misbehave { _, _, request in
                request.headers[.authorization] == right.basic
                    ? nil : .text(.unauthorized, "{}", headers: [.wwwAuthenticate: #"Basic realm="r""#])
            }
            var options = registry.options()
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: options) } == .unauthorized)
            options.registry.credentials = RegistryCredentials(
                registry.host, RegistryCredential(user: "u", password: "wrong"))
            #expect(
                await Self.code { _ = try await store.pull(registry.reference(), options: options) } == .unauthorized)
            options.registry.credentials = RegistryCredentials(registry.host, right)
            _ = try await store.pull(registry.reference(), options: options)
            #expect(registry.seen.first?.authorization == nil)
        }
    }

    @Test func `credentials come from a file in docker's form`() throws {
        let scratch = try Scratch()
        try scratch.write(
            "auth.json",
            #"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"r:5000/team":{"username":"a","password":"b"}},"x":1}"#
        )
        let credentials = try RegistryCredentials(file: scratch.path + "/auth.json")
        #expect(credentials.credential("docker.io", "library/nginx") == RegistryCredential(user: "u", password: "p"))
        #expect(credentials.credential("r:5000", "team/app") == RegistryCredential(user: "a", password: "b"))
        #expect(credentials.credential("r:5000", "other/app") == nil)
        try scratch.write("bad.json", #"{"auths":{"r":{"auth":"!"}}}"#)
        #expect(throws: ImageError.self) { try RegistryCredentials(file: scratch.path + "/bad.json") }
    }

    @Test func `mirrors come first, and the registry when they fail`() async throws {
        try await FakeRegistry.with { registry, store, _ in
            let mirror = FakeRegistry(registry.transport)
            try await mirror.start()
            try registry.put("1", layers: [Self.one])
            var options = registry.options()
            options.registry.attempts = 1
            options.registry.mirrors = [registry.host: [mirror.host]]
            _ = try await store.pull(registry.reference(), options: options)
            #expect(mirror.count("/manifests/") == 1)
            #expect(registry.count("/blobs/") == 2)
            try mirror.put("2", layers: [Self.two])
            _ = try await store.pull(registry.reference("app:2"), options: options)
            #expect(registry.count("/manifests/2") == 0)
            await mirror.stop()
        }
    }

    @Test func `a registry elsewhere is not spoken to without TLS unless that is allowed`() async throws {
        let settings = RegistrySettings()
        let web = WebClient(nil, settings)
        let address = try #require(WebAddress("http://registry.example.org/v2/"))
        #expect(!web.mayBePlain(address))
        #expect(web.mayBePlain(try #require(WebAddress("http://127.0.0.1:5000/v2/"))))
        #expect(
            await Self.code { _ = try await web.fetch(.get, address, headers: [:], authorization: nil) } == .registry)
        await web.shutDown()
    }
}
