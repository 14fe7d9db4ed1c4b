import FrameworkRuntime
import HTTPTypes
import ServicesFramework
import Testing

@Suite("Pods by Marathon's interface", .timeLimit(.minutes(2)))
struct PodTests {
    static let whole = """
        {"id":"/shop/pod","user":"app","labels":{"a":"b"},"environment":{"A":"1","S":{"secret":"s"}},
        "secrets":{"s":{"source":"shop/key"}},
        "containers":[
          {"name":"web","resources":{"cpus":0.1,"mem":32,"disk":0,"gpus":0},
           "resourceLimits":{"cpus":"unlimited","mem":64},
           "image":{"kind":"DOCKER","id":"web:1","forcePull":true,"pullConfig":{"secret":"s"},"labels":{"x":"y"}},
           "exec":{"command":{"argv":["serve","-p","80"]},"overrideEntrypoint":false},
           "endpoints":[{"name":"http","containerPort":80,"hostPort":0,"protocol":["tcp"],"labels":{"VIP":"1"}}],
           "healthCheck":{"http":{"endpoint":"http","path":"/h","scheme":"HTTP"},"gracePeriodSeconds":1,
             "intervalSeconds":5,"timeoutSeconds":2,"delaySeconds":0,"maxConsecutiveFailures":4},
           "volumeMounts":[{"name":"data","mountPath":"/data","readOnly":true}],
           "artifacts":[{"uri":"http://127.0.0.1/x","extract":false,"executable":true,"cache":false}],
           "environment":{"B":"2"},"lifecycle":{"killGracePeriodSeconds":7},"labels":{"c":"d"}},
          {"name":"side","resources":{"cpus":0.1,"mem":32},"image":{"id":"side:1"},
           "exec":{"command":{"shell":"sleep 1000"}},"volumeMounts":[{"name":"data","mountPath":"in"}]}],
        "volumes":[{"name":"data"}],"networks":[{"mode":"container/bridge"}],
        "scaling":{"kind":"fixed","instances":2},
        "scheduling":{"backoff":{"backoff":2,"backoffFactor":1.5,"maxLaunchDelay":60},
          "upgrade":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.25},"killSelection":"OLDEST_FIRST",
          "unreachableStrategy":{"inactiveAfterSeconds":5,"expungeAfterSeconds":9},
          "placement":{"constraints":[{"fieldName":"hostname","operator":"UNIQUE"},
            {"fieldName":"rack","operator":"MAX_PER","value":"2"}],"acceptedResourceRoles":["*"]}},
        "executorResources":{"cpus":0.2,"mem":64,"disk":10}}
        """

    @Test func `a pod is made, shown as it was sent, changed, looked at and deleted`() async throws {
        try await ServicesAPIFixture.with(abilities: [.images, .networks, .healthChecks]) { api in
            let sent = try #require(JSONValue(parsing: Array(Self.whole.utf8)))
            let made = try await api.call(.post, "/v2/pods", Self.whole)
            #expect(made.status == 201, "\(made.body)")
            #expect(made.headers[.location] == "/v2/pods/shop/pod")
            #expect(made.headers[try #require(HTTPField.Name("Marathon-Deployment-Id"))]?.count == 36)
            let shown = try await api.call(.get, "/v2/pods/shop/pod").body
            for field in ["labels", "environment", "secrets", "scaling", "executorResources", "volumes"] {
                #expect(shown[field] == sent[field], "\(field)")
            }
            for field in [
                "exec", "endpoints", "healthCheck", "volumeMounts", "lifecycle", "image", "environment",
                "resourceLimits",
            ] {
                #expect(shown["containers"]?[0]?[field] == sent["containers"]?[0]?[field], "\(field)")
            }
            for field in ["backoff", "upgrade", "placement", "unreachableStrategy", "killSelection"] {
                #expect(shown["scheduling"]?[field] == sent["scheduling"]?[field], "\(field)")
            }
            #expect(try await api.call(.post, "/v2/pods", Self.whole).status == 409)
            #expect(try await api.call(.get, "/v2/apps/shop/pod").status == 404)
            let status = try await api.call(.get, "/v2/pods/shop/pod::status").body
            #expect(status["id"] == .text("/shop/pod") && status["status"] == .text("DEGRADED"))
            #expect(status["instances"] == .list([]) && status["spec"]?["id"] == .text("/shop/pod"))
            #expect(try await api.call(.get, "/v2/pods/::status").body.count == 1)
            let changed = Self.whole.replacingInstances(with: 3)
            #expect(try await api.call(.put, "/v2/pods/shop/pod", changed).status == 409)
            let put = try await api.call(.put, "/v2/pods/shop/pod?force=true", changed)
            #expect(put.status == 200 && put.body["scaling"]?["instances"] == .number(3))
            let versions = try await api.call(.get, "/v2/pods/shop/pod::versions").body
            #expect(versions.count == 2)
            let first = try #require(versions[1]?.text)
            let old = try await api.call(.get, "/v2/pods/shop/pod::versions/" + first).body
            #expect(old["scaling"]?["instances"] == .number(2))
            #expect(try await api.call(.delete, "/v2/pods/shop/pod::instances/none").status == 404)
            #expect(try await api.call(.delete, "/v2/pods/shop/pod?force=true").status == 202)
            #expect(try await api.call(.get, "/v2/pods/shop/pod").status == 404)
            #expect(try await api.call(.put, "/v2/pods/shop/pod", changed).status == 404)
        }
    }

