import Access
import ClusterModel
import Deployments
import FrameworkRuntime
import HTTPTypes
import ServicesFramework
import StateStore
import Testing

@Suite("Marathon's interface", .timeLimit(.minutes(2)))
struct ServicesAPITests {
    static let minimal = #"{"id":"/shop/web","cmd":"sleep 1000","cpus":0.1,"mem":32}"#

    @Test func `an app is made, shown with defaults, changed and deleted`() async throws {
        try await ServicesAPIFixture.with { api in
            let made = try await api.call(.post, "/v2/apps", Self.minimal)
            #expect(made.status == 201)
            #expect(made.headers[.location] == "/v2/apps/shop/web")
            #expect(made.body["id"] == .text("/shop/web"))
            #expect(made.body["instances"] == .number(1))
            #expect(made.body["deployments"]?[0]?["id"]?.text?.count == 36)
            #expect(made.body["tasks"] == .list([]))
            #expect(made.body["portDefinitions"]?[0]?["port"] == .number(10_000))
            #expect(made.body["upgradeStrategy"]?["maximumOverCapacity"] == .number(1))
            #expect(made.body["unreachableStrategy"]?["expungeAfterSeconds"] == .number(0))
            // Clients that list apps look for these.
            for field in ["args", "container"] { #expect(made.body[field] == .null) }
            for field in ["user", "isolation", "tty", "check", "resourceLimits", "secrets", "acceptedResourceRoles"] {
                #expect(made.body[field] == nil, "\(field)")
            }
            let again = try await api.call(.post, "/v2/apps", Self.minimal)
            #expect(again.status == 409)
            #expect(again.body["message"] == .text("An app with id [/shop/web] already exists."))
            let one = try await api.call(.get, "/v2/apps//shop/web")
            #expect(one.body["app"]?["tasksStaged"] == .number(0))
            let locked = try await api.call(.put, "/v2/apps/shop/web", #"{"instances":3}"#)
            #expect(locked.status == 409)
            #expect(locked.body["deployments"]?.count == 1)
            #expect(locked.body["message"]?.text?.hasPrefix("App is locked by one or more deployments.") == true)
            let scaled = try await api.call(.put, "/v2/apps/shop/web?force=True", #"{"instances":3}"#)
            #expect(scaled.status == 200)
            #expect(scaled.body["deploymentId"]?.text != nil && scaled.body["version"]?.text != nil)
            let shown = try await api.call(.get, "/v2/apps/shop/web").body["app"]
            #expect(shown?["instances"] == .number(3))
            #expect(shown?["cpus"] == .number(0.1))
            #expect(shown?["portDefinitions"]?[0]?["port"] == .number(10_000))
            let versions = try await api.call(.get, "/v2/apps/shop/web/versions").body["versions"]
            #expect(versions?.count == 2)
            let first = try #require(versions?[1]?.text)
            #expect(try await api.call(.get, "/v2/apps/shop/web/versions/" + first).body["instances"] == .number(1))
            let back = try await api.call(.put, "/v2/apps/shop/web?force=true", "{\"version\":\"\(first)\"}")
            #expect(back.status == 200)
            #expect(try await api.call(.get, "/v2/apps/shop/web").body["app"]?["instances"] == .number(1))
            #expect(try await api.call(.delete, "/v2/apps/shop/web?force=true").status == 200)
            let gone = try await api.call(.get, "/v2/apps/shop/web")
            #expect(gone.status == 404)
            #expect(gone.body == .object(["message": .text("App '/shop/web' does not exist")]))
            #expect(try await api.call(.delete, "/v2/apps/shop/web").status == 404)
            #expect(try await api.call(.post, "/v2/apps/shop/web/restart").status == 404)
        }
    }

    @Test func `a change keeps what it does not name, unless it is told not to`() async throws {
        try await ServicesAPIFixture.with { api in
            _ = try await api.call(
                .post, "/v2/apps", #"{"id":"/a","cmd":"x","env":{"A":"1"},"labels":{"l":"1"},"instances":0}"#)
            _ = try await api.call(.put, "/v2/apps/a?force=true", #"{"cmd":"y"}"#)
            var app = try await api.call(.get, "/v2/apps/a").body["app"]
            #expect(app?["cmd"] == .text("y") && app?["env"]?["A"] == .text("1"))
            _ = try await api.call(.put, "/v2/apps/a?force=true", #"{"env":{}}"#)
            app = try await api.call(.get, "/v2/apps/a").body["app"]
            #expect(app?["env"] == .object([:]) && app?["labels"]?["l"] == .text("1"))
            _ = try await api.call(.put, "/v2/apps/a?force=true&partialUpdate=false", #"{"cmd":"z","instances":0}"#)
            app = try await api.call(.get, "/v2/apps/a").body["app"]
            #expect(app?["labels"] == .object([:]))
            let both = try await api.call(.put, "/v2/apps/a", #"{"version":"2020-01-01T00:00:00.000Z","cmd":"x"}"#)
            #expect(both.status == 422 && both.body.paths == ["/version"])
            let none = try await api.call(.put, "/v2/apps/a", #"{"version":"2020-01-01T00:00:00.000Z"}"#)
            #expect(none.status == 404)
            let made = try await api.call(.put, "/v2/apps/b", #"{"cmd":"x","instances":0}"#)
            #expect(made.status == 201 && made.body["id"] == .text("/b"))
            let several = try await api.call(
                .put, "/v2/apps?force=true", #"[{"id":"/a","cmd":"1"},{"id":"/b","cmd":"2"},{"id":"/c","cmd":"3"}]"#)
            #expect(several.status == 200)
            #expect(try await api.call(.get, "/v2/apps").body["apps"]?.count == 3)
            let bad = try await api.call(.put, "/v2/apps", #"[{"id":"/a"},{"id":"/b","cpus":-1}]"#)
            #expect(bad.status == 422 && bad.body.paths == ["(1)/cpus"])
        }
    }

    @Test func `an app has a terminal and a check, and says how long it is drained`() async throws {
        try await ServicesAPIFixture.with(abilities: [.healthChecks, .terminals]) { api in
            for check in [
                #"{"exec":{"command":{"shell":"true"}},"intervalSeconds":2,"timeoutSeconds":3,"delaySeconds":4}"#,
                #"{"http":{"portIndex":0,"path":"/up","scheme":"HTTPS"}}"#, #"{"tcp":{"portIndex":0}}"#,
            ] {
                let made = try await api.call(
                    .put, "/v2/apps/a?force=true",
                    #"{"cmd":"x","instances":0,"tty":true,"labels":{"RONDO_DRAIN_SECONDS":"0"},"portDefinitions":[{}],"check":"#
                        + check + "}")
                #expect(made.status == 201 || made.status == 200, "\(made.body)")
                let app = try await api.call(.get, "/v2/apps/a").body["app"]
                #expect(app?["tty"] == .flag(true))
                let sent = try #require(JSONValue(parsing: Array(check.utf8)))
                for field in ["exec", "http", "tcp"] { #expect(app?["check"]?[field] == sent[field], "\(field)") }
            }
            let wrong = try await api.call(
                .put, "/v2/apps/a?force=true", #"{"labels":{"RONDO_DRAIN_SECONDS":"soon"}}"#)
            #expect(wrong.status == 422 && wrong.body.paths == ["/labels/RONDO_DRAIN_SECONDS"], "\(wrong.body)")
        }
    }

    @Test func `an app has several health checks, a readiness check, limits, a secret for pulls`() async throws {
        try await ServicesAPIFixture.with(abilities: [.images, .healthChecks]) { api in
            let made = try await api.call(
                .post, "/v2/apps",
                #"""
                {"id":"/a","cmd":"x","instances":0,"portDefinitions":[{"port":0,"name":"web"}],
                "healthChecks":[{"protocol":"HTTP","portIndex":0},{"protocol":"COMMAND","command":{"value":"true"}}],
                "readinessChecks":[{"portName":"web","preserveLastResponse":true}],
                "resourceLimits":{"cpus":"unlimited","mem":256},"secrets":{"pull":{"source":"a/pull"}},
                "container":{"type":"MESOS","docker":{"image":"r/a","pullConfig":{"secret":"pull"}}}}
                """#)
            #expect(made.status == 201, "\(made.body)")
            let app = try await api.call(.get, "/v2/apps/a?embed=apps.readiness").body["app"]
            #expect(app?["healthChecks"]?.count == 2)
            #expect(app?["readinessChecks"]?[0]?["portName"] == .text("web"))
            #expect(app?["readinessCheckResults"] == .list([]))
            #expect(app?["resourceLimits"]?["cpus"] == .text("unlimited"))
            #expect(app?["resourceLimits"]?["mem"] == .number(256))
            #expect(app?["container"]?["docker"]?["pullConfig"]?["secret"] == .text("pull"))
        }
    }

    @Test func `apps are found by name, command and labels`() async throws {
        try await ServicesAPIFixture.with { api in
            for (id, cmd, label) in [("/a", "one", "x"), ("/g/b", "two", "y"), ("/g/h/c", "one more", "x")] {
                let body = "{\"id\":\"\(id)\",\"cmd\":\"\(cmd)\",\"labels\":{\"l\":\"\(label)\"}}"
                #expect(try await api.call(.post, "/v2/apps", body).status == 201)
            }
            for (query, count) in [
                ("", 3), ("?cmd=ONE", 2), ("?id=g", 2), ("?label=l%3D%3Dx", 2), ("?label=l!%3Dx", 1),
                ("?label=l+in+(x,y)", 3), ("?label=l+notin+(x)", 1), ("?label=other", 0), ("?label=l,l%3D%3Dy", 1),
            ] {
                #expect(try await api.call(.get, "/v2/apps" + query).body["apps"]?.count == count, "\(query)")
            }
            #expect(try await api.call(.get, "/v2/apps/g/*").body["apps"]?.count == 2)
            #expect(try await api.call(.get, "/v2/apps?label=a+b").status == 400)
            let bare = try await api.call(.get, "/v2/apps?embed=apps.tasks").body["apps"]?[0]
            #expect(bare?["tasks"] == .list([]) && bare?["tasksRunning"] == nil)
        }
    }

    @Test func `groups are made, shown, scaled and deleted`() async throws {
        try await ServicesAPIFixture.with { api in
            let body = """
                {"id":"/shop","apps":[{"id":"db","cmd":"x","instances":0}],
                 "groups":[{"id":"front","dependencies":["/shop/db"],
                            "apps":[{"id":"web","cmd":"x","instances":0,"dependencies":["../../db"]}]}]}
                """
            let made = try await api.call(.post, "/v2/groups", body)
            #expect(made.status == 201 && made.body["deploymentId"]?.text != nil)
            #expect(try await api.call(.post, "/v2/groups", body).status == 409)
            let shown = try await api.call(.get, "/v2/groups/shop").body
            #expect(shown["apps"]?[0]?["id"] == .text("/shop/db"))
            let front = shown["groups"]?[0]
            #expect(front?["id"] == .text("/shop/front"))
            #expect(front?["apps"]?[0]?["dependencies"] == .list([.text("/shop/db")]))
            #expect(try await api.call(.get, "/v2/groups").body["groups"]?.count == 1)
            #expect(try await api.call(.get, "/v2/groups/none").status == 404)
            #expect(try await api.call(.get, "/v2/groups/shop/versions").body.count == 1)
            let scaled = try await api.call(.put, "/v2/groups/shop?force=true", #"{"scaleBy":2}"#)
            #expect(scaled.status == 200)
            #expect(try await api.call(.put, "/v2/groups/shop", #"{"scaleBy":-1}"#).status == 422)
            let plan = try await api.call(.put, "/v2/groups/shop?dryRun=true", #"{"apps":[]}"#)
            #expect(plan.body["steps"]?[0]?["actions"]?[0]?["action"] == .text("StopApplication"))
            #expect(try await api.call(.delete, "/v2/groups/shop?force=true").status == 200)
            #expect(try await api.call(.get, "/v2/apps").body["apps"] == .list([]))
        }
    }

    @Test func `a change of a group may name a group below the path, and the others stay`() async throws {
        try await ServicesAPIFixture.with { api in
            _ = try await api.call(.post, "/v2/apps", #"{"id":"/keep","cmd":"x","instances":0}"#)
            let body = #"{"id":"/shop","apps":[{"id":"db","cmd":"x","instances":0}]}"#
            #expect(try await api.call(.put, "/v2/groups?force=true", body).status == 201)
            #expect(try await api.call(.get, "/v2/apps/keep").status == 200)
            #expect(try await api.call(.get, "/v2/apps/shop/db").status == 200)
            // Its own name, whole or as its last part, is the group of the path.
            for id in ["/shop", "shop"] {
                let body = #"{"id":"\#(id)","apps":[{"id":"web","cmd":"x","instances":0}]}"#
                #expect(try await api.call(.put, "/v2/groups/shop?force=true", body).status == 200)
                #expect(try await api.call(.get, "/v2/apps/shop/web").status == 200)
            }
            #expect(try await api.call(.get, "/v2/apps/shop/db").status == 404)
            let below = #"{"id":"front","apps":[{"id":"web","cmd":"x","instances":0}]}"#
            #expect(try await api.call(.put, "/v2/groups/shop?force=true", below).status == 201)
            #expect(try await api.call(.get, "/v2/apps/shop/front/web").status == 200)
            #expect(try await api.call(.get, "/v2/apps/shop/web").status == 200)
            let elsewhere = try await api.call(.put, "/v2/groups/shop", #"{"id":"/other","apps":[]}"#)
            #expect(elsewhere.status == 422 && elsewhere.body["details"]?[0]?["path"] == .text("/id"))
        }
    }

    @Test func `a deployment is shown, undone and ended`() async throws {
        try await ServicesAPIFixture.with { api in
            _ = try await api.call(.post, "/v2/apps", Self.minimal)
            let list = try await api.call(.get, "/v2/deployments?embed=waitsFor").body
            let deployment = try #require(list[0])
            #expect(deployment["affectedApps"] == .list([.text("/shop/web")]))
            #expect(deployment["totalSteps"] == .number(2) && deployment["currentStep"] == .number(2))
            let action = deployment["currentActions"]?[0]
            #expect(action?["action"] == .text("ScaleApplication") && action?["app"] == .text("/shop/web"))
            #expect(action?["waitsFor"] == .text("0 of 1 instances are started"))
            let queued = try await api.call(.get, "/v2/queue").body["queue"]?[0]
            #expect(queued?["app"]?["id"] == .text("/shop/web") && queued?["count"] == .number(1))
            #expect(queued?["delay"]?["overdue"] == .flag(true))
            // None of its fields may be null: a client stops at it.
            #expect(queued?["app"]?["acceptedResourceRoles"] == nil && queued?["lastUnusedOffers"] == nil)
            #expect(try await api.call(.delete, "/v2/queue/shop/web/delay").status == 204)
            #expect(try await api.call(.delete, "/v2/queue/none/delay").status == 404)
            let id = try #require(deployment["id"]?.text)
            #expect(try await api.call(.delete, "/v2/deployments/" + id).status == 200)
            #expect(try await api.call(.get, "/v2/apps").body["apps"] == .list([]))
            #expect(try await api.call(.delete, "/v2/deployments/" + id).status == 404)
            _ = try await api.call(.post, "/v2/apps", Self.minimal)
            let second = try #require(try await api.call(.get, "/v2/deployments").body[0]?["id"]?.text)
            let ended = try await api.call(.delete, "/v2/deployments/" + second + "?force=True")
            #expect(ended.status == 202)
            #expect(try await api.call(.get, "/v2/deployments").body == .list([]))
        }
    }

    @Test func `what is stored comes back, deployments among it`() async throws {
        let store = MemoryStore()
        var before = JSONValue.null
        try await ServicesAPIFixture.with(store: store) { api in
            _ = try await api.call(.post, "/v2/apps", Self.minimal)
            _ = try await api.call(
                .post, "/v2/groups", #"{"id":"/g","dependencies":["/shop"],"apps":[{"id":"a","cmd":"x"}]}"#)
            _ = try await api.call(.put, "/v2/apps/shop/web?force=true", #"{"instances":2,"env":{"A":"ü\u0001"}}"#)
            before = try await api.call(.get, "/v2/groups").body
        }
        try await ServicesAPIFixture.with(store: store) { api in
            let (groups, deployments, versions) = (
                try await api.call(.get, "/v2/groups").body, try await api.call(.get, "/v2/deployments").body,
                try await api.call(.get, "/v2/apps/shop/web/versions").body
            )
            #expect(groups == before)
            #expect(deployments.count == 2)
            #expect(versions["versions"]?.count == 2)
        }
    }

    @Test func `rights are asked for as for a framework of the visitor's own`() async throws {
        try await ServicesAPIFixture.with { api in
            func status(_ method: HTTPRequest.Method, _ path: String, _ body: String, without: String) async -> Int {
                do { return try await api.call(method, path, body, as: TestVisitor(denied: [without])).status } catch {
                    return 403
                }
            }
            let asRoot = #"{"id":"/r","cmd":"x","user":"root"}"#
            let secret = #"{"id":"/s","cmd":"x","secrets":{"k":{"source":"p/k"}},"env":{"K":{"secret":"k"}}}"#
            for (body, right) in [
                (Self.minimal, "framework:register"), (asRoot, "task:run-as:root"), (secret, "secret:read:p/k"),
            ] {
                let verb = Self.verb(right)
                #expect(await status(.post, "/v2/apps", body, without: verb) == 403, "\(right)")
            }
            #expect(try await api.call(.get, "/v2/apps").body["apps"] == .list([]))
            let plain = #"{"id":"/e","cmd":"x","env":{"A":"secret text"},"instances":0}"#
            _ = try await api.call(.post, "/v2/apps", plain)
            let blind = TestVisitor(denied: [Action.view(.environments, of: .everyone).verb])
            for path in ["/v2/apps", "/v2/apps/e", "/v2/groups", "/v2/queue"] {
                let answer = try await api.call(.get, path, as: blind)
                #expect(!"\(answer.body)".contains("secret text"), "\(path)")
            }
            let killer = Action.killTask(.everyone).verb
            #expect(await status(.delete, "/v2/apps/e", "", without: killer) == 403)
        }
    }

    private static func verb(_ right: String) -> String {
        switch right {
        case "framework:register": Action.registerFramework(.everyone).verb
        case "task:run-as:root": Action.runAs("root").verb + ":" + Action.runAs("root").object
        default: Action.secret(.read, path: "p/k").verb + ":" + Action.secret(.read, path: "p/k").object
        }
    }

    @Test func `the framework says what it is`() async throws {
        try await ServicesAPIFixture.with { api in
            let info = try await api.call(.get, "/v2/info").body
            #expect(info["name"] == .text("marathon") && info["version"] == .text("1.11.0"))
            for field in ["http_config", "marathon_config", "zookeeper_config"] {
                if case .object? = info[field] {} else { Issue.record("\(field) is no object") }
            }
            #expect(try await api.call(.get, "/v2/leader").body == .object(["leader": .text("127.0.0.1:5050")]))
            #expect(try await api.call(.get, "/v2/plugins").body == .object(["plugins": .list([])]))
            #expect(try await api.call(.get, "/ping").status == 200)
            #expect(try await api.call(.get, "/metrics").body["gauges"] != nil)
            #expect(try await api.call(.head, "/v2/pods").status == 200)
            #expect(try await api.call(.get, "/v2/pods/::status").body == .list([]))
            #expect(try await api.call(.get, "/v2/pods/a/b::status").status == 404)
            #expect(try await api.call(.post, "/v2/pods", #"{"id":"/p"}"#).status == 422)
            await #expect(throws: (any Error).self) { try await api.call(.get, "/v2/none") }
        }
    }
}
