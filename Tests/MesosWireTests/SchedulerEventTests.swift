import ClusterModel
import MesosWire
import Testing

@Suite struct SchedulerEventTests {
    static let master = MasterInfo(
        id: MasterID("m"), hostname: "h", address: "127.0.0.1", port: 5050, version: "1.11.0")

    static func offer() throws -> Offer {
        let resources = try Resources([.scalar("cpus", 2), .ports(31_000, 32_000)])
        let agent = AgentInfo(
            id: AgentID("a"), hostname: "n", address: "10.0.0.1", port: 5051, resources: resources,
            attributes: [
                Attribute(name: "rack", value: .text("r1")), Attribute(name: "x", value: .scalar(2)),
                Attribute(name: "y", value: .ranges(RangeSet(text: "[1-3]")!)),
            ], domain: Domain(region: "north", zone: "z"), version: "")
        return Offer(
            id: OfferID("o"), frameworkID: FrameworkID("f"), agentID: AgentID("a"), role: RoleName("eng"),
            resources: resources, agent: agent, executorIDs: [ExecutorID("e")])
    }

    static let status = TaskStatus(
        taskID: TaskID("t"), state: .failed, source: .executor, reason: .containerLimitationMemory, message: "m",
        agentID: AgentID("a"), executorID: ExecutorID("t"), timestamp: UnixTime(nanoseconds: 1_700_000_000_500_000_000),
        uuid: StatusUUID(bytes: Array(0..<16)), isHealthy: true, data: [1], containerID: ContainerID("c"),
        addresses: ["10.0.0.2", "fd00::1"])

    @Test func `events come back equal through both encodings`() throws {
        let events: [SchedulerEvent] = [
            .subscribed(FrameworkID("f"), heartbeatInterval: .seconds(15), master: Self.master),
            .offers([try Self.offer()]), .offers([]), .rescind(OfferID("o")), .update(Self.status),
            .message(agent: AgentID("a"), executor: ExecutorID("e"), data: [7]),
            .failure(agent: AgentID("a"), executor: nil, status: nil),
            .failure(agent: AgentID("a"), executor: ExecutorID("e"), status: 9), .error("over"), .heartbeat,
        ]
        for event in events {
            for type in MediaType.allCases {
                let wire = WireSchedulerEvent(event, for: [.multiRole, .regionAware, .reservationRefinement])
                let bytes = try WireCodec.encode(wire, as: type)
                #expect(try SchedulerEvent(WireCodec.decode(from: bytes, as: type)) == event)
            }
        }
    }

    @Test func `an offer to a plain framework is what clients of old read`() throws {
        let event = WireSchedulerEvent(.offers([try Self.offer()]), for: [])
        let expected =
            #"{"type":"OFFERS","offers":{"offers":[{"id":{"value":"o"},"framework_id":{"value":"f"},"#
            + #""agent_id":{"value":"a"},"hostname":"n","resources":[{"name":"cpus","type":"SCALAR","#
            + #""scalar":{"value":2.0},"role":"*","allocation_info":{"role":"eng"}},{"name":"ports","type":"RANGES","#
            + #""ranges":{"range":[{"begin":31000,"end":32000}]},"role":"*","allocation_info":{"role":"eng"}}],"#
            + #""executor_ids":[{"value":"e"}],"#
            + #""attributes":[{"name":"rack","type":"TEXT","text":{"value":"r1"}},{"name":"x","type":"SCALAR","#
            + #""scalar":{"value":2.0}},{"name":"y","type":"RANGES","ranges":{"range":[{"begin":1,"end":3}]}}],"#
            + #""url":{"scheme":"http","address":{"hostname":"n","ip":"10.0.0.1","port":5051},"path":"/slave(1)"},"#
            + #""allocation_info":{"role":"eng"}}]}}"#
        #expect(String(decoding: try WireCodec.encode(event, as: .json), as: UTF8.self) == expected)
    }

