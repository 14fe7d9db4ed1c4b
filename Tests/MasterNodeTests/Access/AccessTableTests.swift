import Access
import ClusterModel
import HTTPGateway
import HTTPTypes
import NIOCore
import StateStore
import Testing

@testable import MasterNode

/// Every route with and without somebody: what strangers may ask for is this list, and nothing else.
@Suite("What answers strangers")
struct AccessTableTests {
    /// What answers without authentication, with the methods that do.
    private static let open: [(HTTPRequest.Method, String)] = [
        (.get, "/version"), (.get, "/ping"), (.get, "/dcos-metadata/dcos-version.json"),
        (.get, "/acs/api/v1/auth/providers"), (.post, "/acs/api/v1/auth/login"), (.get, "/ca/dcos-ca.crt"),
        (.get, "/ui/login"), (.post, "/ui/login"), (.get, "/ui/assets/0/console.css"), (.post, "/rondo/v1/join"),
    ]

    /// At least one path of every route. ``number(of:)``, ``number(ofRondo:)`` and ``number(ofConsole:)`` make sure that
    /// none is forgotten.
    private static let paths = [
        "/api/v1/scheduler", "/api/v1/agent", "/api/v1/agent/streams/x", "/api/v1", "/api/v1/operator", "/state",
        "/frameworks", "/roles", "/tasks", "/version", "/health", "/flags", "/state-summary", "/slaves",
        "/metrics/snapshot", "/files/read", "/files/browse", "/files/download", "/teardown", "/redirect",
        "/agent/a/state", "/slave/a/api/v1", "/metrics", "/", "/ping", "/dcos-metadata/dcos-version.json",
        "/pkgpanda/active.buildinfo.full.json", "/acs/api/v1/auth/providers", "/acs/api/v1/auth/login", "/ui/login",
        "/ui/assets/0/console.css", "/ca/dcos-ca.crt", "/acs/api/v1/users", "/acs/api/v1/users/alice",
        "/rondo/v1/cluster", "/rondo/v1/health", "/rondo/v1/tasks", "/rondo/v1/tasks/t", "/rondo/v1/tasks/f/t/kill",
        "/rondo/v1/nodes", "/rondo/v1/nodes/n", "/rondo/v1/frameworks", "/rondo/v1/frameworks/f",
        "/rondo/v1/frameworks/f/teardown", "/rondo/v1/roles", "/rondo/v1/why/x", "/rondo/v1/join",
        "/rondo/v1/tokens", "/rondo/v1/tokens/t", "/rondo/v1/users", "/rondo/v1/users/alice",
        "/rondo/v1/users/alice/tokens", "/rondo/v1/users/alice/tokens/t", "/rondo/v1/audit",
        "/rondo/v1/certificate", "/rondo/v1/keys", "/rondo/v1/keys/rotate", "/rondo/v1/leave", "/rondo/v1/members",
        "/rondo/v1/members/m/evict", "/secrets/v1/secret/default/a/b", "/secrets/v1/secret/default?list=true",
        "/secrets/v1/seal-status/default", "/service/metronome/v1/jobs", "/service/metronome/v1/jobs/j/runs",
        "/service/metronome/v1/jobs/j", "/service/metronome/ping", "/metadata", "/capabilities",
        "/service/marathon/v2/apps", "/marathon/v2/groups/g", "/v2/deployments", "/service/marathon/ping",
        "/mesos_dns/v1/hosts/leader.mesos", "/rondo/v1/names",
        "/package/search", "/package/install", "/cosmos/service/update", "/rondo/v1/catalog",
        "/ui", "/ui/nodes", "/ui/nodes/n", "/ui/frameworks", "/ui/frameworks/f", "/ui/services", "/ui/services/s",
        "/ui/services/s/scale", "/ui/deployments/d", "/ui/tasks", "/ui/tasks/t", "/ui/jobs", "/ui/jobs/j",
        "/ui/catalog", "/ui/catalog/p", "/ui/membership", "/ui/audit", "/ui/logout", "/ui/theme", "/ui/events",
        "/rondo/v1/catalog/refresh", "/rondo/v1/catalog/packages", "/rondo/v1/catalog/archives",
        "/rondo/v1/catalog/images", "/rondo/v1/registry/v2/docker.io/a/manifests/1",
        "/system/v1/agent/a/metrics/v0/node",
        "/system/v1/agent/a/metrics/v0/containers/c/app", "/system/health/v1/nodes", "/system/health/v1/nodes/n/units",
    ]

