import ClusterModel
import HTTPGateway
import HTTPTypes
import MasterNode
import NIOCore
import StateStore
import Testing

/// A request that must be refused, and how.
struct BadRequest: Sendable, CustomTestStringConvertible {
    var name: String
    var method: HTTPRequest.Method = .post
    var path: String
    var type: String? = "application/json"
    var headers: HTTPFields = [:]
    var body = ""
    var status: Int

    var testDescription: String { "\(name) → \(status)" }
}

private func scheduler(_ name: String, _ body: String, _ status: Int = 400) -> BadRequest {
    BadRequest(name: "scheduler: " + name, path: "/api/v1/scheduler", body: body, status: status)
}

/// A call of a framework with a stream id that nobody has.
private func call(_ name: String, _ body: String, _ status: Int = 400) -> BadRequest {
    BadRequest(
        name: "call: " + name, path: "/api/v1/scheduler", headers: [.streamID: "nobody"], body: body, status: status)
}

private func op(_ name: String, _ body: String, _ status: Int = 400) -> BadRequest {
    BadRequest(name: "operator: " + name, path: "/api/v1", body: body, status: status)
}

private func agent(_ name: String, _ body: String, _ status: Int = 400) -> BadRequest {
    BadRequest(name: "agent: " + name, path: "/api/v1/agent", body: body, status: status)
}

private func get(_ path: String, _ status: Int) -> BadRequest {
    BadRequest(name: "GET " + path.prefix(60), method: .get, path: path, type: nil, status: status)
}

private func rondo(_ name: String, _ path: String, _ body: String, _ status: Int) -> BadRequest {
    BadRequest(name: "rondo: " + name, path: "/rondo/v1/" + path, body: body, status: status)
}

private let deep = String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000)
private let long = String(repeating: "x", count: 300)
private let fid = "\"framework_id\":{\"value\":\"f\"}"

private func info(_ fields: String) -> String {
    "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":{\(fields)}}}"
}

/// What is wrong as a text, whatever the endpoint.
private let malformed: [(String, String)] = [
    ("empty", ""), ("white space", " \n"), ("null", "null"), ("number", "1"), ("string", "\"x\""), ("list", "[]"),
    ("cut off", "{\"type\":"), ("trailing comma", "{\"type\":\"GET_STATE\",}"), ("single quotes", "{'type':'X'}"),
    ("two objects", "{}{}"), ("not JSON", "hello"), ("deep list", deep), ("deep object", "{\"a\":" + deep + "}"),
    ("bad escape", "{\"type\":\"\\q\"}"), ("NaN", "{\"type\":NaN}"),
    ("type is a list", "{\"type\":[]}"), ("type is an object", "{\"type\":{}}"), ("no type", "{}"),
    ("unknown type", "{\"type\":\"NO_SUCH_CALL\"}"), ("UNKNOWN", "{\"type\":\"UNKNOWN\"}"),
]

