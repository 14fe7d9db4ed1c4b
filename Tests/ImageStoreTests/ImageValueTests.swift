import Testing

@testable import ImageStore

@Suite("Names, digests and documents")
struct ImageValueTests {
    private static let digest = "sha256:" + String(repeating: "0a", count: 32)

    @Test(arguments: [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("registry-1.docker.io/a/b", "docker.io/a/b:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("registry.example.org/web/app:1.2-rc.1_x", "registry.example.org/web/app:1.2-rc.1_x"),
        ("UPPER/app", "UPPER/app:latest"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
        ("app@\(digest)", "docker.io/library/app@\(digest)"),
        ("app:1@\(digest)", "docker.io/library/app:1@\(digest)"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("registry/app:5000", "docker.io/registry/app:5000"),
    ])
    func `a name is made whole`(_ text: String, _ whole: String) throws {
        let reference = try ImageReference(parsing: text)
        #expect(reference.description == whole)
        #expect(try ImageReference(parsing: whole) == reference)
    }

    @Test(arguments: [
        "", " ", "/", "a/", "/a", "a//b", "A", "nginx:", "nginx:-a", "nginx:.a", "a:b:c", "a@", "a@sha256:",
        "a@\(digest)x",
        "a@sha256:\(String(repeating: "A", count: 64))", "a@md5:\(String(repeating: "0", count: 32))", "a b", "a\n",
        "a\0b",
        "a._b", "a___b", "a..b", "-a", "a-", "_a", "a_", ".a", "a.", "ä", "a/ä", "host:port/a", "host:/a",
        "host:99999/a",
        "host:0/a", "http://host/a", "a.b-/c", "-a.b/c", "[::1/a", "[zz]/a", "[::1]x/a", "a..b/c:1", "../a", "a/../b",
        "user@host/a", "a@\(digest)@\(digest)", "host/A", String(repeating: "a", count: 256),
        "nginx:\(String(repeating: "a", count: 129))", String(repeating: "0a", count: 32), "a:b/c", "a%2fb",
    ])
    func `what is no name is refused`(_ text: String) {
        #expect { try ImageReference(parsing: text) } throws: { error in
            [.invalidName, .unsupported].contains((error as? ImageError)?.code)
        }
    }

    @Test func `a digest of another algorithm is refused by name`() {
        #expect { try Digest(parsing: "sha512:" + String(repeating: "0", count: 128)) } throws: { error in
            (error as? ImageError)?.code == .unsupported
        }
    }

    @Test func `a digest is that of the bytes`() throws {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        #expect(Digest(of: []).description == empty)
        #expect(try Digest(parsing: empty) == Digest(of: []))
    }

    // MARK: - Documents

    private static func manifest(_ change: (String) -> String = { $0 }) -> [UInt8] {
        Array(
            change(
                """
                {"schemaVersion":2,"mediaType":"\(MediaType.manifest)",\
                "config":{"mediaType":"\(MediaType.config)","digest":"\(digest)","size":10},\
                "layers":[{"mediaType":"\(MediaType.layer)+gzip","digest":"\(digest)","size":20}]}
                """
            ).utf8)
    }

    @Test func `a manifest is read, with and without its type`() throws {
        for bytes in [
            Self.manifest(), Self.manifest { $0.replacing("\"mediaType\":\"\(MediaType.manifest)\",", with: "") },
        ] {
            guard case .manifest(let manifest) = try ImageDocument(parsing: bytes, mediaType: MediaType.manifest) else {
                Issue.record("it is no manifest")
                continue
            }
            #expect(manifest.layers.map(\.size) == [20])
        }
    }

    @Test func `Docker's documents are read too`() throws {
        let bytes = Self.manifest {
            $0.replacing(MediaType.manifest, with: MediaType.dockerManifest)
                .replacing(MediaType.config, with: MediaType.dockerConfig)
                .replacing(MediaType.layer + "+gzip", with: MediaType.dockerLayer + ".gzip")
        }
        guard case .manifest = try ImageDocument(parsing: bytes, mediaType: MediaType.dockerManifest) else {
            Issue.record("it is no manifest")
            return
        }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var name: String
        var from: String
        var to: String
        var testDescription: String { name }
    }

    @Test(arguments: [
        Bad(name: "schema 1", from: "\"schemaVersion\":2", to: "\"schemaVersion\":1"),
        Bad(name: "no schema", from: "\"schemaVersion\":2,", to: ""),
        Bad(name: "a schema of text", from: "\"schemaVersion\":2", to: "\"schemaVersion\":\"2\""),
        Bad(name: "both a manifest and an index", from: "\"layers\"", to: "\"manifests\":[],\"layers\""),
        Bad(name: "no layers", from: "\"layers\"", to: "\"strata\""),
        Bad(name: "no configuration", from: "\"config\"", to: "\"konfig\""),
        Bad(name: "a configuration of another kind", from: MediaType.config, to: "application/vnd.oci.empty.v1+json"),
        Bad(name: "a layer of another kind", from: MediaType.layer + "+gzip", to: "text/plain"),
        Bad(name: "an encrypted layer", from: MediaType.layer + "+gzip", to: MediaType.layer + "+gzip+encrypted"),
        Bad(name: "a negative size", from: "\"size\":20", to: "\"size\":-1"),
        Bad(name: "a layer as large as numbers go", from: "\"size\":20", to: "\"size\":9223372036854775807"),
        Bad(name: "a huge configuration", from: "\"size\":10", to: "\"size\":99999999999"),
        Bad(name: "a size of text", from: "\"size\":20", to: "\"size\":\"20\""),
        Bad(name: "a size with a fraction", from: "\"size\":20", to: "\"size\":20.5"),
        Bad(name: "a digest that is none", from: digest, to: "sha256:../../etc/passwd"),
        Bad(name: "a digest of another algorithm", from: "sha256:", to: "sha512:"),
        Bad(name: "layers that are no list", from: "\"layers\":[", to: "\"layers\":{\"a\":["),
        Bad(
            name: "a type of another document", from: "\"mediaType\":\"\(MediaType.manifest)\"",
            to: "\"mediaType\":\"\(MediaType.index)\""),
        Bad(
            name: "an unknown type", from: "\"mediaType\":\"\(MediaType.manifest)\"", to: "\"mediaType\":\"text/html\""),
        Bad(name: "no JSON", from: "{", to: ""),
        Bad(
            name: "deep lists", from: "\"layers\":[",
            to: "\"annotations\":" + String(repeating: "[", count: 10_000) + ",\"layers\":["),
    ])
    func `a manifest that is not valid is refused`(_ bad: Bad) {
        let bytes = Self.manifest { $0.replacing(bad.from, with: bad.to) }
        #expect(bytes != Self.manifest())
        for type in [nil, MediaType.manifest] {
            #expect(throws: ImageError.self) { try ImageDocument(parsing: bytes, mediaType: type) }
        }
    }

    @Test func `a manifest of every length that is cut is refused`() {
        let whole = Self.manifest()
        for count in 0..<whole.count {
            #expect(throws: ImageError.self) { try ImageDocument(parsing: Array(whole[..<count]), mediaType: nil) }
        }
    }

    @Test func `the platform that suits best is chosen`() throws {
        func descriptor(_ platform: String?, _ number: Int64) throws -> Descriptor {
            Descriptor(
                mediaType: MediaType.manifest, digest: try Digest(parsing: Self.digest), size: number,
                platform: try platform.map { try Platform(parsing: $0) })
        }
        let index = ImageIndex(manifests: [
            try descriptor("windows/amd64", 1), try descriptor("linux/amd64/v3", 2), try descriptor("linux/amd64", 3),
            try descriptor("linux/arm/v5", 4), try descriptor("linux/arm/v7", 5), try descriptor("linux/arm64", 6),
        ])
        #expect(try index.choose(Platform(parsing: "linux/amd64")).size == 3)
        #expect(try index.choose(Platform(parsing: "linux/amd64/v3")).size == 2)
        #expect(try index.choose(Platform(parsing: "linux/amd64/v2")).size == 3)
        #expect(try index.choose(Platform(parsing: "linux/arm/v7")).size == 5)
        #expect(try index.choose(Platform(parsing: "linux/arm/v6")).size == 4)
        #expect(try index.choose(Platform(parsing: "linux/arm64/v8")).size == 6)
        #expect { try index.choose(Platform(parsing: "linux/riscv64")) } throws: { error in
            (error as? ImageError)?.code == .notFound
        }
        #expect(try ImageIndex(manifests: [descriptor(nil, 9)]).choose(.own).size == 9)
    }

