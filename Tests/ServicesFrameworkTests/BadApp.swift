/// A wrong app: what replaces which part of a good one, and where the error is.
struct BadApp: Sendable {
    var body: String
    var path: String
    var name: String { "\(path): \(body.prefix(120))" }

    /// A good app with fields replaced or added; one that is empty is left out.
    static func app(_ changes: [(String, String)], at path: String) -> BadApp {
        var fields = ["id": #""/a""#, "cmd": #""sleep 1""#]
        for (name, value) in changes { fields[name] = value.isEmpty ? nil : value }
        let text = fields.sorted { $0.key < $1.key }.map { "\"\($0)\":\($1)" }.joined(separator: ",")
        return BadApp(body: "{\(text)}", path: path)
    }

    static func app(_ field: String, _ value: String, at path: String? = nil) -> BadApp {
        app([(field, value)], at: path ?? "/" + field)
    }

    /// With a container of an image.
    static func container(_ text: String, at path: String) -> BadApp {
        app([("container", #"{"type":"MESOS","# + text + "}"), ("cmd", #""x""#)], at: "/container" + path)
    }

    /// With one health check.
    static func health(_ text: String, at path: String) -> BadApp {
        app("healthChecks", "[{\(text)}]", at: "/healthChecks(0)" + path)
    }

    /// With a port of a name and one readiness check.
    static func readiness(_ text: String, at path: String) -> BadApp {
        app(
            [("portDefinitions", #"[{"port":0,"name":"http-api"}]"#), ("readinessChecks", "[{\(text)}]")],
            at: "/readinessChecks(0)" + path)
    }

    /// Every field with a value of each wrong kind.
    static let wrongTypes: [BadApp] = {
        let kinds = ["\"x\"", "1", "true", "[]", "{}"]
        let fits: [String: Int] = [
            "id": 0, "cmd": 0, "user": 0, "executor": 0, "role": 0, "isolation": 0, "killSelection": 0,
            "instances": 1, "cpus": 1, "mem": 1, "disk": 1, "gpus": 1, "backoffSeconds": 1, "backoffFactor": 1,
            "maxLaunchDelaySeconds": 1, "taskKillGracePeriodSeconds": 1, "requirePorts": 2, "tty": 2, "args": 3,
            "constraints": 3, "acceptedResourceRoles": 3, "dependencies": 3, "fetch": 3, "uris": 3, "storeUrls": 3,
            "networks": 3, "portDefinitions": 3, "ports": 3, "healthChecks": 3, "readinessChecks": 3, "env": 4,
            "labels": 4, "secrets": 4, "container": 4, "upgradeStrategy": 4, "resourceLimits": 4, "check": 4,
            "residency": 4, "ipAddress": 4, "executorResources": 4, "versionInfo": 4,
        ]
        return fits.sorted { $0.key < $1.key }.flatMap { field, good in
            kinds.indices.filter { $0 != good }.map { .app(field, kinds[$0]) }
        }
    }()

    static let amounts: [BadApp] = [
        .app("cpus", "-1"), .app("cpus", "1e12"), .app("mem", "-0.5"), .app("mem", "1e12"), .app("disk", "-1"),
        .app("gpus", "-1"), .app("gpus", "0.5"), .app("instances", "-1"), .app("instances", "1.5"),
        .app("instances", "1000000"), .app("instances", "1e30"), .app("backoffSeconds", "-1"),
        .app("backoffFactor", "0.5"), .app("maxLaunchDelaySeconds", "-1"), .app("taskKillGracePeriodSeconds", "-1"),
        .app("taskKillGracePeriodSeconds", "1.5"), .app("killSelection", #""RANDOM""#),
        .app("resourceLimits", #"{"cpus":0.5}"#, at: "/resourceLimits/cpus"),
        .app("resourceLimits", #"{"mem":1}"#, at: "/resourceLimits/mem"),
        .app("resourceLimits", #"{"mem":"much"}"#, at: "/resourceLimits/mem"),
        .app("resourceLimits", #"{"gpus":1}"#, at: "/resourceLimits/gpus"),
        .app("upgradeStrategy", #"{"minimumHealthCapacity":1.5}"#, at: "/upgradeStrategy/minimumHealthCapacity"),
        .app("upgradeStrategy", #"{"minimumHealthCapacity":-1}"#, at: "/upgradeStrategy/minimumHealthCapacity"),
        .app("upgradeStrategy", #"{"minimumHealthCapacity":"1"}"#, at: "/upgradeStrategy/minimumHealthCapacity"),
        .app("upgradeStrategy", #"{"maximumOverCapacity":2}"#, at: "/upgradeStrategy/maximumOverCapacity"),
        .app("upgradeStrategy", #"{"maximumOver":1}"#, at: "/upgradeStrategy/maximumOver"),
        .app("unreachableStrategy", #""off""#), .app("unreachableStrategy", "1"),
        .app(
            "unreachableStrategy", #"{"inactiveAfterSeconds":-1,"expungeAfterSeconds":1}"#,
            at: "/unreachableStrategy/inactiveAfterSeconds"),
        .app(
            "unreachableStrategy", #"{"inactiveAfterSeconds":5,"expungeAfterSeconds":1}"#,
            at: "/unreachableStrategy/inactiveAfterSeconds"),
        .app("unreachableStrategy", #"{"expungeAfterSeconds":"x"}"#, at: "/unreachableStrategy/expungeAfterSeconds"),
    ]

    static let names: [BadApp] = [
        .app("id", ""), .app("id", "null"), .app("id", #""""#), .app("id", #""/""#), .app("id", #""/A""#),
        .app("id", #""/a_b""#), .app("id", #""/-a""#), .app("id", #""/a-""#), .app("id", #""/a b""#),
        .app("id", #""/a/restart""#), .app("id", #""/a/tasks""#), .app("id", #""/a/versions""#),
        .app("id", #""/a/./B""#), .app("id", #""/a..b""#),
        .app("id", "\"/" + String(repeating: "a", count: 141) + "\""),
        .app("cmd", #""""#), .app("cmd", "", at: "/"), .app("args", #"["x"]"#, at: "/"),
        .app("args", "[1]", at: "/args(0)"), .app("args", #"["a",null]"#, at: "/args(1)"), .app("user", #""""#),
        .app("user", #""a\u0000b""#), .app("cmd", #""a\u0000b""#),
        .app([("cmd", ""), ("args", #"["a","b\u0000"]"#)], at: "/args(1)"),
        .app("executor", #""//""#), .app("executor", #""/bin/mine""#), .app("labels", #"{"a":1}"#, at: "/labels/a"),
        .app("labels", #"{"a":null}"#, at: "/labels/a"),
        .app([("labels", #"{"MARATHON_SINGLE_INSTANCE_APP":"true"}"#), ("instances", "2")], at: "/"),
        .app("labels", #"{"DCOS_MIGRATION_API_VERSION":"v2"}"#, at: "/"),
        .app("dependencies", #"["/b","/b"]"#), .app("dependencies", #"["/B"]"#, at: "/dependencies(0)"),
        .app("dependencies", "[1]", at: "/dependencies(0)"), .app("dependencies", #"["/a"]"#, at: "/"),
        .app("role", #""other""#), .app("acceptedResourceRoles", "[]"), .app("acceptedResourceRoles", #"["x"]"#),
        .app("acceptedResourceRoles", #"[""]"#, at: "/acceptedResourceRoles(0)"),
        .app("acceptedResourceRoles", #"["-a"]"#, at: "/acceptedResourceRoles(0)"),
        .app("isolation", #""microvm""#), .app("isolation", #""sandbox""#), .app("isolation", #""chroot""#),
        .app("tty", "true"), .app("residency", "{}"), .app("more", "1"), .app("Cmd", #""x""#),
        .app("instance", "2"), .app("version", #""yesterday""#), .app("version", #""2020-13-01T00:00:00.000Z""#),
        .app("env", #"{"A":1}"#, at: "/env/A"), .app("env", #"{"A":null}"#, at: "/env/A"),
        .app("env", #"{"A":{"secret":1}}"#, at: "/env/A"), .app("env", #"{"A":{"secret":"x","y":1}}"#, at: "/env/A"),
        .app("env", #"{"A":{"secret":"none"}}"#, at: "/env/A/secret"), .app("env", #"{"":"x"}"#),
        .app("env", #"{"A=B":"x"}"#, at: "/env/A=B"), .app("env", #"{"A":"x\u0000"}"#, at: "/env/A"),
        .app("secrets", #"{"a":"b"}"#, at: "/secrets/a"), .app("secrets", #"{"a":{}}"#, at: "/secrets/a"),
        .app("secrets", #"{"a":{"source":""}}"#, at: "/secrets/a/source"),
        .app("secrets", #"{"":{"source":"x"}}"#),
        .app("fetch", "[{}]", at: "/fetch(0)/uri"), .app("fetch", #"[{"uri":""}]"#, at: "/fetch(0)/uri"),
        .app("fetch", #"[{"uri":"http://a b"}]"#, at: "/fetch(0)/uri"),
        .app("fetch", #"[{"uri":"a","extract":1}]"#, at: "/fetch(0)/extract"),
        .app("fetch", #"[{"uri":"a"},{"uri":"b","x":1}]"#, at: "/fetch(1)/x"),
        .app("fetch", #"["a"]"#, at: "/fetch(0)"), .app("uris", #"["a b"]"#, at: "/fetch(0)/uri"),
    ]

    static let places: [BadApp] = [
        .app("constraints", #"["a"]"#, at: "/constraints(0)"), .app("constraints", #"[["a"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["a","NEAR"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["","UNIQUE"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["hostname","UNIQUE","x"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["rack","MAX_PER"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["rack","MAX_PER","x"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["rack","GROUP_BY","x"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["rack","LIKE"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["a","UNIQUE"],["rack","LIKE","("]]"#, at: "/constraints(1)"),
        .app("constraints", #"[["rack","UNLIKE","["]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["rack","IS","{a}"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["a","IS","b","c"]]"#, at: "/constraints(0)"),
        .app("constraints", #"[["a",1]]"#, at: "/constraints(0)(1)"),
        .app("networks", #"[{"mode":"none"}]"#, at: "/networks(0)/mode"),
        .app("networks", #"[{"mode":"host"},{"mode":"host"}]"#), .app("networks", #"[{"mode":"host","name":"x"}]"#),
        .app("networks", #"[{"mode":"host","labels":{"a":"b"}}]"#), .app("networks", #"[{"mode":"container"}]"#),
        .app("networks", #"[{"mode":"host"},{"mode":"container/bridge"}]"#),
        .app("networks", #"[{"mode":"container/bridge","name":"x"}]"#),
        .app("networks", #"[{"mode":"container","name":"a"},{"mode":"container","name":"a"}]"#),
        .app("networks", #"[{"mode":"container","name":""}]"#, at: "/networks(0)/name"),
        .app("networks", #"[{"mode":"host","x":1}]"#, at: "/networks(0)/x"),
        .app("networks", #"["host"]"#, at: "/networks(0)"), .app("networks", #"[{"mode":"container/bridge"}]"#),
        .app("ipAddress", #"{"groups":["a"]}"#, at: "/ipAddress/groups"),
        .app("ipAddress", #"{"discovery":{"ports":[1]}}"#, at: "/ipAddress/discovery"),
        .app("ports", "[1,1]", at: "/portDefinitions"), .app("ports", "[70000]", at: "/portDefinitions(0)/port"),
        .app("ports", #"["80"]"#, at: "/ports(0)"), .app("ports", "[-1]", at: "/portDefinitions(0)/port"),
        .app("portDefinitions", #"[{"port":80},{"port":80}]"#),
        .app("portDefinitions", #"[{"name":"a"},{"name":"a"}]"#),
        .app("portDefinitions", #"[{"port":65536}]"#, at: "/portDefinitions(0)/port"),
        .app("portDefinitions", #"[{"port":"80"}]"#, at: "/portDefinitions(0)/port"),
        .app("portDefinitions", #"[{"name":"A"}]"#, at: "/portDefinitions(0)/name"),
        .app("portDefinitions", #"[{"name":"a-"}]"#, at: "/portDefinitions(0)/name"),
        .app("portDefinitions", #"[{"protocol":"sctp"}]"#, at: "/portDefinitions(0)/protocol"),
        .app("portDefinitions", #"[{"labels":[]}]"#, at: "/portDefinitions(0)/labels"),
        .app("portDefinitions", #"[{},{"number":1}]"#, at: "/portDefinitions(1)/number"),
        .app("portDefinitions", "[" + repeatElement("{}", count: 300).joined(separator: ",") + "]"),
    ]

    static let containers: [BadApp] = [
        .app("container", #"{"type":"LXC"}"#, at: "/container/type"),
        .app("container", #"{"type":"DOCKER"}"#, at: "/container/docker"),
        .app("container", #"{"type":"DOCKER","docker":{}}"#, at: "/container/docker/image"),
        .app("container", #"{"docker":{"image":""}}"#, at: "/container/docker/image"),
        .app("container", #"{"docker":{"image":"a b"}}"#, at: "/container/docker/image"),
        .app("container", #"{"docker":{"image":1}}"#, at: "/container/docker/image"),
        .app("container", #"{"docker":{"image":"a","network":"X"}}"#, at: "/container/docker/network"),
        .app("container", #"{"docker":{"image":"a","privileged":1}}"#, at: "/container/docker/privileged"),
        .app("container", #"{"docker":{"image":"a","tag":"b"}}"#, at: "/container/docker/tag"),
        .app(
            "container", #"{"docker":{"image":"a","credential":{"principal":"x"}}}"#,
            at: "/container/docker/credential"),
        .app(
            "container", #"{"docker":{"image":"a","pullConfig":{"secret":"x"}}}"#, at: "/container/docker/pullConfig"),
        .app(
            "container", #"{"docker":{"image":"a","pullConfig":{}}}"#, at: "/container/docker/pullConfig/secret"),
        .app(
            "container", #"{"docker":{"image":"a","parameters":[{"key":"a","value":"b"}]}}"#,
            at: "/container/docker/parameters"),
        .app(
            "container", #"{"type":"DOCKER","docker":{"image":"a","parameters":[{"key":"a"}]}}"#,
            at: "/container/docker/parameters(0)/value"),
        .app(
            "container", #"{"type":"DOCKER","docker":{"image":"a","parameters":[{"key":"","value":"b"}]}}"#,
            at: "/container/docker/parameters(0)/key"),
        .app(
            "container",
            #"{"type":"DOCKER","docker":{"image":"a","parameters":[{"key":"volume-driver","value":"b"}]}}"#,
            at: "/container/docker/parameters(0)/key"),
        .app([("container", #"{"type":"DOCKER","docker":{"image":"a"}}"#), ("gpus", "1")], at: "/"),
        .container(#""appc":{"image":"a"}"#, at: "/appc"),
        .container(#""linuxInfo":{"seccomp":{"unconfined":1}}"#, at: "/linuxInfo/seccomp/unconfined"),
        .container(#""linuxInfo":{"seccomp":{"unconfined":true}}"#, at: "/linuxInfo"),
        .container(#""portMappings":1"#, at: "/portMappings"), .container(#""volumes":{}"#, at: "/volumes"),
        .container(#""volumes":[{}]"#, at: "/volumes(0)/containerPath"),
        .container(#""volumes":[{"containerPath":"a"}]"#, at: "/volumes(0)"),
        .container(#""volumes":[{"containerPath":"a","hostPath":"/b","secret":"c"}]"#, at: "/volumes(0)"),
        .container(#""volumes":[{"containerPath":"","hostPath":"/b"}]"#, at: "/volumes(0)/containerPath"),
        .container(#""volumes":[{"containerPath":"a/../b","hostPath":"/b"}]"#, at: "/volumes(0)/containerPath"),
        .container(#""volumes":[{"containerPath":"a","hostPath":""}]"#, at: "/volumes(0)/hostPath"),
        .container(#""volumes":[{"containerPath":"a","hostPath":"/b","mode":"X"}]"#, at: "/volumes(0)/mode"),
        .container(#""volumes":[{"containerPath":"a","secret":"x"}]"#, at: "/volumes(0)"),
        .container(#""volumes":[{"containerPath":"a","hostPath":"/b"}]"#, at: "/volumes(0)"),
        .container(
            #""volumes":[{"containerPath":"a","persistent":{"size":1},"mode":"RW"}]"#, at: "/volumes(0)/persistent"),
        .container(#""volumes":[{"containerPath":"a","external":{"name":"x"}}]"#, at: "/volumes(0)/external"),
        .app("container", #"{"portMappings":[{"containerPort":80}]}"#, at: "/"),
        .app(
            [
                ("container", #"{"portMappings":[{"containerPort":-1}]}"#),
                ("networks", #"[{"mode":"container/bridge"}]"#),
            ],
            at: "/container/portMappings(0)/containerPort"),
        .app(
            [
                ("container", #"{"portMappings":[{"hostPort":99999}]}"#),
                ("networks", #"[{"mode":"container/bridge"}]"#),
            ],
            at: "/container/portMappings(0)/hostPort"),
        .app(
            [
                ("container", #"{"portMappings":[{"name":"a"},{"name":"a"}]}"#),
                ("networks", #"[{"mode":"container/bridge"}]"#),
            ], at: "/container/portMappings"),
        .app(
            [
                ("container", #"{"portMappings":[{"networkNames":["x"]}]}"#),
                ("networks", #"[{"mode":"container/bridge"}]"#),
            ], at: "/container/portMappings(0)/networkNames(0)"),
        .app(
            [("portDefinitions", "[{}]"), ("networks", #"[{"mode":"container/bridge"}]"#)], at: "/"),
    ]

    static let checks: [BadApp] = [
        .health(#""protocol":"UDP""#, at: "/protocol"), .health(#""protocol":"COMMAND""#, at: "/command"),
        .health(#""protocol":"COMMAND","command":{}"#, at: "/command"),
        .health(#""protocol":"COMMAND","command":{"value":""}"#, at: "/command/value"),
        .health(#""protocol":"COMMAND","command":{"argv":[]}"#, at: "/command/argv"),
        .health(#""protocol":"COMMAND","command":{"value":"a","argv":["a"]}"#, at: "/command"),
        .health(#""command":{"value":"a"}"#, at: "/command"), .health(#""portIndex":4"#, at: ""),
        .health(#""portIndex":-1"#, at: ""), .health(#""port":70000"#, at: "/port"),
        .health(#""port":80,"portIndex":0"#, at: ""), .health(#""gracePeriodSeconds":-1"#, at: "/gracePeriodSeconds"),
        .health(#""intervalSeconds":0"#, at: "/intervalSeconds"),
        .health(#""timeoutSeconds":0"#, at: "/timeoutSeconds"),
        .health(#""timeoutSeconds":1.5"#, at: "/timeoutSeconds"),
        .health(#""delaySeconds":-1"#, at: "/delaySeconds"), .health(#""ipProtocol":"IPv5""#, at: "/ipProtocol"),
        .health(#""ipProtocol":"IPv6""#, at: ""),
        .health(#""maxConsecutiveFailures":-1"#, at: "/maxConsecutiveFailures"),
        .health(#""path":1"#, at: "/path"), .health(#""url":"x""#, at: "/url"),
        .app("healthChecks", #"[{"portIndex":0},{"portIndex":0}]"#),
        .app("healthChecks", #"[{"protocol":"MESOS_HTTP"},{"protocol":"MESOS_TCP"}]"#, at: "/"),
        .app("healthChecks", #"[{"portIndex":0}]"#), .app("healthChecks", "[1]", at: "/healthChecks(0)"),
        .app("check", "{}"), .app("check", #"{"http":{},"tcp":{}}"#),
        .app("check", #"{"exec":{}}"#, at: "/check/exec/command"),
        .app("check", #"{"exec":{"command":{"shell":""}}}"#, at: "/check/exec/command/shell"),
        .app("check", #"{"tcp":{"portIndex":3}}"#),
        .app("check", #"{"tcp":{},"intervalSeconds":-1}"#, at: "/check/intervalSeconds"),
        .app(
            [("portDefinitions", #"[{"name":"http-api"}]"#), ("readinessChecks", "[{}]")], at: "/readinessChecks"),
        .readiness(#""protocol":"TCP""#, at: "/protocol"), .readiness(#""name":"""#, at: "/name"),
        .readiness(#""portName":"none""#, at: "/portName"), .readiness(#""path":"""#, at: "/path"),
        .readiness(#""timeoutSeconds":0"#, at: "/timeoutSeconds"),
        .readiness(#""timeoutSeconds":30,"intervalSeconds":30"#, at: "/timeoutSeconds"),
        .readiness(#""httpStatusCodesForReady":[]"#, at: "/httpStatusCodesForReady"),
        .readiness(#""httpStatusCodesForReady":[1]"#, at: "/httpStatusCodesForReady"),
        .readiness(#""httpStatusCodesForReady":["200"]"#, at: "/httpStatusCodesForReady(0)"),
        .readiness(#""preserveLastResponse":1"#, at: "/preserveLastResponse"),
    ]

    static let all = wrongTypes + amounts + names + places + containers + checks
}