private let schedulerRequests: [BadRequest] =
    malformed.map { scheduler($0.0, $0.1) } + [
        scheduler("subscribe without body", "{\"type\":\"SUBSCRIBE\"}"),
        scheduler("subscribe empty", "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}"),
        scheduler("info is text", "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":\"x\"}}"),
        scheduler("no user", info("\"name\":\"n\"")), scheduler("no name", info("\"user\":\"u\"")),
        scheduler("name is a number", info("\"user\":\"u\",\"name\":5")),
        scheduler("role with space", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"a b\"")),
        scheduler("role dot dot", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"..\"")),
        scheduler("role with dash", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"-a\"")),
        scheduler("role empty part", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"a//b\"")),
        scheduler("role star below", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"a/*\"")),
        scheduler("role too long", info("\"user\":\"u\",\"name\":\"n\",\"role\":\"\(long)\"")),
        scheduler("roles without capability", info("\"user\":\"u\",\"name\":\"n\",\"roles\":[\"a\"]")),
        scheduler(
            "no roles",
            info("\"user\":\"u\",\"name\":\"n\",\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]")),
        scheduler(
            "a role twice",
            info("\"user\":\"u\",\"name\":\"n\",\"roles\":[\"a\",\"a\"],\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]")),
        scheduler("id with slash", info("\"user\":\"u\",\"name\":\"n\",\"id\":{\"value\":\"a/b\"}")),
        scheduler("id dot dot", info("\"user\":\"u\",\"name\":\"n\",\"id\":{\"value\":\"..\"}")),
        scheduler("id too long", info("\"user\":\"u\",\"name\":\"n\",\"id\":{\"value\":\"\(long)\"}")),
        scheduler("checkpoint is text", info("\"user\":\"u\",\"name\":\"n\",\"checkpoint\":\"yes\"")),
        scheduler(
            "huge labels",
            info(
                "\"user\":\"u\",\"name\":\"n\",\"labels\":{\"labels\":[{\"key\":\"k\",\"value\":\""
                    + String(repeating: "v", count: 300_000) + "\"}]}")),
        scheduler(
            "suppressed role of others",
            "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":{\"user\":\"u\",\"name\":\"n\"},"
                + "\"suppressed_roles\":[\"other\"]}}"),
        scheduler(
            "two different ids",
            "{\"type\":\"SUBSCRIBE\",\(fid),\"subscribe\":{\"framework_info\":{\"user\":\"u\",\"name\":\"n\","
                + "\"id\":{\"value\":\"g\"}}}}"),
        scheduler("call without stream id", "{\"type\":\"REVIVE\",\(fid)}"),
        BadRequest(
            name: "scheduler: no Content-Type", path: "/api/v1/scheduler", type: nil, body: "{}", status: 400),
        BadRequest(
            name: "scheduler: text", path: "/api/v1/scheduler", type: "text/plain", body: "{}", status: 415),
        BadRequest(
            name: "scheduler: XML", path: "/api/v1/scheduler", type: "application/xml", body: "<a/>", status: 415),
        BadRequest(
            name: "scheduler: form", path: "/api/v1/scheduler", type: "application/x-www-form-urlencoded",
            body: "a=b", status: 415),
        BadRequest(
            name: "scheduler: JSON as protobuf", path: "/api/v1/scheduler", type: "application/x-protobuf",
            body: "{\"type\":\"SUBSCRIBE\"}", status: 400),
        BadRequest(
            name: "scheduler: empty protobuf", path: "/api/v1/scheduler", type: "application/x-protobuf", body: "",
            status: 400),
        BadRequest(
            name: "scheduler: Accept XML", path: "/api/v1/scheduler", headers: [.accept: "application/xml"],
            body: info("\"user\":\"u\",\"name\":\"n\""), status: 406),
        BadRequest(
            name: "scheduler: SUBSCRIBE with a stream id", path: "/api/v1/scheduler", headers: [.streamID: "x"],
            body: info("\"user\":\"u\",\"name\":\"n\""), status: 400),
        BadRequest(
            name: "scheduler: too large", path: "/api/v1/scheduler",
            body: String(repeating: " ", count: 5 << 20) + "{}",
            status: 413),
        BadRequest(
            name: "scheduler: stream id too long", path: "/api/v1/scheduler", headers: [.streamID: long],
            body: "{\"type\":\"REVIVE\",\(fid)}", status: 400),
        BadRequest(
            name: "scheduler: page of another site", path: "/api/v1/scheduler",
            headers: [.origin: "https://evil.example"], body: info("\"user\":\"u\",\"name\":\"n\""), status: 403),
    ]