    // MARK: - Configurations

    private static func config(_ inner: String) -> [UInt8] {
        Array(
            """
            {"os":"linux","architecture":"amd64","config":\(inner),"rootfs":{"type":"layers","diff_ids":["\(digest)"]},\
            "history":[{"created":"now"}],"created":"2024-01-01T00:00:00Z"}
            """.utf8)
    }

    @Test func `a configuration is read, and nulls are nothing`() throws {
        let config = try ImageConfig(
            parsing: Self.config(
                """
                {"User":"web:www","ExposedPorts":{"80/tcp":{},"53/udp":{}},"Env":["A=b","PATH=/bin"],"Entrypoint":["/e"],\
                "Cmd":null,"Volumes":{"/data":{}},"WorkingDir":"/srv","Labels":{"a":"b"},"StopSignal":"SIGQUIT"}
                """))
        #expect(config.entrypoint == ["/e"])
        #expect(config.cmd.isEmpty)
        #expect(config.env == ["A=b", "PATH=/bin"])
        #expect(config.user == "web:www")
        #expect(config.exposedPorts == ["53/udp", "80/tcp"])
        #expect(config.volumes == ["/data"])
        #expect(config.workingDirectory == "/srv")
        #expect(config.stopSignal == "SIGQUIT")
        #expect(config.labels == ["a": "b"])
        #expect(try ImageConfig(parsing: Self.config("null")).env.isEmpty)
        #expect(try ImageConfig(parsing: config.encoded()) == config)
    }

