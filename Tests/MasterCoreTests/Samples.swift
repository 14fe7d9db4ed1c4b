// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

public import ClusterModel
import MasterCore
import Scheduling
import Testing

extension FrameworkInfo {
    /// A framework whose tasks survive its absence for a minute.
    static func test(
        _ name: String = "framework", roles: [RoleName] = [.everyone], failoverTimeout: Duration = .seconds(60),
        capabilities: Set<FrameworkCapability> = []
    ) -> FrameworkInfo {
        FrameworkInfo(
            user: "root", name: name, failoverTimeout: failoverTimeout, roles: roles, capabilities: capabilities)
    }

    /// The same with the newer words for partitions.
    static var partitionAware: FrameworkInfo { .test(capabilities: [.partitionAware]) }
}

extension AgentInfo {
    /// An agent with four cores, 4 GiB and ten ports.
    static func test(_ hostname: String = "host", _ resources: String = "cpus:4;mem:4096;ports:[31000-31009]")
        -> AgentInfo
    {
        AgentInfo(
            hostname: hostname, address: "10.0.0.2", port: 5_051, resources: bag(resources), version: "0.1")
    }
}

extension TaskInfo {
    /// A task that fits several times into an agent.
    static func test(_ id: String, on offer: Offer, _ resources: String = "cpus:1;mem:64") -> TaskInfo {
        TaskInfo(
            name: id, taskID: TaskID(id), agentID: offer.agentID, resources: bag(resources),
            command: CommandInfo(value: "sleep 1000"))
    }
}

func bag(_ text: String) -> Resources { try! Resources(text: text) }

func uuid(_ number: UInt8) -> StatusUUID { StatusUUID(bytes: [UInt8](repeating: number, count: 16)) }

/// An update of an agent; without a number it takes no acknowledgement.
func update(_ task: String, _ state: TaskState, _ number: UInt8? = nil, on agent: AgentPeer) -> TaskStatus {
    TaskStatus(
        taskID: TaskID(task), state: state, source: .executor, agentID: agent.id, executorID: ExecutorID(task),
        timestamp: UnixTime(seconds: 1_700_000_000), uuid: number.map(uuid))
}

extension MasterScenario {
    /// A framework and an agent on which one task runs, all updates acknowledged and all events taken.
    static func running(
        _ task: String = "t", _ info: FrameworkInfo = .test(), _ settings: MasterSettings = MasterSettings(),
        origin: AgentOrigin? = nil
    ) throws -> (MasterScenario, FrameworkPeer, AgentPeer) {
        var scenario = MasterScenario(settings)
        let agent = try scenario.register(origin: origin)
        let framework = try scenario.subscribe(info)
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test(task, on: offer)], refuse: .seconds(100_000))
        scenario.report(task, .running, 1, of: framework, on: agent)
        scenario.acknowledge(task, 1, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        _ = scenario.take(agent)
        return (scenario, framework, agent)
    }

    mutating func report(
        _ task: String, _ state: TaskState, _ number: UInt8?, of framework: FrameworkPeer, on agent: AgentPeer,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let key = TaskKey(framework: framework.id, task: TaskID(task))
        let status = update(task, state, number, on: agent)
        tell(agent, .status(key, status, directory: "/work/\(task)"), sourceLocation: sourceLocation)
    }

    mutating func acknowledge(
        _ task: String, _ number: UInt8, of framework: FrameworkPeer, on agent: AgentPeer,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        call(
            framework, .acknowledge(agent: agent.id, task: TaskID(task), uuid: uuid(number)),
            sourceLocation: sourceLocation)
    }

    /// What an agent says of a task when it registers.
    func reported(
        _ task: String, _ state: TaskState, _ number: UInt8 = 1, of framework: FrameworkPeer, on agent: AgentPeer,
        resources: String = "cpus:1;mem:64"
    ) -> ReportedTask {
        let info = TaskInfo(
            name: task, taskID: TaskID(task), agentID: agent.id, resources: bag(resources),
            command: CommandInfo(value: "sleep 1000"))
        let launch = TaskLaunch(
            frameworkID: framework.id, frameworkName: "framework", user: "root", checkpoint: false, role: .everyone,
            wantsKillingState: false, task: info)
        return ReportedTask(launch: launch, status: update(task, state, number, on: agent), directory: "/work/\(task)")
    }

    func task(_ id: String, of framework: FrameworkPeer) -> TaskRecord? {
        core.frameworks[framework.id]?.tasks[TaskID(id)]
    }

    func free(_ agent: AgentPeer) -> Resources? { core.allocator.free(on: agent.id) }
}

func key(_ framework: FrameworkPeer, _ task: String) -> TaskKey {
    TaskKey(framework: framework.id, task: TaskID(task))
}

extension Identifier: ExpressibleByStringLiteral {
    /// Wraps a literal of a test.
    public init(stringLiteral value: String) { self.init(value) }
}

extension RoleName: ExpressibleByStringLiteral {
    /// Wraps a literal of a test.
    public init(stringLiteral value: String) { self.init(value) }
}