private let callRequests: [BadRequest] =
    [
        "TEARDOWN", "REVIVE", "SUPPRESS", "REQUEST",
    ].map { call("\($0) of an unknown framework", "{\"type\":\"\($0)\",\(fid)}") }
    + [
        "ACCEPT", "DECLINE", "KILL", "SHUTDOWN", "ACKNOWLEDGE", "RECONCILE", "MESSAGE", "ACCEPT_INVERSE_OFFERS",
        "DECLINE_INVERSE_OFFERS", "ACKNOWLEDGE_OPERATION_STATUS", "RECONCILE_OPERATIONS", "UPDATE_FRAMEWORK",
    ].map { call("\($0) without its body", "{\"type\":\"\($0)\",\(fid)}") }
    + [
        "TEARDOWN", "REVIVE", "SUPPRESS", "ACCEPT", "DECLINE", "KILL", "SHUTDOWN", "ACKNOWLEDGE", "RECONCILE",
        "MESSAGE", "REQUEST",
    ].map { call("\($0) without framework_id", "{\"type\":\"\($0)\"}") }
    + [
        call("framework_id is text", "{\"type\":\"REVIVE\",\"framework_id\":\"f\"}"),
        call("framework_id empty", "{\"type\":\"REVIVE\",\"framework_id\":{\"value\":\"\"}}"),
        call("framework_id with slash", "{\"type\":\"REVIVE\",\"framework_id\":{\"value\":\"a/b\"}}"),
        call("kill without task", "{\"type\":\"KILL\",\(fid),\"kill\":{}}"),
        call("kill task is text", "{\"type\":\"KILL\",\(fid),\"kill\":{\"task_id\":\"t\"}}"),
        call(
            "kill grace negative",
            "{\"type\":\"KILL\",\(fid),\"kill\":{\"task_id\":{\"value\":\"t\"},\"kill_policy\":"
                + "{\"grace_period\":{\"nanoseconds\":-1}}}}"),
        call(
            "acknowledge without uuid",
            "{\"type\":\"ACKNOWLEDGE\",\(fid),\"acknowledge\":{\"agent_id\":{\"value\":\"a\"},"
                + "\"task_id\":{\"value\":\"t\"}}}"),
        call(
            "acknowledge uuid not base64",
            "{\"type\":\"ACKNOWLEDGE\",\(fid),\"acknowledge\":{\"agent_id\":{\"value\":\"a\"},"
                + "\"task_id\":{\"value\":\"t\"},\"uuid\":\"!!!\"}}"),
        call(
            "acknowledge uuid too short",
            "{\"type\":\"ACKNOWLEDGE\",\(fid),\"acknowledge\":{\"agent_id\":{\"value\":\"a\"},"
                + "\"task_id\":{\"value\":\"t\"},\"uuid\":\"AAAA\"}}"),
        call("accept offers is text", "{\"type\":\"ACCEPT\",\(fid),\"accept\":{\"offer_ids\":\"o\"}}"),
        call(
            "accept operation without type",
            "{\"type\":\"ACCEPT\",\(fid),\"accept\":{\"offer_ids\":[{\"value\":\"o\"}],\"operations\":[{}]}}"),
        call(
            "accept launch without body",
            "{\"type\":\"ACCEPT\",\(fid),\"accept\":{\"offer_ids\":[{\"value\":\"o\"}],"
                + "\"operations\":[{\"type\":\"LAUNCH\"}]}}"),
        call(
            "accept task without id",
            "{\"type\":\"ACCEPT\",\(fid),\"accept\":{\"offer_ids\":[{\"value\":\"o\"}],\"operations\":"
                + "[{\"type\":\"LAUNCH\",\"launch\":{\"task_infos\":[{\"name\":\"n\"}]}}]}}"),
        call("decline offers hold a number", "{\"type\":\"DECLINE\",\(fid),\"decline\":{\"offer_ids\":[1]}}"),
        call("decline of nobody", "{\"type\":\"DECLINE\",\(fid),\"decline\":{\"offer_ids\":[{\"value\":\"o\"}]}}"),
        call("reconcile task without id", "{\"type\":\"RECONCILE\",\(fid),\"reconcile\":{\"tasks\":[{}]}}"),
        call("revive role wrong", "{\"type\":\"REVIVE\",\(fid),\"revive\":{\"roles\":[\"a b\"]}}"),
        call("suppress role wrong", "{\"type\":\"SUPPRESS\",\(fid),\"suppress\":{\"roles\":[\"..\"]}}"),
        call("message without data", "{\"type\":\"MESSAGE\",\(fid),\"message\":{\"agent_id\":{\"value\":\"a\"}}}"),
        call(
            "shutdown without agent", "{\"type\":\"SHUTDOWN\",\(fid),\"shutdown\":{\"executor_id\":{\"value\":\"e\"}}}"),
    ]