    @Test(arguments: [
        #"{"Env":["=a"]}"#, #"{"Env":[""]}"#, #"{"Env":["A\u0000=b"]}"#, #"{"Env":"A=b"}"#,
        #"{"Entrypoint":"/bin/sh"}"#,
        #"{"Cmd":[1]}"#, #"{"User":"a\u0000"}"#, #"{"User":0}"#, #"{"WorkingDir":"/\u0000"}"#,
        #"{"Volumes":{"data":{}}}"#,
        #"{"Volumes":["/data"]}"#, #"{"ExposedPorts":{"0/tcp":{}}}"#, #"{"ExposedPorts":{"80/icmp":{}}}"#,
        #"{"ExposedPorts":{"65536":{}}}"#, #"{"ExposedPorts":{"a":{}}}"#, #"{"ExposedPorts":{"80/tcp/x":{}}}"#,
        #"{"Labels":{"a":1}}"#, #"{"Labels":["a"]}"#, "[]", "1",
    ])
    func `a configuration that is not valid is refused`(_ inner: String) {
        #expect { try ImageConfig(parsing: Self.config(inner)) } throws: { error in
            (error as? ImageError)?.code == .invalidContent
        }
    }

    // MARK: - What registries say

    @Test func `challenges are read`() {
        let bearer = AuthChallenge([#"Bearer realm="https://a/token",service="a b",scope="repository:x:pull,push""#])
        #expect(bearer == .bearer(realm: "https://a/token", service: "a b", scope: "repository:x:pull,push"))
        #expect(AuthChallenge([#"Basic realm="x""#]) == .basic)
        #expect(AuthChallenge(["BASIC"]) == .basic)
        #expect(
            AuthChallenge([#"Basic realm="x", Bearer realm="https://b""#])
                == .bearer(realm: "https://b", service: nil, scope: nil))
        #expect(AuthChallenge([#"Negotiate"#, #"Basic realm="x""#]) == .basic)
        #expect(
            AuthChallenge([#"Bearer realm="quoted \" mark""#])
                == .bearer(realm: "quoted \" mark", service: nil, scope: nil))
        for nothing in [
            "", "Bearer", "=", "Bearer realm=\"open", ",,,", "Digest a=b", String(repeating: "a ", count: 9_000),
        ] {
            #expect(AuthChallenge([nothing]) == nil, "\(nothing.prefix(30))")
        }
    }

    @Test(arguments: [
        ("https://host/path?q#f", "host", 443, "/path?q"), ("http://HOST:8080", "host", 8_080, "/"),
        ("https://[::1]:5000/v2/", "::1", 5_000, "/v2/"), ("http://a.b?x", "a.b", 80, "/?x"),
    ])
    func `addresses are taken apart`(_ text: String, _ host: String, _ port: Int, _ target: String) throws {
        let address = try #require(WebAddress(text))
        #expect(address.host == host)
        #expect(Int(address.port) == port)
        #expect(address.target == target)
    }

    @Test(arguments: [
        "ftp://a/b", "//a/b", "a", "http://", "https:///x", "http://user@host/", "http://a b/", "http://a:0/",
        "http://a\\b/",
    ])
    func `what is no address is refused`(_ text: String) {
        #expect(WebAddress(text) == nil)
    }
}