    /// What is nowhere, and other names of what is somewhere.
    private static let others = [
        "/mesos/state", "/master/state.json", "/mesos/master/api/v1/scheduler", "/mesos/slave/a/files/read",
        "/nothing", "/rondo", "/rondo/v1", "/rondo/v1/nothing", "/rondo/v2/join", "/ui/nothing", "/ui/loginx",
        "/acs/api/v1",
        "/acs/api/v1/auth", "/acs/api/v1/users/a/b", "/version/x", "/state/version", "/ca", "/pkgpanda",
        "/%73tate", "//state", "/state/", "/metadata/x", "/service/marathon/v2/nothing", "/service/metronome",
    ]

    private static func number(of route: Route) -> Int {
        switch route {
        case .scheduler: 0
        case .agent: 1
        case .agentStream: 2
        case .operatorCalls: 3
        case .document: 4
        case .file: 5
        case .teardown: 6
        case .redirect: 7
        case .agentProxy: 8
        case .prometheus: 9
        case .root: 10
        case .rondo: 11
        case .ping: 12
        case .dcosVersion: 13
        case .buildInfo: 14
        case .loginProviders: 15
        case .login: 16
        case .console: 17
        case .clusterCertificate: 18
        case .dcosUsers: 19
        case .secret: 20
        case .sealStatus: 21
        case .jobs: 22
        case .metadata: 23
        case .capabilities: 24
        case .services: 25
        case .names: 26
        case .cosmos: 27
        case .agentMetrics: 28
        case .nodeHealth: 29
        }
    }

    private static func number(ofRondo route: RondoRoute) -> Int {
        switch route {
        case .cluster: 0
        case .health: 1
        case .tasks: 2
        case .task: 3
        case .killTask: 4
        case .nodes: 5
        case .node: 6
        case .frameworks: 7
        case .framework: 8
        case .teardown: 9
        case .roles: 10
        case .why: 11
        case .join: 12
        case .tokens: 13
        case .token: 14
        case .users: 15
        case .user: 16
        case .userTokens: 17
        case .userToken: 18
        case .audit: 19
        case .certificate: 20
        case .keys: 21
        case .rotateKeys: 22
        case .leave: 23
        case .members: 24
        case .evict: 25
        case .names: 26
        case .catalog: 27
        case .refreshCatalog: 28
        case .catalogPackages: 29
        case .catalogArchives: 30
        case .catalogImages: 31
        case .registry: 32
        }
    }