    /// Fields of a pod and of its only container, and the path of what is wrong with them.
    private static let bad: [(pod: String, container: String, path: String)] = [
        (#""id":"/A""#, "", "/id"), (#""id":1"#, "", "/id"), (#""containers":[]"#, "", "/containers"),
        (#""containers":1"#, "", "/containers"), (#""scaling":{"kind":"auto"}"#, "", "/scaling/kind"),
        (#""scaling":{"instances":-1}"#, "", "/scaling/instances"), (#""scaling":{"more":1}"#, "", "/scaling/more"),
        (#""scaling":{"maxInstances":1}"#, "", "/scaling/maxInstances"), (#""more":1"#, "", "/more"),
        (#""user":"""#, "", "/user"), (#""user":1"#, "", "/user"), (#""labels":{"a":1}"#, "", "/labels/a"),
        (#""environment":{"A":1}"#, "", "/environment/A"),
        (#""environment":{"A":{"secret":"x"}}"#, "", "/environment/A/secret"),
        (#""networks":[{"mode":"odd"}]"#, "", "/networks(0)/mode"),
        (#""networks":[{"mode":"host"},{"mode":"host"}]"#, "", "/networks"),
        (#""networks":[{"mode":"container/bridge"}]"#, "", "/containers(0)/image"),
        (#""volumes":[{}]"#, "", "/volumes(0)/name"), (#""volumes":[{"name":"v"}]"#, "", "/volumes(0)"),
        (#""volumes":[{"name":"v","host":"/a","secret":"b"}]"#, "", "/volumes(0)"),
        (#""volumes":[{"name":"v","host":"a/../b"}]"#, "", "/volumes(0)/host"),
        (#""volumes":[{"name":"v","persistent":{"size":1}}]"#, "", "/volumes(0)/persistent"),
        (#""executorResources":{"cpus":0}"#, "", "/executorResources/cpus"),
        (#""executorResources":{"mem":16}"#, "", "/executorResources/mem"),
        (#""scheduling":{"more":1}"#, "", "/scheduling/more"),
        (#""scheduling":{"backoff":{"backoff":-1}}"#, "", "/scheduling/backoff/backoff"),
        (#""scheduling":{"backoff":{"backoffFactor":0}}"#, "", "/scheduling/backoff/backoffFactor"),
        (#""scheduling":{"upgrade":{"minimumHealthCapacity":2}}"#, "", "/scheduling/upgrade/minimumHealthCapacity"),
        (
            #""scheduling":{"placement":{"constraints":[{"operator":"IS"}]}}"#, "",
            "/scheduling/placement/constraints(0)/fieldName"
        ),
        (
            #""scheduling":{"placement":{"constraints":[{"fieldName":"a","operator":"ODD"}]}}"#, "",
            "/scheduling/placement/constraints(0)"
        ),
        (#""scheduling":{"killSelection":"ODD"}"#, "", "/scheduling/killSelection"),
        (#""linuxInfo":{"seccomp":{"unconfined":true}}"#, "", "/linuxInfo"),
        (#""isolation":"microvm""#, "", "/isolation"),
        ("", #""name":"""#, "/containers(0)/name"), ("", #""name":1"#, "/containers(0)/name"),
        ("", #""resources":1"#, "/containers(0)/resources"), ("", #""resources":null"#, "/containers(0)/resources"),
        ("", #""resources":{"cpus":0}"#, "/containers(0)/resources/cpus"),
        ("", #""resources":{"mem":-1}"#, "/containers(0)/resources/mem"),
        ("", #""resources":{"more":1}"#, "/containers(0)/resources/more"),
        ("", #""exec":{}"#, "/containers(0)/exec/command"), ("", #""exec":null"#, "/containers(0)"),
        ("", #""exec":{"command":{}}"#, "/containers(0)/exec/command"),
        ("", #""exec":{"command":{"shell":"a","argv":["b"]}}"#, "/containers(0)/exec/command"),
        ("", #""exec":{"command":{"shell":1}}"#, "/containers(0)/exec/command/shell"),
        ("", #""image":{}"#, "/containers(0)/image/id"),
        ("", #""image":{"id":"a","kind":"APPC"}"#, "/containers(0)/image/kind"),
        ("", #""image":{"id":"a","pullConfig":{"secret":"x"}}"#, "/containers(0)/image/pullConfig"),
        ("", #""endpoints":[{}]"#, "/containers(0)/endpoints(0)/name"),
        ("", #""endpoints":[{"name":"a","hostPort":70000}]"#, "/containers(0)/endpoints(0)/hostPort"),
        ("", #""endpoints":[{"name":"a","containerPort":80}]"#, "/containers(0)/endpoints(0)/containerPort"),
        ("", #""endpoints":[{"name":"a","protocol":["sctp"]}]"#, "/containers(0)/endpoints(0)/protocol(0)"),
        ("", #""healthCheck":{}"#, "/containers(0)/healthCheck"),
        ("", #""healthCheck":{"tcp":{"endpoint":"x"}}"#, "/containers(0)/healthCheck/tcp/endpoint"),
        ("", #""healthCheck":{"http":{}}"#, "/containers(0)/healthCheck/http/endpoint"),
        (
            "", #""healthCheck":{"exec":{"command":{"shell":"x"}},"timeoutSeconds":99}"#,
            "/containers(0)/healthCheck/timeoutSeconds"
        ),
        ("", #""check":{}"#, "/containers(0)/check"),
        ("", #""check":{"tcp":{"endpoint":"x"}}"#, "/containers(0)/check/tcp/endpoint"),
        ("", #""volumeMounts":[{"name":"v","mountPath":"/a"}]"#, "/containers(0)/volumeMounts(0)/name"),
        ("", #""volumeMounts":[{"name":"v"}]"#, "/containers(0)/volumeMounts(0)/mountPath"),
        (
            #""volumes":[{"name":"v"}]"#, #""volumeMounts":[{"name":"v","mountPath":"/a"}]"#,
            "/containers(0)/volumeMounts(0)"
        ),
        ("", #""artifacts":[{}]"#, "/containers(0)/artifacts(0)/uri"), ("", #""tty":true"#, "/containers(0)/tty"),
        ("", #""resourceLimits":{"cpus":0.01}"#, "/containers(0)/resourceLimits/cpus"),
        ("", #""resourceLimits":{"disk":2}"#, "/containers(0)/resourceLimits/disk"),
        (#""legacySharedCgroups":true"#, "", "/legacySharedCgroups"),
        (
            "", #""exec":{"command":{"shell":"x"},"overrideEntrypoint":false}"#,
            "/containers(0)/exec/overrideEntrypoint"
        ),
        ("", #""linuxInfo":{}"#, "/containers(0)/linuxInfo"), ("", #""user":1"#, "/containers(0)/user"),
        ("", #""lifecycle":{"killGracePeriodSeconds":-1}"#, "/containers(0)/lifecycle/killGracePeriodSeconds"),
        ("", #""environment":{"A":1}"#, "/containers(0)/environment/A"), ("", #""more":1"#, "/containers(0)/more"),
    ]

    @Test func `a wrong pod is refused with the path of what is wrong`() async throws {
        try await ServicesAPIFixture.with(abilities: [.images, .networks, .healthChecks]) { api in
            for (pod, container, path) in Self.bad {
                // Of two fields with the same name the last one counts.
                let own = [
                    #""name":"a","resources":{"cpus":0.1,"mem":32},"exec":{"command":{"shell":"x"}}"#, container,
                ]
                let inner = "{" + own.filter { !$0.isEmpty }.joined(separator: ",") + "}"
                let fields = ["\"id\":\"/p\",\"containers\":[\(inner)]", pod]
                let body = "{" + fields.filter { !$0.isEmpty }.joined(separator: ",") + "}"
                let answer = try await api.call(.post, "/v2/pods", body)
                #expect(answer.status == 422, "\(body) \(answer.body)")
                #expect(answer.body.paths.contains(path), "\(path): \(answer.body)")
            }
            #expect(try await api.call(.get, "/v2/pods").body == .list([]))
        }
    }
}

extension String {
    fileprivate func replacingInstances(with count: Int) -> String {
        split(separator: "\"instances\":2", omittingEmptySubsequences: false).joined(
            separator: "\"instances\":\(count)")
    }
}
