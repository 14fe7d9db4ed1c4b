import ClusterModel
import MesosWire
import Testing

@Suite struct SchedulerRequestTests {
    func request(_ text: String) throws -> SchedulerRequest {
        try SchedulerRequest(WireCodec.decode(WireSchedulerCall.self, from: Array(text.utf8), as: .json))
    }

    func call(_ type: String, _ body: String = "") throws -> SchedulerCall {
        let text = #"{"framework_id":{"value":"f-1"},"type":"\#(type)"\#(body.isEmpty ? "" : "," + body)}"#
        guard case .call(FrameworkID("f-1"), let call) = try request(text) else {
            throw WireError.missingField(path: "call")
        }
        return call
    }

    func subscription(_ info: String, more: String = "") throws -> Subscription {
        let text = #"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"\#(info)}\#(more)}}"#
        guard case .subscribe(let subscription) = try request(text) else { throw WireError.missingField(path: "x") }
        return subscription
    }

    @Test func `a framework without several roles has one, by default everybody's`() throws {
        #expect(try subscription("").info.roles == [.everyone])
        #expect(try subscription(#","role":"eng""#).info.roles == [RoleName("eng")])
        let several = #","capabilities":[{"type":"MULTI_ROLE"},{"type":"NEVER_HEARD_OF"}]"#
        let info = try subscription(several + #","roles":["a","a/b"],"failover_timeout":1.5"#).info
        #expect(info.roles == [RoleName("a"), RoleName("a/b")])
        #expect(info.capabilities == [.multiRole])
        #expect(info.failoverTimeout == .milliseconds(1_500))
    }

    @Test func `a framework that comes back may give its id at either place`() throws {
        let body = #""type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n""#
        for text in [
            #"{"framework_id":{"value":"f"},\#(body)}}}"#, #"{\#(body),"id":{"value":"f"}}}}"#,
            #"{"framework_id":{"value":"f"},\#(body),"id":{"value":"f"}}}}"#,
        ] {
            guard case .subscribe(let subscription) = try request(text) else {
                Issue.record("not a subscription")
                return
            }
            #expect(subscription.info.id == FrameworkID("f"))
        }
    }

    private func expect(_ path: String, _ read: () throws -> Void) {
        let error = #expect(throws: WireError.self) { try read() }
        switch error {
        case .invalidField(let named, _), .missingField(let named): #expect(named == path)
        default: Issue.record("\(String(describing: error))")
        }
        #expect(error?.httpStatus == 400)
    }

    @Test(arguments: [
        (#"{"type":"SUBSCRIBE"}"#, "subscribe"), (#"{"type":"REVIVE"}"#, "framework_id"), (#"{}"#, "type"),
        (#"{"type":"DANCE","framework_id":{"value":"f"}}"#, "type"), (#"{"type":"UNKNOWN"}"#, "type"),
        (#"{"type":"REVIVE","framework_id":{"value":""}}"#, "framework_id.value"),
        (#"{"type":"REVIVE","framework_id":{"value":"a/b"}}"#, "framework_id.value"),
    ])
    func `a call without type, body or framework is refused`(text: String, path: String) {
        expect(path) { _ = try request(text) }
    }

    @Test(arguments: [
        ("REVIVE", #""revive":{"roles":["a","-b"]}"#, "revive.roles[1]"),
        ("SUPPRESS", #""suppress":{"roles":["a/"]}"#, "suppress.roles[0]"), ("ACCEPT", "", "accept"),
        ("ACCEPT", #""accept":{"operations":[{"type":"LAUNCH"}]}"#, "accept.operations[0].launch"),
        ("ACCEPT", #""accept":{"operations":[{"type":"JUMP"}]}"#, "accept.operations[0].type"),
        (
            "ACCEPT", #""accept":{"operations":[{"type":"LAUNCH","id":{"value":"x"},"launch":{}}]}"#,
            "accept.operations[0].id"
        ),
        ("DECLINE", "", "decline"), ("KILL", "", "kill"), ("RECONCILE", "", "reconcile"), ("MESSAGE", "", "message"),
        (
            "KILL", #""kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":-1}}}"#,
            "kill.kill_policy.grace_period.nanoseconds"
        ),
        (
            "ACKNOWLEDGE", #""acknowledge":{"task_id":{"value":"t"},"agent_id":{"value":"a"},"uuid":"AAAA"}"#,
            "acknowledge.uuid"
        ),
        ("ACKNOWLEDGE", "", "acknowledge"), ("SHUTDOWN", "", "shutdown"), ("UPDATE_FRAMEWORK", "", "update_framework"),
        (
            "UPDATE_FRAMEWORK", #""update_framework":{"framework_info":{"user":"u","name":"n","role":"a b"}}"#,
            "update_framework.framework_info.role"
        ),
        ("RECONCILE_OPERATIONS", "", "reconcile_operations"), ("ACCEPT_INVERSE_OFFERS", "", "accept_inverse_offers"),
        ("DECLINE_INVERSE_OFFERS", "", "decline_inverse_offers"),
        ("ACKNOWLEDGE_OPERATION_STATUS", "", "acknowledge_operation_status"),
    ])
    func `a call that cannot be names the field`(type: String, body: String, path: String) {
        expect(path) { _ = try call(type, body) }
    }

    @Test(arguments: [
        (#","roles":["a"]"#, "", "subscribe.framework_info.roles"),
        (#","capabilities":[{"type":"MULTI_ROLE"}],"role":"a","roles":["a"]"#, "", "subscribe.framework_info.role"),
        (#","capabilities":[{"type":"MULTI_ROLE"}],"roles":["a","a"]"#, "", "subscribe.framework_info.roles[1]"),
        (#","capabilities":[{"type":"MULTI_ROLE"}]"#, "", "subscribe.framework_info.roles"),
        ("", #","suppressed_roles":["b"]"#, "subscribe.suppressed_roles[0]"),
        (#","id":{"value":"g"}"#, #"},"framework_id":{"value":"f""#, "subscribe.framework_info.id"),
    ])
    func `a subscription that cannot be names the field`(info: String, more: String, path: String) {
        expect(path) { _ = try subscription(info, more: more) }
    }

    @Test func `a call without its optional body applies to all roles`() throws {
        #expect(try call("REVIVE") == .revive(roles: []))
        #expect(try call("SUPPRESS") == .suppress(roles: []))
        #expect(try call("TEARDOWN") == .teardown)
        #expect(try call("REQUEST", #""requests":[{}]"#) == .request)
        #expect(try call("RECONCILE", #""reconcile":{"tasks":[]}"#) == .reconcile([]))
    }

    @Test(arguments: [
        ("", Duration.seconds(5)), (#""filters":{}"#, .seconds(5)), (#""filters":{"refuse_seconds":-1}"#, .seconds(5)),
        (#""filters":{"refuse_seconds":0}"#, .zero), (#""filters":{"refuse_seconds":0.25}"#, .milliseconds(250)),
        (#""filters":{"refuse_seconds":1e300}"#, .seconds(31_536_000)),
    ])
    func `refuse_seconds is five by default and a year at most`(filters: String, refuse: Duration) throws {
        let comma = filters.isEmpty ? "" : ","
        let read = try call("DECLINE", #""decline":{"offer_ids":[{"value":"o"}]\#(comma)\#(filters)}"#)
        #expect(read == .decline(offers: [OfferID("o")], filters: OfferFilters(refuse: refuse)))
    }

    func launch(_ fields: String) throws -> TaskInfo {
        let task = #"{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"}\#(fields)}"#
        let read = try call(
            "ACCEPT", #""accept":{"operations":[{"type":"LAUNCH","launch":{"task_infos":[\#(task)]}}]}"#)
        guard case .accept(_, let operations, _) = read, case .launch(let tasks) = operations[0] else {
            throw WireError.missingField(path: "launch")
        }
        return tasks[0]
    }

    @Test func `a command task is read with all that it says`() throws {
        let task = try launch(
            #"""
            ,"slave_id":{"value":"old"},"command":{"shell":false,"value":"/bin/echo","arguments":["echo","hi"],
            "environment":{"variables":[{"name":"A","value":"1"}]},"user":"nobody",
            "uris":[{"value":"/x.tgz","extract":false,"executable":true}]},
            "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}}],"data":"AAE=",
            "kill_policy":{"grace_period":{"nanoseconds":1500000000}},"max_completion_time":{"nanoseconds":5}
            """#)
        #expect(task.command?.isShell == false)
        #expect(task.command?.arguments == ["echo", "hi"])
        #expect(task.command?.environment == [CommandInfo.Variable(name: "A", value: "1")])
        #expect(task.command?.uris == [CommandURI(value: "/x.tgz", isExecutable: true, isExtracted: false)])
        #expect(task.resources == (try Resources([.scalar("cpus", 0.1)])))
        #expect(task.killGracePeriod == .milliseconds(1_500))
        #expect(task.maxCompletionTime == .nanoseconds(5))
        #expect(task.data == [0, 1])
        #expect(task.defect == nil && task.unsupported.isEmpty)
    }

    @Test(arguments: [
        ("", "command"), (#","command":{},"executor":{"executor_id":{"value":"e"}}"#, "executor"),
        (
            #","command":{},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]"#,
            "resources[0].scalar.value"
        ),
        (
            #","command":{},"resources":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":9,"end":1}]}}]"#,
            "resources[0].ranges.range[0]"
        ),
        (#","command":{},"kill_policy":{"grace_period":{"nanoseconds":-7}}"#, "kill_policy.grace_period.nanoseconds"),
    ])
    func `a fault in one task is a defect of that task alone`(fields: String, named: String) throws {
        let task = try launch(fields)
        #expect(task.defect?.contains("'\(named)'") == true, "\(task.defect ?? "none")")
    }

    @Test func `what is not supported is named`() throws {
        let task = try launch(
            #"""
            ,"command":{},"container":{"type":"MESOS","network_infos":[{},{}]},
            "limits":{"cpus":{"value":1},"disk":{"value":1}}
            """#)
        #expect(task.unsupported == ["container.network_infos[1]", "limits.disk"])
        #expect(try launch(#","executor":{"executor_id":{"value":"e"}}"#).unsupported == ["executor"])
        let read = try call(
            "ACCEPT",
            #""accept":{"operations":[{"type":"RESERVE","id":{"value":"op"},"reserve":{}},{"type":"CREATE"}]}"#)
        #expect(
            read
                == .accept(
                    offers: [],
                    operations: [
                        .unsupported(kind: "RESERVE", id: OperationID("op")), .unsupported(kind: "CREATE", id: nil),
                    ], filters: .standard))
    }

    @Test func `calls come back equal through both encodings`() throws {
        let task = TaskInfo(
            name: "n", taskID: TaskID("t"), agentID: AgentID("a"),
            resources: try Resources([.scalar("cpus", 0.1), .ports(31_000, 31_005)]),
            command: CommandInfo(
                value: "true", environment: [.init(name: "A", value: "ä")],
                uris: [CommandURI(value: "/a", isExecutable: true, isExtracted: false, outputFile: "b")], user: "u"),
            killGracePeriod: .seconds(3), maxCompletionTime: .seconds(60), data: [1, 2], labels: [Label(key: "k")],
            discovery: Discovery(
                visibility: "CLUSTER", name: "x", ports: [.init(number: 1, name: "p", transport: "tcp")]))
        let uuid = StatusUUID(bytes: Array(0..<16))
        let info = FrameworkInfo(
            user: "u", name: "n", id: FrameworkID("f"), failoverTimeout: .seconds(7), checkpoint: true,
            roles: [RoleName("a"), RoleName("b")], hostname: "h", principal: "p", webuiURL: "http://x",
            capabilities: [.multiRole, .partitionAware], labels: [Label(key: "k", value: "v")])
        let calls: [SchedulerCall] = [
            .accept(offers: [OfferID("o")], operations: [.launch([task])], filters: OfferFilters(refuse: .seconds(1))),
            .decline(offers: [OfferID("o")], filters: .standard), .acceptInverseOffers([OfferID("o")]),
            .declineInverseOffers([OfferID("o")]), .revive(roles: [RoleName("a")]), .suppress(roles: []),
            .kill(task: TaskID("t"), agent: AgentID("a"), gracePeriod: .seconds(1)),
            .shutdown(executor: ExecutorID("e"), agent: AgentID("a")),
            .acknowledge(agent: AgentID("a"), task: TaskID("t"), uuid: uuid),
            .acknowledgeOperation(operation: OperationID("o"), uuid: uuid),
            .reconcile([.init(task: TaskID("t")), .init(task: TaskID("u"), agent: AgentID("a"))]),
            .reconcileOperations([OperationID("o")]),
            .message(agent: AgentID("a"), executor: ExecutorID("e"), data: [0, 255]), .request, .teardown,
            .updateFramework(info, suppressedRoles: [RoleName("b")]),
        ]
        let requests =
            calls.map { SchedulerRequest.call(FrameworkID("f"), $0) }
            + [.subscribe(Subscription(info: info, suppressedRoles: [RoleName("a")]))]
        for request in requests {
            for type in MediaType.allCases {
                let bytes = try WireCodec.encode(WireSchedulerCall(request), as: type)
                #expect(try SchedulerRequest(WireCodec.decode(from: bytes, as: type)) == request)
            }
        }
    }
}