    private static func number(ofConsole route: ConsoleRoute) -> Int {
        switch route {
        case .overview: 0
        case .nodes: 1
        case .node: 2
        case .frameworks: 3
        case .framework: 4
        case .services: 5
        case .service: 6
        case .deployment: 7
        case .tasks: 8
        case .task: 9
        case .jobs: 10
        case .catalog: 11
        case .membership: 12
        case .audit: 13
        case .login: 14
        case .logout: 15
        case .theme: 16
        case .events: 17
        case .asset: 18
        }
    }

    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace]

    private func isOpen(_ method: HTTPRequest.Method, _ path: String) -> Bool {
        Self.open.contains { $0.1 == path && ($0.0 == method || $0.0 == .get && method == .head) }
    }

    @Test func `the paths reach every route`() throws {
        var routes: Set<Int> = []
        var rondo: Set<Int> = []
        var console: Set<Int> = []
        for path in Self.paths {
            let route = try #require(Route(try RequestTarget(parsing: path)), "\(path)")
            routes.insert(Self.number(of: route))
            if case .console(let page) = route { console.insert(Self.number(ofConsole: page)) }
            if case .rondo(let rest) = route {
                rondo.insert(Self.number(ofRondo: try #require(RondoRoute(rest), "\(path)")))
            }
        }
        #expect(routes == Set(0...29))
        #expect(rondo == Set(0...32))
        #expect(console == Set(0...18))
    }

    @Test func `strangers get 401 with the scheme that clients look for, but for the list`() async throws {
        try await AccessFixture.with { fixture in
            for path in Self.paths + Self.others {
                for method in Self.methods {
                    let (status, headers) = try await fixture.answer(method, path)
                    if Self.open.contains(where: { $0.1 == path }) {
                        // Also a wrong method is answered: it is the path that is open.
                        #expect(status != 401, "\(method) \(path)")
                        if !isOpen(method, path) { #expect(status == 405, "\(method) \(path)") }
                    } else {
                        #expect(status == 401, "\(method) \(path) answers \(status)")
                        #expect(headers[.wwwAuthenticate] == "acsjwt", "\(method) \(path)")
                    }
                }
            }
        }
    }

    @Test func `a wrong credential is 401 as well, and no hindrance where none is needed`() async throws {
        let wrong = [
            "token=x", "Bearer x", "Bearer node.a.b", "Basic YTpi", "Basic %%%", "Digest x", "Bearer ", "token=",
            "Bearer eyJhbGciOiJub25lIn0.eyJ1aWQiOiJhZG1pbiJ9.",
            "token=rondo_AAAAAAAAAAAA."
                + String(repeating: "A", count: 43), "Bearer " + String(repeating: "A", count: 9_000),
        ]
        try await AccessFixture.with(change: {
            $0.accessSettings.login.userBurst = 10_000
            $0.accessSettings.login.sourceBurst = 10_000
        }) { fixture in
            for credential in wrong {
                for path in ["/state", "/api/v1/scheduler", "/api/v1/agent", "/rondo/v1/users", "/nothing"] {
                    let (status, headers) = try await fixture.answer(
                        .post, path, headers: [.authorization: credential])
                    #expect(status == 401, "\(credential.prefix(40)) \(path)")
                    #expect(headers[.wwwAuthenticate] == "acsjwt")
                }
                let (version, _) = try await fixture.answer(.get, "/version", headers: [.authorization: credential])
                #expect(version == 200)
            }
        }
    }

    @Test func `the command line of DC slash OS sees that it has to log in`() async throws {
        try await AccessFixture.with(
            isTrusted: false, change: { $0.accessSettings.clusterCertificate = "-----BEGIN CERTIFICATE-----" }
        ) {
            fixture in
            let head = try await fixture.send(.head, "/pkgpanda/active.buildinfo.full.json")
            #expect(head.status.code == 401)
            #expect(head.headers[.wwwAuthenticate] == "acsjwt")
            let known = try await fixture.send(
                .head, "/pkgpanda/active.buildinfo.full.json", headers: AccessFixture.root)
            #expect(known.status == .ok)
            #expect(try await String(buffer: fixture.get("/ping").bytes) == "pong")
            let version = try await fixture.json("/dcos-metadata/dcos-version.json")
            for field in ["version", "dcos-image-commit", "bootstrap-id"] { #expect(version[field]?.text != nil) }
            let providers = try await fixture.json("/acs/api/v1/auth/providers")
            for field in ["authentication-type", "client-method", "config", "description"] {
                #expect(providers["dcos-users." + field] != nil)
            }
            let certificate = try await fixture.get("/ca/dcos-ca.crt")
            #expect(String(buffer: certificate.bytes) == "-----BEGIN CERTIFICATE-----")
            #expect(certificate.headers[.contentType] == "application/x-x509-ca-cert")
        }
    }

    @Test func `root on the machine may ask for all of it`() async throws {
        try await AccessFixture.with { fixture in
            for path in Self.paths {
                for method in Self.methods {
                    let route = try #require(Route(try RequestTarget(parsing: path)))
                    guard case .rondo(let rest) = route, let rondo = RondoRoute(rest) else { continue }
                    // These answer the node whose certificate the connection carries, and nobody else.
                    if [.certificate, .keys, .leave].contains(rondo) { continue }
                    let (status, _) = try await fixture.answer(method, path, isLocal: true)
                    #expect(status != 401 && status != 403, "\(method) \(path) answers \(status)")
                }
            }
            #expect(try await fixture.answer(.get, "/state", isLocal: true).status == 200)
        }
    }

    @Test func `an open master keeps users, tokens and the log for those who may`() async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: AccessFixture.secret)
        try await MasterFixture.with(store: store, credentials: credentials) {
            (fixture: MasterFixture) async throws -> Void in
            for path in ["/state", "/rondo/v1/tasks", "/redirect", "/health", "/nothing"] {
                #expect(try await fixture.answer(.get, path).status != 401)
            }
            for path in [
                "/rondo/v1/users", "/rondo/v1/users/a", "/rondo/v1/users/a/tokens", "/rondo/v1/audit",
                "/acs/api/v1/users",
            ] {
                #expect(try await fixture.answer(.get, path).status == 401, "\(path)")
                #expect(try await fixture.answer(.get, path, headers: AccessFixture.root).status != 401, "\(path)")
            }
            #expect(try await fixture.answer(.post, "/rondo/v1/users", body: "{}").status == 401)
        }
        // With nobody to ask, as in `rondo dev`, everybody is the administrator.
        try await MasterFixture.with { (fixture: MasterFixture) async throws -> Void in
            #expect(try await fixture.answer(.get, "/rondo/v1/users").status == 200)
        }
    }

    @Test func `a master that lets everybody in does not do so when access is enforced`() async throws {
        try await MasterFixture.with(change: { $0.access = .enforced }) {
            (fixture: MasterFixture) async throws -> Void in
            #expect(try await fixture.answer(.get, "/state").status == 401)
            #expect(try await fixture.answer(.get, "/state", headers: [.authorization: "Bearer x"]).status == 401)
        }
    }
}