private let operatorRequests: [BadRequest] =
    malformed.map { op($0.0, $0.1) }
    + [
        "RESERVE_RESOURCES", "UNRESERVE_RESOURCES", "CREATE_VOLUMES", "DESTROY_VOLUMES", "SET_QUOTA", "REMOVE_QUOTA",
        "UPDATE_QUOTA", "UPDATE_MAINTENANCE_SCHEDULE", "START_MAINTENANCE", "STOP_MAINTENANCE", "SET_LOGGING_LEVEL",
        "DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "GROW_VOLUME", "SHRINK_VOLUME",
    ].map { op("\($0) comes later", "{\"type\":\"\($0)\"}", 501) }
    + [
        op("mark gone without body", "{\"type\":\"MARK_AGENT_GONE\"}"),
        op("mark gone without id", "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{}}"),
        op(
            "mark gone of nobody",
            "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":{\"value\":\"no\"}}}", 404),
        op("teardown without body", "{\"type\":\"TEARDOWN\"}"),
        op("teardown of nobody", "{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"no\"}}}", 404),
        op("weights without body", "{\"type\":\"UPDATE_WEIGHTS\"}"),
        op("no weights", "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{}}"),
        op(
            "weight 0",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"a\",\"weight\":0}]}}"),
        op(
            "weight -1",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"a\",\"weight\":-1}]}}"),
        op(
            "weight 1e9",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"a\",\"weight\":1e9}]}}"),
        op(
            "weight NaN",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"a\",\"weight\":\"NaN\"}]}}"),
        op(
            "weight without role",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"weight\":1}]}}"),
        op(
            "weight of no role",
            "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"a b\",\"weight\":1}]}}"),
        op("list files without body", "{\"type\":\"LIST_FILES\"}"),
        op("list files elsewhere", "{\"type\":\"LIST_FILES\",\"list_files\":{\"path\":\"/etc\"}}", 404),
        op("read file without body", "{\"type\":\"READ_FILE\"}"),
        op(
            "read file elsewhere", "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"/etc/passwd\",\"offset\":0}}", 404
        ),
        op(
            "read file offset negative",
            "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"/master/log\",\"offset\":-1}}"),
        BadRequest(name: "operator: no Content-Type", path: "/api/v1", type: nil, body: "{}", status: 400),
        BadRequest(name: "operator: text", path: "/api/v1", type: "text/html", body: "{}", status: 415),
        BadRequest(
            name: "operator: Accept", path: "/api/v1/operator", headers: [.accept: "image/png"],
            body: "{\"type\":\"GET_STATE\"}", status: 406),
        BadRequest(
            name: "operator: too large", path: "/mesos/api/v1", body: String(repeating: " ", count: 6 << 20),
            status: 413),
    ]

private let agentRequests: [BadRequest] =
    malformed.map { agent($0.0, $0.1) } + [
        agent("call without session", "{\"type\":\"CALLS\",\"calls\":[{\"heartbeat\":{}}]}"),
        agent("calls without session, none", "{\"type\":\"CALLS\",\"calls\":[]}"),
        agent("subscribe without body", "{\"type\":\"SUBSCRIBE\"}"),
        agent("subscribe empty", "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}"),
        agent("info is text", "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"info\":\"x\",\"tasks\":[]}}"),
        agent(
            "id with slash",
            "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"tasks\":[],\"info\":{\"id\":\"a/b\",\"hostname\":\"h\","
                + "\"address\":\"127.0.0.1\",\"port\":1,\"resources\":[],\"attributes\":[],\"version\":\"1\"}}}"),
        agent(
            "port too large",
            "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"tasks\":[],\"info\":{\"hostname\":\"h\","
                + "\"address\":\"127.0.0.1\",\"port\":70000,\"resources\":[],\"attributes\":[],\"version\":\"1\"}}}"),
        BadRequest(name: "agent: no Content-Type", path: "/api/v1/agent", type: nil, body: "{}", status: 400),
        BadRequest(
            name: "agent: protobuf", path: "/api/v1/agent", type: "application/x-protobuf", body: "{}", status: 415),
        BadRequest(
            name: "agent: unknown session", path: "/api/v1/agent", headers: [.session: "nobody"],
            body: "{\"type\":\"CALLS\",\"calls\":[{\"heartbeat\":{}}]}", status: 403),
        BadRequest(name: "agent: unknown stream", path: "/api/v1/agent/streams/nobody", body: "x", status: 404),
    ]

private let readRequests: [BadRequest] = [
    get("/nothing", 404), get("/master/nothing", 404), get("/state/x", 404), get("/master", 404), get("/mesos", 404),
    get("/api/v2", 404), get("/api", 404), get("/rondo", 404), get("/rondo/v2/cluster", 404), get("/rondo/v1", 404),
    get("/rondo/v1/nothing", 404), get("/files", 404), get("/files/nothing", 404), get("/state.xml", 404),
    get("/tasks?limit=x", 400), get("/tasks?limit=-2", 400), get("/tasks?limit=1.5", 400), get("/tasks?offset=-1", 400),
    get("/tasks?offset=99999999999999999999", 400), get("/tasks?order=up", 400), get("/a/../state", 400),
    get("/%00", 400), get("/files/read", 400), get("/files/read?path=", 400),
    get("/files/read?path=/etc/passwd", 404), get("/files/read.json?path=/master/log", 404),
    get("/files/read?path=/master/log&offset=x", 400), get("/files/read?path=/master/log&offset=-2", 400),
    get("/files/read?path=/master/log&offset=0&length=-2", 400), get("/files/browse", 400),
    get("/files/browse?path=/", 404), get("/files/browse.json?path=/master/log", 404), get("/files/download", 400),
    get("/files/download?path=/etc/shadow", 404), get("/agent/nobody/state", 404), get("/slave/nobody/state", 404),
    get("/mesos/agent/nobody/state", 404), get("/agent", 404), get("/agent/a%2Fb/state", 400),
    get("/rondo/v1/tasks?state=nothing", 400), get("/rondo/v1/tasks?framework=nobody", 404),
    get("/rondo/v1/tasks/nobody", 404), get("/rondo/v1/tasks/nobody/nothing", 404), get("/rondo/v1/tasks/a%2Fb", 400),
    get("/rondo/v1/nodes/nobody", 404), get("/rondo/v1/frameworks/nobody", 404), get("/rondo/v1/why/nobody", 404),
    get("/api/v1/scheduler", 405), get("/api/v1", 405), get("/api/v1/agent", 405), get("/master/teardown", 405),
    get("/api/v1/agent/streams/x", 405), get("/rondo/v1/join", 405), get("/rondo/v1/tasks/a/b/kill", 405),
]

private let writeRequests: [BadRequest] = [
    BadRequest(name: "PUT /state", method: .put, path: "/state", status: 405),
    BadRequest(name: "POST /state", path: "/master/state", status: 405),
    BadRequest(name: "DELETE /tasks", method: .delete, path: "/tasks", status: 405),
    BadRequest(name: "POST /metrics", path: "/metrics", status: 405),
    BadRequest(name: "POST /", path: "/", status: 405),
    BadRequest(name: "PATCH on an agent", method: .patch, path: "/agent/nobody/x", status: 405),
    BadRequest(name: "PUT scheduler", method: .put, path: "/api/v1/scheduler", status: 405),
    BadRequest(name: "teardown empty", path: "/master/teardown", type: nil, status: 400),
    BadRequest(name: "teardown other field", path: "/master/teardown", type: nil, body: "id=x", status: 400),
    BadRequest(name: "teardown bad escape", path: "/teardown", type: nil, body: "frameworkId=%", status: 400),
    BadRequest(name: "teardown of nobody", path: "/teardown", type: nil, body: "frameworkId=no", status: 400),
    rondo("kill nobody's task", "tasks/no/no/kill", "", 404),
    rondo("kill a bad id", "tasks/a%2Fb/no/kill", "", 400),
    rondo("tear nobody down", "frameworks/no/teardown", "", 404),
    rondo("tear a bad id down", "frameworks/%2E%2Fx/teardown", "", 400),
    rondo("POST cluster", "cluster", "{}", 405), rondo("POST nodes", "nodes", "{}", 405),
    rondo("join empty", "join", "", 400), rondo("join not JSON", "join", "x", 400),
    rondo("join without token", "join", "{\"name\":\"n\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo("join without name", "join", "{\"token\":\"t\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo("join name is a number", "join", "{\"token\":\"t\",\"name\":5,\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo("join name empty", "join", "{\"token\":\"t\",\"name\":\"\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo(
        "join name with spaces", "join", "{\"token\":\"t\",\"name\":\"a b\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo("join other role", "join", "{\"token\":\"t\",\"name\":\"n\",\"request\":\"r\",\"role\":\"king\"}", 400),
    rondo("join as master", "join", "{\"token\":\"t\",\"name\":\"n\",\"request\":\"r\",\"role\":\"master\"}", 400),
    rondo(
        "join with a wrong token", "join", "{\"token\":\"t\",\"name\":\"n\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo(
        "join with an unknown token", "join",
        "{\"token\":\"join.abc.def\",\"name\":\"n\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo(
        "join with a path", "join",
        "{\"token\":\"join./../x.def\",\"name\":\"n\",\"request\":\"r\",\"role\":\"agent\"}", 400),
    rondo("join without request", "join", "{\"token\":\"t\",\"name\":\"n\",\"role\":\"agent\"}", 400),
    rondo("join too large", "join", String(repeating: " ", count: 70_000), 413),
    rondo("join too deep", "join", deep, 400),
    BadRequest(name: "rondo: join as form", path: "/rondo/v1/join", type: "text/plain", body: "{}", status: 415),
    BadRequest(name: "rondo: join without type", path: "/rondo/v1/join", type: nil, body: "{}", status: 400),
    rondo("token without credential", "tokens", "{}", 401),
    BadRequest(
        name: "rondo: token with a wrong credential", path: "/rondo/v1/tokens",
        headers: [.authorization: "Bearer wrong"], body: "{}", status: 401),
    BadRequest(name: "rondo: tokens unseen", method: .get, path: "/rondo/v1/tokens", type: nil, status: 401),
    BadRequest(name: "rondo: token revoked by a stranger", method: .delete, path: "/rondo/v1/tokens/x", status: 401),
    BadRequest(
        name: "rondo: unknown token", method: .delete, path: "/rondo/v1/tokens/x", headers: administrator, status: 404),
    BadRequest(
        name: "rondo: token for a king", path: "/rondo/v1/tokens", headers: administrator,
        body: "{\"role\":\"king\"}", status: 400),
    BadRequest(
        name: "rondo: token for ever", path: "/rondo/v1/tokens", headers: administrator,
        body: "{\"lifetimeSeconds\":1e12}", status: 400),
    BadRequest(
        name: "rondo: token for no time", path: "/rondo/v1/tokens", headers: administrator,
        body: "{\"lifetimeSeconds\":-5}", status: 400),
    BadRequest(
        name: "rondo: token for nobody", path: "/rondo/v1/tokens", headers: administrator, body: "{\"uses\":0}",
        status: 400),
    BadRequest(
        name: "rondo: token uses is text", path: "/rondo/v1/tokens", headers: administrator, body: "{\"uses\":\"1\"}",
        status: 400),
]

private let administrator: HTTPFields = [.authorization: "Bearer \(administratorSecret)"]
private let administratorSecret = "administrator-of-the-bad-request-tests"

@Suite struct BadRequestTests {
    static let all =
        schedulerRequests + callRequests + operatorRequests + agentRequests + readRequests + writeRequests

    @Test func `there are many of them`() {
        #expect(Self.all.count >= 150)
        #expect(Set(Self.all.map(\.name)).count == Self.all.count, "a name is used twice")
    }

    /// One master answers them all, one after the other: none of them may harm it for the next.
    @Test func `every bad request is refused with its status and a message`() async throws {
        let store = MemoryStore()
        // An agent's registration needs a credential here, so its faults are looked at with an open master.
        try await check(
            Self.all.filter { !$0.path.hasPrefix("/api/v1/agent") }, store,
            StoredCredentials(store: store, administrator: administratorSecret))
        try await check(Self.all.filter { $0.path.hasPrefix("/api/v1/agent") }, MemoryStore(), OpenCredentials())
    }

    private func check(
        _ requests: [BadRequest], _ store: MemoryStore, _ credentials: any NodeCredentials
    ) async throws {
        try await MasterFixture.with(
            store: store, credentials: credentials,
            change: { settings in
                settings.clusterID = AccessFixture.cluster
                settings.trust = try? AccessFixture.trust(now: SystemClock().now().wall)
            }
        ) { fixture in
            for request in requests {
                var headers = request.headers
                if let type = request.type { headers[.contentType] = type }
                let response: HTTPCaller.Response
                do {
                    response = try await fixture.caller.call(
                        request.method, fixture.endpoint, request.path, headers: headers,
                        body: request.method == .get ? nil : ByteBuffer(string: request.body))
                } catch {
                    Issue.record("\(request.name): \(error)")
                    continue
                }
                let message = String(buffer: response.bytes)
                #expect(response.status.code == request.status, "\(request.name): \(message)")
                #expect(message.count > 10, "\(request.name) says nothing")
                if request.status == 405 { #expect(response.headers[.allow] != nil, "\(request.name)") }
                if request.status == 401 { #expect(response.headers[.wwwAuthenticate] != nil, "\(request.name)") }
                if request.path.hasPrefix("/rondo/"), response.status.code != 400 || message.hasPrefix("{") {
                    let body = try JSONNode(response.bytes)
                    #expect(body["code"]?.text?.contains(".") == true, "\(request.name): \(message)")
                    #expect(body["message"]?.text != nil, "\(request.name)")
                }
            }
            #expect(try await fixture.get("/health").status == .ok)
        }
    }
}
