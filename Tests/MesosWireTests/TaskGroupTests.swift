import ClusterModel
import MesosWire
import Testing

@Suite("Task groups on the wire")
struct TaskGroupTests {
    private func read(_ executor: String) throws -> (TaskGroup, [TaskInfo]) {
        let task = #"{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"command":{"value":"true"}}"#
        let text = """
            {"framework_id":{"value":"f"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],"operations":[
            {"type":"LAUNCH_GROUP","launch_group":{"executor":{"executor_id":{"value":"e"}\(executor)},
            "task_group":{"tasks":[\(task)]}}}]}}
            """
        let request = try SchedulerRequest(
            WireCodec.decode(WireSchedulerCall.self, from: Array(text.utf8), as: .json))
        guard case .call(_, .accept(_, let operations, _)) = request,
            case .launchGroup(let group, let tasks)? = operations.first
        else { throw WireError.missingField(path: "launch_group") }
        return (group, tasks)
    }

    @Test func `the default executor is read with its resources and its network`() throws {
        let (group, tasks) = try read(
            #","type":"DEFAULT","framework_id":{"value":"f"},"#
                + #""resources":[{"name":"mem","type":"SCALAR","scalar":{"value":32}}],"#
                + #""container":{"type":"MESOS","network_infos":[{"name":"bridge","#
                + #""port_mappings":[{"host_port":31000,"container_port":80}]}]}"#)
        #expect(group.executorID == ExecutorID("e") && group.frameworkID == FrameworkID("f") && group.defect == nil)
        #expect(group.resources.total("mem").value == 32 && group.network == .bridge)
        #expect(group.container?.portMappings == [.init(hostPort: 31_000, containerPort: 80)])
        #expect(tasks.map(\.taskID) == [TaskID("t")])
    }

    @Test(arguments: [
        ("", "Unknown executor type"), (#","type":"CUSTOM""#, "type CUSTOM are not supported"),
        (#","type":"DEFAULT","command":{"value":"x"}"#, "'ExecutorInfo.command' must not be set"),
        (
            #","type":"DEFAULT","resources":[{"name":"mem","type":"SCALAR","scalar":{"value":-1}}]"#,
            "executor.resources"
        ),
        (#","type":"DEFAULT","container":{"type":"DOCKER"}"#, "executor.container"),
        (
            #","type":"DEFAULT","container":{"type":"MESOS","network_infos":[{"name":"a"},{"name":"b"}]}"#,
            "executor.container.network_infos[1]"
        ),
    ])
    func `what is wrong with an executor becomes the group's defect`(executor: String, words: String) throws {
        let (group, _) = try read(executor)
        #expect(group.defect?.contains(words) == true, "\(group.defect ?? "")")
    }

    @Test func `a group that is written is read as it was`() throws {
        var container = ContainerInfo(kind: .mesos)
        container.network = .bridge
        container.portMappings = [.init(hostPort: 31_000, containerPort: 80)]
        let group = TaskGroup(
            executorID: ExecutorID("e"), resources: try Resources(text: "cpus:0.1;mem:32"), container: container,
            frameworkID: FrameworkID("f"))
        let task = TaskInfo(
            name: "n", taskID: TaskID("t"), agentID: AgentID("a"), resources: try Resources(text: "cpus:1"),
            command: CommandInfo(value: "true"))
        let request = SchedulerRequest.call(
            FrameworkID("f"),
            .accept(
                offers: [OfferID("o")], operations: [.launchGroup(group, tasks: [task])],
                filters: OfferFilters(refuse: .seconds(1))))
        #expect(try SchedulerRequest(WireSchedulerCall(request)) == request)
    }

    @Test func `the container of a task of a group is told with the one that it is in, and read with it`() throws {
        let status = TaskStatus(
            taskID: TaskID("t"), state: .running, source: .executor, timestamp: UnixTime(nanoseconds: 0),
            containerID: ContainerID("g-1.0"))
        let wire = WireTaskStatus(status)
        #expect(wire.containerStatus.containerID.value == "g-1.0")
        #expect(wire.containerStatus.containerID.parent.value == "g-1")
        #expect(try TaskStatus(wire).containerID == status.containerID)
        #expect(!WireContainerID(ContainerID("g-1")).hasParent)
    }

    @Test(arguments: [
        (#"{"value":"g.1","parent":{"value":"g"}}"#, "g.1", []), (#"{"value":"g.1"}"#, "g.1", []),
        (#"{"value":"s","parent":{"value":"g.1","parent":{"value":"g"}}}"#, "g.1", ["s"]),
        (#"{"value":"s","parent":{"value":"g.1"}}"#, "g.1", ["s"]),
        (#"{"value":"1","parent":{"value":"g"}}"#, "g", ["1"]),
        (#"{"value":"s","parent":{"value":"h.1","parent":{"value":"g"}}}"#, "g", ["h.1", "s"]),
    ])
    func `a chain of containers leads to the task's own`(id: String, root: String, nested: [String]) throws {
        let call = try ContainerCall(
            json: Array(#"{"type":"WAIT_CONTAINER","wait_container":{"container_id":\#(id)}}"#.utf8))
        #expect(call.container == ContainerPath(root: root, nested: nested))
    }
}