    @Test func `an operation's status is told in Mesos' words`() throws {
        let event = WireSchedulerEvent(
            .operation(OperationStatus(id: OperationID("o1"), state: .error, message: "no", agentID: AgentID("a"))),
            for: [])
        let expected =
            #"{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":"o1"},"#
            + #""state":"OPERATION_ERROR","message":"no","agent_id":{"value":"a"}}}}"#
        #expect(String(decoding: try WireCodec.encode(event, as: .json), as: UTF8.self) == expected)
    }

    @Test func `a heartbeat has a type and nothing else`() throws {
        let bytes = try WireCodec.encode(WireSchedulerEvent(.heartbeat, for: []), as: .json)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"type":"HEARTBEAT"}"#)
    }

    @Test func `the master's address is a number in network order and text`() throws {
        let wire = WireMasterInfo(Self.master)
        #expect(wire.ip == 16_777_343)
        #expect(wire.pid == "master@127.0.0.1:5050")
        var six = Self.master
        six.address = "::1"
        #expect(WireMasterInfo(six).ip == 0)
        #expect(WireMasterInfo(six).pid == "master@[::1]:5050")
        #expect(try MasterInfo(WireMasterInfo(six)) == six)
        var onlyNumber = wire
        onlyNumber.clearAddress()
        #expect(try MasterInfo(onlyNumber).address == "127.0.0.1")
    }

    @Test(arguments: TaskState.allCases)
    func `every state has its name on the wire`(state: TaskState) throws {
        var status = Self.status
        status.state = state
        let text = String(decoding: try WireCodec.encode(WireTaskStatus(status), as: .json), as: UTF8.self)
        #expect(text.contains("\"state\":\"\(state.rawValue)\""))
        #expect(TaskState(state.wire) == state)
    }

    @Test(arguments: StatusReason.allCases)
    func `every reason has its name on the wire`(reason: StatusReason) throws {
        var status = Self.status
        status.reason = reason
        let text = String(decoding: try WireCodec.encode(WireTaskStatus(status), as: .json), as: UTF8.self)
        #expect(text.contains("\"reason\":\"\(reason.rawValue)\""))
        #expect(StatusReason(reason.wire) == reason)
    }

    @Test func `a status without a uuid has none on the wire`() throws {
        var status = Self.status
        status.uuid = nil
        #expect(!WireTaskStatus(status).hasUuid)
        #expect(try TaskStatus(WireTaskStatus(status)) == status)
    }

    @Test func `the operator interface gets agents, frameworks and tasks that have all required fields`() throws {
        let offer = try Self.offer()
        let time = UnixTime(nanoseconds: 5)
        let info = FrameworkInfo(user: "u", name: "n", id: FrameworkID("f"), roles: [RoleName("eng")])
        let task = TaskInfo(
            name: "n", taskID: TaskID("t"), agentID: AgentID("a"), resources: offer.resources,
            command: CommandInfo(value: "true"))
        var response = WireOperatorResponse()
        response.type = .getState
        response.getState.getAgents.agents = [
            .init(offer.agent, isActive: true, registered: time, allocated: offer.resources)
        ]
        response.getState.getFrameworks.frameworks = [
            .init(info, isActive: true, isConnected: false, registered: time, offers: [offer], offered: offer.resources)
        ]
        response.getState.getTasks.tasks = [
            WireTask(
                task, of: FrameworkID("f"), state: .failed, statuses: [Self.status], user: "u", role: RoleName("eng"))
        ]
        for type in MediaType.allCases {
            let bytes = try WireCodec.encode(response, as: type)
            let back = try WireCodec.decode(WireOperatorResponse.self, from: bytes, as: type, limits: .state)
            #expect(back == response)
            var agent = offer.agent
            agent.address = ""
            #expect(try AgentInfo(back.getState.getAgents.agents[0].agentInfo) == agent)
            #expect(try FrameworkInfo(back.getState.getFrameworks.frameworks[0].frameworkInfo) == info)
            #expect(back.getState.getTasks.tasks[0].statusUpdateState == .taskFailed)
        }
    }
}
